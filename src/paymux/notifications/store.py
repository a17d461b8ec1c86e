"""All SQL of the outbox, its deliveries and their attempts: an event and its delivery are separate facts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from paymux.platform.database import Connection, Record

_LISTED = "d.id, d.merchant_id, e.event, e.order_id, e.sequence, d.state, d.attempts, d.next_at, d.delivered_at"


async def insert_event(tx: Connection, **columns: Any) -> None:
    names = ", ".join(columns)
    places = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
    await tx.execute(f"INSERT INTO outbox_events ({names}) VALUES ({places})", *columns.values())  # noqa: S608


async def insert_delivery(
    tx: Connection, delivery_id: str, event_id: str, merchant_id: str, url: str, now: datetime
) -> None:
    await tx.execute(
        "INSERT INTO deliveries (id, event_id, merchant_id, url, state, next_at) VALUES ($1,$2,$3,$4,'waiting',$5)",
        delivery_id, event_id, merchant_id, url, now,
    )  # fmt: skip


async def delivery(tx: Connection, delivery_id: str) -> Record | None:
    """A delivery with its event and, where the event carries one, the sealed payment token."""
    return await tx.fetchrow(
        "SELECT d.id, d.merchant_id, d.url, d.state, d.attempts, e.event, e.body_sealed, t.token_sealed FROM deliveries d"
        " JOIN outbox_events e ON e.id = d.event_id LEFT JOIN payment_tokens t ON t.id = e.token_id WHERE d.id = $1",
        delivery_id,
    )


async def lock_delivery(tx: Connection, delivery_id: str) -> Record:
    """A delivery's state and tries as they are now, held until the transaction ends."""
    return await tx.fetchrow("SELECT state, attempts FROM deliveries WHERE id = $1 FOR UPDATE", delivery_id)


async def add_attempt(
    tx: Connection, delivery_id: str, status: int | None, fault: str | None, started: datetime, milliseconds: int
) -> None:
    """Keep a try under its delivery's next number. The caller holds the delivery's lock."""
    await tx.execute(
        "INSERT INTO delivery_attempts (delivery_id, number, status, fault, started_real, milliseconds)"
        " SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5 FROM delivery_attempts WHERE delivery_id = $1",
        delivery_id, status, fault, started, milliseconds,
    )  # fmt: skip


async def settle(
    tx: Connection, delivery_id: str, state: str, attempts: int, next_at: datetime | None, now: datetime
) -> None:
    """Note what a try brought. An address of which an erasure left something else is that from the last try on."""
    await tx.execute(
        "UPDATE deliveries SET state = $2, attempts = $3, next_at = $4,"
        " url = CASE WHEN $2 = 'waiting' THEN url ELSE coalesce(url_once_settled, url) END,"
        " url_once_settled = CASE WHEN $2 = 'waiting' THEN url_once_settled END,"
        " delivered_at = CASE WHEN $2 = 'delivered' THEN $5 ELSE delivered_at END WHERE id = $1",
        delivery_id, state, attempts, next_at, now,
    )  # fmt: skip


async def deliveries(tx: Connection, merchant_id: str, state: str | None, limit: int) -> list[Record]:
    """A merchant's deliveries, newest first."""
    rows: list[Record] = await tx.fetch(
        f"SELECT {_LISTED} FROM deliveries d JOIN outbox_events e ON e.id = d.event_id"  # noqa: S608
        " WHERE d.merchant_id = $1 AND ($2::text IS NULL OR d.state = $2) ORDER BY d.id DESC LIMIT $3",
        merchant_id, state, limit,
    )  # fmt: skip
    return rows


async def deliveries_of_all(tx: Connection, state: str | None, limit: int) -> list[Record]:
    """Every merchant's deliveries, newest first."""
    rows: list[Record] = await tx.fetch(
        f"SELECT {_LISTED} FROM deliveries d JOIN outbox_events e ON e.id = d.event_id"  # noqa: S608
        " WHERE $1::text IS NULL OR d.state = $1 ORDER BY d.id DESC LIMIT $2",
        state, limit,
    )  # fmt: skip
    return rows


async def count_exhausted(tx: Connection) -> int:
    """How many deliveries of the whole installation were given up and wait for a replay."""
    counted: int = await tx.fetchval("SELECT count(*) FROM deliveries WHERE state = 'exhausted'")
    return counted


async def reopen(tx: Connection, merchant_id: str, delivery_id: str) -> bool:
    """Make a delivery wait again, for a replay. False when the merchant has no such delivery."""
    return bool(
        await tx.fetchval(
            "UPDATE deliveries SET state = 'waiting', next_at = now() + clock_offset FROM installation"
            " WHERE id = $1 AND merchant_id = $2 RETURNING true",
            delivery_id, merchant_id,
        )
    )  # fmt: skip


async def exhausted(
    tx: Connection, merchant_id: str, since: datetime | None, after: str, limit: int
) -> list[str]:  # fmt: skip
    """The ids of a merchant's next deliveries behind `after` that were given up, the oldest first.

    `since`: only those of events that occurred then or later.
    """
    rows = await tx.fetch(
        "SELECT d.id FROM deliveries d JOIN outbox_events e ON e.id = d.event_id WHERE d.merchant_id = $1"
        " AND d.state = 'exhausted' AND d.id > $2 AND e.occurred_at >= coalesce($3::timestamptz, '-infinity')"
        " ORDER BY d.id LIMIT $4",
        merchant_id, after, since, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def lock_exhausted(tx: Connection, merchant_id: str, delivery_ids: list[str]) -> list[Record]:
    """Ids and addresses of those among a merchant's deliveries that are given up still, locked, the oldest first."""
    rows: list[Record] = await tx.fetch(
        "SELECT id, url FROM deliveries WHERE merchant_id = $1 AND id = ANY($2) AND state = 'exhausted'"
        " ORDER BY id FOR UPDATE",
        merchant_id, delivery_ids,
    )  # fmt: skip
    return rows


async def reopen_all(tx: Connection, merchant_id: str, delivery_ids: list[str]) -> None:
    """Make a merchant's deliveries wait again. The caller holds their locks."""
    await tx.execute(
        "UPDATE deliveries SET state = 'waiting', next_at = now() + clock_offset FROM installation"
        " WHERE id = ANY($2) AND merchant_id = $1",
        merchant_id, delivery_ids,
    )  # fmt: skip


async def events_of_order(tx: Connection, order_id: str) -> list[Record]:
    """An order's outbox events with their deliveries, in the order of their sequence."""
    rows: list[Record] = await tx.fetch(
        "SELECT e.id AS event_id, e.event, e.sequence, e.occurred_at, d.id, d.url, d.state, d.attempts, d.next_at"
        " FROM outbox_events e LEFT JOIN deliveries d ON d.event_id = e.id WHERE e.order_id = $1 ORDER BY e.sequence, d.id",
        order_id,
    )
    return rows


async def attempts_of_order(tx: Connection, order_id: str) -> list[Record]:
    """Every try of an order's deliveries, oldest first."""
    rows: list[Record] = await tx.fetch(
        "SELECT a.*, e.event, e.sequence, e.occurred_at FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id"
        " JOIN outbox_events e ON e.id = d.event_id WHERE e.order_id = $1 ORDER BY a.started_real, a.number",
        order_id,
    )
    return rows
