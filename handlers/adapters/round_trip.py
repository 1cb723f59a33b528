"""Knowing that the server has everything that was asked for on a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the sandbox goes without TLS, which the client's module loads
    from nats.aio.client import Client


async def round_trip(client: Client, timeout: int = 10) -> None:  # noqa: ASYNC109 - as the client's own
    """Until the server has whatever was subscribed to, published or taken back before, and has sent what came of it.

    The client's ``flush`` alone does not say so: its ping goes to the socket at once and overtakes what still waits for
    the client's writer, which has run when the ping is answered. A second ping comes after that. ``timeout`` in
    seconds for each. Raises :class:`nats.errors.TimeoutError` and :class:`nats.errors.ConnectionClosedError`.
    """
    for _ in range(2):
        await client.flush(timeout=timeout)
