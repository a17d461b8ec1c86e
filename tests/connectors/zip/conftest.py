"""Zip's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
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
from paymux.platform.http import HttpClient

ZIP = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "zip"
KEY = "5d3c1b2a-9f8e-4d7c-8b6a-0a1b2c3d4e00"
ONE, TWO, THREE = (f"5d3c1b2a-9f8e-4d7c-8b6a-0a1b2c3d4e0{n}" for n in (1, 2, 3))
LOST = ["timeout_after", "error_after", "reset_after", "malformed"]
NEVER_CAME = ["timeout_before", "error_before"]
ALL = Decimal("100.00")


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer or return."""
    content: dict[str, Any] = json.loads((ZIP / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through Zip's simulator."""

    counter: Any
    code: str = "ZIP_AU"

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

    async def decided(self, outcome: str = "approve", amount: str = "100.00", **changes: Any) -> Checkout:
        """Open a checkout and have the shopper decide."""
        _, opened, checkout = await self.opens(amount, **changes)
        await self.counter.shopper(opened.url, outcome)
        return checkout

    async def confirms(self, amount: str = "100.00", **changes: Any) -> tuple[Checkout, Paid]:
        """Have the shopper agree, and charge the checkout: the checkout with its charge's id."""
        checkout = await self.decided("approve", amount, **changes)
        paid = await self.connector.confirm(checkout, KEY)
        assert isinstance(paid, Paid)
        return replace(checkout, payment_id=paid.payment_id), paid

    async def holds(self) -> Checkout:
        """A charge of which everything is authorised and nothing captured."""
        return (await self.confirms(auto_capture=False))[0]

    async def moves(
        self,
        verb: str,
        checkout: Checkout,
        amount: str,
        key: str,
        open: str = "100.00",
        captured: str = "0",
        **more: Any,
    ) -> MoveResult:
        """Capture, void or refund."""
        money = Money(Decimal(amount), checkout.total.currency)
        move = self.counter.move(money, key, open, captured, **more)
        done: MoveResult = await getattr(self.connector, verb)(checkout, move)
        return done

    async def paid_now(self, checkout: Checkout) -> Paid:
        """What asking tells of a charge."""
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Paid)
        return report

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at Zip, oldest first."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    def case(self, checkout: Checkout) -> Any:
        """The simulator's own record."""
        return self.counter.sandbox.simulators["zip"].case(checkout.session)

    async def settles(self, checkout: Checkout, outcome: str) -> None:
        """Zip decides without a browser."""
        await self.counter.sandbox.simulators["zip"].settle(self.case(checkout), outcome)

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A call of Zip's own API as a merchant's program makes it, past the connector."""
        sent = {"Authorization": "Bearer sandbox-zip-private-key", "Zip-Version": "2017-03-01"}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        url = f"{self.counter.base_url}/zip{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=sent) as answer:
            return answer.status, json.loads(await answer.text())


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("zip"))


@dataclass
class Scripted:
    """A server on loopback that gives the answers it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def says(self, status: int, body: Any = "") -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    def replays(self, name: str) -> None:
        """Give a documented answer."""
        documented = sample(name)
        self.says(documented["status"], documented["answer"])

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
    provider, client = all_providers()["zip"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["ZIP_AU"],
        facts=provider.facts,
        credentials={"api_key": "key"},
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()


def checkout(session: str = "au-co_PxSeQfLlpaYn6bLMZSMv13", **changes: Any) -> Checkout:
    """A checkout of 100 AUD as the core stores it."""
    base = Checkout(
        session=session, reference="R-1001", total=Money(ALL, "AUD"), auto_capture=True, get_token=False, country="AU",
        locale="en_AU", expires_at=datetime(2030, 1, 1, tzinfo=UTC), order_id="ord_1",
    )  # fmt: skip
    return replace(base, **changes)
