"""The bus as deploy/kubernetes configures it, on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.deploy.api import DEPLOY, manifests
from tests.handlers.adapters.natsserver import NatsServer

# read as numbers, the first two would be 120000 and infinity
PASSWORDS = {"watcher": "12e4", "handlers": "9e999", "operator": "0123456789abcdef"}
_PLACES_OF_A_POD = ("port: 4222", "http_port: 8222", "store_dir: /data")


@contextmanager
def deployed_bus(directory: Path) -> Iterator[NatsServer]:
    """A nats-server with the deployed configuration, but for its ports and its directory."""
    lines = _manifest("ConfigMap", "canarybus-nats")["data"]["nats.conf"].splitlines()
    config = "\n".join(line for line in lines if line.strip() not in _PLACES_OF_A_POD)
    assert len(config.splitlines()) == len(lines) - len(_PLACES_OF_A_POD)
    server = NatsServer(directory, config)
    with _variables(_environment()):
        server.start()
    try:
        yield server
    finally:
        server.kill()


def url_of(server: NatsServer, user: str) -> str:
    """As the Deployments write it."""
    return server.url.replace("nats://", f"nats://{user}:{PASSWORDS[user]}@")


def _manifest(kind: str, name: str) -> dict[str, Any]:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return next(item for item in manifests(files) if item["kind"] == kind and item["metadata"]["name"] == name)


def _environment() -> dict[str, str]:
    """As the kubelet makes it for the server's container."""
    known = {"POD_NAME": "canarybus-nats-0"}
    for variable in _manifest("StatefulSet", "canarybus-nats")["spec"]["template"]["spec"]["containers"][0]["env"]:
        if "value" in variable:
            value = variable["value"]
            for name, found in known.items():
                value = value.replace(f"$({name})", found)
            known[variable["name"]] = value
        elif "secretKeyRef" in variable["valueFrom"]:
            known[variable["name"]] = PASSWORDS[variable["valueFrom"]["secretKeyRef"]["key"]]
    return known


@contextmanager
def _variables(wanted: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
