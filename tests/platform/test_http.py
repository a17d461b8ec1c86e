"""Our way out: a request goes out once, and what became of it is told, never tried again behind our back (U1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from paymux.platform.http import HttpClient, Unclear
from tests.installation import free_port

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"


@dataclass
class Counting:
    """A server that answers the first request of each connection, and cuts the connection at the second, having read it."""

    url: str
    requests: list[tuple[int, str]] = field(default_factory=list)
    """Of each request its connection's number and its method."""
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        mine = self.connections
        try:
            for answered in (True, False):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append((mine, head.split()[0]))
                if answered:
                    writer.write(ANSWER)
                    await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def counting() -> AsyncIterator[Counting]:
    port = free_port()
    made = Counting(f"http://127.0.0.1:{port}/payments/1")
    server = await asyncio.start_server(made.serve, "127.0.0.1", port)
    yield made
    server.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_request_whose_kept_connection_breaks_is_unclear_and_goes_out_once(
    method: str, counting: Counting
) -> None:
    """A PUT that places an order, or a DELETE that voids a payment, may have had its effect before the connection broke."""
    client = HttpClient(connect=5, total=20)
    try:
        assert (await client.send(method, counting.url, headers={})).text == "ok"
        with pytest.raises(Unclear):
            await client.send(method, counting.url, headers={})
    finally:
        await client.close()
    assert counting.requests == [(1, method), (1, method)], "on one connection, and no third time on another"
