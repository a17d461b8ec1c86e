"""Grab's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import (
    Account,
    Approved,
    Checkout,
    Connector,
    Incoming,
    MoveResult,
    OrderToPay,
    Paid,
    Redirect,
)
from paymux.connectors.grab.simulator import GrabSimulator
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

FOLDER = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "grab"
KEY = "7d0b5c1e-4e0e-4a53-9b77-0d6b7a1c2e01"
KEY2 = "7d0b5c1e-4e0e-4a53-9b77-0d6b7a1c2e02"
SECRET = GrabSimulator.credentials["client_secret"]


def sample(name: str) -> dict[str, Any]:
    """A documented answer or signature."""
    content: dict[str, Any] = json.loads((FOLDER / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through Grab's simulator."""

    counter: Any
    code: str = "GRAB_SG"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a charge."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "100.00") -> tuple[Checkout, Mapping[str, str]]:
        """Open a charge and have the shopper decide; the checkout and the query that he comes back with."""
        _, opened, checkout = await self.opens(amount)
        return checkout, await self.counter.shopper(await self.reaches(opened.url), outcome)

    @staticmethod
    async def reaches(url: str) -> str:
        """Follow the authorisation page to where the shopper decides."""
        async with aiohttp.ClientSession() as browser, browser.get(url, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            return answer.headers["Location"]

    async def approved(self, amount: str = "100.00") -> Checkout:
        """Open a charge and have the shopper agree; the checkout with what the approval brought, as the core keeps it."""
        checkout, _ = await self.decides("approve", amount)
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Approved)
        return replace(checkout, state={**checkout.state, **report.state})

    async def pays(self, amount: str = "100.00") -> Checkout:
        """The whole way; the checkout with the payment's id."""
        checkout = await self.approved(amount)
        paid = await self.connector.confirm(checkout, KEY2)
        assert isinstance(paid, Paid)
        return replace(checkout, payment_id=paid.payment_id)

    async def refunds(self, checkout: Checkout, amount: str, key: str = KEY2) -> MoveResult:
        """Refund a part or all."""
        currency = self.counter.provider.facts.codes[self.code].currencies[0]
        move = self.counter.move(Money(Decimal(amount), currency), key, "100.00", "100.00")
        return await self.connector.refund(checkout, move)

    async def events(self, count: int) -> list[Incoming]:
        """The webhooks, once so many have arrived, as paymux's own edge would hand them on."""
        inbox = self.counter.inbox
        async with asyncio.timeout(5):
            while len(inbox.received) < count:
                await asyncio.sleep(0.02)
        path = urlsplit(inbox.url).path
        return [Incoming(method=m, headers=h, query=q, body=b, path=path) for m, h, q, b in inbox.received]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def post(self, path: str, **body: Any) -> int:
        """Call the simulator without the connector."""
        url = f"{self.counter.base_url}/grab{path}"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            return answer.status


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("grab"))


@dataclass
class Scripted:
    """A server on loopback that gives the answers it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    def says(self, body: Any, status: int = 200) -> None:
        self.answers.append((status, body))

    async def answer(self, request: web.Request) -> web.Response:
        content = await request.read()
        self.asked.append((request.method, request.path_qs, json.loads(content) if content else None))
        self.headers.append(dict(request.headers))
        status, body = self.answers.pop(0)
        return web.json_response(body, status=status)


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["grab"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["GRAB_SG"], facts=provider.facts,
        credentials={**GrabSimulator.credentials, "brand_name": "Demo"},
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )  # fmt: skip
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
