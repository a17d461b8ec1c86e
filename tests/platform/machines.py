"""Ways to a PostgreSQL server that die as a machine dies: nobody is told, and nothing is refused."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from urllib.parse import parse_qs, quote, urlsplit


class Machine:
    """A port behind which a server is, until it falls silent: then it accepts, keeps what is open, and passes nothing on."""

    def __init__(self, url: str, *, silent: bool = False) -> None:
        asked = urlsplit(url)
        self.folder, self.user = parse_qs(asked.query)["host"][0], asked.username
        self._silent = asyncio.Event()
        if silent:
            self._silent.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self.asked = 0
        """How often somebody came."""

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def fall_silent(self) -> None:
        self._silent.set()

    async def close(self) -> None:
        self._server.close()
        for end in self._ends:
            end.close()
        await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        self._ends.add(writer)
        if self._silent.is_set():
            return
        back, forth = await asyncio.open_unix_connection(f"{self.folder}/.s.PGSQL.5432")
        self._ends.add(forth)
        ways = [asyncio.create_task(self._pass(*way)) for way in ((reader, forth), (back, writer))]
        await asyncio.wait([*ways, asyncio.create_task(self._silent.wait())], return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        if not self._silent.is_set():
            for end in (writer, forth):
                end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while said := await reader.read(65536):
                writer.write(said)
                await writer.drain()


class Unheard:
    """A port that drops what comes: its queue is full, so that nobody even gets a connection."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port: int = self._listening.getsockname()[1]
        self._before = [socket.socket() for _ in range(4)]
        for one in self._before:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.port))

    def close(self) -> None:
        for one in (*self._before, self._listening):
            one.close()


def url_of(user: str, *ways: str | int, more: str = "") -> str:
    """A URL that names several ways in this order: the folder of a socket, or a port of this machine."""
    hosts = ",".join(quote(way, safe="") if isinstance(way, str) else f"127.0.0.1:{way}" for way in ways)
    return f"postgresql://{user}@{hosts}/paymux?sslmode=disable{more}"
