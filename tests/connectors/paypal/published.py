"""PayPal's published OpenAPI files as a judge of what was sent and answered. Read where they lie, never copied."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.connectors import published
from tests.connectors.overheard import Exchange

SPECS = published.SPECS / "paypal"
# What PayPal has added since, as its official Python SDK 2.4.0 has it.
_SINCE = {
    "PayPal Wallet": {
        "stored_credential": {
            "type": "object",
            "required": ["payment_initiator"],
            "properties": {
                "payment_initiator": {"type": "string", "enum": ["CUSTOMER", "MERCHANT"]},
                "usage": {"type": "string", "enum": ["FIRST", "SUBSEQUENT", "DERIVED"]},
            },
        }
    }
}
FILES = ("checkout_orders_v2", "payments_payment_v2", "notifications_webhooks_v1")


class Operation(published.Operation):
    """One operation of a specification, strict: a property that it does not name is a fault, too."""

    def faults(self, sent: Any, status: int, body: Any) -> list[str]:
        """What is wrong with a request and its answer."""
        asked = self.said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        wrong = [] if asked is not None or sent is None else ["a body where none is documented"]
        if asked is not None:
            wrong += [f"request: {fault}" for fault in _faults(self.spec, asked, sent, asked=True)]
        answered = self.said["responses"].get(
            str(status), self.said["responses"].get("default") if status >= 400 else None
        )
        if answered is None:
            return [f"{self.name}: {status} is not documented"]
        answered = _resolved(self.spec, answered)
        schema = answered.get("content", {}).get("application/json", {}).get("schema", {"type": "null"})
        wrong += [f"{status}: {fault}" for fault in _faults(self.spec, schema, body, asked=False, strict=status < 400)]
        return [f"{self.name} {fault}" for fault in wrong]


@cache
def operations() -> tuple[Operation, ...]:
    """Every operation of the three files."""
    return published.operations_in(Operation, {spec: _file(spec) for spec in FILES})


def operation(method: str, path: str) -> Operation:
    """The operation of a request."""
    return published.only_one(operations(), method, path)


def faults_in(exchanges: Sequence[Exchange]) -> list[str]:
    """What is wrong with calls as they were made; those of which the sandbox swallowed the answer are left out."""

    def faults(exchange: Exchange, path: str, body: Any) -> list[str]:
        return operation(exchange.method, path).faults(exchange.sent, exchange.answer.status, body)

    return published.faults_in_calls(exchanges, "/paypal", faults)


def faults_of(spec: str, name: str, body: Any) -> list[str]:
    """What is wrong with something that a named schema describes."""
    return _faults(spec, {"$ref": f"#/components/schemas/{name}"}, body, asked=False)


def _faults(spec: str, schema: Any, body: Any, *, asked: bool, strict: bool = True) -> list[str]:
    judge = Draft202012Validator(
        _whole(spec, schema, asked, strict), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return published.faults_found(judge, body)


def _resolved(spec: str, part: Any) -> Any:
    while isinstance(part, dict) and "$ref" in part:
        found = _file(spec)
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def _whole(spec: str, schema: Any, asked: bool, strict: bool, *, part_of_more: bool = False) -> Any:
    """A schema with its references put in place; nothing beyond the named properties, nothing read-only in a request."""
    schema = _resolved(spec, schema)
    if not isinstance(schema, dict):
        return schema
    schema = dict(schema)
    if "properties" in schema:
        kept = {
            name: property
            for name, property in {**schema["properties"], **_SINCE.get(schema.get("title", ""), {})}.items()
            if not (asked and (property.get("readOnly") or _resolved(spec, property).get("readOnly")))
        }
        schema["properties"] = {name: _whole(spec, property, asked, strict) for name, property in kept.items()}
    for name in ("allOf", "anyOf", "oneOf"):
        if name in schema:
            schema[name] = [_whole(spec, part, asked, strict, part_of_more=True) for part in schema[name]]
    if "items" in schema:
        schema["items"] = _whole(spec, schema["items"], asked, strict)
    described = "properties" in schema or "allOf" in schema
    if strict and described and not part_of_more and schema.get("additionalProperties") is not True:
        schema["unevaluatedProperties"] = False
    return schema


@cache
def _file(spec: str) -> Any:
    return json.loads((SPECS / f"{spec}.json").read_text(encoding="utf-8"))
