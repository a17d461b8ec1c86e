"""Affirm's connector at its simulator, and at a server that answers what a test tells it to."""

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

AFFIRM = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "affirm"
KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f01"
ONE, TWO, THREE = (f"0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2, 3))
CREDENTIALS = {"public_key": "AFFIRMDEMOPUBLIC", "private_key": "affirm-demo-private"}
# printf 'AFFIRMDEMOPUBLIC:affirm-demo-private' | openssl base64
BASIC = "Basic QUZGSVJNREVNT1BVQkxJQzphZmZpcm0tZGVtby1wcml2YXRl"


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer or event."""
    content: dict[str, Any] = json.loads((AFFIRM / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through Affirm's simulator."""

    counter: Any
    code: str = "AFFIRM_US"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    @staticmethod
    def money(amount: str) -> Money:
        return Money(Decimal(amount), "USD")

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[Redirect, Checkout]:
        """Open an order."""
        order: OrderToPay = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "100.00") -> tuple[Checkout, Mapping[str, str]]:
        """Open an order and have the shopper decide; the checkout and the query that he comes back with."""
        opened, checkout = await self.opens(amount)
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def authorises(self, amount: str = "100.00") -> Checkout:
        """Have the shopper confirm his loan, and authorise it."""
        checkout, _ = await self.decides("approve", amount)
        held = await self.connector.confirm(checkout, KEY)
        assert isinstance(held, Paid)
        return replace(checkout, payment_id=held.payment_id)

    async def moves(
        self, kind: str, checkout: Checkout, amount: str, key: str = ONE, open: str = "100.00", **more: Any
    ) -> Moved:
        """Capture, void or refund an amount."""
        done = await getattr(self.connector, kind)(checkout, self.counter.move(self.money(amount), key, open, **more))
        assert isinstance(done, Moved)
        return done

    async def stands(self, checkout: Checkout) -> Paid:
        """What the transaction tells."""
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Paid)
        return report

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of the documented transaction."""
        order = self.counter.order(self.code, "61.00")
        return Checkout(
            session="A1B2C3D4E5F6G7H8", reference="JKLM4321", total=order.total, auto_capture=True, get_token=False,
            country="US", locale="en_US", expires_at=order.expires_at, order_id=order.id, **changes,
        )  # fmt: skip

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at Affirm."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    async def told(self) -> Incoming:
        """The first event that the simulator sent, once it has arrived."""
        async with asyncio.timeout(10):
            while not self.counter.inbox.received:
                await asyncio.sleep(0.02)
        method, headers, query, body = self.counter.inbox.received[0]
        return Incoming(method=method, headers=headers, query=query, body=body)

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def call(
        self, method: str, path: str, body: Any = None, who: str = BASIC, country: str = "USA", key: str = ""
    ) -> tuple[int, Any]:
        """Call Affirm's API, or the sandbox's own routes, by plain HTTP."""
        url, headers = f"{self.counter.base_url}/affirm{path}", {"Authorization": who, "country-code": country}
        if key:
            headers["Idempotency-Key"] = key
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("affirm"))


@dataclass
class Scripted:
    """A server on loopback that gives the answers it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    def says(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    def replays(self, *names: str) -> None:
        """Give documented answers, in turn."""
        for name in names:
            documented = sample(name)
            self.says(documented["status"], documented["answer"])

    async def answer(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == BASIC
        content = await request.read()
        self.headers.append(dict(request.headers))
        self.asked.append((request.method, request.path_qs, json.loads(content) if content else None))
        status, text = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["affirm"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["AFFIRM_US"],
        facts=provider.facts,
        credentials=CREDENTIALS,
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
