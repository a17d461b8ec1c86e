"""The gateway's connector at its simulator, and at a server that answers what a test tells it to."""

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

from paymux.connectors.contract import Account, Checkout, Connector, Incoming, Move, OrderToPay, Redirect
from paymux.connectors.provider_http import ProviderHttp, basic
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

FOLDER = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "mpgs"
KEY, TWO, THREE = (f"6c0b7c52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2, 3))
ROOT = "/api/rest/version/100/merchant/TESTPAYMUX"
CREDENTIALS = {
    "gateway": "test-gateway.mastercard.com", "merchant_id": "TESTPAYMUX", "api_password": "sandbox-mpgs-password",
    "notification_secret": "SANDBOX0MPGS0NOTIFICATION0SECRET", "merchant_name": "Paymux demo",
    "merchant_url": "https://shop.example",
}  # fmt: skip


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer or notification."""
    content: dict[str, Any] = json.loads((FOLDER / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


def row(
    kind: str, result: str = "SUCCESS", id: str = "1", amount: str | None = "100.00", code: str = ""
) -> dict[str, Any]:
    """A transaction of an order in USD."""
    transaction: dict[str, Any] = {"id": id, "type": kind, "currency": "USD"}
    if amount is not None:
        transaction["amount"] = amount
    return {"result": result, "response": {"gatewayCode": code}, "transaction": transaction}


@dataclass
class Till:
    """One order's way through the gateway's simulator."""

    counter: Any
    code: str = "MPGS"
    currency: str = "USD"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    def order(self, amount: str = "100.00", **changes: Any) -> OrderToPay:
        order: OrderToPay = self.counter.order(self.code, amount, **changes)
        return replace(order, total=Money(Decimal(amount), self.currency))

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Make a link."""
        order = self.order(amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, **changes: Any) -> tuple[Checkout, Mapping[str, str]]:
        """Make a link and decide; the checkout and the query of the return."""
        _, opened, checkout = await self.opens(**changes)
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def pays(self, **changes: Any) -> Checkout:
        """Make a link and pay; the checkout with its payment's ID."""
        return replace((await self.decides("approve", **changes))[0], payment_id="1")

    def move(self, amount: str, key: str = KEY, open: str = "100.00", captured: str = "0") -> Move:
        move: Move = self.counter.move(Money(Decimal(amount), self.currency), key, open, captured)
        return move

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def call(
        self, method: str, path: str, body: Any = None, password: str = CREDENTIALS["api_password"]
    ) -> tuple[int, Any]:
        """Call the simulator as somebody else would."""
        headers = {"Authorization": basic("merchant.TESTPAYMUX", password)}
        url = f"{self.counter.base_url}/mpgs{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def events(self, count: int) -> list[Incoming]:
        """The first so many notifications that the simulator sends."""
        received = self.counter.inbox.received
        async with asyncio.timeout(10):
            while len(received) < count:
                await asyncio.sleep(0.02)
        return [
            Incoming(method=method, headers=headers, query=query, body=body)
            for method, headers, query, body in received[:count]
        ]


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("mpgs"))


@dataclass
class Scripted:
    """The gateway on loopback: gives the answers that it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def says(self, body: Any, status: int = 200) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    async def answer(self, request: web.Request) -> web.Response:
        content = await request.read()
        assert request.headers["Authorization"] == basic("merchant.TESTPAYMUX", CREDENTIALS["api_password"])
        self.asked.append((request.method, request.path.removeprefix(ROOT), json.loads(content) if content else None))
        status, text = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = HttpClient(connect=1.0, total=5.0)
    server.connector = connector_at(f"http://127.0.0.1:{runner.addresses[0][1]}", client)
    yield server
    await client.close()
    await runner.cleanup()


def connector_at(url: str, client: HttpClient, **credentials: str) -> Connector:
    """The connector of an account whose host is this one."""
    provider = all_providers()["mpgs"]
    account = Account(
        code=provider.facts.codes["MPGS"], facts=provider.facts, credentials=CREDENTIALS | credentials,
        hosts={"api": url},
    )  # fmt: skip
    return provider.connector(account, ProviderHttp(client))
