"""Postpay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import Account, Checkout, Connector, Moved, OrderToPay, Paid, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

POSTPAY = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "postpay"
KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f01"
ONE, TWO = (f"0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2))
CREDENTIALS = {"merchant_id": "id_demo", "secret_key": "sk_test_demo"}
# printf 'id_demo:sk_test_demo' | openssl base64
BASIC = "Basic aWRfZGVtbzpza190ZXN0X2RlbW8="


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer or event."""
    content: dict[str, Any] = json.loads((POSTPAY / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through Postpay's simulator."""

    counter: Any
    code: str = "POSTPAY"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    @staticmethod
    def money(amount: str) -> Money:
        return Money(Decimal(amount), "AED")

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

    async def pays(self, amount: str = "100.00") -> Checkout:
        """Have the shopper agree, and capture the order."""
        checkout, _ = await self.decides("approve", amount)
        paid = await self.connector.confirm(checkout, KEY)
        assert isinstance(paid, Paid)
        return replace(checkout, payment_id=paid.payment_id)

    async def refunds(self, checkout: Checkout, amount: str, key: str = ONE, open: str = "100.00") -> Moved:
        done = await self.connector.refund(checkout, self.counter.move(self.money(amount), key, open))
        assert isinstance(done, Moved)
        return done

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of the sample's order."""
        order = self.counter.order(self.code)
        return Checkout(
            session="R-1001-0b9f3a52-6a0e", reference="R-1001", total=order.total, auto_capture=True, get_token=False,
            country="AE", locale="en_AE", expires_at=order.expires_at, order_id=order.id, **changes,
        )  # fmt: skip

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at Postpay."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    async def call(self, method: str, path: str, body: Any = None, who: str = BASIC) -> tuple[int, Any]:
        """Call Postpay's API, or the sandbox's own routes, by plain HTTP."""
        url, headers = f"{self.counter.base_url}/postpay{path}", {"Authorization": who}
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("postpay"))


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
    provider, client = all_providers()["postpay"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["POSTPAY"],
        facts=provider.facts,
        credentials=CREDENTIALS,
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
