"""GoCardless's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import Account, Checkout, Connector, Incoming, OrderToPay, Paid, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

GOCARDLESS = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "gocardless"
KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f01"
ONE, TWO = (f"0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2))


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer or webhook."""
    content: dict[str, Any] = json.loads((GOCARDLESS / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through GoCardless's simulator."""

    counter: Any
    code: str = "GOCARDLESS_GB"
    token: str = "sandbox_gocardless_token"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a billing request and its flow."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "100.00") -> tuple[Checkout, Mapping[str, str]]:
        """Open, and have the shopper decide; the checkout and the query that he comes back with."""
        _, opened, checkout = await self.opens(amount)
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def charges(self, outcome: str = "approve", amount: str = "100.00") -> Checkout:
        """Have the shopper decide, and charge the mandate; the checkout with the payment's id."""
        checkout, _ = await self.decides(outcome, amount)
        charged = await self.connector.confirm(checkout, KEY)
        assert isinstance(charged, Paid)
        return replace(checkout, payment_id=charged.payment_id)

    async def collected(self, checkout: Checkout) -> Paid:
        """What asking tells of a payment that was collected."""
        paid = await self.connector.fetch(checkout)
        assert isinstance(paid, Paid)
        return paid

    async def refunds(self, checkout: Checkout, amount: str, key: str, open: str, captured: str = "100.00") -> Any:
        """Refund a part."""
        move = self.counter.move(Money(Decimal(amount), checkout.total.currency), key, open, captured)
        return await self.connector.refund(checkout, move)

    async def webhooks(self, count: int = 1) -> list[Incoming]:
        """The webhooks that the simulator sent, once so many have arrived, oldest first."""
        async with asyncio.timeout(10):
            while len(self.counter.inbox.received) < count:
                await asyncio.sleep(0.02)
        return [Incoming(method=m, headers=h, query=q, body=b) for m, h, q, b in self.counter.inbox.received]

    async def post(self, path: str, **body: Any) -> int:
        """Call one of the sandbox's own routes."""
        url = f"{self.counter.base_url}/gocardless/sandbox/{path}"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            return answer.status

    async def calls(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Call the simulator as any merchant's software could."""
        sent = {"Authorization": f"Bearer {self.token}", "GoCardless-Version": "2015-07-06", **headers}
        url = f"{self.counter.base_url}/gocardless{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=sent) as answer:
            return answer.status, await answer.json()

    async def settles(self, outcome: str) -> int:
        """Let the bank decide on a debit that it was left with."""
        body = {"reference": self.counter.reference, "outcome": outcome}
        url = f"{self.counter.base_url}/control/settle"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            return answer.status


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("gocardless"))


@dataclass
class Scripted:
    """A server on loopback that gives the answers it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    checkout: Checkout = field(
        default_factory=lambda: Checkout(
            session="BRQ123", reference="R-1001", total=Money(Decimal("10.00"), "EUR"), auto_capture=True,
            get_token=False, country="DE", locale="de_DE", order_id="ord_1",
            expires_at=datetime(2030, 1, 1, tzinfo=UTC),
        )
    )  # fmt: skip

    def says(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    def replays(self, name: str) -> None:
        """Give a documented answer."""
        documented = sample(name)
        self.says(documented["status"], documented["answer"])

    def pays(self, **changes: Any) -> None:
        """Give the documented payment, with some of its fields changed."""
        self.says(200, {"payments": {**sample("payment_submitted")["answer"]["payments"], **changes}})

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
    provider, client = all_providers()["gocardless"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["GOCARDLESS_EU"],
        facts=provider.facts,
        credentials={"access_token": "t-1", "webhook_secret": sample("webhook")["secret"]},
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
