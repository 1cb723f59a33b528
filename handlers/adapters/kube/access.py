"""Where the API server is, and how it knows us."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import yaml
from kubernetes.aio import config as credentials
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from handlers.adapters.errors import PermanentError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_FILE_SECONDS = 60.0
"""How long a token that came from a file is used before the file is read again: they are rotated."""
_EXPIRY_MARGIN = 60.0


async def _no_headers() -> Mapping[str, str]:
    return {}


async def _nothing() -> None:
    """For credentials that do not expire."""


@dataclass(frozen=True)
class Access:
    """Where the API server is and how to speak to it.

    ``headers`` is asked for before each call, because tokens expire; ``refresh`` when the server has answered 401.
    ``server_hostname`` is the name in its certificate where the URL has another; ``proxy`` the URL of an HTTP proxy.
    """

    url: str
    ssl: ssl.SSLContext | bool = True
    headers: Callable[[], Awaitable[Mapping[str, str]]] = field(default=_no_headers)
    refresh: Callable[[], Awaitable[None]] = field(default=_nothing)
    server_hostname: str | None = None
    proxy: str | None = None


async def find_access(
    kubeconfig: str | None = None, context: str | None = None, *, service_account: Path = SERVICE_ACCOUNT
) -> Access:
    """``kubeconfig``, else ``$KUBECONFIG`` (a colon list) or ``~/.kube/config``, else the pod's own ServiceAccount.

    Raises :class:`PermanentError` that names what was looked at when there is none of them, or it cannot be read.
    """
    named = kubeconfig or os.environ.get("KUBECONFIG", "")
    paths = [path for text in (named or "~/.kube/config").split(os.pathsep) if text and (path := _existing(text))]
    if paths:
        source: _Source = _Kubeconfig(paths, context)
    elif kubeconfig or not os.environ.get("KUBERNETES_SERVICE_HOST"):
        looked_at = named or "KUBECONFIG is not set, there is no ~/.kube/config"
        raise PermanentError(f"no access to Kubernetes: {looked_at}: no such file, and this is no pod")
    else:
        source = _ServiceAccount(service_account)
    found = await source.load()
    login = _Login(source, found)
    return Access(
        found.host.rstrip("/"),
        _tls(found),
        login.headers,
        login.refresh,
        server_hostname=getattr(found, "tls_server_name", None) or None,
        proxy=getattr(found, "proxy", None) or None,
    )


def _existing(text: str) -> Path | None:
    path = Path(text).expanduser()
    return path if path.is_file() else None


class _Source:
    """Credentials that can be loaded again. ``expires`` is on the monotonic clock, None for never."""

    expires: float | None = None

    async def load(self) -> Configuration:
        try:
            return await self._load()
        except (credentials.ConfigException, OSError, yaml.YAMLError, ValueError, KeyError, AttributeError) as error:
            raise PermanentError(f"no access to Kubernetes: {error}") from error

    async def _load(self) -> Configuration:
        raise NotImplementedError


class _Kubeconfig(_Source):
    def __init__(self, paths: list[Path], context: str | None) -> None:
        self._paths = paths
        self._context = context

    async def _load(self) -> Configuration:
        found = Configuration()
        loader = await credentials.load_kube_config(  # type: ignore[no-untyped-call]  # it has no types
            config_file=os.pathsep.join(map(str, self._paths)),
            context=self._context or self._current_context(),
            client_configuration=found,
            persist_config=False,
        )
        user = loader._user.value if loader._user else {}
        if "exec" in user and not hasattr(loader, "token") and not found.cert_file:
            raise credentials.ConfigException(f"{user['exec'].get('command')} gave no credentials; the log says why")
        self.expires = _expiry(user, getattr(loader, "exec_plugin_expiry", None))
        return found

    def _current_context(self) -> str | None:
        """Of the first file that has one, as kubectl does; the package takes the last."""
        for path in self._paths:
            content = yaml.safe_load(path.read_text())
            if isinstance(content, dict) and content.get("current-context"):
                return str(content["current-context"])
        return None


def _expiry(user: Mapping[str, object], of_plugin: datetime | None) -> float | None:
    if of_plugin is not None:
        return time.monotonic() + max(0.0, of_plugin.timestamp() - time.time() - _EXPIRY_MARGIN)
    if "tokenFile" in user or "auth-provider" in user:
        return time.monotonic() + _TOKEN_FILE_SECONDS
    return None


class _ServiceAccount(_Source):
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def _load(self) -> Configuration:
        found = Configuration()
        loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]  # it has no types
            token_filename=str(self._directory / "token"),
            cert_filename=str(self._directory / "ca.crt"),
            try_refresh_token=False,
        )
        loader.load_and_set(found)  # type: ignore[no-untyped-call]
        self.expires = time.monotonic() + _TOKEN_FILE_SECONDS
        return found


class _Login:
    def __init__(self, source: _Source, found: Configuration) -> None:
        self._source = source
        self._found = found
        self._loaded = time.monotonic()
        self._loading = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        if self._source.expires is not None and time.monotonic() >= self._source.expires:
            await self.refresh()
        return await _authorisation(self._found)

    async def refresh(self) -> None:
        """Once for all the calls that failed together."""
        asked = time.monotonic()
        async with self._loading:
            if self._loaded < asked:
                self._found = await self._source.load()
                self._loaded = time.monotonic()


def _tls(found: Configuration) -> ssl.SSLContext | bool:
    if not found.host.startswith("https"):
        return True
    context = ssl.create_default_context(cafile=found.ssl_ca_cert or None)
    if not found.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if found.cert_file:
        context.load_cert_chain(found.cert_file, found.key_file)
    return context


async def _authorisation(found: Configuration) -> Mapping[str, str]:
    token = await found.get_api_key_with_prefix("BearerToken")
    if not token and found.username:
        token = found.get_basic_auth_token()
    return {"Authorization": token.strip()} if token else {}
