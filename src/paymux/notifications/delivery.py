"""Delivers what the outbox holds: signed, at least once, with the retry schedule, every attempt kept (W3, E8)."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
import structlog
from standardwebhooks import Webhook

from paymux import __version__
from paymux.audit import trail
from paymux.notifications import store
from paymux.notifications.endpoint_limits import EndpointFull, EndpointLimits
from paymux.notifications.outbox import SEALED_FOR
from paymux.platform import jobs
from paymux.platform.callback_guard import CallbackRefused, callback_session, looking_up_for
from paymux.platform.clock import Clock
from paymux.platform.crash_points import CrashPoint, passing
from paymux.platform.database import Connection, Database, Record, from_json, to_json
from paymux.platform.encryption import KeyRing
from paymux.platform.settings import Settings

log = structlog.get_logger()

SCHEDULE = tuple(
    timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 7200, 21_600, 43_200, 86_400, 86_400)
)  # W3: then exhausted
MAX_ANSWER = 64 * 1024
REPLAYED_AT_ONCE = 500
STATES = ("waiting", "delivered", "exhausted")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one try brought: the endpoint's status, or the fault that kept it from answering."""

    status: int | None
    fault: str | None
    started: datetime
    milliseconds: int

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Deliverer:
    """One worker's deliveries. `webhook_secrets` gives a merchant's valid secrets, newest first."""

    def __init__(
        self, database: Database, keyring: KeyRing, clock: Clock, settings: Settings,
        webhook_secrets: Callable[[Connection, str], Awaitable[list[str]]],
    ) -> None:  # fmt: skip
        self._database, self._keyring, self._clock, self._settings = database, keyring, clock, settings
        self._secrets = webhook_secrets
        # Three eighths of a worker's places at most: half of them is for what calls providers (`JobPlaces`).
        self._limits = EndpointLimits(settings.job_concurrency * 3 // 8)
        self._session: aiohttp.ClientSession | None = None

    async def deliver(self, payload: str) -> None:
        """Try one delivery. The job handler behind `deliver`.

        `payload` is the delivery's id, and for the schedule's own next try `id|tries so far`: when another
        try (a replay) came between, that one carries the schedule on and this job has nothing left to do.
        """
        delivery_id, _, tries = payload.partition("|")
        async with self._database.connection() as held:
            row = await store.delivery(held, delivery_id)
            if row is None or row["state"] != "waiting" or (tries and int(tries) != row["attempts"]):
                return
            secrets = await self._secrets(held, row["merchant_id"])
        try:
            with self._limits.place(row["url"], row["merchant_id"]) as call:
                looking_up_for(row["merchant_id"])
                attempt = await self._try(row, secrets)
                if secrets:
                    call.healthy = attempt.status is not None
        except EndpointFull as full:
            async with self._database.connection() as held:
                await jobs.enqueue(held, "deliver", payload, full.after)
            return
        passing(CrashPoint.DELIVERED)
        await self._settle(row, attempt)

    def body(self, row: Record) -> bytes:
        """The bytes that every try sends: fixed at decision, the payment token put in here only (K1)."""
        text = self._keyring.unseal(row["body_sealed"], SEALED_FOR)
        token = self._keyring.unseal(row["token_sealed"], "payment-token") if row["token_sealed"] is not None else ""
        if not token:  # there is none, or it was erased
            return text.encode()
        event = from_json(text)
        event["data"]["token"] = token
        return to_json(event).encode()

    async def _try(self, row: Record, secrets: list[str]) -> Attempt:
        started, begun = Clock.real(), asyncio.get_running_loop().time()
        body = self.body(row)
        headers = {
            "Content-Type": "application/json", "User-Agent": f"paymux/{__version__}", "webhook-id": row["id"],
            "webhook-timestamp": str(int(started.timestamp())),
            "webhook-signature": " ".join(Webhook(s).sign(row["id"], started, body.decode()) for s in secrets),
        }  # fmt: skip
        status, fault = await self._post(row["url"], headers, body) if secrets else (None, "no webhook secret")
        milliseconds = int((asyncio.get_running_loop().time() - begun) * 1000)
        return Attempt(status, fault, started, milliseconds)

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int | None, str | None]:
        try:
            async with self._open().post(url, data=body, headers=headers, allow_redirects=False) as answer:
                # The status is the answer. What follows is read so that the connection can serve again.
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                    await _drain(answer)
                return answer.status, None
        except CallbackRefused as no:
            return None, str(no)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
            return None, type(fault).__name__

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = callback_session(self._settings)
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _settle(self, row: Record, attempt: Attempt) -> None:
        async with self._database.transaction() as tx:
            now = await self._clock.refresh(tx)
            held = await store.lock_delivery(tx, row["id"])
            await store.add_attempt(tx, row["id"], attempt.status, attempt.fault, attempt.started, attempt.milliseconds)
            tries, outcome = row["attempts"] + 1, "failed"
            if attempt.delivered:
                outcome = "delivered"
                await store.settle(tx, row["id"], outcome, held["attempts"] + 1, None, now)
            elif held["state"] != "waiting" or held["attempts"] != row["attempts"]:
                # Another try of the same delivery was settled first: the schedule goes on from there.
                outcome = "superseded"
            elif tries > len(SCHEDULE):
                outcome = "exhausted"
                await store.settle(tx, row["id"], outcome, tries, None, now)
                await trail.record(tx, "delivery.exhausted", row["id"], merchant_id=row["merchant_id"], tries=tries)
            else:
                wait = SCHEDULE[tries - 1] * random.uniform(1.0, 1.1)
                await store.settle(tx, row["id"], "waiting", tries, now + wait, now)
                await jobs.enqueue(tx, "deliver", f"{row['id']}|{tries}", wait)
        log.info(
            "webhook.tried", merchant=row["merchant_id"], delivery=row["id"], webhook=row["event"], attempt=tries,
            status=attempt.status, fault=attempt.fault, milliseconds=attempt.milliseconds, outcome=outcome,
        )  # fmt: skip


