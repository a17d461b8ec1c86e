"""Splitit's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

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

from paymux.connectors.contract import Account, Checkout, Connector, MoveResult, OrderToPay, Paid, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import Answer, HttpClient
from tests.connectors.splitit.published import SPEC, faults_in

SPLITIT = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "splitit"
KEY = "5d3c1b2a-9f8e-4d7c-8b6a-0a1b2c3d4e00"
ONE, TWO, THREE = (f"5d3c1b2a-9f8e-4d7c-8b6a-0a1b2c3d4e0{n}" for n in (1, 2, 3))
CREDENTIALS = {"client_id": "APIUser", "client_secret": "password", "terminal_id": "terminal"}


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer or event."""
    content: dict[str, Any] = json.loads((SPLITIT / "samples" / f"{name}.json").read_text())
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
        if not url.endswith("/connect/token"):
            sent = json.loads(body) if body else None
            self.exchanges.append(Exchange(method, url, dict(headers), sent, answer))
        return answer


@dataclass
class Till:
    """One order's way through Splitit's simulator."""

    counter: Any

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector("SPLITIT")
        return connector

    @property
    def exchanges(self) -> list[Exchange]:
        exchanges: list[Exchange] = self.counter.client.exchanges
        return exchanges

    async def opens(
        self, amount: str = "100.00", key: str = KEY, **changes: Any
    ) -> tuple[OrderToPay, Redirect, Checkout]:
        """Initiate a plan."""
        order = self.counter.order("SPLITIT", amount, **changes)
        opened = await self.connector.create_checkout(order, key)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decided(self, outcome: str = "approve", amount: str = "100.00", **changes: Any) -> Checkout:
        """Initiate a plan and have the shopper decide."""
        _, opened, checkout = await self.opens(amount, **changes)
        await self.counter.shopper(opened.url, outcome)
        return checkout

    async def runs(self, amount: str = "100.00", **changes: Any) -> Checkout:
        """A plan that the shopper approved, with its payment known."""
        checkout = await self.decided("approve", amount, **changes)
        return replace(checkout, payment_id=(await self.paid_now(checkout)).payment_id)

    async def moves(
        self, verb: str, checkout: Checkout, amount: str, key: str = ONE, open: str = "100.00"
    ) -> MoveResult:
        """Capture, void or refund."""
        money = Money(Decimal(amount), checkout.total.currency)
        done: MoveResult = await getattr(self.connector, verb)(checkout, self.counter.move(money, key, open))
        return done

    async def paid_now(self, checkout: Checkout) -> Paid:
        """What asking tells of a plan."""
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Paid)
        return report

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at Splitit, oldest first."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    def case(self, checkout: Checkout) -> Any:
        """The simulator's own record."""
        return self.counter.sandbox.simulators["splitit"].case(checkout.session)

    def changes(self, checkout: Checkout, **fields: Any) -> None:
        """Change what Splitit holds of a plan."""
        case = self.case(checkout)
        for name, value in fields.items():
            if name in case.data:
                case.data[name] = value
            else:
                setattr(case, name, value)
        self.counter.sandbox.simulators["splitit"].save(case)

    async def settles(self, checkout: Checkout, outcome: str) -> None:
        """Splitit decides without a browser."""
        await self.counter.sandbox.simulators["splitit"].settle(self.case(checkout), outcome)

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A call of Splitit's own API as a merchant's program makes it, past the connector."""
        token = await self.connector._bearer.token()  # type: ignore[attr-defined]
        sent = {
            "Authorization": f"Bearer {token}", "X-Splitit-IdempotencyKey": KEY, "X-Splitit-TouchPoint": "test",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }  # fmt: skip
        url = f"{self.counter.base_url}/splitit{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=sent) as answer:
            return answer.status, json.loads(await answer.text())


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> AsyncIterator[Till]:
    counter = await counter_of("splitit")
    counter.client = Overheard(connect=1.0, total=0.8)
    yield Till(counter)
    await counter.client.close()
    if SPEC.is_file():
        assert faults_in(counter.client.exchanges) == []


@dataclass
class Scripted:
    """A server on loopback that grants a token and then gives the answers it was told to, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    grants: list[tuple[int, str]] = field(default_factory=list)

    def says(self, status: int, body: Any = "") -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    def replays(self, name: str) -> None:
        """Give a documented answer."""
        documented = sample(name)
        self.says(documented["status"], documented["answer"])

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/connect/token":
            self.forms.append({name: str(value) for name, value in (await request.post()).items()})
            granted = sample("token_granted")
            status, text = self.grants.pop(0) if self.grants else (granted["status"], json.dumps(granted["answer"]))
        else:
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
    provider, client = all_providers()["splitit"], HttpClient(connect=1.0, total=5.0)
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    account = Account(
        code=provider.facts.codes["SPLITIT"], facts=provider.facts, credentials=CREDENTIALS,
        hosts={"api": base, "id": base},
    )  # fmt: skip
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()


def checkout(**changes: Any) -> Checkout:
    """A checkout of 100 USD as the core stores it, its payment known."""
    base = Checkout(
        session="62787747637784516814", reference="R-1001", total=Money(Decimal("100.00"), "USD"), auto_capture=True,
        get_token=False, country="US", locale="en_US", expires_at=datetime(2030, 1, 1, tzinfo=UTC), order_id="ord_1",
        payment_id="62787747637784516814",
    )  # fmt: skip
    return replace(base, **changes)
