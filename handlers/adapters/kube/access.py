"""Where an API server is, and how to speak to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


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
