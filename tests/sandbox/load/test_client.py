from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from deploy.sandbox.load.client import Client
from deploy.sandbox.network import free_port
from tests.patience import PATIENCE

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nX-Podinfo-Version: 6.0.1\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """A server that follows a script, one for each connection in turn; it counts connections."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.connections = 0
        self.closed = asyncio.Event()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        try:
            await script(reader, writer)
        finally:
            writer.close()
            self.closed.set()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Keeps the connection and answers until the client leaves."""
    while await reader.read(4096):
        writer.write(OK)


async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promises to keep the connection and closes it when the second request arrives."""
    await reader.read(4096)
    writer.write(OK)
    await reader.read(4096)


async def hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(4096)


async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(4096)
    await reader.read(4096)


def saying(text: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(text)

    return script


@pytest.fixture
async def peer() -> AsyncIterator[tuple[Peer, Client]]:
    made = Peer()
    server = await asyncio.start_server(made.connected, "127.0.0.1", 0)
    client = Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", timeout=PATIENCE)
    yield made, client
    await client.close()
    server.close()
    await server.wait_closed()


async def test_a_connection_is_used_again(peer: tuple[Peer, Client]) -> None:
    server, client = peer
    server.scripts = [answer]
    for _ in range(5):
        result = await client.request()
        assert (result.status, result.version, result.cause) == (200, "6.0.1", None)
    assert server.connections == 1


async def test_a_kept_connection_that_the_server_gave_up_is_no_failure(peer: tuple[Peer, Client]) -> None:
    server, client = peer
    server.scripts = [answer_once, answer]
    assert (await client.request()).cause is None
    assert (await client.request()).cause is None
    assert server.connections == 2


async def test_a_post_is_not_sent_twice(peer: tuple[Peer, Client]) -> None:
    server, client = peer
    server.scripts = [answer_once, answer]
    await client.request()
    assert (await client.request(method="POST", body=b"x")).cause == "reset"
    assert server.connections == 1


async def test_a_new_connection_that_is_closed_without_an_answer_is_a_reset(peer: tuple[Peer, Client]) -> None:
    server, client = peer
    server.scripts = [hang_up]
    assert (await client.request()).cause == "reset"
    assert server.connections == 1


async def test_an_answer_cut_off_in_the_middle_is_a_reset(peer: tuple[Peer, Client]) -> None:
    server, client = peer
    server.scripts = [saying(OK[:-1])]
    assert (await client.request()).cause == "reset"


async def test_no_answer_in_time_is_a_timeout_and_the_connection_is_given_up(peer: tuple[Peer, Client]) -> None:
    server, patient = peer
    server.scripts = [say_nothing]
    client = Client("http://{}:{}/".format(*patient.address), timeout=0.3)
    result = await client.request()
    assert (result.status, result.cause) == (0, "timeout")
    assert result.seconds >= 0.3
    await asyncio.wait_for(server.closed.wait(), PATIENCE)


async def test_nobody_listening_is_refused() -> None:
    client = Client(f"http://127.0.0.1:{free_port()}/")
    assert (await client.request()).cause == "refused"


@pytest.mark.parametrize(("status", "cause"), [(500, "5xx"), (503, "5xx"), (404, "404"), (403, "4xx"), (204, None)])
async def test_a_failure_is_named_by_its_status(peer: tuple[Peer, Client], status: int, cause: str | None) -> None:
    server, client = peer
    server.scripts = [saying(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)]
    result = await client.request()
    assert (result.status, result.cause) == (status, cause)


async def test_the_version_is_read_from_the_body_when_no_header_tells_it(peer: tuple[Peer, Client]) -> None:
    server, client = peer
    body = b'{"version": "6.0.2"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.scripts = [saying(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))]
    assert (await client.request()).version == "6.0.2"


async def test_host_and_headers_are_sent_as_given(peer: tuple[Peer, Client]) -> None:
    server, _ = peer
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    server.scripts = [script]
    url = f"http://{peer[1].address[0]}:{peer[1].address[1]}/a?b=c"
    client = Client(url, host="app.example.com", headers={"X-Canary": "insider"})
    await client.request()
    assert b"GET /a?b=c HTTP/1.1\r\nHost: app.example.com\r\n" in seen[0]
    assert b"X-Canary: insider\r\n" in seen[0]
    await client.close()


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "127.0.0.1:80", "http:///x"])
def test_a_strange_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a http URL"):
        Client(url)
