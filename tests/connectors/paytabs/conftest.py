"""PayTabs' connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import Account, Checkout, Connector, Incoming, Move, Moved, OrderToPay, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

FOLDER = Path(__file__).parents[3] / "src" / "paymux" / "connectors" / "paytabs"
KEY = "5d1f6c3e-6a0e-4f7e-9a57-2f4a3f1f6f01"
SECRET = "SSJN-SANDBOX-PAYTABS"


def key(number: int) -> str:
    """The key of another operation."""
    return f"{number:08d}-6a0e-4f7e-9a57-2f4a3f1f6f01"


def sample(name: str) -> dict[str, Any]:
    """A documented page, return, callback or failure."""
    content: dict[str, Any] = json.loads((FOLDER / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


def signature(content: str) -> str:
    return hmac.new(SECRET.encode(), content.encode(), hashlib.sha256).hexdigest()


def signed(**fields: str) -> dict[str, str]:
    """A return with PayTabs' signature; none of these texts has a character that PHP and Python write differently."""
    text = "&".join(f"{name}={quote_plus(fields[name])}" for name in sorted(fields) if fields[name])
    return {**fields, "signature": signature(text)}


def transaction(**changes: Any) -> dict[str, Any]:
    """A sale of 100.00 AED for the order R-1001, authorised."""
    result = {"response_status": "A", "response_code": "G1", "response_message": "Authorised"}
    said = {
        "tran_ref": "TST1", "tran_type": "Sale", "cart_id": "R-1001", "cart_description": "Shirt (1)",
        "cart_currency": "AED", "cart_amount": "100.00", "tran_currency": "AED", "tran_total": "100.00",
        "payment_result": result,
    }  # fmt: skip
    status = changes.pop("status", None)
    if status is not None:
        said["payment_result"] = result | {"response_status": status, "response_message": f"as {status}"}
    return said | changes


def told(said: Mapping[str, Any] | str, **headers: str) -> Incoming:
    """A callback, signed unless `signature` says otherwise."""
    body = said if isinstance(said, str) else json.dumps(said)
    return Incoming(method="POST", headers={"signature": signature(body)} | headers, query={}, body=body.encode())


@dataclass
class Till:
    """One order's way through PayTabs' simulator."""

    counter: Any
    code: str = "PAYTAB"
    currency: str = "AED"

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    def order(self, amount: str = "100.00", **changes: Any) -> OrderToPay:
        order: OrderToPay = self.counter.order(self.code, amount, **changes)
        return replace(order, total=Money(Decimal(amount), self.currency))

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open a page."""
        order = self.order(amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, **changes: Any) -> tuple[Checkout, dict[str, str]]:
        """Open a page and decide; the checkout and the query of the return."""
        _, opened, checkout = await self.opens(**changes)
        return checkout, dict(await self.counter.shopper(opened.url, outcome))

    async def pays(self, **changes: Any) -> Checkout:
        """Open a page and pay; the checkout with its payment's id."""
        checkout, query = await self.decides("approve", **changes)
        return replace(checkout, payment_id=query["tranRef"])

    def move(self, amount: str, open: str = "100.00", captured: str = "0", number: int = 1) -> Move:
        """A claimed capture, void or refund."""
        move: Move = self.counter.move(Money(Decimal(amount), self.currency), key(number), open, captured)
        return move

    async def captures(self, checkout: Checkout, amount: str, open: str, number: int) -> Moved:
        captured = str(Decimal("100.00") - Decimal(open))
        done = await self.connector.capture(checkout, self.move(amount, open, captured, number))
        assert isinstance(done, Moved)
        return done

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def post(self, path: str, authorization: str = SECRET, **body: Any) -> tuple[int, Any]:
        """Call the simulator as somebody else would."""
        url = f"{self.counter.base_url}/paytabs{path}"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, json=body, headers={"Authorization": authorization}) as answer,
        ):
            return answer.status, await answer.json()


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("paytabs"))


@dataclass
class Scripted:
    """PayTabs on loopback: gives the answers that it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    valu: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, Any, str]] = field(default_factory=list)

    def says(self, body: Any, status: int = 200) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    async def answer(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.asked.append((request.path, body, request.headers["Authorization"]))
        status, text = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server, app = Scripted(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider, client = all_providers()["paytabs"], HttpClient(connect=1.0, total=5.0)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    def connector(code: str, region: str) -> Connector:
        account = Account(
            code=provider.facts.codes[code], facts=provider.facts,
            hosts={host: f"{url}/{host}" for host in provider.facts.hosts},
            credentials={"profile_id": "987654", "server_key": SECRET, "region": region},
        )  # fmt: skip
        return provider.connector(account, ProviderHttp(client))

    server.connector, server.valu = connector("PAYTAB", "sau"), connector("VALU", "ARE")
    yield server
    await client.close()
    await runner.cleanup()
