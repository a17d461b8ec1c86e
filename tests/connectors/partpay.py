"""A connector of PartPay's family at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from paymux.connectors.contract import Account, Checkout, Connector, Moved, OrderToPay, Paid, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import HttpClient

CONNECTORS = Path(__file__).parents[2] / "src" / "paymux" / "connectors"
KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f01"
ONE, TWO = (f"0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2))


def sample_of(provider: str, name: str) -> dict[str, Any]:
    """A documented request or answer."""
    content: dict[str, Any] = json.loads((CONNECTORS / provider / "samples" / f"{name}.json").read_text())
    assert content["source"]
    return content


@dataclass
class Till:
    """One order's way through a simulator of the family."""

    counter: Any
    code: str

    @property
    def name(self) -> str:
        name: str = self.counter.provider.name
        return name

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    def money(self, amount: str) -> Money:
        return Money(Decimal(amount), self.counter.provider.facts.codes[self.code].currencies[0])

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[OrderToPay, Redirect, Checkout]:
        """Open an order."""
        order = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return order, opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "100.00", **changes: Any) -> tuple[Checkout, Mapping[str, str]]:
        """Open an order and have the shopper decide; the checkout and the query that he comes back with."""
        _, opened, checkout = await self.opens(amount, **changes)
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def pays(self, amount: str = "100.00", **changes: Any) -> Checkout:
        """Have the shopper agree to an order."""
        checkout, _ = await self.decides("approve", amount, **changes)
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Paid)
        return replace(checkout, payment_id=report.payment_id)

    async def moves(self, verb: str, checkout: Checkout, amount: str, key: str = ONE, open: str = "100.00") -> Moved:
        """Capture, void or refund."""
        done = await getattr(self.connector, verb)(checkout, self.counter.move(self.money(amount), key, open))
        assert isinstance(done, Moved)
        return done

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at the provider."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def call(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """Call the provider's API, or the sandbox's own routes, by plain HTTP."""
        return await self.calls(method, f"{self.counter.base_url}/{self.name}{path}", body, token)

    async def granted(self, **changes: str) -> tuple[int, Any]:
        """Ask for an access token, some of what is asked for changed."""
        simulator = self.counter.sandbox.simulators[self.name]
        asked = {**simulator.credentials, "audience": simulator.audience, "grant_type": "client_credentials", **changes}
        return await self.calls("POST", f"{self.counter.base_url}/{self.name}-auth{simulator.grant_path}", asked)

    @staticmethod
    async def calls(method: str, url: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()


@dataclass
class Scripted:
    """A server on loopback that grants tokens, gives the answers it was told to, in turn, and keeps what it was sent."""

    connector: Connector = field(init=False)
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    granted: list[Any] = field(default_factory=list)
    grants: tuple[int, str] = (200, '{"access_token": "t0ken", "expires_in": 86400, "token_type": "Bearer"}')

    def says(self, status: int, body: Any) -> None:
        self.answers.append((status, body if isinstance(body, str) else json.dumps(body)))

    def replays(self, documented: Mapping[str, Any]) -> None:
        """Give a documented answer."""
        self.says(documented["status"], documented["answer"])

    async def grant(self, request: web.Request) -> web.Response:
        self.granted.append(json.loads(await request.read()))
        return web.Response(status=self.grants[0], text=self.grants[1], content_type="application/json")

    async def answer(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer t0ken"
        content = await request.read()
        self.asked.append((request.method, request.path_qs, json.loads(content) if content else None))
        status, text = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json")


@asynccontextmanager
async def scripted_server(code: str, grant_path: str, *, live: bool = False) -> AsyncIterator[Scripted]:
    """Such a server, and the connector of a code that takes it for the provider."""
    server, app = Scripted(), web.Application()
    app.router.add_post(grant_path, server.grant)
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider = next(p for p in all_providers().values() if code in p.facts.codes)
    url, client = f"http://127.0.0.1:{runner.addresses[0][1]}", HttpClient(connect=1.0, total=5.0)
    account = Account(
        code=provider.facts.codes[code], facts=provider.facts, hosts={"api": url, "auth": url}, live=live,
        credentials={"client_id": "c", "client_secret": "s"},
    )  # fmt: skip
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
