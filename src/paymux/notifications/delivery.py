"""Delivers what the outbox holds: signed, at least once, with the retry schedule, every attempt kept (W3, E8)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
import structlog
from standardwebhooks import Webhook

from paymux.notifications import store
from paymux.notifications.outbox import SEALED_FOR
from paymux.platform import jobs
from paymux.platform.callback_guard import CallbackRefused, GuardedResolver, check_literal
from paymux.platform.clock import Clock
from paymux.platform.database import Connection, Database, Record, from_json, to_json
from paymux.platform.encryption import KeyRing
from paymux.platform.settings import Settings

log = structlog.get_logger()

SCHEDULE = tuple(
    timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 7200, 21_600, 43_200, 86_400, 86_400)
)  # W3: then exhausted
AT_ONCE_PER_HOST = 4
MAX_ANSWER = 64 * 1024


class Deliverer:
    """One worker's deliveries. `webhook_secrets` gives a merchant's valid secrets, newest first."""

    def __init__(
        self, database: Database, keyring: KeyRing, clock: Clock, settings: Settings,
        webhook_secrets: Callable[[Connection, str], Awaitable[list[str]]],
    ) -> None:  # fmt: skip
        self._database, self._keyring, self._clock, self._settings = database, keyring, clock, settings
        self._secrets = webhook_secrets
        self._busy: Counter[str] = Counter()
        self._session: aiohttp.ClientSession | None = None

    async def deliver(self, delivery_id: str) -> None:
        """Try one delivery. The job handler behind `deliver`."""
        async with self._database.transaction() as tx:
            await self._clock.refresh(tx)
            row = await store.delivery(tx, delivery_id)
            if row is None or row["state"] != "waiting":
                return
            secrets = await self._secrets(tx, row["merchant_id"])
            host = urlsplit(row["url"]).netloc
            if self._busy[host] >= AT_ONCE_PER_HOST:
                # A bulkhead each: an endpoint that is slow waits for itself and delays no other.
                await jobs.enqueue(tx, "deliver", delivery_id, timedelta(seconds=0.5))
                return
            self._busy[host] += 1
        try:
            await self._try(row, secrets)
        finally:
            self._busy[host] -= 1

    def body(self, row: Record) -> bytes:
        """The bytes that every try sends: fixed at decision, the payment token put in here only (K1)."""
        text = self._keyring.unseal(row["body_sealed"], SEALED_FOR)
        if row["token_sealed"] is None:
            return text.encode()
        event = from_json(text)
        event["data"]["token"] = self._keyring.unseal(row["token_sealed"], "payment-token")
        return to_json(event).encode()

    async def _try(self, row: Record, secrets: list[str]) -> None:
        started, begun = Clock.real(), asyncio.get_running_loop().time()
        body = self.body(row)
        headers = {
            "Content-Type": "application/json", "User-Agent": "paymux/0.1", "webhook-id": row["id"],
            "webhook-timestamp": str(int(started.timestamp())),
            "webhook-signature": " ".join(Webhook(s).sign(row["id"], started, body.decode()) for s in secrets),
        }  # fmt: skip
        status, fault = await self._post(row["url"], headers, body)
        milliseconds = int((asyncio.get_running_loop().time() - begun) * 1000)
        await self._settle(row, status, fault, started, milliseconds)

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int | None, str | None]:
        try:
            check_literal(self._settings, url)
            async with self._open().post(url, data=body, headers=headers, allow_redirects=False) as answer:
                await answer.content.read(MAX_ANSWER)
                return answer.status, None
        except CallbackRefused as no:
            return None, str(no)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
            return None, type(fault).__name__

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=GuardedResolver(self._settings), use_dns_cache=False, limit=200)
            timeout = aiohttp.ClientTimeout(total=self._settings.delivery_timeout)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _settle(
        self, row: Record, status: int | None, fault: str | None, started: datetime, milliseconds: int
    ) -> None:
        tries = row["attempts"] + 1
        async with self._database.transaction() as tx:
            now = await self._clock.refresh(tx)
            await store.add_attempt(tx, row["id"], tries, status, fault, started, milliseconds)
            if status is not None and 200 <= status < 300:
                await store.settle(tx, row["id"], "delivered", tries, None, now)
                outcome = "delivered"
            elif tries > len(SCHEDULE):
                await store.settle(tx, row["id"], "exhausted", tries, None, now)
                outcome = "exhausted"
            else:
                wait = SCHEDULE[tries - 1] * random.uniform(1.0, 1.1)
                await store.settle(tx, row["id"], "waiting", tries, now + wait, now)
                await jobs.enqueue(tx, "deliver", row["id"], wait)
                outcome = "failed"
        log.info(
            "webhook.tried", delivery=row["id"], webhook=row["event"], attempt=tries, status=status, outcome=outcome
        )


async def replay(tx: Connection, merchant_id: str, delivery_id: str, now: datetime) -> bool:
    """Deliver once more, with the same id and body. False when the merchant has no such delivery."""
    if not await store.reopen(tx, merchant_id, delivery_id, now):
        return False
    await jobs.enqueue(tx, "deliver", delivery_id)
    return True
