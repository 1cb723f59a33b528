from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from deploy.sandbox.messages import Request, Response
from deploy.sandbox.webserver import WebServer


class House:
    """A server whose handler answers with what it was asked, and holds requests to /slow until told."""

    def __init__(self) -> None:
        self.server = WebServer()
        self.port = 0
        self.slow_asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def answer(self, request: Request) -> Response:
        if request.path == "/slow":
            self.slow_asked.set()
            await self.go_on.wait()
        return Response.text(f"{request.method} {request.path} {request.query} {request.body.decode()}")

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, text: str) -> bytes:
        """Everything that the server answers before it closes."""
        reader, writer = await self.connect()
        writer.write(text.replace("\n", "\r\n").encode())
        answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    made.port = await made.server.listen(made.answer, "127.0.0.1", 0)
    yield made
    made.go_on.set()
    await made.server.close()


async def test_a_connection_is_kept_until_the_client_asks_to_close_it(house: House) -> None:
    answer = await house.say("GET /a?x=1 HTTP/1.1\n\nGET /b%20c HTTP/1.1\nConnection: close\n\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"GET /a {'x': ['1']}" in answer
    assert b"GET /b c {}" in answer
    assert answer.count(b"Connection: close") == 1


async def test_bodies_of_known_length_and_in_chunks_arrive_whole(house: House) -> None:
    answer = await house.say("POST /p HTTP/1.1\nContent-Length: 4\nConnection: close\n\ntest")
    assert answer.endswith(b"POST /p {} test")
    answer = await house.say(
        "POST /p HTTP/1.1\nTransfer-Encoding: chunked\nConnection: close\n\n2\nte\n3;x=y\nst!\n0\nTrailer: 1\n\n"
    )
    assert answer.endswith(b"POST /p {} test!")


async def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(house: House) -> None:
    answer = await house.say("POST /p HTTP/1.1\nExpect: 100-continue\nContent-Length: 2\nConnection: close\n\nhi")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


async def test_a_head_request_gets_the_length_but_no_body(house: House) -> None:
    head, _, body = (await house.say("HEAD /h HTTP/1.1\nConnection: close\n\n")).partition(b"\r\n\r\n")
    assert b"Content-Length: 11" in head
    assert body == b""


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("nonsense\n\n", b"400"),
        ("GET / HTTP/2.0 x\n\n", b"400"),
        ("POST / HTTP/1.1\nContent-Length: many\n\n", b"400"),
        ("POST / HTTP/1.1\nContent-Length: -1\n\n", b"400"),
        ("POST / HTTP/1.1\nContent-Length: 99999999\n\n", b"413"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_and_ends_the_connection(
    house: House, text: str, status: bytes
) -> None:
    answer = await house.say(text)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in answer


async def test_an_old_client_that_does_not_ask_to_keep_the_connection_sees_it_closed(house: House) -> None:
    assert (await house.say("GET / HTTP/1.0\n\n")).startswith(b"HTTP/1.1 200 OK")


async def test_while_draining_requests_are_answered_and_connections_are_given_up(house: House) -> None:
    house.server.drain()
    answer = await house.say("GET / HTTP/1.1\n\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in answer


async def test_closing_finishes_what_has_begun_and_refuses_what_comes(house: House) -> None:
    idle_reader, idle_writer = await house.connect()
    busy = asyncio.create_task(house.say("GET /slow HTTP/1.1\n\n"))
    await house.slow_asked.wait()
    closing = asyncio.create_task(house.server.close(grace=5))
    assert await idle_reader.read() == b"", "an idle connection is closed at once"
    with pytest.raises(ConnectionRefusedError):
        await house.connect()
    house.go_on.set()
    assert (await busy).startswith(b"HTTP/1.1 200 OK")
    await closing
    idle_writer.close()


async def test_closing_does_not_wait_longer_than_its_grace(house: House) -> None:
    busy = asyncio.create_task(house.say("GET /slow HTTP/1.1\n\n"))
    await house.slow_asked.wait()
    await house.server.close(grace=0.01)
    assert await busy == b""
