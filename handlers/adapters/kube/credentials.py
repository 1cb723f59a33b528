"""How the API server knows us: the `kubernetes` package reads kubeconfigs, tokens and exec plugins, and renews them."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import yaml
from kubernetes.aio import config as credentials
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from handlers.adapters.errors import PermanentError
from handlers.adapters.kube.access import Access

_TOKEN_FILE_SECONDS = 60.0
"""How long a token that came from a file is used before the file is read again: they are rotated."""
_EXPIRY_MARGIN = 60.0
_UNREADABLE = (
    credentials.ConfigException,
    OSError,
    yaml.YAMLError,
    # what the package runs into when a file has another shape than it thinks
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
)


async def from_kubeconfig(paths: list[Path], context: str | None) -> Access:
    """Raises :class:`PermanentError` when they cannot be read or give no credentials."""
    return await _access(_Kubeconfig(paths, context))


async def from_service_account(directory: Path) -> Access:
    """The pod's own. Raises :class:`PermanentError`."""
    return await _access(_ServiceAccount(directory))


async def _access(source: _Source) -> Access:
    found = await source.load()
    login = _Login(source, found)
    try:
        tls = _tls(found)
    except OSError as error:
        raise PermanentError(f"no access to Kubernetes: certificates: {error}") from error
    return Access(
        found.host.rstrip("/"),
        tls,
        login.headers,
        login.refresh,
        server_hostname=getattr(found, "tls_server_name", None) or None,
        proxy=getattr(found, "proxy", None) or None,
    )


class _Source(ABC):
    """Credentials that can be loaded again. ``expires`` is on the monotonic clock, None for never."""

    expires: float | None = None

    async def load(self) -> Configuration:
        try:
            return await self._load()
        except _UNREADABLE as error:
            raise PermanentError(f"no access to Kubernetes: {error}") from error

    @abstractmethod
    async def _load(self) -> Configuration:
        """Raises anything of ``_UNREADABLE``."""


class _Kubeconfig(_Source):
    def __init__(self, paths: list[Path], context: str | None) -> None:
        self._paths = paths
        self._context = context

    async def _load(self) -> Configuration:
        found = Configuration()
        loader = await credentials.load_kube_config(  # it has no types
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
        loader = InClusterConfigLoader(  # it has no types
            token_filename=str(self._directory / "token"),
            cert_filename=str(self._directory / "ca.crt"),
            try_refresh_token=False,
        )
        loader.load_and_set(found)
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
