"""Connector against simulator over real HTTP, without paymux's core: what each connector's own tests stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import (
    Account,
    Address,
    Checkout,
    Connector,
    Item,
    Move,
    OrderToPay,
    Person,
    Redirect,
)  # fmt: skip
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import Provider, all_providers
from paymux.money import Money
from paymux.platform.clock import Clock
from paymux.platform.settings import Settings
from paymux.sandbox.app import Sandbox
from paymux.sandbox.store import SandboxStore
from tests.conftest import Eventually
from tests.connectors.journey import Shop
from tests.connectors.overheard import Overheard
from tests.installation import Installation, free_port


@dataclass
class Inbox:
    """An HTTP endpoint that keeps every event a simulator sends."""

    url: str
    received: list[tuple[str, Mapping[str, str], Mapping[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    """Path and query of each, as it was called."""


@dataclass
class Counter:
    """One provider's connector and simulator, joined by real HTTP on loopback."""

    provider: Provider
    sandbox: Sandbox
    base_url: str
    client: Overheard
    inbox: Inbox
    reference: str = "R-1001"

    def account(self, code: str, **credentials: str) -> Account:
        """An account of a code with the simulator's own credentials, some of them replaced."""
        simulator = self.sandbox.simulators[self.provider.name]
        hosts = {
            host: f"{self.base_url}/{self.provider.name}" + ("" if host == "api" else f"-{host}")
            for host in self.provider.facts.hosts
        }
        return Account(
            code=self.provider.facts.codes[code],
            facts=self.provider.facts,
            credentials={**simulator.credentials, **credentials},
            hosts=hosts,
        )

    def connector(self, code: str, **credentials: str) -> Connector:
        """The connector of that account, labelled as in sandbox mode."""
        label = {"merchant": "demo", "reference": self.reference, "code": code, "events": self.inbox.url}
        http = ProviderHttp(self.client, label)
        return self.provider.connector(self.account(code, **credentials), http)

    def currency(self, code: str) -> str:
        """Of this code's plain orders: its first, or euro where it takes every currency."""
        currencies = self.provider.facts.codes[code].currencies
        return currencies[0] if currencies else "EUR"

    def order(self, code: str, amount: str = "100.00", **changes: Any) -> OrderToPay:
        """A plain order that this code accepts: one line that makes up the whole amount."""
        facts, currency = self.provider.facts.codes[code], self.currency(code)
        country = facts.countries[0] if facts.countries else "DE"
        who = {"first_name": "Ada", "last_name": "Byron", "email": "ada@shop.example", "phone": "+61400000000"}
        address = Address(
            **who, street="1 High Street", street2="", city="Sydney", state="NSW", region="NSW", postal_code="2000",
            country=country,
        )  # fmt: skip
        now = datetime.now(UTC)
        order = OrderToPay(
            id="ord_01m85f90b2e729x8dvzm9svsfr", reference=self.reference, total=Money(Decimal(amount), currency),
            items=(Item(name="Shirt", quantity=1, unit_price=Decimal(amount), total=Decimal(amount), sku="S-1"),),
            shipping=Decimal(0), tax=Decimal(0), discount=Decimal(0), customer=Person(**who), billing=address,
            delivery=address, country=country, locale="en_AU", auto_capture=True, get_token=False,
            customer_present=None, shipping_method="delivery", shipping_type="normal", additional_data={},
            return_url="https://paymux.example/return/otk_1", events_url=self.inbox.url, created_at=now,
            expires_at=now + timedelta(hours=24),
        )  # fmt: skip
        return replace(order, **changes)

    @staticmethod
    def checkout(order: OrderToPay, opened: Redirect, **changes: Any) -> Checkout:
        """The checkout as the core stores it after create."""
        checkout = Checkout(
            session=opened.session, reference=order.reference, total=order.total, auto_capture=order.auto_capture,
            get_token=order.get_token, country=order.country, locale=order.locale, expires_at=order.expires_at,
            order_id=order.id, state=opened.state,
        )  # fmt: skip
        return replace(checkout, **changes)

    @staticmethod
    def move(amount: Money, key: str, open: str, captured: str = "0", **changes: Any) -> Move:
        """A claimed capture, void or refund."""
        move = Move(
            key=key,
            reference=f"OP-{key[:8]}",
            amount=amount,
            open=Decimal(open),
            captured=Decimal(captured),
            first=True,
        )
        return replace(move, **changes)

    async def shopper(self, url: str, outcome: str) -> Mapping[str, str]:
        """Decide on the checkout page as a browser does; return the query that the shopper comes back with."""
        async with aiohttp.ClientSession() as browser:
            async with browser.get(url) as page:
                assert page.status == 200, await page.text()
            async with browser.post(url, data={"outcome": outcome}, allow_redirects=False) as answer:
                assert answer.status == 303, await answer.text()
                from yarl import URL

                return dict(URL(answer.headers["Location"]).query)

    async def order_fault(self, operation: str, fault: str, times: int = 1) -> None:
        """Order a fault at the sandbox."""
        body = {"provider": self.provider.name, "operation": operation, "fault": fault, "times": times}
        async with aiohttp.ClientSession() as http, http.post(f"{self.base_url}/control/faults", json=body) as answer:
            assert answer.status == 201, await answer.text()

    def ledger(self) -> list[tuple[str, Decimal, str]]:
        """What moved at the provider for this order: (kind, amount, currency), oldest first."""
        return [
            (row["kind"], Decimal(row["amount"]), row["currency"]) for row in self.sandbox.store.ledger(self.reference)
        ]

    def moved(self) -> list[tuple[str, str]]:
        """What moved, as kind and amount with two decimals."""
        return [(kind, f"{amount:.2f}") for kind, amount, _ in self.ledger()]


