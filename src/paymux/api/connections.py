"""A caller's connection: how large a request may be besides its body, and how slowly it may come.

The server that we run on bounds neither, and nothing of ours is asked before a request's head is whole: without this, one
caller fills the memory with a single header, or holds connections by sending a byte now and then.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from paymux.platform.settings import Settings

MAX_HEAD = 64 * 1024
"""Bytes after which a head must be whole."""
MAX_AROUND_BODY = 2 * 1024 * 1024
"""Bytes of a request in all that are no body: its head, the lengths of a body's pieces, and what may follow them."""
SPARE = 2.0
"""Seconds that whoever sends a body too slowly has to hear so, before he is cut off."""


class BoundedConnection(HttpToolsProtocol):
    """One connection. A head must be whole within `seconds` and MAX_HEAD bytes, and its body in as many seconds again."""

    seconds: ClassVar[float] = 10.0
    _coming: asyncio.TimerHandle | None = None
    _head_whole = True
    _request_whole = True
    _around_body = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there; he has `seconds` to say what he wants."""
        super().connection_made(transport)
        self._expect(self.seconds)

    def data_received(self, data: bytes) -> None:
        """Some bytes: of a head, a body, or of both."""
        if self._coming is None:
            self._expect(self.seconds)
        self._around_body += len(data)
        super().data_received(data)
        if self._request_whole:
            self._around_body = 0
        elif self._around_body > (MAX_AROUND_BODY if self._head_whole else MAX_HEAD):
            self._refuse()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._head_whole = self._request_whole = False
        self._expect(self.seconds)

    def on_headers_complete(self) -> None:
        """A head is whole; what its body has to be is the application's to say."""
        self._head_whole = True
        self._expect(self.seconds + SPARE)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._around_body -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._request_whole = True
        self._expect(None)
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._expect(None)
        super().connection_lost(exc)

    def _refuse(self) -> None:
        if self.transport.is_closing():
            return
        if self._head_whole:
            self.transport.abort()
        else:
            self.send_400_response(f"A request's head must be at most {MAX_HEAD // 1024} KiB.")

    def _expect(self, seconds: float | None) -> None:
        if self._coming is not None:
            self._coming.cancel()
        self._coming = None if seconds is None else self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._coming = None
        if self.flow.read_paused and not self.cycle.response_complete:
            # We are the slow ones: an earlier request is still being worked on, and this one is not read meanwhile.
            self._expect(self.seconds)
        elif not self.transport.is_closing():
            self.transport.close()


def connections(settings: Settings) -> type[BoundedConnection]:
    """The connections of an API process with these settings."""
    return type("Connection", (BoundedConnection,), {"seconds": settings.body_timeout})
