"""MyFatoorah's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import Account, Checkout, Connector, Incoming, Move, OrderToPay, Redirect, Underway
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

FOLDER = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "myfatoorah"
KEY, TWO = (f"3f0b7c52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2))
CREDENTIALS = {"api_token": "sandbox-myfatoorah-token", "webhook_secret": "sandbox-myfatoorah-webhook-secret"}


def sample(name: str) -> dict[str, Any]:
    """A documented answer or event."""
    content: dict[str, Any] = json.loads((FOLDER / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


def invoice(*tries: str, **changes: Any) -> dict[str, Any]:
    """The answer for an invoice of 100 KWD for R-1001 with tries of these statuses."""
    data = {
        "InvoiceId": 4711, "InvoiceStatus": "Pending", "CustomerReference": "R-1001", "InvoiceDisplayValue": "100.000 KD",
        "InvoiceTransactions": [
            {"PaymentId": f"0707{n}", "TransactionStatus": status, "Error": None} for n, status in enumerate(tries)
        ],
    } | changes  # fmt: skip
    return {"IsSuccess": True, "Message": "", "ValidationErrors": None, "Data": data}


@dataclass
class Till:
    """One order's way through MyFatoorah's simulator."""

    counter: Any
    code: str = "MYFATOORAH_KW"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Make an invoice."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "100.00") -> tuple[Checkout, Mapping[str, str]]:
        """Make an invoice and decide on it; the checkout and the query of the return."""
        _, opened, checkout = await self.opens(amount)
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def pays(self, amount: str = "100.00") -> Checkout:
        return (await self.decides("approve", amount))[0]

    def move(self, amount: str, key: str = KEY, open: str = "100.00") -> Move:
        move: Move = self.counter.move(Money(Decimal(amount), "KWD"), key, open, "100.00")
        return move

    async def refunds(self, checkout: Checkout, amount: str, key: str = KEY) -> Underway:
        done = await self.connector.refund(checkout, self.move(amount, key))
        assert isinstance(done, Underway)
        return done

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def post(self, path: str, token: str = CREDENTIALS["api_token"], **body: Any) -> tuple[int, Any]:
        """Call the simulator as somebody else would."""
        url, headers = f"{self.counter.base_url}/myfatoorah{path}", {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as http, http.post(url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def events(self, count: int) -> list[Incoming]:
        """The first so many webhooks that the simulator sends."""
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
    return Till(await counter_of("myfatoorah"))


@dataclass
class Scripted:
    """MyFatoorah on loopback: gives the answers that it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def says(self, body: Any, status: int = 200) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, json.loads(await request.read())))
        status, text = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["myfatoorah"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["MYFATOORAH_KW"], facts=provider.facts, credentials=CREDENTIALS,
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )  # fmt: skip
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
