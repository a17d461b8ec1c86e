"""The calls of a connector, as they were made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from paymux.platform.http import Answer
from tests.patient_client import PatientClient


def read_sent(content: bytes, headers: Mapping[str, str]) -> Any:
    """A request's body: JSON, or the fields of a form; None where there is none."""
    if not content:
        return None
    if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(content.decode(), keep_blank_values=True))
    return json.loads(content)


@dataclass(frozen=True)
class Exchange:
    """One HTTP call: what was sent, what was answered."""

    method: str
    url: str
    headers: Mapping[str, str]
    sent: Any
    answer: Answer


class Overheard(PatientClient):
    """The real client, keeping every exchange."""

    def __init__(self, *, short: float) -> None:
        super().__init__(connect=20.0, total=20.0, short=short)
        self.exchanges: list[Exchange] = []

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        answer = await super().send(method, url, headers=headers, body=body)
        self.exchanges.append(Exchange(method, url, dict(headers), read_sent(body or b"", headers), answer))
        return answer
