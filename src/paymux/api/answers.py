"""Bodies in, answers out: exact JSON, every error in the documented shape (E1, E2, M1)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import simplejson
from fastapi import Request
from fastapi.responses import Response

from paymux.orders.errors import ApiError, BodyFaults
from paymux.platform.database import to_json

MAX_BODY = 256 * 1024
MAX_DIGITS = 40


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer with exact decimals."""
    return Response(to_json(body), status, dict(headers or {}), "application/json")


def error_answer(
    request: Request, status: int, message: str | list[str], code: str, headers: Mapping[str, str] | None = None
) -> Response:
    """An error in the documented shape: 401 and 500 without `error`, everything with `code` and `requestId` (E1)."""
    body: dict[str, Any] = {"statusCode": status, "message": message}
    if status not in (401, 500):
        body["error"] = HTTPStatus(status).phrase
    body |= {"code": code, "requestId": getattr(request.state, "request_id", "")}
    return answer(body, status, headers)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BodyFaults([f"{twice[:100]} must not be given twice"])
    return found


def _number(text: str) -> Decimal:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number is too long")
    return Decimal(text)


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number is too long")
    return int(text)


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


async def read_json(request: Request, *, optional: bool = False) -> Any:
    """The JSON body, numbers as exact decimals. Raises ApiError 400, 413 or 415."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_BODY:
            raise ApiError(f"The body is over {MAX_BODY // 1024} KiB", code="body_too_large", status=413)
    if not raw and optional:
        return {}
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise ApiError("Content-Type must be application/json", code="unsupported_media_type", status=415)
    try:
        return simplejson.loads(
            raw.decode("utf-8"),
            parse_float=_number,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_pairs,
        )
    except RecursionError:
        raise ApiError("The JSON is nested too deeply", code="bad_json") from None
    except ValueError as fault:
        raise ApiError(f"The body is not valid JSON: {str(fault)[:200]}", code="bad_json") from None
