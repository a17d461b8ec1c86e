"""All SQL of the audit trail and of the calls to providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from paymux.audit.calls import ProviderCall
from paymux.platform.acting import Actor
from paymux.platform.database import Connection, Record
from paymux.platform.identifiers import new_id

# One round trip for both: a decision writes its entry and the calls that led to it together.
_WRITE = """
WITH installed AS (SELECT coalesce((SELECT clock_offset FROM installation), interval '0') AS ahead),
noted AS (
  INSERT INTO audit_entries (id, actor_kind, actor, action, subject, merchant_id, order_id, request_id, detail, at, at_real)
  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp() + ahead, clock_timestamp() FROM installed
  WHERE $1::text IS NOT NULL)
INSERT INTO provider_calls (id, account_id, order_id, operation_id, method, host, path, status, fault, milliseconds,
                            at, at_real)
SELECT c.id, c.account, c.ord, c.operation, c.method, c.host, c.path, c.status, c.fault, c.took, c.begun + ahead, c.begun
FROM installed, unnest($10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
                       $17::integer[], $18::text[], $19::integer[], $20::timestamptz[])
  AS c (id, account, ord, operation, method, host, path, status, fault, took, begun)
ON CONFLICT (id) DO NOTHING -- it was written by a transaction whose COMMIT nobody answered
"""


async def write(
    tx: Connection, actor: Actor, action: str | None, subject: str, merchant_id: str | None, order_id: str | None,
    detail: Mapping[str, Any], calls: Sequence[ProviderCall],
) -> None:  # fmt: skip
    """Append an entry (none without `action`) and these calls."""
    made = [call.made for call in calls]
    await tx.execute(
        _WRITE, new_id("aud") if action else None, actor.kind, actor.name, action, subject, merchant_id, order_id,
        actor.request_id, dict(detail), [call.id for call in calls], [call.account_id for call in calls],
        [call.order_id for call in calls], [call.operation_id for call in calls], [m.method for m in made],
        [m.host for m in made], [m.path for m in made], [m.status for m in made], [m.fault for m in made],
        [m.milliseconds for m in made], [m.begun for m in made],
    )  # fmt: skip


async def forget_calls(tx: Connection, older: timedelta, limit: int) -> int:
    """Delete the oldest calls to providers that are older than this in real time, at most so many; how many those were.

    Whatever else this transaction does, the database lets nothing go that is younger than thirty days.
    """
    await tx.execute("SET LOCAL paymux.forgetting = 'on'")
    gone: str = await tx.execute(
        "DELETE FROM provider_calls WHERE id = ANY(ARRAY(SELECT id FROM"
        " (SELECT id, at_real FROM provider_calls ORDER BY id LIMIT $2) AS oldest WHERE at_real < clock_timestamp() - $1::interval))",
        older, limit,
    )  # fmt: skip
    await tx.execute("SET LOCAL paymux.forgetting = 'off'")
    return int(gone.split()[-1])


async def entries_of_order(tx: Connection, order_id: str) -> list[Record]:
    """The audit entries about an order, oldest first."""
    rows: list[Record] = await tx.fetch("SELECT * FROM audit_entries WHERE order_id = $1 ORDER BY id", order_id)
    return rows


async def calls_of_order(tx: Connection, order_id: str) -> list[Record]:
    """The calls to the provider that were made for an order, oldest first."""
    rows: list[Record] = await tx.fetch("SELECT * FROM provider_calls WHERE order_id = $1 ORDER BY id", order_id)
    return rows
