"""Finding the API server and the credentials for it, where every Kubernetes client looks for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from handlers.adapters.errors import PermanentError
from handlers.adapters.kube.access import Access

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


async def find_access(
    kubeconfig: str | None = None, context: str | None = None, *, service_account: Path = SERVICE_ACCOUNT
) -> Access:
    """``kubeconfig``, else ``$KUBECONFIG`` (a colon list) or ``~/.kube/config``, else the pod's own ServiceAccount.

    Raises :class:`PermanentError` that names what was looked at when there is none of them, or it cannot be read.
    """
    named = kubeconfig or os.environ.get("KUBECONFIG", "")
    paths = [path for text in (named or "~/.kube/config").split(os.pathsep) if text and (path := _existing(text))]
    if paths and context is None and (open_door := _without_credentials(paths)):
        return Access(open_door)
    # the package costs 22 MB and a third of a second: only for those who need it
    from handlers.adapters.kube import credentials

    if paths:
        return await credentials.from_kubeconfig(paths, context)
    if kubeconfig or not os.environ.get("KUBERNETES_SERVICE_HOST"):
        looked_at = named or "KUBECONFIG is not set, there is no ~/.kube/config"
        raise PermanentError(f"no access to Kubernetes: {looked_at}: no such file, and this is no pod")
    return await credentials.from_service_account(service_account)


def _existing(text: str) -> Path | None:
    path = Path(text).expanduser()
    return path if path.is_file() else None


def _without_credentials(paths: list[Path]) -> str | None:
    """The URL of an API server on plain HTTP that asks for no credentials (``kubectl proxy``, the sandbox), or None."""
    try:
        content: Any = yaml.safe_load(paths[0].read_text())
        if len(paths) > 1 or len(content["clusters"]) != 1 or any(user.get("user") for user in content["users"]):
            return None
        server = str(content["clusters"][0]["cluster"]["server"])
    except (OSError, yaml.YAMLError, LookupError, TypeError, AttributeError):
        # whatever is wrong with it, the package says it better
        return None
    return server.rstrip("/") if server.startswith("http://") else None
