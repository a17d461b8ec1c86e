"""Klarna's connector at its simulator, and at a server that answers what a test tells it to."""

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

from paymux.connectors.contract import Account, Checkout, Connector, Incoming, OrderToPay, Paid, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.platform.http import Answer, HttpClient
from tests.connectors.klarna.published import SPECS, faults_in

KLARNA = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "klarna"
KEY = "3f7f1f0c-7c53-4b0e-9d51-5a1f6c0d9e01"
ONE, TWO, THREE = (f"3f7f1f0c-7c53-4b0e-9d51-5a1f6c0d9e1{n}" for n in (1, 2, 3))
LOST = ["timeout_after", "error_after", "reset_after", "malformed"]
NEVER_CAME = ["timeout_before", "error_before"]


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer, return or callback."""
    content: dict[str, Any] = json.loads((KLARNA / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass(frozen=True)
class Exchange:
    """One HTTP call as it was made: what was sent, what was answered."""

    method: str
    url: str
    headers: Mapping[str, str]
    sent: Any
    answer: Answer


class Overheard(HttpClient):
    """The real client, keeping every exchange."""

    def __init__(self, *, connect: float, total: float) -> None:
        super().__init__(connect=connect, total=total)
        self.exchanges: list[Exchange] = []

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        answer = await super().send(method, url, headers=headers, body=body)
        self.exchanges.append(Exchange(method, url, dict(headers), json.loads(body) if body else None, answer))
        return answer


@dataclass
class Till:
    """One order's way through Klarna's simulator."""

    counter: Any
    code: str = "KLARNA"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    @property
    def exchanges(self) -> list[Exchange]:
        exchanges: list[Exchange] = self.counter.client.exchanges
        return exchanges

    def sent(self, path: str) -> Any:
        """The body of the last request whose address ends so."""
        return [e.sent for e in self.exchanges if e.url.endswith(path)][-1]

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a checkout."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decided(self, outcome: str = "approve", amount: str = "100.00", **changes: Any) -> Checkout:
        """Open a checkout and have the shopper decide."""
        _, opened, checkout = await self.opens(amount, **changes)
        await self.counter.shopper(opened.url, outcome)
        return checkout

    async def pays(self, amount: str = "100.00", **changes: Any) -> Checkout:
        """Open a checkout and have the shopper agree; the checkout with its order's id, nothing captured yet."""
        checkout = await self.decided("approve", amount, **changes)
        paid = await self.connector.fetch(checkout)
        assert isinstance(paid, Paid)
        return self.with_payment(checkout, paid)

    async def confirms(self, **changes: Any) -> tuple[Checkout, Paid]:
        """The same for an order that makes a customer token, which our confirm places."""
        checkout = await self.decided("approve", get_token=True, **changes)
        paid = await self.connector.confirm(checkout, KEY)
        assert isinstance(paid, Paid)
        return self.with_payment(checkout, paid), paid

    @staticmethod
    def with_payment(checkout: Checkout, paid: Paid) -> Checkout:
        return replace(checkout, payment_id=paid.payment_id, state={**checkout.state, **paid.state})

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at Klarna, oldest first."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    def case(self, checkout: Checkout) -> Any:
        """The simulator's own record."""
        return self.counter.sandbox.simulators["klarna"].case(checkout.session)

    async def settles(self, checkout: Checkout, outcome: str) -> None:
        """Klarna decides without a browser."""
        await self.counter.sandbox.simulators["klarna"].settle(self.case(checkout), outcome)

    async def events(self, count: int) -> list[Incoming]:
        """The callbacks that Klarna sent, once so many have come."""
        inbox = self.counter.inbox
        for _ in range(200):
            if len(inbox.received) >= count:
                break
            await asyncio.sleep(0.05)
        assert len(inbox.received) == count
        return [Incoming(method=m, headers=h, query=q, body=b) for m, h, q, b in inbox.received]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def post(self, path: str, **body: Any) -> int:
        """Call one of the sandbox's own routes."""
        url = f"{self.counter.base_url}/klarna{path}"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            return answer.status


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> AsyncIterator[Till]:
    counter = await counter_of("klarna")
    counter.client = Overheard(connect=1.0, total=0.5)
    yield Till(counter)
    await counter.client.close()
    if SPECS.is_dir():
        assert faults_in(counter.client.exchanges) == []


@dataclass
class Scripted:
    """A server on loopback that gives the answers it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def says(self, status: int, body: Any = "", **headers: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.answers.append((status, text, {name.replace("_", "-"): value for name, value in headers.items()}))

    async def answer(self, request: web.Request) -> web.Response:
        content = await request.read()
        self.asked.append((request.method, request.path, json.loads(content) if content else None))
        self.headers.append(dict(request.headers))
        status, text, headers = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json", headers=headers)


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["klarna"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["KLARNA"],
        facts=provider.facts,
        credentials={"username": "PK1", "password": "s"},
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
