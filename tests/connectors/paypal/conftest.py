"""PayPal's connector at its simulator, and at a server that answers what a test tells it to."""

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
from tests.connectors.paypal.published import SPECS, faults_in

PAYPAL = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "paypal"
KEY = "7c1e2b34-0d5f-4a6b-8c9d-0e1f2a3b4c00"
ONE, TWO, THREE = (f"7c1e2b34-0d5f-4a6b-8c9d-0e1f2a3b4c0{n}" for n in (1, 2, 3))
LOST = ["timeout_after", "error_after", "reset_after", "malformed"]
NEVER_CAME = ["timeout_before", "error_before"]


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer, return or event."""
    content: dict[str, Any] = json.loads((PAYPAL / "samples" / f"{name}.json").read_text())
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
    """The real client, keeping every exchange but those about access tokens."""

    def __init__(self, *, connect: float, total: float) -> None:
        super().__init__(connect=connect, total=total)
        self.exchanges: list[Exchange] = []

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        answer = await super().send(method, url, headers=headers, body=body)
        if not url.endswith("/oauth2/token"):
            sent = json.loads(body) if body else None
            self.exchanges.append(Exchange(method, url, dict(headers), sent, answer))
        return answer


@dataclass
class Till:
    """One order's way through PayPal's simulator."""

    counter: Any

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector("PAYPAL")
        return connector

    @property
    def exchanges(self) -> list[Exchange]:
        exchanges: list[Exchange] = self.counter.client.exchanges
        return exchanges

    def sent(self, path: str) -> list[Exchange]:
        """The calls whose address ends so, oldest first."""
        return [exchange for exchange in self.exchanges if exchange.url.endswith(path)]

    async def opens(
        self, amount: str = "100.00", key: str = KEY, **changes: Any
    ) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open an order."""
        order = self.counter.order("PAYPAL", amount, **changes)
        opened = await self.connector.create_checkout(order, key)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decided(self, outcome: str = "approve", amount: str = "100.00", **changes: Any) -> Checkout:
        """Open an order and have the shopper decide."""
        _, opened, checkout = await self.opens(amount, **changes)
        await self.counter.shopper(opened.url, outcome)
        return checkout

    async def confirms(self, amount: str = "100.00", **changes: Any) -> tuple[Checkout, Paid]:
        """Have the shopper agree, and confirm: the checkout with its payment's id."""
        checkout = await self.decided("approve", amount, **changes)
        paid = await self.connector.confirm(checkout, KEY)
        assert isinstance(paid, Paid)
        return replace(checkout, payment_id=paid.payment_id), paid

    async def holds(self, amount: str = "100.00", **changes: Any) -> Checkout:
        """An order of which everything is authorised and nothing captured."""
        return (await self.confirms(amount, auto_capture=False, **changes))[0]

    async def moves(
        self, verb: str, checkout: Checkout, amount: str, key: str, open: str = "100.00", **more: Any
    ) -> MoveResult:
        """Capture, void or refund."""
        money = Money(Decimal(amount), checkout.total.currency)
        done: MoveResult = await getattr(self.connector, verb)(checkout, self.counter.move(money, key, open, **more))
        return done

    async def paid_now(self, checkout: Checkout) -> Paid:
        """What asking tells of a payment."""
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Paid)
        return report

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at PayPal, oldest first."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    async def settles(self, checkout: Checkout, outcome: str) -> None:
        """PayPal decides without a browser."""
        simulator = self.counter.sandbox.simulators["paypal"]
        await simulator.settle(simulator.case(checkout.session), outcome)

    async def events(self, count: int = 1) -> list[Incoming]:
        """The webhooks that PayPal sent, once so many have arrived."""
        async with asyncio.timeout(5):
            while len(self.counter.inbox.received) < count:
                await asyncio.sleep(0.02)
        return [Incoming(method=m, headers=h, query=q, body=b) for m, h, q, b in self.counter.inbox.received]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def post(self, path: str, **body: Any) -> int:
        """Call one of the sandbox's own routes."""
        url = f"{self.counter.base_url}/paypal{path}"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            return answer.status

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A call of PayPal's own API as a merchant's program makes it, past the connector."""
        token = await self.connector._bearer.token()  # type: ignore[attr-defined]
        sent = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): text for name, text in headers.items()}}
        url = f"{self.counter.base_url}/paypal{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=sent) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> AsyncIterator[Till]:
    counter = await counter_of("paypal")
    counter.client = Overheard(connect=1.0, total=0.5)
    yield Till(counter)
    await counter.client.close()
    if SPECS.is_dir():
        assert faults_in(counter.client.exchanges) == []


@dataclass
class Scripted:
    """A server on loopback that grants a token and then gives the answers it was told to, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def says(self, status: int, body: Any = "") -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    def replays(self, name: str) -> dict[str, Any]:
        """Give a documented answer, and return its sample."""
        documented = sample(name)
        self.says(documented["status"], documented["answer"])
        return documented

    async def answer(self, request: web.Request) -> web.Response:
        content = await request.read()
        if request.path == "/v1/oauth2/token":
            return web.json_response({"access_token": "A21AA", "token_type": "Bearer", "expires_in": 32400})
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
    provider, client = all_providers()["paypal"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["PAYPAL"],
        facts=provider.facts,
        credentials={"client_id": "app", "client_secret": "secret"},
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()


def checkout(session: str = "5O190127TN364715T", **changes: Any) -> Checkout:
    """A checkout of 100 USD as the core stores it."""
    base = Checkout(
        session=session, reference="R-1001", total=Money(Decimal("100.00"), "USD"), auto_capture=True, get_token=False,
        country="US", locale="en_US", expires_at=datetime(2030, 1, 1, tzinfo=UTC), order_id="ord_1",
    )  # fmt: skip
    return replace(base, **changes)
