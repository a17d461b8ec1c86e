"""What every request passes first: its id, its path with or without a slash, room for it, and how large and slow it may be.

A process that takes on more than it can do answers everybody late. So it says at once when it is full, before anything is
read or written (H2, E2, E3).
"""

from __future__ import annotations

import asyncio

import structlog
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paymux.api.answers import MAX_BODY, BodyTooLarge, error_answer
from paymux.orders.errors import ApiError
from paymux.platform.acting import Actor, acting_as
from paymux.platform.database import Database
from paymux.platform.identifiers import new_id
from paymux.platform.settings import Settings

log = structlog.get_logger()
# Who comes to a path without an access token; elsewhere nobody knows, until the token says it.
_COMES_TO = {"return": "shopper", "checkout": "shopper", "provider-events": "provider"}
ALWAYS = frozenset({"/healthz", "/readyz"})
EVENTS = "/provider-events/"
OPENING = frozenset({"/orders", "/options", "/token"})
"""Where new work begins. It leaves room for what goes on with work that was accepted: returns, events, captures."""
LEFT_FREE = 0.2
CROWD = 10
"""So many callers may wait for each of the database's connections."""
RETRY_AFTER = "2"
TOLD_EVERY = 10.0


class BodyTooSlow(ApiError):
    """The body did not come in time: whoever sends a byte now and then must not hold a place."""

    status, code = 400, "body_too_slow"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The body must come within {seconds:g} seconds")


class Edge:
    """Every path works with and without a trailing slash, and never by a redirect (H2); no body is over MAX_BODY.

    At most `max_requests` are worked on at once. The others are answered 503 with Retry-After, and so is new work while too
    many wait for the database; /healthz and /readyz are always answered.
    """

    def __init__(self, app: ASGIApp, settings: Settings, database: Database) -> None:
        self.app = app
        self._database, self._body_timeout = database, settings.body_timeout
        self._most, self._crowd = settings.max_requests, settings.database_pool * CROWD
        self._most_opening = int(self._most * (1 - LEFT_FREE))
        self._busy, self._told = 0, 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = new_id("req")
        kind = _COMES_TO.get(scope["path"].lstrip("/").partition("/")[0], "anonymous")
        acting_as(Actor(kind, kind, scope["state"]["request_id"]))
        sent = bytes(scope.get("raw_path") or scope["path"].encode()).lower()
        if b"%2f" in sent:
            # Decoded it would be taken for a part of our own path: `/orders/a%2Fcancel` is not the order `a`.
            request = Request(scope, receive)
            message = f"Cannot {request.method} {sent.decode('ascii', 'replace')}"
            await error_answer(request, 404, message, "not_found")(scope, receive, send)
            return
        if len(scope["path"]) > 1 and scope["path"].endswith("/"):
            scope["path"] = scope["path"].rstrip("/") or "/"
            scope.pop("raw_path", None)
        if scope["path"] in ALWAYS:
            await self.app(scope, _limited(scope, receive, self._body_timeout), send)
            return
        if self._full(scope["path"]):
            await self._turn_away(scope, receive, send)
            return
        self._busy += 1
        try:
            await self.app(scope, _limited(scope, receive, self._body_timeout), send)
        finally:
            self._busy -= 1

    def _full(self, path: str) -> bool:
        if path in OPENING:
            return self._busy >= self._most_opening or self._database.waiting >= self._crowd
        return self._busy >= self._most

    async def _turn_away(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._told > TOLD_EVERY:
            self._told = now
            log.warning("api.overloaded", requests=self._busy, waiting_for_database=self._database.waiting)
        answer = error_answer(
            Request(scope, receive), 503, "The service is overloaded; nothing was done", "overloaded",
            {"Retry-After": RETRY_AFTER},
        )  # fmt: skip
        await answer(scope, receive, send)


def _limited(scope: Scope, receive: Receive, seconds: float) -> Receive:
    """Receive, but for bodies over MAX_BODY or slower than `seconds`. Raises BodyTooLarge, BodyTooSlow where it is read."""
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    ends = asyncio.get_running_loop().time() + seconds
    # Of an event that is too large its beginning is kept for inspection (P1), so it is read until it is.
    heard = scope["path"].startswith(EVENTS)
    received, whole = 0, False

    async def read() -> Message:
        nonlocal received, whole
        if not heard and said.isdigit() and int(said) > MAX_BODY:
            raise BodyTooLarge
        if whole:
            return await receive()  # what comes now is the caller's leaving, however long that takes
        try:
            async with asyncio.timeout_at(ends):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlow(seconds) from None
        received += len(message.get("body", b""))
        if received > MAX_BODY:
            raise BodyTooLarge
        whole = not message.get("more_body", False)
        return message

    return read
