"""Spotii's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

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

from paymux.connectors.contract import Account, Checkout, Connector, Moved, OrderToPay, Paid, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

SPOTII = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "spotii"
KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f01"
ONE, TWO = (f"0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2))
REFERENCE = "5deb4f318bcf9-000540022"
KEYS = {"public_key": "sandbox-public", "private_key": "sandbox-private"}


def sample(name: str) -> dict[str, Any]:
    """A documented request or answer."""
    content: dict[str, Any] = json.loads((SPOTII / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through Spotii's simulator."""

    counter: Any

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector("SPOTII")
        return connector

    @staticmethod
    def money(amount: str) -> Money:
        return Money(Decimal(amount), "AED")

    async def opens(self, amount: str = "300.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a checkout."""
        order = self.counter.order("SPOTII", amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str) -> tuple[Checkout, Mapping[str, str]]:
        """Open a checkout and have the shopper decide; the checkout and the query that he comes back with."""
        _, opened, checkout = await self.opens()
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def pays(self) -> Checkout:
        """Have the shopper agree, and capture the order."""
        checkout, _ = await self.decides("approve")
        paid = await self.connector.confirm(checkout, KEY)
        assert isinstance(paid, Paid)
        return replace(checkout, payment_id=paid.payment_id)

    async def refunds(self, checkout: Checkout, amount: str, key: str = ONE, open: str = "300.00") -> Moved:
        done = await self.connector.refund(checkout, self.counter.move(self.money(amount), key, open))
        assert isinstance(done, Moved)
        return done

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of the documented reference and amount."""
        order = self.counter.order("SPOTII", "100.00")
        return Checkout(
            session=REFERENCE, reference=REFERENCE, total=order.total, auto_capture=True, get_token=False, country="AE",
            locale="en_AE", expires_at=order.expires_at, order_id=order.id, **changes,
        )  # fmt: skip

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at Spotii."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def call(self, method: str, path: str, body: Any = None, token: str = "", host: str = "") -> tuple[int, Any]:
        """Call Spotii's API, or the sandbox's own routes, by plain HTTP."""
        url, headers = f"{self.counter.base_url}/spotii{host}{path}", {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def token(self) -> str:
        """An access token, by plain HTTP."""
        status, answer = await self.call("POST", "/api/v1.0/merchant/authentication/", KEYS, host="-auth")
        assert status == 200
        token: str = answer["token"]
        return token


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("spotii"))


@dataclass
class Scripted:
    """A server on loopback that grants tokens, gives the answers it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    granted: list[Any] = field(default_factory=list)
    grant: tuple[int, str] = (200, json.dumps(sample("authenticated")["answer"]))

    def says(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    def replays(self, *names: str) -> None:
        """Give documented answers, in turn."""
        for name in names:
            documented = sample(name)
            self.says(documented["status"], documented["answer"])

    async def answer(self, request: web.Request) -> web.Response:
        content = await request.read()
        body = json.loads(content) if content else None
        if request.path.startswith("/auth/"):
            assert "Authorization" not in request.headers
            self.granted.append((request.method, request.path.removeprefix("/auth"), body))
            status, text = self.grant
        else:
            assert request.headers["Authorization"] == "Bearer temporary-bearer-token"
            self.asked.append((request.method, request.path_qs, body))
            status, text = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["spotii"], HttpClient(connect=1.0, total=5.0)
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    account = Account(
        code=provider.facts.codes["SPOTII"],
        facts=provider.facts,
        credentials=KEYS,
        hosts={"api": base, "auth": f"{base}/auth"},
    )
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
