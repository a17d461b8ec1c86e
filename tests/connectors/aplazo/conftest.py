"""Aplazo's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web

from paymux.connectors.contract import Checkout, Incoming
from tests.connectors import scripted as base
from tests.connectors import till as tills
from tests.connectors.till import KEY, ONE, TWO

__all__ = ["KEY", "ONE", "TWO"]

MERCHANT, API_TOKEN = "2639", "93e28f44-e352-42df-af84-7a9ffc9f5734"
CREDENTIALS = {"merchant_id": MERCHANT, "api_token": API_TOKEN}
KEYS = {"merchant_id": MERCHANT, "api_token": API_TOKEN}
CART = "R-1001-0b9f3a52-6a0e"

sample = base.samples_of("aplazo")


def notification(token: str, body: bytes = b"{}") -> Incoming:
    """A notification with a token."""
    return Incoming(method="POST", headers={"authorization": f"Bearer {token}"}, query={}, body=body)


@dataclass
class Till(tills.Till):
    """One order's way through Aplazo's simulator."""

    code: str = "APLAZO_MX"
    currency: str = "MXN"

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of 1300 pesos whose loan is the sample's."""
        order = self.counter.order(self.code, "1300.00")
        checkout = Checkout(
            session=CART, reference="R-1001", total=order.total, auto_capture=True, get_token=False, country="MX",
            locale="es_MX", expires_at=order.expires_at, order_id=order.id, state={"loan": "162536"},
        )  # fmt: skip
        return replace(checkout, **changes)

    async def becomes(self, checkout: Checkout, **changes: str) -> None:
        """Change what Aplazo holds of a loan."""
        body = {"id": checkout.state["loan"], **changes}
        assert (await self.request("POST", "/sandbox/tamper", body))[0] == 200

    async def access(self) -> str:
        """A new access token, as a header's value."""
        _, granted = await self.request("POST", "/api/auth", {"apiToken": API_TOKEN, "merchantId": int(MERCHANT)})
        return str(granted["Authorization"])


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("aplazo"))


@dataclass
class Scripted(base.Scripted):
    granted: list[Any] = field(default_factory=list)
    """The body of each request for an access token, which is answered by itself."""

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/api/auth" and "api_token" not in request.headers:
            self.granted.append(await request.json())
            return web.json_response({"Authorization": f"Bearer granted-{len(self.granted)}"})
        return await super().answer(request)

    def admits(self, request: web.Request) -> None:
        if request.path == "/api/loan":
            assert request.headers["Authorization"] == f"Bearer granted-{len(self.granted)}"
        else:
            assert {name: request.headers[name] for name in KEYS} == KEYS


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with base.served(Scripted(sample), "APLAZO_MX", CREDENTIALS) as server:
        yield server


@pytest.fixture
async def refusing() -> AsyncIterator[base.Scripted]:
    """A server that is told what to answer to a request for an access token, too."""
    async with base.served(base.Scripted(sample), "APLAZO_MX", CREDENTIALS) as server:
        yield server
