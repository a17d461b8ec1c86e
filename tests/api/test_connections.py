"""How large and how slow a request may be before anything of ours has read it: its head, and what comes around its body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from paymux.api.connections import MAX_AROUND_BODY, MAX_HEAD, connections
from paymux.platform.settings import Settings
from tests.installation import free_port

HEAD = b"GET / HTTP/1.1\r\nHost: api.example\r\n"
CHUNKED = b"POST /whole HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n"
SECONDS = 0.3


class Server:
    """An application behind our connections. It reads bodies at `/whole` only, and works at `/held` until it is let go."""

    def __init__(self) -> None:
        self.port, self.let_go = free_port(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/whole":
            while (await receive()).get("more_body"):
                pass
        if scope["path"] == "/held":
            await self.let_go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    app = Server()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=app.port, http=connections(Settings(body_timeout=SECONDS)), lifespan="off",
        log_config=None, access_log=False, ws="none",
    )  # fmt: skip
    running = uvicorn.Server(config)
    running.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.01)
    yield app
    running.should_exit = True
    await serving


async def until_the_end(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side ends it, within ten seconds."""
    try:
        return await asyncio.wait_for(reader.read(-1), 10)
    except ConnectionError:
        return b""


async def sends(server: Server, head: bytes, piece: bytes, most: int) -> tuple[int, bytes]:
    """A head and then one piece after the other, until it is cut off: the bytes that went, and the answer."""
    reader, writer = await server.open()
    writer.write(head)
    went = len(head)
    try:
        while went < most:
            writer.write(piece)
            await writer.drain()
            went += len(piece)
    except ConnectionError:
        pass
    answer = await until_the_end(reader)
    writer.close()
    return went, answer


@pytest.mark.parametrize(
    "piece", [b"X-More: " + b"y" * 1000 + b"\r\n", b"y" * 65_536], ids=["many headers", "one header without end"]
)
async def test_a_head_without_end_is_refused_and_fills_no_memory(server: Server, piece: bytes) -> None:
    went, answer = await sends(server, HEAD + b"X-Long: ", piece, 64 * 1024 * 1024)
    assert went < 16 * 1024 * 1024, "no more than what the sockets' buffers take"
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


async def test_a_path_without_end_is_refused(server: Server) -> None:
    went, _ = await sends(server, b"GET /", b"a" * 65_536, 64 * 1024 * 1024)
    assert went < 16 * 1024 * 1024


@pytest.mark.parametrize(
    "piece", [b"X-More: " + b"y" * 1000 + b"\r\n", b"y" * 65_536], ids=["many trailers", "one trailer without end"]
)
async def test_what_follows_a_body_without_end_is_cut_off(server: Server, piece: bytes) -> None:
    went, _ = await sends(server, CHUNKED + b"2\r\nok\r\n0\r\nX-Long: ", piece, 64 * 1024 * 1024)
    assert went < MAX_AROUND_BODY + 16 * 1024 * 1024


async def test_a_large_head_a_large_body_and_many_requests_pass(server: Server) -> None:
    reader, writer = await server.open()
    large = b"X-Large: " + b"y" * (MAX_HEAD - 1000) + b"\r\n\r\n"
    body = b"".join(b"%x\r\n%s\r\n" % (50_000, b"b" * 50_000) for _ in range(100)) + b"0\r\n\r\n"
    for request in [HEAD + large] * 50 + [CHUNKED + body]:
        writer.write(request)
        await writer.drain()
        assert (await asyncio.wait_for(reader.readuntil(b"ok"), 10)).startswith(b"HTTP/1.1 200 ")
    writer.close()


SLOW = [
    ("who says nothing", b""), ("who stops in his head", HEAD), ("who stops in his body", CHUNKED + b"5\r\nhe"),
    ("whose body is not read", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"),
    ("who stops in his second head", HEAD + b"\r\n" + HEAD),
]  # fmt: skip


@pytest.mark.parametrize(("who", "said"), SLOW, ids=[who for who, _ in SLOW])
async def test_who_does_not_come_to_an_end_is_cut_off(server: Server, who: str, said: bytes) -> None:
    reader, writer = await server.open()
    writer.write(said)
    await until_the_end(reader)
    writer.close()


async def test_a_byte_now_and_then_gains_no_time(server: Server) -> None:
    reader, writer = await server.open()
    writer.write(HEAD + b"X-Slow: ")
    loop = asyncio.get_running_loop()
    began, ended = loop.time(), asyncio.create_task(until_the_end(reader))
    while not ended.done():
        writer.write(b"y")
        await asyncio.sleep(SECONDS / 10)
        assert loop.time() - began < 8
    writer.close()


async def test_a_request_behind_one_that_is_worked_on_takes_no_answer_away(server: Server) -> None:
    reader, writer = await server.open()
    writer.write(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n" + HEAD)
    await asyncio.sleep(SECONDS * 4)
    server.let_go.set()
    writer.write(b"Connection: close\r\n\r\n")
    assert (await until_the_end(reader)).count(b"HTTP/1.1 200 ") == 3
    writer.close()
