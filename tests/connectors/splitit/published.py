"""Splitit's published specification as a judge of what was sent and answered. Read where it lies, never copied."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.connectors import published
from tests.connectors.overheard import Exchange

SPEC = published.SPECS / "splitit" / "web-api-v3.json"
_FAILED = {"$ref": "#/definitions/FailedResponse"}


def operation(method: str, path: str) -> Any:
    """The operation of a request. A path without a parameter goes before one with it."""
    for template in sorted(_spec()["paths"], key=lambda known: "{" in known):
        methods = _spec()["paths"][template]
        if method.lower() in methods and published.matches(template, path):
            return methods[method.lower()]
    raise AssertionError(f"{method} {path} is not in the specification")


def faults(method: str, path: str, headers: Any, sent: Any, status: int, body: Any) -> list[str]:
    """What is wrong with a request and its answer: a name that the specification does not know is a fault, too."""
    said = operation(method, path)
    asked = next((part["schema"] for part in said["parameters"] if part["in"] == "body"), None)
    needed = [part["name"] for part in said["parameters"] if part["in"] == "header" and part.get("required")]
    given = {name.lower() for name, value in headers.items() if value}
    wrong = [f"{name} is missing" for name in needed if name.lower() not in given]
    wrong += [f"request: {fault}" for fault in _faults(asked, sent)] if asked else []
    # Errors beyond the listed ones have the same body.
    answered = said["responses"].get(str(status), {}).get("schema") or (_FAILED if status >= 400 else False)
    return wrong + [f"{status}: {fault}" for fault in _faults(answered, body)]


def faults_in(exchanges: Sequence[Exchange]) -> list[str]:
    """What is wrong with calls as they were made; those of which the sandbox swallowed the answer are left out."""

    def judged(exchange: Exchange, path: str, body: Any) -> list[str]:
        return faults(exchange.method, path, exchange.headers, exchange.sent, exchange.answer.status, body)

    return published.faults_in_calls(exchanges, "/splitit", judged)


def _faults(schema: Any, body: Any) -> list[str]:
    judge = Draft202012Validator(_whole(schema), format_checker=Draft202012Validator.FORMAT_CHECKER)
    return published.faults_found(judge, body)


def _whole(schema: Any, *, part_of_more: bool = False) -> Any:
    """A schema with its references put in place, and nothing beyond the named properties."""
    while isinstance(schema, dict) and "$ref" in schema:
        schema = _spec()["definitions"][schema["$ref"].rpartition("/")[2]]
    if not isinstance(schema, dict):
        return schema
    whole = {**schema}
    if "properties" in whole:
        whole["properties"] = {name: _whole(part) for name, part in whole["properties"].items()}
    if "allOf" in whole:
        whole["allOf"] = [_whole(part, part_of_more=True) for part in whole["allOf"]]
    if "items" in whole:
        whole["items"] = _whole(whole["items"])
    if ("properties" in whole or "allOf" in whole) and not part_of_more:
        whole["unevaluatedProperties"] = False
    return whole


@cache
def _spec() -> Any:
    return json.loads(SPEC.read_text(encoding="utf-8"))
