"""Bodies in, answers out: exact JSON, every error in the documented shape (E1, E2, M1)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import simplejson
from fastapi import Request
from fastapi.responses import Response

from paymux.orders.errors import ApiError, BodyFaults
from paymux.platform.database import to_json

MAX_BODY = 256 * 1024
MAX_DIGITS = 400
MAX_DEPTH = 32
_BEYOND = Decimal("Infinity")

# The words of `error`: fixed here, for the names that Python gives some statuses change with its version.
PHRASES: Mapping[int, str] = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict",
    413: "Payload Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Entity", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip


class BodyTooLarge(ApiError):
    """The body is over MAX_BODY bytes."""

    status, code = 413, "body_too_large"

    def __init__(self) -> None:
        super().__init__(f"The body must be at most {MAX_BODY // 1024} KiB")


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer with exact decimals."""
    # An error may name a field as it was sent, half a surrogate pair included.
    return Response(to_json(body).encode("utf-8", "replace"), status, dict(headers or {}), "application/json")


def error_answer(
    request: Request, status: int, message: str | list[str], code: str, headers: Mapping[str, str] | None = None
) -> Response:
    """An error in the documented shape: 401 and 500 without `error`, everything with `code` and `requestId` (E1)."""
    body: dict[str, Any] = {"statusCode": status, "message": message}
    if status not in (401, 500):
        body["error"] = PHRASES.get(status, "Bad Request")
    return answer(body | marks(request, code), status, headers)


def marks(request: Request, code: str) -> dict[str, str]:
    """What every error bears: its stable word, and the request's id (E1)."""
    return {"code": code, "requestId": getattr(request.state, "request_id", "")}


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise BodyFaults([f"{name[:100]} must not be given twice"])
            seen.add(name)
    return found


def _number(text: str) -> Decimal:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number is too long")
    try:
        return Decimal(text)
    except InvalidOperation:
        # An exponent that no decimal holds. Whichever field it is in refuses it as not finite.
        return _BEYOND


def _integer(text: str) -> int | Decimal:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number is too long")
    # An integer has no negative zero, and `-0` must not become an amount.
    return Decimal(text) if text == "-0" else int(text)


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


async def read_json(request: Request, *, optional: bool = False) -> Any:
    """The JSON body, numbers as exact decimals. Raises ApiError 400, 413 or 415."""
    raw = await request.body()
    if not raw and optional:
        return {}
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ApiError("Content-Type must be application/json", code="unsupported_media_type", status=415)
    try:
        read = simplejson.loads(
            raw.decode("utf-8"),
            parse_float=_number,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_pairs,
        )
    except RecursionError:
        read = None
    except ValueError as fault:
        raise ApiError(f"The body is not valid JSON: {str(fault)[:200]}", code="bad_json") from None
    else:
        if not _too_deep(read):
            return read
    raise ApiError(f"The JSON must be nested at most {MAX_DEPTH} levels deep", code="bad_json")


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for part in level
            if isinstance(part, dict | list)
            for inner in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            return False
    return True
