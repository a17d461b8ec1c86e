"""Volt's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
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

FOLDER = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "volt"
KEY = "5d1f6c3e-6a0e-4f7e-9a57-2f4a3f1f6f01"
EXTERNAL = "5d1f6c3e6a0e4f7e9a572f4a3f1f6f01"
SECRET = "9c0c8c97-c224-45ed-a195-23b54b1c67e5"
CREDENTIALS = {
    "client_id": "5b113e6b-7b62-4b23-8f2a-5f8f8f3d9d11", "client_secret": "sandbox-volt-client-secret",
    "username": "sandbox@volt.example", "password": "sandbox-volt-password", "notification_secret": SECRET,
}  # fmt: skip
HEADERS = {"X-Volt-Api-Version": "1", "X-Volt-Initiation-Channel": "hosted"}


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer or notification."""
    content: dict[str, Any] = json.loads((FOLDER / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


def notification(body: Mapping[str, Any] | bytes, secret: str = SECRET, version: str = "2.0") -> Incoming:
    """A signed notification."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = hmac.new(secret.encode(), content + f"|20200131123456|{version}".encode(), hashlib.sha256).hexdigest()
    headers = {"user-agent": f"Volt/{version}", "x-volt-timed": "20200131123456", "x-volt-signed": signed}
    return Incoming(method="POST", headers=headers, query={}, body=content)


@dataclass
class Till:
    """One order's way through Volt's simulator."""

    counter: Any

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector("VOLT")
        return connector

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a payment."""
        order = self.counter.order("VOLT", amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str) -> tuple[Checkout, Mapping[str, str]]:
        """Open a payment and have the shopper decide; the checkout and the query that he comes back with."""
        _, opened, checkout = await self.opens()
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def becomes(self, checkout: Checkout, **changes: str) -> None:
        """Change what Volt holds of a payment."""
        assert (await self.call("POST", "/sandbox/tamper", {"id": checkout.session, **changes}))[0] == 200

    def move(self, amount: str = "40.00", key: str = KEY) -> Move:
        """A claimed refund out of 100 EUR."""
        move: Move = self.counter.move(Money(Decimal(amount), "EUR"), key, "100", "100")
        return move

    async def refunds(self, checkout: Checkout, amount: str = "40.00", key: str = KEY) -> Underway:
        done = await self.connector.refund(checkout, self.move(amount, key))
        assert isinstance(done, Underway)
        return done

    async def call(self, method: str, path: str, body: Any = None, host: str = "", **headers: str) -> tuple[int, Any]:
        """Call Volt's API, or the sandbox's own routes, by plain HTTP."""
        url = f"{self.counter.base_url}/volt{host}{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def token(self) -> str:
        """The header of an access token of Volt's."""
        form = {"grant_type": "password", **CREDENTIALS}
        url = f"{self.counter.base_url}/volt/oauth"
        async with aiohttp.ClientSession() as http, http.post(url, data=form) as answer:
            assert answer.status == 200
            return f"Bearer {(await answer.json())['access_token']}"


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("volt"))


@dataclass
class Scripted:
    """A server on loopback that grants tokens, gives the answers it was told to, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Mapping[str, str], Any]] = field(default_factory=list)

    def says(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/api/oauth":
            assert dict(await request.post()) == {
                "grant_type": "password", **{name: CREDENTIALS[name] for name in list(CREDENTIALS)[:4]},
            }  # fmt: skip
            return web.json_response({"access_token": "granted", "token_type": "bearer", "expires_in": 3600})
        assert request.headers["Authorization"] == "Bearer granted"
        content = await request.read()
        self.asked.append((request.method, request.path, request.headers, json.loads(content) if content else None))
        status, text = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["volt"], HttpClient(connect=1.0, total=5.0)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    account = Account(
        code=provider.facts.codes["VOLT"], facts=provider.facts, credentials=CREDENTIALS,
        hosts={"api": f"{url}/api", "gateway": f"{url}/gateway"},
    )  # fmt: skip
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
