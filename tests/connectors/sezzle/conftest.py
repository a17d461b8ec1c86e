"""Sezzle's connector at its simulator, and at a server that answers what a test tells it to."""

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

from paymux.connectors.contract import Account, Checkout, Connector, Incoming, Moved, OrderToPay, Paid, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

SEZZLE = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "sezzle"
KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f01"
ONE, TWO, THREE = (f"0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2, 3))
ORDER = "12a34bc5-6de7-890f-g123-4hi1238jk902"


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer or webhook."""
    content: dict[str, Any] = json.loads((SEZZLE / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through Sezzle's simulator."""

    counter: Any
    code: str = "SEZZLE"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a session."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "100.00", **changes: Any) -> tuple[Checkout, Mapping[str, str]]:
        """Open a session and have the shopper decide; the checkout and the query that he comes back with."""
        _, opened, checkout = await self.opens(amount, **changes)
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def holds(self, amount: str = "100.00") -> Checkout:
        """Have the shopper agree to an order that is to be captured later."""
        return (await self.decides("approve", amount, auto_capture=False))[0]

    async def moves(self, verb: str, checkout: Checkout, amount: str, key: str, open: str = "100.00") -> Moved:
        """Capture, void or refund."""
        move = self.counter.move(Money(Decimal(amount), checkout.total.currency), key, open)
        done = await getattr(self.connector, verb)(checkout, move)
        assert isinstance(done, Moved)
        return done

    async def paid(self, checkout: Checkout) -> Paid:
        """What asking tells of an order that was paid."""
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Paid)
        return report

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved, oldest first."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def webhooks(self, count: int) -> list[Incoming]:
        """The webhooks that the simulator sent, once so many have arrived, oldest first."""
        async with asyncio.timeout(10):
            while len(self.counter.inbox.received) < count:
                await asyncio.sleep(0.02)
        return [Incoming(method=m, headers=h, query=q, body=b) for m, h, q, b in self.counter.inbox.received]

    async def post(self, path: str, **body: Any) -> int:
        """Call one of the sandbox's own routes."""
        url = f"{self.counter.base_url}/sezzle/sandbox/{path}"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            return answer.status

    async def calls(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Call the simulator as any merchant's software could, with an access token that is good unless given."""
        url = f"{self.counter.base_url}/sezzle"
        keys = {"public_key": "sz_pub_paymux_sandbox", "private_key": "sz_pr_paymux_sandbox"}
        async with aiohttp.ClientSession() as http:
            async with http.post(f"{url}/authentication", json=keys) as granted:
                good = (await granted.json())["token"]
            headers = {"Authorization": f"Bearer {good if token is None else token}"}
            async with http.request(method, url + path, json=body, headers=headers) as answer:
                return answer.status, await answer.json()


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("sezzle"))


@dataclass
class Scripted:
    """A server on loopback that grants access, gives the answers it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    checkout: Checkout = field(
        default_factory=lambda: Checkout(
            session=ORDER, reference="ord_12345", total=Money(Decimal("100.00"), "USD"), auto_capture=False,
            get_token=False, country="US", locale="en_US", expires_at=datetime(2030, 1, 1, tzinfo=UTC), order_id="ord_1",
        )
    )  # fmt: skip

    def says(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    def replays(self, name: str, **changes: Any) -> None:
        """Give a documented answer, with some of its fields changed."""
        documented = sample(name)
        body = documented["answer"]
        self.says(documented["status"], {**body, **changes} if isinstance(body, dict) else body)

    def shows(self, status: str = "completed", intent: str = "AUTH", **authorization: Any) -> None:
        """Give the documented order, with its authorization changed."""
        held = {**sample("order_authorized")["answer"]["authorization"], **authorization}
        self.replays(
            "order_authorized", checkout_status=status, intent=intent,
            authorization={name: value for name, value in held.items() if value is not None},
        )  # fmt: skip

    def with_checkout(self, **changes: Any) -> Checkout:
        return replace(self.checkout, **changes)

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
    provider, client = all_providers()["sezzle"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["SEZZLE"],
        facts=provider.facts,
        credentials={"public_key": "sz_pub_example", "private_key": "sz_pr_example"},
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}/v2"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    server.replays("access_token")
    yield server
    await client.close()
    await runner.cleanup()
