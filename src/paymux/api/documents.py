"""What the API document says of an endpoint: its body, its errors, a real example. Declared where the endpoint is."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from paymux.api import examples

BAD = frozenset({400, 401, 403, 413, 415})

_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["statusCode", "message", "code", "requestId"],
    "properties": {
        "statusCode": {"type": "integer"},
        "message": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "error": {"type": "string"},
        "code": {"type": "string"},
        "requestId": {"type": "string"},
    },
}
_MEANING = {
    400: "The body or the request breaks a rule", 401: "No, a wrong or an expired access token",
    403: "The access token's scope is too narrow", 404: "No such order of yours",
    409: "A reference used already, or the order's state does not allow it", 413: "The body is over 256 KiB",
    415: "The body is not JSON", 422: "The provider refused", 429: "Too many requests", 502: "The provider could not be reached",
    503: "Overloaded, or the database is down",
}  # fmt: skip


def operation(
    name: str, body: type[BaseModel] | None, status: int, errors: set[int] | frozenset[int]
) -> dict[str, Any]:
    """FastAPI's arguments for an endpoint that reads and answers raw: documented by the same models."""
    example = examples.ANSWERS.get(name)
    responses: dict[int | str, dict[str, Any]] = {
        status: {
            "description": "Success",
            "content": {
                "application/json": {"schema": {"type": "object"}, **({"example": example} if example else {})}
            },
        }
    }
    for code in sorted(errors | {401, 503}):
        responses[code] = {"description": _MEANING[code], "content": {"application/json": {"schema": _ERROR}}}
    extra: dict[str, Any] = {"security": [{"bearer": []}]}
    if body is not None:
        given: dict[str, Any] = {"schema": _inlined(body)}
        if name in examples.BODIES:
            given["example"] = examples.BODIES[name]
        extra["requestBody"] = {"required": True, "content": {"application/json": given}}
    return {
        "operation_id": name,
        "status_code": status,
        "response_model": None,
        "responses": responses,
        "openapi_extra": extra,
    }


def _inlined(body: type[BaseModel]) -> dict[str, Any]:
    schema = body.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})

    def resolve(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return resolve(definitions[part["$ref"].rsplit("/", 1)[1]])
            return {key: resolve(value) for key, value in part.items()}
        return [resolve(item) for item in part] if isinstance(part, list) else part

    resolved: dict[str, Any] = json.loads(json.dumps(resolve(schema), default=str))
    return resolved
