"""Alipay's connector at its simulator, and at a gateway that answers, signed, what a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.alipay import signature
from paymux.connectors.alipay.sandbox_keys import MERCHANT_KEY, PROVIDER_KEY
from paymux.connectors.alipay.simulator import AlipaySimulator
from paymux.connectors.contract import (
    Account,
    Checkout,
    Connector,
    Incoming,
    MoveResult,
    OrderToPay,
    Paid,
    Redirect,
)
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

FOLDER = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "alipay"
KEY = "7d0b5c1e-4e0e-4a53-9b77-0d6b7a1c2e01"
KEY2 = "7d0b5c1e-4e0e-4a53-9b77-0d6b7a1c2e02"
TIME = "2026-11-25T10:00:00+00:00"


def sample(name: str) -> dict[str, Any]:
    """A documented answer or notification."""
    content: dict[str, Any] = json.loads((FOLDER / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through Alipay's simulator."""

    counter: Any
    code: str = "ALIPAY_CN"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a payment."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "100.00") -> Checkout:
        """Open a payment and have the shopper decide."""
        _, opened, checkout = await self.opens(amount)
        assert await self.counter.shopper(opened.url, outcome) == {}
        return checkout

    async def pays(self, amount: str = "100.00") -> Checkout:
        """Open a payment and have the shopper agree; the checkout with the payment's id."""
        checkout = await self.decides("approve", amount)
        return replace(checkout, payment_id=checkout.session)

    async def refunds(self, checkout: Checkout, amount: str, key: str = KEY2) -> MoveResult:
        """Refund a part or all."""
        currency = self.counter.provider.facts.codes[self.code].currencies[0]
        move = self.counter.move(Money(Decimal(amount), currency), key, "100.00", "100.00")
        return await self.connector.refund(checkout, move)

    async def reads(self, checkout: Checkout) -> Paid:
        """What the inquiry says of a paid payment."""
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Paid)
        return report

    async def events(self, count: int = 1) -> list[Incoming]:
        """The notifications, once so many have arrived, as paymux's own edge would hand them on."""
        inbox = self.counter.inbox
        async with asyncio.timeout(5):
            while len(inbox.received) < count:
                await asyncio.sleep(0.02)
        path = urlsplit(inbox.url).path
        return [Incoming(method=m, headers=h, query=q, body=b, path=path) for m, h, q, b in inbox.received]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def post(self, path: str, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> Any:
        """Call the simulator without the connector."""
        url = f"{self.counter.base_url}/alipay{path}"
        async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as answer:
            return await answer.json()


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("alipay"))


@dataclass
class Scripted:
    """A gateway on loopback that gives the answers it was told to, in turn, and keeps what it was sent."""

    base: str = ""
    client: HttpClient = field(default_factory=lambda: HttpClient(connect=1.0, total=5.0))
    answers: list[tuple[Any, str | None]] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    status: int = 200
    client_id: str = ""
    """The client that the answers are signed for, if not the one that asks."""

    def says(self, body: Any, *, key: str | None = PROVIDER_KEY) -> None:
        """Answer with a body, signed with a key or not at all."""
        self.answers.append((body, key))

    def connector(self, code: str = "ALIPAY_CN", *, live: bool = False, **credentials: str) -> Connector:
        """A connector whose account has other credentials than the demo merchant."""
        provider = all_providers()["alipay"]
        account = Account(
            code=provider.facts.codes[code], facts=provider.facts, live=live,
            credentials={**AlipaySimulator.credentials, "client_id": "5Y0001", "private_key": MERCHANT_KEY}
            | credentials,
            hosts={"api": self.base, "na": f"{self.base}/na", "eu": f"{self.base}/eu"},
        )  # fmt: skip
        return provider.connector(account, ProviderHttp(self.client))

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, json.loads(await request.read())))
        self.headers.append(dict(request.headers))
        body, key = self.answers.pop(0)
        content = json.dumps(body).encode()
        path = request.path.removeprefix("/na").removeprefix("/eu")
        client = self.client_id or request.headers["Client-Id"]
        headers = {"Response-Time": TIME, "Client-Id": client}
        if key:
            signed = signature.content(path, client, TIME, content)
            headers["Signature"] = signature.sign(key, signed)
        return web.Response(body=content, status=self.status, content_type="application/json", headers=headers)


@pytest.fixture
async def gateway() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await server.client.close()
    await runner.cleanup()
