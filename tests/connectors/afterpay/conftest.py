"""Afterpay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import Account, Checkout, Connector, OrderToPay, Paid, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.platform.http import HttpClient

AFTERPAY = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "afterpay"
KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f01"


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer or return."""
    content: dict[str, Any] = json.loads((AFTERPAY / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through Afterpay's simulator."""

    counter: Any
    code: str = "AFTERPAY_AU"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a checkout."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def approved(self, amount: str = "100.00", **changes: Any) -> Checkout:
        """Open a checkout and have the shopper agree."""
        _, opened, checkout = await self.opens(amount, **changes)
        await self.counter.shopper(opened.url, "approve")
        return checkout

    async def pays(self, amount: str = "100.00", **changes: Any) -> Checkout:
        """Open a checkout, have the shopper agree and confirm; the checkout with its payment's id."""
        checkout = await self.approved(amount, **changes)
        paid = await self.connector.confirm(checkout, KEY)
        assert isinstance(paid, Paid)
        return self.with_payment(checkout, paid)

    @staticmethod
    def with_payment(checkout: Checkout, paid: Paid) -> Checkout:
        return replace(checkout, payment_id=paid.payment_id)

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def post(self, path: str, **body: Any) -> int:
        """Call one of the sandbox's own routes."""
        url = f"{self.counter.base_url}/afterpay{path}"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            return answer.status


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("afterpay"))


@dataclass
class Scripted:
    """A server on loopback that gives the answers it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def says(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    async def answer(self, request: web.Request) -> web.Response:
        content = await request.read()
        self.asked.append((request.method, request.path, json.loads(content) if content else None))
        self.headers.append(dict(request.headers))
        status, text = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["afterpay"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["AFTERPAY_AU"],
        facts=provider.facts,
        credentials={"merchant_id": "60032000", "secret_key": "s"},
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
