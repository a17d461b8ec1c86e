"""All SQL of orders, their events, operations, timers, idempotency keys and payment tokens.

Every function takes a connection within a transaction. Whatever a merchant may ask is scoped by his id.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from paymux.money import exact
from paymux.orders.model import (
    OPERATION_COLUMNS,
    ORDER_COLUMNS,
    ZERO,
    Initiator,
    Kind,
    Operation,
    OperationStatus,
    Order,
)
from paymux.platform import jobs
from paymux.platform.database import Connection, Record
from paymux.platform.identifiers import new_id

PREFIXES = {
    Kind.CREATE: "crt", Kind.CONFIRM: "cfm", Kind.CHARGE_TOKEN: "chg", Kind.CAPTURE: "cap", Kind.VOID: "void",
    Kind.REFUND: "ref", Kind.CHARGEBACK: "cbk",
}  # fmt: skip


# -- orders ---------------------------------------------------------------------------------------


async def insert_order(tx: Connection, **columns: Any) -> Order | None:
    """Claim a reference. The order, ours until the transaction ends; None when the merchant has used it already."""
    names = ", ".join(columns)
    places = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
    row = await tx.fetchrow(
        f"INSERT INTO orders ({names}) VALUES ({places}) ON CONFLICT (merchant_id, reference) DO NOTHING"  # noqa: S608
        f" RETURNING {ORDER_COLUMNS}",
        *columns.values(),
    )
    return Order.of(row) if row else None


async def lock_order(tx: Connection, order_id: str) -> Order:
    """The order, locked until the transaction ends: whoever comes second sees what the first one did."""
    row = await tx.fetchrow(f"SELECT {ORDER_COLUMNS} FROM orders WHERE id = $1 FOR UPDATE", order_id)  # noqa: S608
    return Order.of(row)


async def order_by_id(tx: Connection, order_id: str) -> Order:
    row = await tx.fetchrow(f"SELECT {ORDER_COLUMNS} FROM orders WHERE id = $1", order_id)  # noqa: S608
    return Order.of(row)


async def erased(tx: Connection, order_id: str) -> bool:
    """Whether an order's customer was erased; nobody can erase him until the transaction ends."""
    return bool(await tx.fetchval("SELECT erased_at IS NOT NULL FROM orders WHERE id = $1 FOR KEY SHARE", order_id))


async def order_by_reference(tx: Connection, merchant_id: str, reference: str) -> Order | None:
    row = await tx.fetchrow(
        f"SELECT {ORDER_COLUMNS} FROM orders WHERE merchant_id = $1 AND reference = $2",  # noqa: S608
        merchant_id, reference,
    )  # fmt: skip
    return Order.of(row) if row else None


async def order_by_token(tx: Connection, order_token: str) -> Order | None:
    row = await tx.fetchrow(f"SELECT {ORDER_COLUMNS} FROM orders WHERE order_token = $1", order_token)  # noqa: S608
    return Order.of(row) if row else None


async def find_order(
    tx: Connection, account_id: str, session: str | None, payment_id: str | None, reference: str | None
) -> Order | None:
    """The order of a provider account that an event is about."""
    for column, value in (("session", session), ("payment_id", payment_id), ("provider_reference", reference)):
        if value:
            row = await tx.fetchrow(
                f"SELECT {ORDER_COLUMNS} FROM orders WHERE account_id = $1 AND {column} = $2 LIMIT 1",  # noqa: S608
                account_id,
                value,
            )
            if row:
                return Order.of(row)
    return None


async def update_order(tx: Connection, order: Order, changes: Mapping[str, Any]) -> Order:
    """Write changes to a locked order and return it as it is then."""
    sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(changes, 2))
    row = await tx.fetchrow(
        f"UPDATE orders SET {sets} WHERE id = $1 RETURNING {ORDER_COLUMNS}",  # noqa: S608
        order.id, *changes.values(),
    )  # fmt: skip
    return Order.of(row)


async def orders_to_review(tx: Connection, merchant_id: str | None) -> list[Order]:
    rows = await tx.fetch(
        f"SELECT {ORDER_COLUMNS} FROM orders WHERE needs_review IS NOT NULL"  # noqa: S608
        " AND ($1::text IS NULL OR merchant_id = $1) ORDER BY id",
        merchant_id,
    )
    return [Order.of(row) for row in rows]


