"""Paymob's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from paymux.connectors.contract import Checkout, Redirect
from tests.connectors import scripted as base
from tests.connectors import till as tills

CREDENTIALS = {
    "api_key": "sandbox-paymob-api-key", "secret_key": "egy_sk_test_5a2d90c1e7", "public_key": "egy_pk_test_77c0Yb31Qk",
    "hmac_secret": "5ANDB0X0HMAC", "integration_ids": "5083949, 5083950",
}  # fmt: skip
SECRET = f"Token {CREDENTIALS['secret_key']}"
REFUND = "/api/acceptance/void_refund/refund"
INQUIRY = "/api/ecommerce/orders/transaction_inquiry"


sample = base.samples_of("paymob")


@dataclass
class Till(tills.Till):
    """One order's way through Paymob's simulator."""

    code: str = "PAYMOB_EG"
    currency: str = "EGP"

    async def page(self, opened: Redirect) -> str:
        """Behind the unified checkout."""
        return await self.sent_on(opened.url)

    async def token(self) -> str:
        """An access token, asked for by plain HTTP."""
        _, granted = await self.request("POST", "/api/auth/tokens", {"api_key": CREDENTIALS["api_key"]})
        return str(granted["token"])

    async def voided(self, checkout: Checkout) -> None:
        """Have a payment of today taken back, as in the dashboard."""
        body = {"transaction_id": int(checkout.payment)}
        status, _ = await self.request("POST", "/api/acceptance/void_refund/void", body, Authorization=SECRET)
        assert status == 201


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("paymob"))


class Scripted(base.Scripted):
    """Paymob with answers that a test decides."""

    def admits(self, request: web.Request) -> None:
        asking = request.path == INQUIRY or request.path.startswith("/api/acceptance/transactions/")
        assert request.headers.get("Authorization") == ("Bearer granted" if asking else SECRET)

    def checkout(self, **changes: Any) -> Checkout:
        """The checkout of the sample's order."""
        ours = {"reference": "phe4sjw11q-11212-221", "locale": "ar_EG"}
        return tills.checkout_of("690898", "20.00", "EGP", "EG", **ours, **changes)


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    granting = Scripted(
        sample, grant_path="/api/auth/tokens", grant=(201, {"token": "granted", "profile": {"id": 106}})
    )
    async with base.served(granting, "PAYMOB_EG", CREDENTIALS) as server:
        yield server
