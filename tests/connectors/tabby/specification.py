"""Tabby's published OpenAPI file as a judge: is this request, is this answer, what the file says?

The file lies beside the repository and is never copied into it. It is read more strictly than it is written:
a field that it does not know is a fault, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from jsonschema import Draft202012Validator, FormatChecker

from paymux.platform.database import from_json
from paymux.platform.http import Answer, HttpClient

PUBLISHED = Path(__file__).parents[3].parent / "shared" / "providers" / "specs" / "tabby" / "tabby-api.yml"
_WEBHOOKS = "/api/v1/webhooks"
_FORMATS = FormatChecker()


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


@_FORMATS.checks("uri")
def _is_uri(text: object) -> bool:
    return not isinstance(text, str) or (urlsplit(text).scheme in ("http", "https") and bool(urlsplit(text).netloc))


def _strict(node: Any) -> Any:
    """A part of the file as JSON Schema: `nullable` understood, examples gone, unknown fields refused."""
    if isinstance(node, list):
        return [_strict(part) for part in node]
    if not isinstance(node, dict):
        return node
    kept = {name: _strict(part) for name, part in node.items() if name not in ("example", "examples", "nullable")}
    if "properties" in kept and node.get("type") == "object":
        # The payment of a session demands fields that the file does not describe there.
        kept["properties"] = {**{name: {} for name in kept.get("required", ())}, **kept["properties"]}
        kept.setdefault("additionalProperties", False)
    return {"anyOf": [kept, {"type": "null"}]} if node.get("nullable") is True else kept


@cache
def _published() -> dict[str, Any]:
    file = _strict(yaml.safe_load(PUBLISHED.read_text(encoding="utf-8")))
    return {"paths": file["paths"], "components": file["components"]}


def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    whole = {**schema, "components": _published()["components"]}
    return Draft202012Validator(whole, format_checker=_FORMATS)


def _content(node: Any) -> Any:
    if "$ref" in node:
        node = _published()["components"]["responses"][node["$ref"].rpartition("/")[2]]
    return node["content"]["application/json"]["schema"]


def by_name(name: str) -> Draft202012Validator:
    """The judge of one named schema."""
    return _validator({"$ref": f"#/components/schemas/{name}"})


@dataclass(frozen=True)
class Exchange:
    """One call as it went over the wire."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    answer: Answer

    @property
    def template(self) -> str:
        """The path as the file writes it."""
        return re.sub(r"(/payments|/webhooks)/[^/]+", r"\1/{id}", self.path)

    @property
    def faults(self) -> list[str]:
        """What the file does not allow in it."""
        return [f"{self.method} {self.path} {self.answer.status}: {fault}" for fault in self._faults()]

    def _faults(self) -> list[str]:
        described = _published()["paths"].get(self.template, {}).get(self.method.lower())
        if described is None:
            return ["no such call"]
        judged = [*self._request(described), *self._answer(described)]
        return [f"{'.'.join(map(str, fault.absolute_path))} {fault.message}" for fault in judged]

    def _request(self, described: Any) -> list[Any]:
        assert self.headers["Authorization"].startswith("Bearer sk_")
        if self.template.startswith(_WEBHOOKS):
            assert self.headers["X-Merchant-Code"]
        if "requestBody" not in described:
            assert not self.body
            return []
        assert self.headers["Content-Type"] == "application/json"
        return list(_validator(_content(described["requestBody"])).iter_errors(from_json(self.body or b"null")))

    def _answer(self, described: Any) -> list[Any]:
        said = self.answer.json()
        if (self.method, self.template) == ("GET", _WEBHOOKS) and self.answer.status == 200:
            # The file shows one webhook bare; the official Magento module reads a list.
            return [fault for hook in said or [] for fault in by_name("Webhook").iter_errors(hook)]
        return list(_validator(_content(described["responses"][str(self.answer.status)])).iter_errors(said))


@dataclass
class Watched:
    """The HTTP client, with a look at everything that goes through it."""

    client: HttpClient
    seen: list[Exchange] = field(default_factory=list)

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        answer = await self.client.send(method, url, headers=headers, body=body)
        ours = answer.status < 500 and answer.headers.get("content-type", "").startswith("application/json")
        if ours:
            path = urlsplit(url).path.removeprefix("/tabby")
            self.seen.append(Exchange(method, path, dict(headers), body, answer))
        return answer

    @property
    def faults(self) -> list[str]:
        """What the file does not allow in all that was seen."""
        return [fault for exchange in self.seen for fault in exchange.faults]
