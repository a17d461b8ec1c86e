"""Alma's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import Account, Checkout, Connector, Incoming, Moved, OrderToPay, Paid, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

ALMA = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "alma"
KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f01"
ONE, TWO = (f"0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2))
CREDENTIALS = {"api_key": "sk_test_paymux-sandbox"}


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer or event."""
    content: dict[str, Any] = json.loads((ALMA / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through Alma's simulator."""

    counter: Any
    code: str = "ALMA"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    def money(self, amount: str) -> Money:
        return Money(Decimal(amount), "EUR")

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a checkout."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "100.00") -> tuple[Checkout, Mapping[str, str]]:
        """Open a checkout and have the shopper decide; the checkout and the query that he comes back with."""
        _, opened, checkout = await self.opens(amount)
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def pays(self, amount: str = "100.00") -> Checkout:
        """Open a checkout and have the shopper pay."""
        checkout, _ = await self.decides("approve", amount)
        return replace(checkout, payment_id=checkout.session)

    async def refunds(self, checkout: Checkout, amount: str, key: str = ONE, open: str = "100.00") -> Moved:
        """Refund a part or all."""
        done = await self.connector.refund(checkout, self.counter.move(self.money(amount), key, open))
        assert isinstance(done, Moved)
        return done

    async def paid_now(self, checkout: Checkout) -> Paid:
        """What the poll tells of a paid payment."""
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Paid)
        return report

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at Alma."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    async def events(self, count: int) -> list[Incoming]:
        """The events that the simulator sent, once so many have arrived, oldest first."""
        async with asyncio.timeout(5):
            while len(self.counter.inbox.received) < count:
                await asyncio.sleep(0.02)
        return [Incoming(method=m, headers=h, query=q, body=b) for m, h, q, b in self.counter.inbox.received]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def call(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """Call Alma's API, or the sandbox's own routes, by plain HTTP."""
        url = f"{self.counter.base_url}/alma{path}"
        headers = {"Authorization": token or "Alma-Auth sk_test_paymux-sandbox"}
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json() if answer.status != 204 else None


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("alma"))


@dataclass
class Scripted:
    """A server on loopback that gives the answers it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def says(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    def replays(self, name: str) -> dict[str, Any]:
        """Give a documented answer, and return its sample."""
        documented = sample(name)
        self.says(documented["status"], documented["answer"])
        return documented

    async def answer(self, request: web.Request) -> web.Response:
        content = await request.read()
        self.asked.append((request.method, request.path_qs, json.loads(content) if content else None))
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
    provider, client = all_providers()["alma"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["ALMA"],
        facts=provider.facts,
        credentials=CREDENTIALS,
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
