"""A real nats-server on a free port, with JetStream in a directory of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nats
from nats.aio.client import Client

from deploy.sandbox import binaries
from deploy.sandbox.network import free_port

SYSTEM_ACCOUNT = """
jetstream { %s }
system_account: SYS
accounts {
  SYS { users: [{user: sys, password: sys}], exports: [{service: "$SYS.REQ.SERVER.PING.JSZ"}] }
  APP {
    jetstream: enabled
    users: [{user: app, password: app}]
    imports: [{service: {account: SYS, subject: "$SYS.REQ.SERVER.PING.JSZ"}}]
  }
}
"""
"""A configuration in which the user ``app`` may ask how JetStream writes; ``%s``: JetStream's own options."""


class NatsServer:
    """Can be killed and started again on the same port with the same store."""

    def __init__(self, directory: Path, config: str = "") -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._config = directory / "nats.conf"
        self._config.write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(binaries.find("nats-server")), "-a", "127.0.0.1", "-p", str(self.port), "-js"]
        command += ["-sd", str(self._directory / "store"), "-c", str(self._config)]
        with (self._directory / "nats.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def connect(self, **options: object) -> Client:
        """Waits for the server to listen: the client's own retries do that."""
        return await nats.connect(self.url, reconnect_time_wait=0.02, max_reconnect_attempts=500, **options)
