"""TendoPay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import Account, Checkout, Connector, Incoming, Move, OrderToPay, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

FOLDER = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "tendopay"
KEY = "5d1f6c3e-6a0e-4f7e-9a57-2f4a3f1f6f01"
SECRET = "sandbox-tendopay-secret"
CREDENTIALS = {"client_id": "91617300-49bd-46d4-8e9c-cc476a2d30c5", "client_secret": SECRET}


def sample(name: str) -> dict[str, Any]:
    """A documented request, answer, return or notification."""
    content: dict[str, Any] = json.loads((FOLDER / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


def signed(fields: Mapping[str, Any], secret: str = SECRET) -> dict[str, Any]:
    """Fields with TendoPay's signature over them."""
    text = "".join(f"{name}{str(value).strip()}" for name, value in sorted(fields.items()) if name.startswith("tp_"))
    return {**fields, "x_signature": hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}


def told(**changes: Any) -> dict[str, Any]:
    """A signed return for the order R-1001 of 100 PHP; an empty change takes a field away."""
    fields = {
        "tp_transaction_status": "PAID", "tp_amount": "100", "tp_transaction_id": "12215",
        "tp_merchant_order_id": "R-1001",
    }  # fmt: skip
    return signed({name: value for name, value in (fields | changes).items() if value != ""})


def notification(fields: Mapping[str, Any] | bytes) -> Incoming:
    """A notification with these fields, or with this body."""
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return Incoming(method="POST", headers={"content-type": "application/json"}, query={}, body=body)


@dataclass
class Till:
    """One order's way through TendoPay's simulator."""

    counter: Any

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector("TENDOPAY")
        return connector

    async def opens(self, amount: str = "100", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open an order."""
        order = self.counter.order("TENDOPAY", amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, **changes: Any) -> tuple[Checkout, dict[str, str]]:
        """Open an order and have the shopper decide; the checkout and the query of the return."""
        _, opened, checkout = await self.opens(**changes)
        return checkout, dict(await self.counter.shopper(opened.url, outcome))

    async def pays(self) -> Checkout:
        """Have the shopper pay; the checkout with its transaction."""
        checkout, query = await self.decides("approve")
        return replace(checkout, payment_id=query["tp_transaction_id"])

    def move(self, amount: str = "100") -> Move:
        """A claimed refund out of 100 PHP."""
        move: Move = self.counter.move(Money(Decimal(amount), "PHP"), KEY, "100", "100")
        return move

    async def call(self, path: str, body: Any, token: str = "") -> tuple[int, Any]:
        """Call TendoPay's API by plain HTTP."""
        url, headers = f"{self.counter.base_url}/tendopay{path}", {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as http, http.post(url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def token(self) -> str:
        """An access token of TendoPay's."""
        status, answer = await self.call("/oauth/token", {"grant_type": "client_credentials", **CREDENTIALS})
        assert (status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 604800)
        return str(answer["access_token"])


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("tendopay"))


@dataclass
class Scripted:
    """A server on loopback that grants tokens, gives the answers it was told to, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def says(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        if request.path == "/oauth/token":
            return web.json_response({"token_type": "Bearer", "expires_in": 604799, "access_token": "granted"})
        assert request.headers["Authorization"] == "Bearer granted"
        self.asked.append((request.path, body))
        status, text = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["tendopay"], HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes["TENDOPAY"], facts=provider.facts, credentials=CREDENTIALS,
        hosts={"api": f"http://127.0.0.1:{runner.addresses[0][1]}"},
    )  # fmt: skip
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
