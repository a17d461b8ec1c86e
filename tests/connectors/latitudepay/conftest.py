"""LatitudePay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import base64
import hashlib
import hmac
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

from paymux.connectors.contract import Account, Checkout, Connector, Moved, OrderToPay, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

FOLDER = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "latitudepay"
KEY = "7d0b5c1e-4e0e-4a53-9b77-0d6b7a1c2e01"
KEY2 = "7d0b5c1e-4e0e-4a53-9b77-0d6b7a1c2e02"
SECRET = "sandbox-latitudepay-secret"


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer or return."""
    content: dict[str, Any] = json.loads((FOLDER / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


def signed(text: str, secret: str = SECRET) -> str:
    """The provider's signature over a text that is already stripped."""
    return hmac.new(secret.encode(), base64.b64encode(text.encode()), hashlib.sha256).hexdigest()


def told(token: str, reference: str = "R-1001", result: str = "COMPLETED", message: str = "ok") -> dict[str, str]:
    """A return as the provider signs it; the message without white space."""
    text = f"token{token}reference{reference}message{message}result{result}"
    return {"token": token, "reference": reference, "message": message, "result": result, "signature": signed(text)}


@dataclass
class Till:
    """One order's way through LatitudePay's simulator."""

    counter: Any
    code: str = "LATITUDEPAY_AU"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a sale."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "100.00") -> tuple[Checkout, Mapping[str, str]]:
        """Open a sale and have the shopper decide; the checkout and the query that he comes back with."""
        _, opened, checkout = await self.opens(amount)
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def refunds(self, checkout: Checkout, amount: str, key: str, open: str = "100.00", **changes: Any) -> Moved:
        """Refund a part or all."""
        currency = self.counter.provider.facts.codes[self.code].currencies[0]
        move = self.counter.move(Money(Decimal(amount), currency), key, open, "100.00", **changes)
        done = await self.connector.refund(checkout, move)
        assert isinstance(done, Moved)
        return done

    async def pays(self, amount: str = "100.00") -> Checkout:
        """Open a sale and have the shopper agree."""
        return (await self.decides("approve", amount))[0]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def post(self, path: str, **body: Any) -> int:
        """Call one of the sandbox's own routes."""
        url = f"{self.counter.base_url}/latitudepay{path}"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            return answer.status

    async def settles(self, outcome: str) -> int:
        """Decide a pending sale without a browser."""
        body = {"reference": self.counter.reference, "outcome": outcome}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.counter.base_url}/control/settle", json=body) as answer,
        ):
            return answer.status


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("latitudepay"))


@dataclass
class Scripted:
    """A server on loopback that gives the answers it was told to, in turn, and keeps what it was sent.

    It hands out access tokens by itself unless `token` holds another answer.
    """

    connector: Connector = field(init=False)
    token: tuple[int, str] = (200, '{"authToken": "t-1", "expiryDate": "2023-01-01T00:00:00Z"}')
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    tokens: list[dict[str, str]] = field(default_factory=list)

    def says(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    def replays(self, name: str) -> dict[str, Any]:
        """Give a documented answer, and return its sample."""
        documented = sample(name)
        self.says(documented["status"], documented["answer"])
        return documented

    async def answer(self, request: web.Request) -> web.Response:
        content = await request.read()
        if request.path == "/v3/token":
            self.tokens.append(dict(request.headers))
            return web.Response(status=self.token[0], text=self.token[1])
        self.asked.append((request.method, request.path_qs, dict(request.headers), content))
        status, text = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["latitudepay"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["LATITUDEPAY_AU"],
        facts=provider.facts,
        credentials={"client_key": "key", "client_secret": SECRET},
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
