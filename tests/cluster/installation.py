"""Installing with kubectl, as the README says, and access as one of the ServiceAccounts."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path

import yaml

from deploy.sandbox.binaries import find
from tests.deploy.api import DEPLOY

NAMESPACE = "canarybus"
ACCOUNT = "system:serviceaccount:canarybus:canarybus-{}"


async def kubectl(kubeconfig: str, *arguments: str, stdin: str = "") -> str:
    """What it prints; a failure fails the test with kubectl's own words."""
    process = await asyncio.create_subprocess_exec(
        str(find("kubectl")),
        f"--kubeconfig={kubeconfig}",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, words = await process.communicate(stdin.encode())
    assert process.returncode == 0, f"kubectl {' '.join(arguments)}: {words.decode()}"
    return out.decode()


async def install(kubeconfig: str) -> None:
    """Both steps of deploy/README.md and the Secret that it asks for."""
    await kubectl(kubeconfig, "apply", "--server-side", "-f", str(DEPLOY / "crds"))
    await kubectl(kubeconfig, "apply", "--server-side", "-k", str(DEPLOY / "kubernetes"))
    users = {name: secrets.token_hex(24) for name in ("watcher", "handlers", "operator")}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "canarybus-nats-users", "namespace": NAMESPACE},
        "stringData": users,
    }
    await kubectl(kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(secret))


async def account_kubeconfig(kubeconfig: str, account: str, target: Path) -> Path:
    """A kubeconfig at ``target`` with a token of that ServiceAccount: what the process in the pod has."""
    token = await kubectl(kubeconfig, "create", "token", f"canarybus-{account}", f"--namespace={NAMESPACE}")
    view = await kubectl(kubeconfig, "config", "view", "--raw", "--flatten", "--minify", "--output=json")
    config = json.loads(view)
    config["users"] = [{"name": config["contexts"][0]["context"]["user"], "user": {"token": token.strip()}}]
    return _written(target, yaml.safe_dump(config))


def _written(target: Path, text: str) -> Path:
    target.touch(mode=0o600)
    target.write_text(text)
    return target