@asynccontextmanager
async def counters(store: Path) -> AsyncIterator[Callable[[str], Awaitable[Counter]]]:
    """Makes the counter of a connector by its name, over a store in a file: `counter = await make("afterpay")`.

    A call that the sandbox is to hold back takes 0.8 seconds. Each counter has a sandbox, a clock and an inbox of its
    own; all of them are closed at the end.
    """
    runners: list[web.AppRunner] = []
    clients: list[Overheard] = []

    async def serve(app: web.Application) -> str:
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        return f"http://127.0.0.1:{port}"

    async def make(name: str) -> Counter:
        port = free_port()
        settings = Settings(sandbox_port=port, home=store.parent, sandbox_hold=1.5, sandbox_slow=0.1)
        provider = all_providers()[name]
        sandbox = Sandbox(settings, SandboxStore(store), Clock(movable=False), found={name: provider})
        runner = web.AppRunner(sandbox.app(), shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()

        inbox_app = web.Application()
        inbox = Inbox("")

        async def keep(request: web.Request) -> web.Response:
            headers = {name.lower(): value for name, value in request.headers.items()}
            inbox.received.append((request.method, headers, dict(request.query), await request.read()))
            inbox.paths.append(request.path_qs)
            return web.json_response(provider.facts.events.answer)

        inbox_app.router.add_route("*", "/{path:.*}", keep)
        inbox.url = await serve(inbox_app) + "/provider-events/pac_1"
        client = Overheard(short=0.8)
        client.faults = sandbox.faults
        clients.append(client)
        return Counter(provider, sandbox, settings.sandbox_base_url, client, inbox)

    try:
        yield make
    finally:
        for client in clients:
            await client.close()
        for runner in reversed(runners):
            await runner.cleanup()


@pytest.fixture
async def counter_of(tmp_path: Path) -> AsyncIterator[Callable[[str], Any]]:
    """Makes the counter of a connector by its name: `counter = await counter_of("afterpay")`."""
    async with counters(tmp_path / "witness.db") as make:
        yield make


@pytest.fixture
def shop(installation: Installation, eventually: Eventually) -> Shop:
    """The demo merchant's shop in the module's installation: `order = await shop.opens("AFTERPAY_AU")`."""
    return Shop(installation, eventually)
