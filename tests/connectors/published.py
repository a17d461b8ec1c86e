"""What the judges have in common that hold a provider's published OpenAPI files against what was sent and answered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from jsonschema import Draft202012Validator
from yarl import URL

from tests.connectors.overheard import Exchange

SPECS = Path(__file__).parents[3] / "shared" / "providers" / "specs"
"""Where the files lie, a folder for each provider; they are read there, never copied."""


@dataclass(frozen=True)
class Operation:
    """One operation of a specification."""

    name: str
    method: str
    path: str
    spec: str
    said: Mapping[str, Any]


Kind = TypeVar("Kind", bound=Operation)


def operations_in(kind: type[Kind], files: Mapping[str, Any]) -> tuple[Kind, ...]:
    """Every operation of these files, by their names."""
    return tuple(
        kind(said["operationId"], method.upper(), path, spec, said)
        for spec, file in files.items()
        for path, methods in file["paths"].items()
        for method, said in methods.items()
        if isinstance(said, dict) and "operationId" in said
    )


def matches(template: str, path: str) -> bool:
    """Whether a path is one of those that a specification writes with parameters in braces."""
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) is not None


def only_one(operations: Sequence[Kind], method: str, path: str) -> Kind:
    """The operation of a request, of which there has to be one."""
    found = [known for known in operations if known.method == method and matches(known.path, path)]
    assert len(found) == 1, f"{method} {path} is in no specification"
    return found[0]


def faults_in_calls(
    exchanges: Sequence[Exchange], prefix: str, faults: Callable[[Exchange, str, Any], list[str]]
) -> list[str]:
    """What is wrong with calls as they were made; those of which the sandbox swallowed the answer are left out.

    `prefix` begins the path of each; `faults` judges a call, its path behind the prefix and the answer's body.
    """
    wrong = []
    for exchange in exchanges:
        answer, path = exchange.answer, URL(exchange.url).path.removeprefix(prefix)
        if answer.status < 500 and not answer.headers.get("content-type", "").startswith("text/"):
            wrong += faults(exchange, path, json.loads(answer.body) if answer.body else None)
    return wrong


def faults_found(judge: Draft202012Validator, body: Any) -> list[str]:
    """Each place where a body is not as a schema has it."""
    return [f"{fault.json_path} {fault.message[:200]}" for fault in judge.iter_errors(body)]