async def count_to_review(tx: Connection) -> int:
    """How many orders of the whole installation wait for a person."""
    counted: int = await tx.fetchval("SELECT count(*) FROM orders WHERE needs_review IS NOT NULL")
    return counted


async def orders_named(tx: Connection, name: str, merchant_id: str | None) -> list[Order]:
    """The orders with this id or reference, of one merchant or of all: for the operator."""
    rows = await tx.fetch(
        f"SELECT {ORDER_COLUMNS} FROM orders o"  # noqa: S608
        " WHERE o.id = $1 OR (o.reference = $1 AND o.merchant_id IN (SELECT id FROM merchants))",
        name,
    )
    return [Order.of(row) for row in rows if merchant_id in (None, row["merchant_id"])]


# -- events ---------------------------------------------------------------------------------------


async def add_event(
    tx: Connection, order: Order, now: datetime, kind: str, source: str, *,
    amount: Decimal | None = None, operation_id: str | None = None, detail: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Append what happened to a locked order."""
    await tx.execute(
        "INSERT INTO order_events (id, order_id, number, kind, status, amount, operation_id, source, detail, at)"
        " SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6, $7, $8, $9 FROM order_events WHERE order_id = $2",
        str(uuid.uuid4()), order.id, kind, str(order.status), amount, operation_id, source, dict(detail or {}), now,
    )  # fmt: skip


async def events(tx: Connection, order_id: str) -> list[Record]:
    """Everything that happened to an order, oldest first."""
    rows: list[Record] = await tx.fetch("SELECT * FROM order_events WHERE order_id = $1 ORDER BY number", order_id)
    return rows


async def derived_totals(tx: Connection, order_id: str) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal]:
    """Authorised, captured, voided, expired, refunded, as the order's events add up."""
    rows = await tx.fetch(
        "SELECT kind, sum(amount) AS total FROM order_events WHERE order_id = $1 AND amount IS NOT NULL GROUP BY kind",
        order_id,
    )
    of = {row["kind"]: exact(row["total"]) for row in rows}
    refunded = of.get("refund", ZERO) + of.get("chargeback", ZERO)
    return of.get("authorised", ZERO), of.get("capture", ZERO), of.get("void", ZERO), of.get("expired", ZERO), refunded


# -- operations -----------------------------------------------------------------------------------


async def claim(
    tx: Connection, order: Order, kind: Kind, now: datetime, *, reference: str, amount: Decimal | None = None,
    initiator: Initiator = Initiator.SYSTEM, request_hash: str = "", description_sealed: bytes | None = None,
    currency: str | None = None, status: OperationStatus = OperationStatus.PENDING, provider_id: str | None = None,
    holder: str | None = None, lease: float = 0, calls: int = 0, key: str | None = None,
) -> Operation | None:  # fmt: skip
    """Claim an operation. None when its reference is taken already."""
    row = await tx.fetchrow(
        "INSERT INTO operations (id, order_id, kind, reference, request_hash, key, amount, currency, description_sealed, status,"  # noqa: S608
        " initiator, provider_id, calls, holder, lease_until_real, created_at, updated_at)"
        " VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14, CASE WHEN $14::text IS NULL THEN NULL"
        " ELSE now() + $15::interval END, $16, $16) ON CONFLICT DO NOTHING"
        f" RETURNING {OPERATION_COLUMNS}",
        new_id(PREFIXES[kind]), order.id, str(kind), reference, request_hash, key or str(uuid.uuid4()), amount, currency,
        description_sealed, str(status), str(initiator), provider_id, calls, holder, timedelta(seconds=lease), now,
    )  # fmt: skip
    return Operation.of(row) if row else None


async def operations(tx: Connection, order_id: str) -> list[Operation]:
    """All operations of an order, oldest first."""
    rows = await tx.fetch(
        f"SELECT {OPERATION_COLUMNS} FROM operations WHERE order_id = $1 ORDER BY id",  # noqa: S608
        order_id,
    )
    return [Operation.of(row) for row in rows]


async def operation(tx: Connection, operation_id: str) -> Operation:
    row = await tx.fetchrow(f"SELECT {OPERATION_COLUMNS} FROM operations WHERE id = $1", operation_id)  # noqa: S608
    return Operation.of(row)


async def operation_by_reference(tx: Connection, order_id: str, kind: Kind, reference: str) -> Operation | None:
    row = await tx.fetchrow(
        f"SELECT {OPERATION_COLUMNS} FROM operations WHERE order_id = $1 AND kind = $2 AND reference = $3",  # noqa: S608
        order_id, str(kind), reference,
    )  # fmt: skip
    return Operation.of(row) if row else None


async def update_operation(tx: Connection, op: Operation, now: datetime, **changes: Any) -> Operation:
    changes["updated_at"] = now
    sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(changes, 2))
    row = await tx.fetchrow(
        f"UPDATE operations SET {sets} WHERE id = $1 RETURNING {OPERATION_COLUMNS}",  # noqa: S608
        op.id, *changes.values(),
    )  # fmt: skip
    return Operation.of(row)


