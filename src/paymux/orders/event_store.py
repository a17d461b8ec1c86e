"""All SQL of stored provider events (P1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from paymux.platform.database import Connection, Record


async def insert(
    tx: Connection, number: str, account_id: str, event_id: str, method: str, request_sealed: bytes, verdict: str,
    fault: str | None, now: datetime,
) -> bool:  # fmt: skip
    """Store an event. False when the account has it already."""
    state = "stored" if verdict == "accepted" else "ignored"
    return bool(
        await tx.fetchval(
            "INSERT INTO provider_events (id, account_id, event_id, method, request_sealed, verdict, state, fault, received_at)"
            " VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) ON CONFLICT DO NOTHING RETURNING true",
            number,
            account_id,
            event_id,
            method,
            request_sealed,
            verdict,
            state,
            fault,
            now,
        )
    )


async def keep_again(tx: Connection, account_id: str, event_id: str, request_sealed: bytes) -> str | None:
    """Keep an event that came again, in the same words: an erasure may have emptied it. Its number."""
    number: str | None = await tx.fetchval(
        "UPDATE provider_events SET request_sealed = $3 WHERE account_id = $1 AND event_id = $2 RETURNING id",
        account_id, event_id, request_sealed,
    )  # fmt: skip
    return number


async def refused_since(tx: Connection, account_id: str, since: datetime, most: int) -> int:
    """How many events of an account were refused since a time; no more than `most` are counted."""
    return await _without_order(tx, account_id, "forged", since, most)


async def orderless_since(tx: Connection, account_id: str, since: datetime, most: int) -> int:
    """How many events of an account were taken since a time and fit no order (yet); no more than `most` are counted."""
    return await _without_order(tx, account_id, "accepted", since, most)


async def _without_order(tx: Connection, account_id: str, verdict: str, since: datetime, most: int) -> int:
    counted: int = await tx.fetchval(
        "SELECT count(*) FROM (SELECT 1 FROM provider_events WHERE account_id = $1 AND order_id IS NULL"
        " AND verdict = $2 AND received_at > $3 LIMIT $4) AS counted",
        account_id, verdict, since, most,
    )  # fmt: skip
    return counted


async def refused(tx: Connection, limit: int) -> list[Record]:
    """The latest events that were refused, with their account, newest first."""
    rows: list[Record] = await tx.fetch(
        "SELECT e.id, e.request_sealed, e.fault, e.method, e.received_at, a.merchant_id, a.code FROM provider_events e"
        " JOIN provider_accounts a ON a.id = e.account_id WHERE e.verdict = 'forged' ORDER BY e.id DESC LIMIT $1",
        limit,
    )
    return rows


async def forget_refused(tx: Connection, before: datetime, limit: int) -> int:
    """Delete at most so many events from before a time that were refused; how many those were."""
    gone: str = await tx.execute(
        "DELETE FROM provider_events WHERE id = ANY(ARRAY(SELECT id FROM provider_events"
        " WHERE order_id IS NULL AND verdict = 'forged' AND received_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))",
        before, limit,
    )  # fmt: skip
    return int(gone.split()[-1])


async def forget_orderless(tx: Connection, codes: Sequence[str], before: datetime, limit: int) -> int:
    """Delete at most so many events of these codes from before a time that fitted no order; how many those were.

    What nobody has looked at yet stays: it may fit one.
    """
    gone: str = await tx.execute(
        "DELETE FROM provider_events WHERE id = ANY(ARRAY(SELECT e.id FROM provider_events e"
        " JOIN provider_accounts a ON a.id = e.account_id WHERE e.order_id IS NULL AND e.state <> 'stored'"
        " AND a.code = ANY($1::text[]) AND e.received_at < $2 LIMIT $3 FOR UPDATE OF e SKIP LOCKED))",
        list(codes), before, limit,
    )  # fmt: skip
    return int(gone.split()[-1])


async def event(tx: Connection, number: str) -> Record | None:
    """An event as it is stored."""
    return await tx.fetchrow(
        "SELECT id, account_id, method, request_sealed, state, order_id, fault, received_at FROM provider_events WHERE id = $1",
        number,
    )  # fmt: skip


async def waiting_for(
    tx: Connection, account_id: str, named: Sequence[str], since: datetime, limit: int = 20
) -> list[str]:  # fmt: skip
    """An account's latest events that have fitted no order yet, and name one of these; `named` as `event_names` has it."""
    rows = await tx.fetch(
        "SELECT id FROM provider_events WHERE account_id = $1 AND state = 'unmatched' AND named && $2::text[]"
        " AND received_at > $3 ORDER BY received_at DESC LIMIT $4",
        account_id, list(named), since, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def given_up(tx: Connection, before: datetime) -> list[Record]:
    """Events from before a time that fitted no order, with their account, oldest first."""
    rows: list[Record] = await tx.fetch(
        "SELECT e.id, e.event_id, e.received_at, a.merchant_id, a.code FROM provider_events e"
        " JOIN provider_accounts a ON a.id = e.account_id WHERE e.state = 'unmatched' AND e.received_at <= $1"
        " ORDER BY e.received_at LIMIT 1000",
        before,
    )  # fmt: skip
    return rows


async def settle(
    tx: Connection, number: str, state: str, order_id: str | None, fault: str | None, *,
    named: Sequence[str] | None = None, nothing_sealed: bytes | None = None,
) -> None:  # fmt: skip
    """Note what became of an event, and where it waits for its order, what it names.

    With `nothing_sealed`, that is kept in place of what it said.
    """
    await tx.execute(
        "UPDATE provider_events SET state = $2, order_id = $3, fault = $4, named = $5,"
        " request_sealed = coalesce($6, request_sealed) WHERE id = $1",
        number, state, order_id, fault, named, nothing_sealed,
    )  # fmt: skip


async def events_of_order(tx: Connection, order_id: str) -> list[Record]:
    """What the provider sent about an order, oldest first, without what it said."""
    rows: list[Record] = await tx.fetch(
        "SELECT id, event_id, method, verdict, state, fault, received_at FROM provider_events WHERE order_id = $1 ORDER BY id",
        order_id,
    )
    return rows
