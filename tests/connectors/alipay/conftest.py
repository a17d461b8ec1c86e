"""Alipay's connector at its simulator, and at a gateway that answers, signed, what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web

from paymux.connectors.alipay import signature
from paymux.connectors.alipay.sandbox_keys import MERCHANT_KEY, PROVIDER_KEY
from paymux.connectors.alipay.simulator import AlipaySimulator
from paymux.connectors.contract import Checkout
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served

TIME = "2026-11-25T10:00:00+00:00"

sample = samples_of("alipay")


@dataclass
class Till(tills.Till):
    """One order's way through Alipay's simulator."""

    code: str = "ALIPAY_CN"

    async def decided(self, outcome: str = "approve", amount: str = "", **changes: Any) -> Checkout:
        checkout, query = await self.decides(outcome, amount, **changes)
        assert query == {}
        return checkout

    async def pays(self, amount: str = "", **changes: Any) -> Checkout:
        """Have the shopper agree; the checkout with the payment's id."""
        checkout = await self.decided("approve", amount, **changes)
        return replace(checkout, payment_id=checkout.session)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("alipay"))


@dataclass
class Gateway(Scripted):
    """Signs its answers, unless a test takes the key away, for the client that asks, unless a test names another."""

    key: str | None = PROVIDER_KEY
    client_id: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        answer = await super().answer(request)
        path = request.path.removeprefix("/na").removeprefix("/eu")
        client = self.client_id or request.headers["Client-Id"]
        answer.headers.update({"Response-Time": TIME, "Client-Id": client})
        if self.key:
            signed = signature.content(path, client, TIME, (answer.text or "").encode())
            answer.headers["Signature"] = signature.sign(self.key, signed)
        return answer


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    credentials = {**AlipaySimulator.credentials, "client_id": "5Y0001", "private_key": MERCHANT_KEY}
    hosts = {"api": "", "na": "/na", "eu": "/eu"}
    async with served(Gateway(sample), "ALIPAY_CN", credentials, hosts) as server:
        yield server
