"""Klarna's published OpenAPI files as a judge of what was sent and answered. Read where they lie, never copied."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.connectors import published
from tests.connectors.overheard import Exchange

SPECS = published.SPECS / "klarna"
FILES = ("payments", "hosted-payment-page", "order-management", "customer-token")
# What every API of Klarna may answer without saying so in its specification, and in which form.
_UNSAID = {400, 401, 404, 415}
_ERROR = {
    "type": "object",
    "required": ["error_code", "error_messages", "correlation_id"],
    "additionalProperties": False,
    "properties": {
        "error_code": {"type": "string"},
        "error_messages": {"type": "array", "items": {"type": "string"}},
        "correlation_id": {"type": "string"},
    },
}


class Operation(published.Operation):
    """One operation of a specification, strict: a property that it does not name is a fault, too."""

    def faults(self, sent: Any, status: int, headers: Mapping[str, str], body: Any) -> list[str]:
        """What is wrong with a request and its answer; header names in lower case."""
        return [*self._faults_of_request(sent), *self._faults_of_answer(status, headers, body)]

    def _faults_of_request(self, sent: Any) -> list[str]:
        if "requestBody" not in self.said:
            return [] if sent is None else [f"{self.name}: a body where none is documented"]
        content = self.said["requestBody"]["content"]["application/json"]["schema"]
        return [f"{self.name} request: {fault}" for fault in _faults(self.spec, content, sent, asked=True)]

    def _faults_of_answer(self, status: int, headers: Mapping[str, str], body: Any) -> list[str]:
        said = self.said["responses"].get(str(status))
        if said is None and status not in _UNSAID:
            return [f"{self.name}: {status} is not documented"]
        schema = (said or {}).get("content", {}).get("application/json", {}).get("schema")
        lacking = [f"{self.name}: no {h}" for h in (said or {}).get("headers", {}) if h.lower() not in headers]
        if schema is None or schema == {"type": "string"}:
            schema = _ERROR if status >= 400 else {"type": "null"}
        return lacking + [f"{self.name} {status}: {f}" for f in _faults(self.spec, schema, body, asked=False)]


@cache
def operations() -> tuple[Operation, ...]:
    """Every operation of the four files."""
    return published.operations_in(Operation, {spec: _file(spec) for spec in FILES})


def operation(method: str, path: str) -> Operation:
    """The operation of a request."""
    return published.only_one(operations(), method, path)


def faults_in(exchanges: Sequence[Exchange]) -> list[str]:
    """What is wrong with calls as they were made; those of which the sandbox swallowed the answer are left out."""

    def faults(exchange: Exchange, path: str, body: Any) -> list[str]:
        return operation(exchange.method, path).faults(
            exchange.sent, exchange.answer.status, exchange.answer.headers, body
        )

    return published.faults_in_calls(exchanges, "/klarna", faults)


def faults_of(spec: str, schema: str, body: Any) -> list[str]:
    """What is wrong with something that a schema describes."""
    return _faults(spec, {"$ref": f"#/components/schemas/{schema}"}, body, asked=False)


def _faults(spec: str, schema: Any, body: Any, *, asked: bool) -> list[str]:
    schema = _anchored(copy.deepcopy(schema), spec)
    judge = Draft202012Validator(schema, registry=_registry(asked), format_checker=Draft202012Validator.FORMAT_CHECKER)
    return published.faults_found(judge, body)


def _anchored(schema: Any, spec: str) -> Any:
    if isinstance(schema, dict) and "$ref" in schema:
        return {"$ref": f"urn:klarna:{spec}{schema['$ref'].replace(' ', '%20')}"}
    return schema


@cache
def _registry(asked: bool) -> Registry[Any]:
    resources = [(f"urn:klarna:{s}", DRAFT202012.create_resource(_strict(_file(s), asked))) for s in FILES]
    return Registry().with_resources(resources)


def _strict(part: Any, asked: bool) -> Any:
    """Nothing beyond the named properties; what is read-only may not be sent."""
    if isinstance(part, list):
        return [_strict(item, asked) for item in part]
    if not isinstance(part, dict):
        return part
    part = {name: _strict(value, asked) for name, value in part.items()}
    if isinstance(part.get("enum"), list) and len(part["enum"]) == 1 and "|" in str(part["enum"][0]):
        # Order Management writes the types of a line as one word with bars between the alternatives.
        part["enum"] = part["enum"][0].split("|")
    properties = part.get("properties")
    if part.get("type") == "object" and isinstance(properties, dict):
        if asked:
            part["properties"] = {n: p for n, p in properties.items() if not p.get("readOnly")}
        part.setdefault("additionalProperties", False)
    return part


@cache
def _file(spec: str) -> Any:
    # Moments stay text, as JSON has them.
    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in forms if tag != "tag:yaml.org,2002:timestamp"]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return yaml.load((SPECS / f"{spec}.yml").read_text(encoding="utf-8"), Loader)  # noqa: S506