async def lease(tx: Connection, op: Operation, holder: str, seconds: float) -> bool:
    """Take the lease if nobody alive holds it (U4). Real time."""
    return bool(
        await tx.fetchval(
            "UPDATE operations SET holder = $2, lease_until_real = clock_timestamp() + $3::interval WHERE id = $1"
            " AND (holder IS NULL OR holder = $2 OR lease_until_real < clock_timestamp()) RETURNING true",
            op.id,
            holder,
            timedelta(seconds=seconds),
        )
    )


async def renew_lease(tx: Connection, operation_id: str, holder: str, seconds: float) -> None:
    await tx.execute(
        "UPDATE operations SET lease_until_real = clock_timestamp() + $3::interval WHERE id = $1 AND holder = $2",
        operation_id, holder, timedelta(seconds=seconds),
    )  # fmt: skip


async def leased(tx: Connection, op: Operation) -> bool:
    """Whether somebody alive is calling the provider for this operation right now."""
    return bool(
        await tx.fetchval(
            "SELECT holder IS NOT NULL AND lease_until_real >= clock_timestamp() FROM operations WHERE id = $1", op.id
        )
    )


async def lease_left(tx: Connection, op: Operation) -> timedelta | None:
    """How long until the lease lapses of whoever is calling the provider for this operation; None when nobody is."""
    left: timedelta | None = await tx.fetchval(
        "SELECT lease_until_real - clock_timestamp() FROM operations"
        " WHERE id = $1 AND holder IS NOT NULL AND lease_until_real >= clock_timestamp()",
        op.id,
    )
    return left


# -- timers ---------------------------------------------------------------------------------------


async def set_timer(tx: Connection, order_id: str, what: str, due: datetime, now: datetime, subject: str = "") -> None:
    """Something is due for an order: the row, and the job that wakes it."""
    await note_timer(tx, order_id, what, due, subject)
    await wake(tx, order_id, {(what, subject): due}, now)


async def wake(tx: Connection, order_id: str, timers: Mapping[tuple[str, str], datetime], now: datetime) -> None:
    """The jobs that wake noted timers, by what and subject, when each is due. A job names the time it is for."""
    await jobs.enqueue_many(
        tx, "order_timer",
        [f"{order_id}|{what}|{subject}|{due.isoformat()}" for (what, subject), due in timers.items()],
        [max(due - now, timedelta(0)) for due in timers.values()],
    )  # fmt: skip


async def note_timer(tx: Connection, order_id: str, what: str, due: datetime, subject: str) -> None:
    """The row alone of what is due: the caller's transaction must `wake` it, too."""
    await tx.execute(
        "INSERT INTO timers VALUES ($1, $2, $3, $4) ON CONFLICT (order_id, what, subject) DO UPDATE SET due_at = excluded.due_at",
        order_id, what, subject, due,
    )  # fmt: skip


async def drop_timers(tx: Connection, order_id: str, *whats: str, subject: str | None = None) -> None:
    await tx.execute(
        "DELETE FROM timers WHERE order_id = $1 AND what = ANY($2) AND ($3::text IS NULL OR subject = $3)",
        order_id, list(whats), subject,
    )  # fmt: skip


