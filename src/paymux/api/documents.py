"""What the API document says of an endpoint: its parameters, body, errors, a real example. Declared where the endpoint is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from paymux.api import answer_models, examples

BAD = frozenset({400, 401, 403, 413, 415})
JSON = "application/json"

_MEANING = {
    400: "The body or the request breaks a rule", 401: "No, a wrong or an expired access token",
    403: "The access token's scope is too narrow", 404: "No such order of yours",
    409: "A reference used already, or the order's state does not allow it", 413: "The body is over 256 KiB",
    415: "The body is of another media type", 422: "The provider refused; or the token, or an Idempotency-Key, is not valid",
    429: "Too many requests or failed attempts; Retry-After says when", 500: "A fault of ours",
    502: "The provider could not be reached; the request certainly never left", 503: "Overloaded, or the database is down",
}  # fmt: skip

PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "get_options": [
        {"name": "amount", "in": "query", "required": True, "schema": {"type": "number", "minimum": 1}, "example": 144.89,
         "description": "The amount of the cart or order."},
        {"name": "currency", "in": "query", "required": True, "schema": {"type": "string"}, "example": "AUD",
         "description": "ISO 4217; the order's later."},
        {"name": "channel", "in": "query", "required": False, "schema": {"type": "string"},
         "description": "Channel alias. Without: the methods of the default channel."},
        {"name": "isCapable", "in": "query", "required": False, "schema": {"type": "boolean", "default": False},
         "description": "true adds `image`, the logo in base64."},
    ],
    "create_order": [
        {"name": "Idempotency-Key", "in": "header", "required": False,
         "schema": {"type": "string", "minLength": 1, "maxLength": 255},
         "description": "The same key and body give the first answer again, for 30 days."},
    ],
}  # fmt: skip


# The answers that are no success and have another shape than every other error.
_SHAPES = {("create_token", 400): "TokenError", ("create_token", 401): "TokenError", ("ready", 503): "Ready"}


def operation(
    name: str, body: type[BaseModel] | None, status: int, errors: set[int] | frozenset[int], *,
    form: str = JSON, optional: bool = False, open_to_all: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """FastAPI's arguments for an endpoint that reads and answers raw: documented by the same models.

    `form` is the body's media type; `optional` says that the body may be left out; `open_to_all` that no access
    token is needed.
    """
    answered: dict[str, Any] = {"schema": _answer_schema(name)}
    if name in examples.ANSWERS:
        answered["example"] = examples.ANSWERS[name]
    responses: dict[int | str, dict[str, Any]] = {status: {"description": "Success", "content": {JSON: answered}}}
    always = {500, 503} if open_to_all else {401, 500, 503}
    for code in sorted(errors | always):
        shape = _SHAPES.get((name, code), "Error")
        responses[code] = {"description": _MEANING[code], "content": {JSON: {"schema": reference(shape)}}}
        if code in (429, 503) and shape == "Error":
            responses[code]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    extra: dict[str, Any] = {"security": [] if open_to_all else [{"bearer": []}]}
    if name in PARAMETERS:
        extra["parameters"] = PARAMETERS[name]
    if body is not None:
        given: dict[str, Any] = {"schema": reference(body.__name__)}
        if name in examples.BODIES:
            given["example"] = examples.BODIES[name]
        extra["requestBody"] = {"required": not optional, "content": {form: given}}
        DESCRIBED.add(body)
    return {
        "operation_id": name,
        "status_code": status,
        "response_model": None,
        "responses": responses,
        "openapi_extra": extra,
    }


DESCRIBED: set[type[BaseModel]] = {answer_models.Error, answer_models.TokenError}
"""The models that the document's components must hold."""


def _answer_schema(name: str) -> dict[str, Any]:
    model = answer_models.OF[name]
    if isinstance(model, list):
        DESCRIBED.update(model)
        return {"type": "array", "items": reference(model[0].__name__)}
    DESCRIBED.add(model)
    return reference(model.__name__)


def reference(name: str) -> dict[str, str]:
    """A reference to a component of the document."""
    return {"$ref": f"#/components/schemas/{name}"}
