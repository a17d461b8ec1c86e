"""humm's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from paymux.connectors.contract import Account, Checkout, Connector, Incoming, Move, Moved, OrderToPay, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

FOLDER = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "humm"
KEY = "5d1f6c3e-6a0e-4f7e-9a57-2f4a3f1f6f01"
SECRET = "sandbox-humm-key"


def sample(name: str) -> dict[str, Any]:
    """A documented form, answer or refund."""
    content: dict[str, Any] = json.loads((FOLDER / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


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
class Till:
    """One order's way through humm's simulator."""

    counter: Any
    code: str = "HUMM_AU"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    @property
    def live(self) -> Connector:
        """The same connector with an account in live mode."""
        account: Account = replace(self.counter.account(self.code), live=True)
        connector: Connector = self.counter.provider.connector(account, ProviderHttp(self.counter.client))
        return connector

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Make the form; nobody has posted it yet."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def form(self, **changes: Any) -> dict[str, str]:
        """The fields that the browser posts."""
        return dict((await self.opens(**changes))[1].form or {})

    async def posts(self, opened: Redirect, form: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Post the form as a browser does: the status, and the checkout page's address or what humm says."""
        sent = opened.form if form is None else form
        async with (
            aiohttp.ClientSession() as browser,
            browser.post(URL(opened.url, encoded=True), data=sent, allow_redirects=False) as answer,
        ):
            return answer.status, answer.headers.get("Location") or await answer.text()

    async def decides(self, outcome: str, **changes: Any) -> tuple[Checkout, dict[str, str]]:
        """Post the form and decide; the checkout and the query of the return."""
        _, opened, checkout = await self.opens(**changes)
        status, page = await self.posts(opened)
        assert status == 303, page
        return checkout, dict(await self.counter.shopper(page, outcome))

    async def pays(self, **changes: Any) -> Checkout:
        """Post the form and pay; the checkout with its purchase's number."""
        checkout, query = await self.decides("approve", **changes)
        return replace(checkout, payment_id=query["x_gateway_reference"])

    def move(self, amount: str, **changes: Any) -> Move:
        """A claimed refund out of 100.00."""
        currency = self.counter.provider.facts.codes[self.code].currencies[0]
        move: Move = self.counter.move(Money(Decimal(amount), currency), KEY, "100.00", "100.00", **changes)
        return move

    async def refunds(self, checkout: Checkout, amount: str) -> Moved:
        """Refund a part or all."""
        done = await self.connector.refund(checkout, self.move(amount))
        assert isinstance(done, Moved)
        return done


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("humm"))


@dataclass
class Scripted:
    """humm's refund on loopback: gives the answer that it was told to, and keeps what it was sent."""

    connector: Connector = field(init=False)
    status: int = 204
    body: str = ""
    asked: list[tuple[str, Any, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, json.loads(await request.read()), request.headers.get("User-Agent", "")))
        return web.Response(status=self.status, text=self.body or None, content_type="application/json")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["humm"], HttpClient(connect=1.0, total=5.0)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    account = Account(
        code=provider.facts.codes["HUMM_AU"], facts=provider.facts, hosts={"api": url, "checkout": url},
        credentials={"merchant_id": "30199250", "api_key": SECRET, "shop_name": "Mugs"},
    )  # fmt: skip
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