async def _drain(answer: aiohttp.ClientResponse) -> None:
    left = MAX_ANSWER
    while left > 0 and (part := await answer.content.read(left)):
        left -= len(part)


async def replay(tx: Connection, merchant_id: str, delivery_id: str) -> bool:
    """Deliver once more, with the same id and body. False when the merchant has no such delivery.

    A replayed delivery that fails goes on in the schedule where it was; an exhausted one is exhausted again.
    """
    if not await store.reopen(tx, merchant_id, delivery_id):
        return False
    await jobs.enqueue(tx, "deliver", delivery_id)
    await trail.record(tx, "delivery.replayed", delivery_id, merchant_id=merchant_id)
    return True


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many of a merchant's deliveries that were given up are delivered once more, and how many are not."""

    sent: int = 0
    erased: int = 0
    """An erasure took a customer out of their address: what is left of it may lead anywhere at the merchant's."""


async def replay_given_up(
    database: Database, merchant_id: str, erased: str, since: datetime | None = None
) -> Replayed:  # fmt: skip
    """Deliver once more, the oldest first, whatever of a merchant's was given up.

    `erased`: the mark that an erasure leaves in an address; where that stands nothing is sent. `since`: only events that
    occurred then or later. It is done in batches, so that no transaction is long: cut short, it is called again, and goes on
    with what is left. What fails again while it runs is not taken a second time.
    """
    done, last = Replayed(), ""
    while True:
        async with database.transaction() as tx:
            found = await store.exhausted(tx, merchant_id, since, last, REPLAYED_AT_ONCE)
            if not found:
                return done
            # Another one that replays beside us may have had some of them, or all: behind them there may be more.
            rows = await store.lock_exhausted(tx, merchant_id, found)
            whole = [row["id"] for row in rows if erased not in row["url"]]
            await store.reopen_all(tx, merchant_id, whole)
            await jobs.enqueue_many(tx, "deliver", whole)
            for delivery_id in whole:
                await trail.record(tx, "delivery.replayed", delivery_id, merchant_id=merchant_id)
        done = Replayed(done.sent + len(whole), done.erased + len(rows) - len(whole))
        last = found[-1]


async def list_deliveries(tx: Connection, merchant_id: str | None, state: str | None, limit: int) -> list[Record]:
    """A merchant's deliveries, or everybody's, newest first, of a state (one of STATES) or of all."""
    if merchant_id is None:
        return await store.deliveries_of_all(tx, state, limit)
    return await store.deliveries(tx, merchant_id, state, limit)