async def timer_due(tx: Connection, order_id: str, what: str, subject: str) -> datetime | None:
    due: datetime | None = await tx.fetchval(
        "SELECT due_at FROM timers WHERE order_id = $1 AND what = $2 AND subject = $3", order_id, what, subject
    )
    return due


async def next_timer(tx: Connection, order_id: str) -> Record | None:
    return await tx.fetchrow("SELECT what, due_at FROM timers WHERE order_id = $1 ORDER BY due_at LIMIT 1", order_id)


async def lapsed_timers(
    tx: Connection, before: datetime, limit: int, after: tuple[str, str, str] = ("", "", "")
) -> list[Record]:
    """The next so many timers that were due before a time, in the order of their keys, from the one after `after` on.

    For the start-up sweep: their job may have been lost with a restored database.
    """
    rows: list[Record] = await tx.fetch(
        "SELECT order_id, what, subject, due_at FROM timers WHERE due_at < $1 AND (order_id, what, subject) > ($3, $4, $5)"
        " ORDER BY order_id, what, subject LIMIT $2",
        before, limit, *after,
    )  # fmt: skip
    return rows


# -- idempotency keys -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What an `Idempotency-Key` was used for, and the answer if there is one (I1)."""

    body_hash: str
    order_id: str | None
    status: int | None
    answer_sealed: bytes | None


async def kept_answer(tx: Connection, merchant_id: str, key: str, after: datetime) -> KeptAnswer | None:
    """What a key was used for, unless that was before `after`."""
    row = await tx.fetchrow(
        "SELECT body_hash, order_id, status, answer_sealed FROM idempotency_keys"
        " WHERE merchant_id = $1 AND key = $2 AND created_at > $3",
        merchant_id, key, after,
    )  # fmt: skip
    return KeptAnswer(**dict(row)) if row else None


async def keep_key(tx: Connection, merchant_id: str, key: str, body_hash: str, order_id: str, now: datetime) -> bool:
    """Bind a key to an order; one that has ended is bound anew. False when another request has bound it meanwhile."""
    return bool(
        await tx.fetchval(
            "INSERT INTO idempotency_keys (merchant_id, key, body_hash, order_id, created_at) VALUES ($1,$2,$3,$4,$5)"
            " ON CONFLICT (merchant_id, key) DO UPDATE SET body_hash = $3, order_id = $4, created_at = $5, status = NULL,"
            " answer_sealed = NULL WHERE idempotency_keys.created_at <= $5 - interval '30 days' RETURNING true",
            merchant_id,
            key,
            body_hash,
            order_id,
            now,
        )
    )


async def keep_answer(tx: Connection, merchant_id: str, key: str, status: int, answer_sealed: bytes) -> None:
    await tx.execute(
        "UPDATE idempotency_keys SET status = $3, answer_sealed = $4 WHERE merchant_id = $1 AND key = $2 AND status IS NULL",
        merchant_id, key, status, answer_sealed,
    )  # fmt: skip


async def forget_old_keys(tx: Connection, before: datetime, limit: int) -> int:
    """Drop at most so many idempotency keys from before a time, with their answers (I1); how many those were."""
    gone: str = await tx.execute(
        "DELETE FROM idempotency_keys WHERE (merchant_id, key) IN (SELECT merchant_id, key FROM idempotency_keys"
        " WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before, limit,
    )  # fmt: skip
    return int(gone.split()[-1])


# -- payment tokens -------------------------------------------------------------------------------


async def insert_token(tx: Connection, **columns: Any) -> None:
    names = ", ".join(columns)
    places = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
    await tx.execute(f"INSERT INTO payment_tokens ({names}) VALUES ({places})", *columns.values())  # noqa: S608


async def payment_token(tx: Connection, merchant_id: str, account_id: str, token_hash: str) -> Record | None:
    """A merchant's token for this provider account, unless revoked (K1)."""
    return await tx.fetchrow(
        "SELECT * FROM payment_tokens WHERE merchant_id = $1 AND account_id = $2 AND token_hash = $3 AND revoked_at IS NULL",
        merchant_id, account_id, token_hash,
    )  # fmt: skip
