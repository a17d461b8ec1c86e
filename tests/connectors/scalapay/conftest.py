"""Scalapay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import Account, Checkout, Connector, Incoming, MoveResult, OrderToPay, Paid, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import Answer, HttpClient

SCALAPAY = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "scalapay"
KEY = "5d3c1b2a-9f8e-4d7c-8b6a-0a1b2c3d4e00"
ONE, TWO, THREE = (f"5d3c1b2a-9f8e-4d7c-8b6a-0a1b2c3d4e0{n}" for n in (1, 2, 3))
API_KEY = "qhtfs87hjnc12kkos"


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer, return or event."""
    content: dict[str, Any] = json.loads((SCALAPAY / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass(frozen=True)
class Exchange:
    """One HTTP call as it was made: what was sent, what was answered."""

    method: str
    path: str
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
        sent, path = json.loads(body) if body else None, url.partition("/scalapay")[2]
        self.exchanges.append(Exchange(method, path, dict(headers), sent, answer))
        return answer


@dataclass
class Till:
    """One order's way through Scalapay's simulator."""

    counter: Any

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector("SCALAPAY")
        return connector

    @property
    def exchanges(self) -> list[Exchange]:
        exchanges: list[Exchange] = self.counter.client.exchanges
        return exchanges

    async def opens(
        self, amount: str = "100.00", key: str = KEY, **changes: Any
    ) -> tuple[OrderToPay, Redirect, Checkout]:
        """Create an order."""
        order = self.counter.order("SCALAPAY", amount, **changes)
        opened = await self.connector.create_checkout(order, key)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decided(self, outcome: str = "approve", amount: str = "100.00", **changes: Any) -> Checkout:
        """Create an order and have the shopper decide."""
        _, opened, checkout = await self.opens(amount, **changes)
        await self.counter.shopper(opened.url, outcome)
        return checkout

    async def confirms(self, amount: str = "100.00", **changes: Any) -> tuple[Checkout, Paid]:
        """Have the shopper agree, and capture or delay the order: the checkout with its payment's id."""
        checkout = await self.decided("approve", amount, **changes)
        paid = await self.connector.confirm(checkout, KEY)
        assert isinstance(paid, Paid)
        return replace(checkout, payment_id=paid.payment_id), paid

    async def holds(self) -> Checkout:
        """An order that was delayed: everything is authorised and nothing captured."""
        return (await self.confirms(auto_capture=False))[0]

    async def moves(
        self, verb: str, checkout: Checkout, amount: str, key: str = ONE, open: str = "100.00"
    ) -> MoveResult:
        """Capture, void or refund."""
        money = Money(Decimal(amount), checkout.total.currency)
        done: MoveResult = await getattr(self.connector, verb)(checkout, self.counter.move(money, key, open))
        return done

    async def paid_now(self, checkout: Checkout) -> Paid:
        """What asking tells of an order."""
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Paid)
        return report

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at Scalapay, oldest first."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    def case(self, checkout: Checkout) -> Any:
        """The simulator's own record."""
        return self.counter.sandbox.simulators["scalapay"].case(checkout.session)

    async def settles(self, checkout: Checkout, outcome: str) -> None:
        """Scalapay decides without a browser."""
        await self.counter.sandbox.simulators["scalapay"].settle(self.case(checkout), outcome)

    async def events(self, count: int) -> list[Incoming]:
        """The webhooks that Scalapay sent, once so many have arrived."""
        async with asyncio.timeout(5):
            while len(self.counter.inbox.received) < count:
                await asyncio.sleep(0.02)
        return [Incoming(method=m, headers=h, query=q, body=b) for m, h, q, b in self.counter.inbox.received]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        """A call of Scalapay's own API as a merchant's program makes it, past the connector."""
        sent = {"Authorization": f"Bearer {API_KEY}"}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        url = f"{self.counter.base_url}/scalapay{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=sent) as answer:
            return answer.status, json.loads(await answer.text()), dict(answer.headers)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> AsyncIterator[Till]:
    counter = await counter_of("scalapay")
    counter.client = Overheard(connect=1.0, total=0.8)
    yield Till(counter)
    await counter.client.close()


@dataclass
class Scripted:
    """A server on loopback that gives the answers it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def says(self, status: int, body: Any = "") -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    def replays(self, name: str) -> None:
        """Give a documented answer."""
        documented = sample(name)
        self.says(documented["status"], json.dumps(documented["answer"]))

    def authorised(self, amount: str = "100.00") -> None:
        """Say that the order is authorised and nothing more."""
        total = {"amount": amount, "currency": "EUR"}
        self.says(
            200, {"token": "71KH916VPE", "status": "authorized", "captureStatus": "pending", "totalAmount": total}
        )

    async def answer(self, request: web.Request) -> web.Response:
        content = await request.read()
        self.asked.append((request.method, request.path, json.loads(content) if content else None))
        status, text = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["scalapay"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["SCALAPAY"], facts=provider.facts, credentials={"api_key": API_KEY},
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )  # fmt: skip
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()


def checkout(**changes: Any) -> Checkout:
    """A checkout of 100 EUR as the core stores it."""
    base = Checkout(
        session="71KH916VPE", reference="R-1001", total=Money(Decimal("100.00"), "EUR"), auto_capture=True,
        get_token=False, country="IT", locale="it_IT", expires_at=datetime(2030, 1, 1, tzinfo=UTC), order_id="ord_1",
    )  # fmt: skip
    return replace(base, **changes)
