"""Scalapay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from paymux.connectors.contract import Checkout
from tests.connectors import scripted as servers
from tests.connectors import till as tills
from tests.connectors.scripted import samples_of, served
from tests.connectors.till import checkout_of

API_KEY = "qhtfs87hjnc12kkos"

sample = samples_of("scalapay")


def checkout(**changes: Any) -> Checkout:
    """A checkout of 100 EUR as the core stores it."""
    return checkout_of("71KH916VPE", "100.00", "EUR", "IT", **changes)


@dataclass
class Till(tills.Till):
    """One order's way through Scalapay's simulator."""

    code: str = "SCALAPAY"

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        """A call of Scalapay's own API as a merchant's program makes it, past the connector: with the answer's headers."""
        sent = {"Authorization": f"Bearer {API_KEY}"}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        url = f"{self.counter.base_url}/scalapay{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=sent) as answer:
            return answer.status, json.loads(await answer.text()), dict(answer.headers)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("scalapay"))


class Scripted(servers.Scripted):
    def authorised(self, amount: str = "100.00") -> None:
        """Say that the order is authorised and nothing more."""
        total = {"amount": amount, "currency": "EUR"}
        self.says(
            200, {"token": "71KH916VPE", "status": "authorized", "captureStatus": "pending", "totalAmount": total}
        )


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted(sample, authorization=f"Bearer {API_KEY}")
    async with served(server, "SCALAPAY", {"api_key": API_KEY}) as server:
        yield server
