"""All SQL that finds and erases what is kept of a customer, in whichever table it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from paymux.platform.database import Connection, Record


async def orders_after(tx: Connection, after: str, merchant_id: str, limit: int) -> list[Record]:
    """The next orders by id, of one merchant or ('') of all: their sealed requests, to look for a customer in, and as whom
    theirs were erased."""
    rows: list[Record] = await tx.fetch(
        "SELECT id, request_sealed, erased_as FROM orders WHERE id > $1 AND ($2 = '' OR merchant_id = $2) ORDER BY id LIMIT $3",
        after, merchant_id, limit,
    )  # fmt: skip
    return rows


async def orders_named(tx: Connection, reference: str, merchant_id: str) -> list[str]:
    """The ids of the orders with this reference, of one merchant or ('') of all."""
    rows = await tx.fetch(
        "SELECT id FROM orders WHERE reference = $1 AND ($2 = '' OR merchant_id = $2) ORDER BY id",
        reference,
        merchant_id,
    )
    return [row["id"] for row in rows]


async def orderless_events_after(
    tx: Connection, after: str, merchant_id: str, accounts: Sequence[str] | None, given_up: datetime, limit: int
) -> list[Record]:  # fmt: skip
    """The next providers' events that belong to no order: forged, unreadable, or of an order that was never here.

    Of these provider accounts, or (None) of all. `waits`: it is yet to be decided, or came after `given_up` and may yet
    find its order.
    """
    rows: list[Record] = await tx.fetch(
        "SELECT e.id, e.account_id, e.method, e.request_sealed,"
        " e.state = 'stored' OR (e.state = 'unmatched' AND e.received_at > $3) AS waits"
        " FROM provider_events e JOIN provider_accounts a ON a.id = e.account_id"
        " WHERE e.order_id IS NULL AND e.id > $1 AND ($2 = '' OR a.merchant_id = $2)"
        " AND ($4::text[] IS NULL OR e.account_id = ANY($4)) ORDER BY e.id LIMIT $5",
        after, merchant_id, given_up, accounts, limit,
    )  # fmt: skip
    return rows


async def events_of(tx: Connection, order_id: str) -> list[Record]:
    """What the provider sent about an order."""
    rows: list[Record] = await tx.fetch(
        "SELECT id, method, request_sealed FROM provider_events WHERE order_id = $1", order_id
    )
    return rows


async def write_event(tx: Connection, event_id: str, request_sealed: bytes) -> None:
    await tx.execute("UPDATE provider_events SET request_sealed = $2 WHERE id = $1", event_id, request_sealed)


async def webhooks_of(tx: Connection, order_id: str) -> list[Record]:
    """An order's outbox, locked."""
    rows: list[Record] = await tx.fetch(
        "SELECT id, body_sealed FROM outbox_events WHERE order_id = $1 ORDER BY sequence FOR UPDATE", order_id
    )
    return rows


async def write_webhook(tx: Connection, event_id: str, body_sealed: bytes) -> None:
    await tx.execute("UPDATE outbox_events SET body_sealed = $2 WHERE id = $1", event_id, body_sealed)


async def deliveries_of(tx: Connection, order_id: str) -> list[Record]:
    """Where an order's webhooks went or go, locked. `waits`: it still needs its address."""
    rows: list[Record] = await tx.fetch(
        "SELECT d.id, d.url, d.url_once_settled, d.state = 'waiting' AS waits FROM deliveries d"
        " JOIN outbox_events e ON e.id = d.event_id WHERE e.order_id = $1 ORDER BY d.id FOR UPDATE OF d",
        order_id,
    )
    return rows


async def write_delivery_url(tx: Connection, delivery_id: str, url: str) -> None:
    await tx.execute("UPDATE deliveries SET url = $2, url_once_settled = NULL WHERE id = $1", delivery_id, url)


async def write_url_once_settled(tx: Connection, delivery_id: str, url: str) -> None:
    """Note what is to be left of the address of a delivery that waits."""
    await tx.execute("UPDATE deliveries SET url_once_settled = $2 WHERE id = $1", delivery_id, url)


async def forget_answers(tx: Connection, order_id: str) -> None:
    """Drop the kept answers of an order's Idempotency-Key: a repeat is answered from the order as it is now."""
    await tx.execute("UPDATE idempotency_keys SET status = NULL, answer_sealed = NULL WHERE order_id = $1", order_id)


async def end_tokens(tx: Connection, order_id: str, nothing_sealed: tuple[bytes, bytes]) -> int:
    """Revoke the payment tokens that an order made, and forget the provider's behind them; how many there were."""
    done: str = await tx.execute(
        "UPDATE payment_tokens SET revoked_at = coalesce(revoked_at, now()), hint = '', token_sealed = $2,"
        " provider_token_sealed = $3 WHERE order_id = $1 AND hint <> ''",
        order_id, *nothing_sealed,
    )  # fmt: skip
    return int(done.rpartition(" ")[2])


async def event_details(tx: Connection, order_id: str) -> list[Record]:
    """What an order's events say beside what happened."""
    rows: list[Record] = await tx.fetch("SELECT id, detail FROM order_events WHERE order_id = $1", order_id)
    return rows


async def write_operation_texts(
    tx: Connection, operation_id: str, description_sealed: bytes | None, reason: str | None
) -> None:
    await tx.execute(
        "UPDATE operations SET description = '', description_sealed = $2, failure_reason = $3 WHERE id = $1",
        operation_id, description_sealed, reason,
    )  # fmt: skip


async def write_event_detail(tx: Connection, event_id: str, detail: Any) -> None:
    """Say less in an event that is kept. Its words are all that an erasure may change of what is evidence."""
    await tx.execute("SET LOCAL paymux.erasing = 'on'")
    await tx.execute("UPDATE order_events SET detail = $2 WHERE id = $1", event_id, detail)
    await tx.execute("SET LOCAL paymux.erasing = 'off'")
