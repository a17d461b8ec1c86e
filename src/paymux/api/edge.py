"""What every request passes first: its id, its path with or without a slash, and how large its body may be (H2, E2)."""

from __future__ import annotations

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paymux.api.answers import MAX_BODY, BodyTooLarge, error_answer
from paymux.platform.acting import Actor, acting_as
from paymux.platform.identifiers import new_id

# Who comes to a path without an access token; elsewhere nobody knows, until the token says it.
_COMES_TO = {"return": "shopper", "checkout": "shopper", "provider-events": "provider"}


class Edge:
    """Every path works with and without a trailing slash, and never by a redirect (H2); no body is over MAX_BODY."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

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
        await self.app(scope, _limited(scope, receive), send)


def _limited(scope: Scope, receive: Receive) -> Receive:
    """Receive, but for bodies over MAX_BODY. Raises BodyTooLarge where the body is read."""
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    received = 0

    async def read() -> Message:
        nonlocal received
        if said.isdigit() and int(said) > MAX_BODY:
            raise BodyTooLarge
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY:
            raise BodyTooLarge
        return message

    return read
