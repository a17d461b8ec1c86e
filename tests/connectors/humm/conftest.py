"""humm's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from yarl import URL

from paymux.connectors.contract import Account, Checkout, Connector, Incoming, Redirect
from paymux.connectors.provider_http import ProviderHttp
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served

SECRET = "sandbox-humm-key"
CREDENTIALS = {"merchant_id": "30199250", "api_key": SECRET, "shop_name": "Mugs"}

sample = samples_of("humm")


def signed(fields: Mapping[str, str], secret: str = SECRET) -> dict[str, str]:
    """Fields with humm's signature over them."""
    text = "".join(name + value for name, value in sorted(fields.items()) if name.startswith("x_"))
    return {**fields, "x_signature": hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}


def told(**changes: str) -> dict[str, str]:
    """humm's signed answer to the order R-1001 of 100.00 AUD; an empty change takes a field away."""
    fields = {
        "x_account_id": "30199250", "x_reference": "R-1001", "x_currency": "AUD", "x_amount": "100.00",
        "x_gateway_reference": "52004168", "x_purchase_number": "52004168", "x_timestamp": "2026-11-25T12:11:43Z",
        "x_result": "completed", "x_test": "True",
    }  # fmt: skip
    return signed({name: value for name, value in (fields | changes).items() if value})


def callback(fields: Mapping[str, str]) -> Incoming:
    """A callback with these fields."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return Incoming(method="POST", headers=headers, query={}, body=urlencode(fields).encode())


@dataclass
class Till(tills.Till):
    """One order's way through humm's simulator."""

    code: str = "HUMM_AU"

    @property
    def live(self) -> Connector:
        """The same connector with an account in live mode."""
        account: Account = replace(self.counter.account(self.code), live=True)
        connector: Connector = self.counter.provider.connector(account, ProviderHttp(self.counter.client))
        return connector

    async def form(self, **changes: Any) -> dict[str, str]:
        """The fields that the browser posts."""
        opened, _ = await self.opens(**changes)
        return dict(opened.form or {})

    async def posts(self, opened: Redirect, form: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Post the form as a browser does: the status, and the checkout page's address or what humm says."""
        sent = opened.form if form is None else form
        async with (
            aiohttp.ClientSession() as browser,
            browser.post(URL(opened.url, encoded=True), data=sent, allow_redirects=False) as answer,
        ):
            return answer.status, answer.headers.get("Location") or await answer.text()

    async def page(self, opened: Redirect) -> str:
        status, page = await self.posts(opened)
        assert status == 303, page
        return page

    async def pays(self, amount: str = "", **changes: Any) -> Checkout:
        """Have the shopper agree; the checkout with the purchase's number that his return brings."""
        checkout, query = await self.decides("approve", amount, **changes)
        return replace(checkout, payment_id=query["x_gateway_reference"])


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("humm"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with served(Scripted(sample), "HUMM_AU", CREDENTIALS, {"api": "", "checkout": ""}) as server:
        yield server
