"""Aplazo's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import Checkout, Incoming
from tests.connectors import scripted as base
from tests.connectors import till as tills
from tests.connectors.till import KEY, LOST, NEVER_CAME, ONE, TWO, checkout_of

__all__ = ["KEY", "LOST", "NEVER_CAME", "ONE", "TWO"]

MERCHANT, API_TOKEN = "2639", "93e28f44-e352-42df-af84-7a9ffc9f5734"
CREDENTIALS = {"merchant_id": MERCHANT, "api_token": API_TOKEN}
KEYS = {"merchant_id": MERCHANT, "api_token": API_TOKEN}
CART = "R-1001-0b9f3a52-6a0e"
GRANTED = "Bearer granted"

sample = base.samples_of("aplazo")


def notification(token: str, body: bytes = b"{}") -> Incoming:
    """A notification with a token."""
    return Incoming(method="POST", headers={"authorization": f"Bearer {token}"}, query={}, body=body)


@dataclass
class Till(tills.Till):
    """One order's way through Aplazo's simulator."""

    code: str = "APLAZO_MX"
    currency: str = "MXN"

    def checkout(self, session: str = CART) -> Checkout:
        """A checkout of 1300 pesos, as the sample's loan is."""
        return checkout_of(session, "1300.00", "MXN", "MX")

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Call Aplazo's API by plain HTTP; its headers' names have a `_`."""
        url = f"{self.counter.base_url}/aplazo{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def access(self) -> str:
        """A new access token, as a header's value."""
        _, granted = await self.call("POST", "/api/auth", {"apiToken": API_TOKEN, "merchantId": int(MERCHANT)})
        return str(granted["Authorization"])


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("aplazo"))


class Scripted(base.Scripted):
    def admits(self, request: web.Request) -> None:
        if request.path == "/api/loan":
            assert request.headers["Authorization"] == GRANTED
        else:
            assert {name: request.headers[name] for name in KEYS} == KEYS


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted(sample, grant_path="/api/auth", grant=(200, {"Authorization": GRANTED}))
    async with base.served(server, "APLAZO_MX", CREDENTIALS) as served:
        yield served


@pytest.fixture
async def granting() -> AsyncIterator[base.Scripted]:
    """A server that is told what to answer to a request for an access token, too."""
    async with base.served(base.Scripted(sample), "APLAZO_MX", CREDENTIALS) as server:
        yield server
