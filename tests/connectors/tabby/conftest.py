"""Tabby's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
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
from tests.connectors.tabby import specification

TABBY = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "tabby"
KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f01"
ONE, TWO, THREE = (f"0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2, 3))
CURRENCIES = {"TABBY_AE": "AED", "TABBY_SA": "SAR", "TABBY_KW": "KWD", "TABBY_QA": "QAR", "TABBY_BH": "BHD"}
LOST = ["timeout_after", "error_after", "reset_after", "malformed"]
NEVER_CAME = ["timeout_before", "error_before"]


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer, return or event."""
    content: dict[str, Any] = json.loads((TABBY / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through Tabby's simulator.

    Everything that goes over the wire has to be what the published file says, unless a test goes beyond it on purpose.
    """

    counter: Any
    watched: specification.Watched
    code: str = "TABBY_AE"
    beyond_the_specification: bool = False

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    def money(self, amount: str) -> Money:
        return Money(Decimal(amount), CURRENCIES[self.code])

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a session."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "100.00") -> tuple[Checkout, Mapping[str, str]]:
        """Open a session and have the shopper decide; the checkout and the query that he comes back with."""
        _, opened, checkout = await self.opens(amount)
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def authorises(self, amount: str = "100.00") -> Checkout:
        """Open a session and have the shopper agree."""
        return (await self.decides("approve", amount))[0]

    async def closes(self, amount: str = "100.00") -> Checkout:
        """Have the shopper agree, and capture everything."""
        checkout = await self.authorises(amount)
        await self.moves("capture", checkout, amount, KEY, amount)
        return checkout

    async def moves(self, verb: str, checkout: Checkout, amount: str, key: str, open: str = "100.00") -> Moved:
        """Capture, void or refund."""
        done = await getattr(self.connector, verb)(checkout, self.counter.move(self.money(amount), key, open))
        assert isinstance(done, Moved)
        return done

    async def paid_now(self, checkout: Checkout) -> Paid:
        """What the poll tells of a payment."""
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Paid)
        return report

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved after the authorisation."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()][1:]

    async def events(self, count: int = 1) -> list[Incoming]:
        """The webhooks that the simulator sent, once so many have arrived, oldest first."""
        async with asyncio.timeout(5):
            while len(self.counter.inbox.received) < count:
                await asyncio.sleep(0.02)
        return [
            Incoming(method=method, headers=headers, query=query, body=body)
            for method, headers, query, body in self.counter.inbox.received
        ]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def post(self, path: str, **body: Any) -> int:
        """Call one of the sandbox's own routes."""
        url = f"{self.counter.base_url}/tabby{path}"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            return answer.status

    async def settles(self, outcome: str) -> int:
        """Decide a pending payment without a browser."""
        body = {"reference": self.counter.reference, "outcome": outcome}
        url = f"{self.counter.base_url}/control/settle"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            return answer.status


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> AsyncIterator[Till]:
    counter = await counter_of("tabby")
    counter.client = specification.Watched(counter.client)
    till = Till(counter, counter.client)
    yield till
    if specification.PUBLISHED.exists() and not till.beyond_the_specification:
        assert till.watched.faults == []


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
        self.answers.append((documented["status"], json.dumps(documented["answer"])))
        return documented

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
    provider, client = all_providers()["tabby"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["TABBY_AE"],
        facts=provider.facts,
        credentials={
            "secret_key": "sk_test_1",
            "merchant_code": "paymux-sandbox",
            "webhook_header": "X-Shop-Secret",
            "webhook_secret": "sandbox-tabby-webhook-secret",
        },
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
