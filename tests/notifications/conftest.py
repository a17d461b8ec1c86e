"""A merchant with endpoints of his own on loopback, and a worker's deliverer with a clock that can be moved."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from paymux.accounts import service as accounts
from paymux.notifications.delivery import Deliverer
from paymux.notifications.outbox import announce
from paymux.platform.clock import Clock
from paymux.platform.database import Connection, Database, Record
from paymux.platform.encryption import KeyRing
from paymux.platform.identifiers import new_id
from paymux.platform.jobs import JobHandler, Worker
from paymux.platform.settings import Settings


@dataclass
class Endpoint:
    """A merchant's endpoint: keeps what comes and answers `status`, once `open` is set."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    received: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.received.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.open.wait()
        finally:
            self.under_way -= 1
        return web.Response(status=self.status, headers=self.headers)

    async def came(self) -> bool:
        return bool(self.received)


@pytest.fixture
async def new_endpoint() -> AsyncIterator[Callable[[], Awaitable[Endpoint]]]:
    """Makes an endpoint on a port of its own."""
    runners = []

    async def make() -> Endpoint:
        endpoint = Endpoint()
        endpoint.open.set()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", endpoint.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        endpoint.url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook?key=in-the-query"
        return endpoint

    yield make
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def endpoint(new_endpoint: Callable[[], Awaitable[Endpoint]]) -> Endpoint:
    return await new_endpoint()


class Shop:
    """A merchant with one order, told about it by events."""

    def __init__(self, database: Database, keyring: KeyRing, settings: Settings) -> None:
        self.database, self.keyring, self.settings = database, keyring, settings
        self.clock = Clock(movable=True)
        self.sequence = 0
        self.deliverers: list[Deliverer] = []

    async def open(self) -> None:
        async with self.database.transaction() as tx:
            await accounts.stamp_mode(tx, self.settings)
            made = await accounts.create_merchant(tx, self.keyring, self.clock, "Shop")
            self.merchant_id, self.secret = made.merchant.id, made.webhook_secret
            self.account_id, self.order_id = new_id("acc"), new_id("ord")
            await tx.execute(
                "INSERT INTO provider_accounts (id, merchant_id, code, environment, credentials_sealed, event_key, created_at)"
                " VALUES ($1, $2, 'AFTERPAY_AU', 'sandbox', '', $1, now())",
                self.account_id, self.merchant_id,
            )  # fmt: skip
            await tx.execute(
                "INSERT INTO orders (id, merchant_id, account_id, reference, code, connector, provider_reference, order_token,"
                " transaction_reference, status, amount, currency, country, locale, auto_capture, get_token, request_sealed,"
                " created_at, updated_at) VALUES ($1, $2, $3, 'ORD-1', 'AFTERPAY_AU', 'afterpay', 'r', $1, 't', 'PENDING', 100,"
                " 'AUD', 'AU', 'en_AU', true, false, '', now(), now())",
                self.order_id, self.merchant_id, self.account_id,
            )  # fmt: skip

    async def token(self, text: str) -> str:
        """A payment token of this order; its id."""
        token_id = new_id("tkn")
        async with self.database.transaction() as tx:
            await tx.execute(
                "INSERT INTO payment_tokens (id, merchant_id, account_id, order_id, token_hash, token_sealed, hint,"
                " provider_token_sealed, created_at) VALUES ($1, $2, $3, $4, $1, $5, 'tok_', '', now())",
                token_id, self.merchant_id, self.account_id, self.order_id, self.keyring.seal(text, "payment-token"),
            )  # fmt: skip
        return token_id

    async def is_told(
        self, webhook: Endpoint | None = None, callback: Endpoint | None = None, event: str = "ORDER_ASYNC_CALLBACK",
        **more: Any,
    ) -> None:  # fmt: skip
        """Announce an event."""
        async with self.database.transaction() as tx:
            await self.announce(tx, webhook, callback, event, **more)

    async def announce(
        self, tx: Connection, webhook: Endpoint | None, callback: Endpoint | None, event: str, **more: Any
    ) -> None:
        self.sequence += 1
        await announce(
            tx, self.keyring, merchant_id=self.merchant_id, order_id=self.order_id, event=event, sequence=self.sequence,
            data={"orderReference": "ORD-1", "amount": Decimal("10.10")}, occurred_at=self.clock.now(),
            webhook_url=webhook.url if webhook else None, callback_url=callback.url if callback else None, **more,
        )  # fmt: skip

    def deliverer(self) -> Deliverer:
        async def secrets_of(tx: Connection, merchant_id: str) -> list[str]:
            return await accounts.webhook_secrets(tx, self.keyring, merchant_id)

        made = Deliverer(self.database, self.keyring, self.clock, self.settings, secrets_of)
        self.deliverers.append(made)
        return made

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """A worker that delivers."""
        stop = asyncio.Event()
        worker = Worker(self.database, {"deliver": JobHandler(self.deliverer().deliver)}, 40, grace=5)
        running = asyncio.create_task(worker.run(stop))
        try:
            yield
        finally:
            stop.set()
            await running

    async def advance(self, by: timedelta) -> None:
        async with self.database.transaction() as tx:
            await self.clock.advance(tx, by)

    async def rows(self, sql: str) -> list[Record]:
        async with self.database.connection() as held:
            found: list[Record] = await held.fetch(sql)
            return found

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.rows("SELECT state FROM deliveries ORDER BY id")]

    async def attempts(self) -> int:
        return len(await self.rows("SELECT 1 FROM delivery_attempts"))


@pytest.fixture
async def shop(database_url: str, home: Path) -> AsyncIterator[Shop]:
    database = await Database.connect(database_url, 10)
    settings = Settings(home=home, delivery_timeout=2)
    made = Shop(database, KeyRing.load(home / "keys.json", create=True), settings)
    await made.open()
    yield made
    for deliverer in made.deliverers:
        await deliverer.close()
    await database.close()
