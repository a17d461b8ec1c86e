"""All SQL of reconciliation: the pages of orders, the daily runs and what they found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from paymux.orders.model import ORDER_COLUMNS, Order
from paymux.platform.database import Connection, Record


async def page(
    tx: Connection, connector: str, merchant_id: str | None, since: datetime, until: datetime, id_above: str,
    id_below: str, limit: int,
) -> list[Order]:  # fmt: skip
    """Orders of a connector (or of one code) that have a checkout, created from `since` to `until`, the newest first.

    Only those whose ids are between `id_above` and `id_below`, both left out: ids sort by time, so that no more of the table
    is read than that.
    """
    rows = await tx.fetch(
        f"SELECT {ORDER_COLUMNS} FROM orders WHERE id > $1 AND id < $2 AND (connector = $3 OR code = $3) AND created_at >= $4"  # noqa: S608
        " AND created_at < $5 AND session IS NOT NULL AND ($6::text IS NULL OR merchant_id = $6) ORDER BY id DESC LIMIT $7",
        id_above, id_below, connector, since, until, merchant_id, limit,
    )  # fmt: skip
    return [Order.of(row) for row in rows]


async def codes_used(tx: Connection) -> list[str]:
    """The payment method codes that some merchant has an account for."""
    return [row["code"] for row in await tx.fetch("SELECT DISTINCT code FROM provider_accounts ORDER BY code")]


# -- runs -----------------------------------------------------------------------------------------


async def plan_day(tx: Connection, day: date, now: datetime) -> bool:
    """Plan a day's runs; false when another worker has."""
    return bool(
        await tx.fetchval(
            "INSERT INTO reconciliations (day, connector, state, begun_at) VALUES ($1, '', 'planned', $2)"
            " ON CONFLICT DO NOTHING RETURNING true",
            day, now,
        )
    )  # fmt: skip


async def begin_day(tx: Connection, day: date, now: datetime) -> bool:
    """Begin a planned day; false when it has begun already."""
    return bool(
        await tx.fetchval(
            "UPDATE reconciliations SET state = 'done', ended_at = $2 WHERE day = $1 AND connector = '' AND state = 'planned'"
            " RETURNING true",
            day, now,
        )
    )  # fmt: skip


async def supersede(tx: Connection, day: date, now: datetime) -> list[str]:
    """End the runs of earlier days that have not come to their end; which."""
    rows = await tx.fetch(
        "UPDATE reconciliations SET state = 'superseded', ended_at = $2"
        " WHERE day < $1 AND connector <> '' AND state IN ('planned', 'running') RETURNING connector",
        day, now,
    )  # fmt: skip
    return sorted(row["connector"] for row in rows)


async def give_up(tx: Connection, day: date, connectors: Sequence[str], now: datetime) -> list[str]:
    """End these runs of a day where they have not come to their end; which."""
    rows = await tx.fetch(
        "UPDATE reconciliations SET state = 'superseded', ended_at = $3"
        " WHERE day = $1 AND connector = ANY($2) AND state IN ('planned', 'running') RETURNING connector",
        day, list(connectors), now,
    )  # fmt: skip
    return sorted(row["connector"] for row in rows)


async def begin_run(
    tx: Connection, day: date, connector: str, state: str, since: datetime, until: datetime, now: datetime
) -> None:
    """Begin a run over the orders created from `since` to `until`, or plan one."""
    await tx.execute(
        "INSERT INTO reconciliations (day, connector, state, since, until, begun_at) VALUES ($1, $2, $3, $4, $5, $6)",
        day, connector, state, since, until, now,
    )  # fmt: skip


async def start_run(tx: Connection, day: date, connector: str) -> bool:
    """Begin a planned run; false when there is none."""
    return bool(
        await tx.fetchval(
            "UPDATE reconciliations SET state = 'running' WHERE day = $1 AND connector = $2 AND state = 'planned' RETURNING true",
            day, connector,
        )
    )  # fmt: skip


async def came_to(tx: Connection, day: date, connector: str) -> datetime | None:
    """How far back the last run before a day came: what was created before that it has not asked for. None: there is none."""
    # One process's ids and times may be a little behind another's: a few orders are asked for twice, and none is left out.
    came: datetime | None = await tx.fetchval(
        "SELECT CASE WHEN r.state = 'done' THEN r.since"
        " ELSE least(r.until, coalesce(o.created_at + interval '1 minute', r.until)) END"
        " FROM reconciliations r LEFT JOIN orders o ON o.id = r.after_order"
        " WHERE r.connector = $2 AND r.day < $1 ORDER BY r.day DESC LIMIT 1",
        day, connector,
    )  # fmt: skip
    return came


async def run(tx: Connection, day: date, connector: str) -> Record | None:
    """A run, locked until the transaction ends."""
    return await tx.fetchrow(
        "SELECT * FROM reconciliations WHERE day = $1 AND connector = $2 FOR UPDATE", day, connector
    )


async def advance_run(
    tx: Connection, day: date, connector: str, came_to: str, asked: int, differing: int, unanswered: int
) -> None:
    """A page is done. `came_to`: the id of the last order that was asked for; the next page has older ones."""
    await tx.execute(
        "UPDATE reconciliations SET page = page + 1, after_order = $3, asked = asked + $4, differing = differing + $5,"
        " unanswered = unanswered + $6 WHERE day = $1 AND connector = $2",
        day, connector, came_to, asked, differing, unanswered,
    )  # fmt: skip


async def end_run(tx: Connection, day: date, connector: str, now: datetime) -> Record:
    """The run is over; its counts."""
    return await tx.fetchrow(
        "UPDATE reconciliations SET state = 'done', ended_at = $3 WHERE day = $1 AND connector = $2 RETURNING *",
        day, connector, now,
    )  # fmt: skip


# -- findings -------------------------------------------------------------------------------------


async def find(tx: Connection, order: Order, differences: Sequence[Any], now: datetime) -> None:
    """List an order as differing, since when it was first found."""
    await tx.execute(
        "INSERT INTO reconciliation_findings (order_id, connector, differences, found_at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (order_id) DO UPDATE SET differences = excluded.differences",
        order.id, order.connector, list(differences), now,
    )  # fmt: skip


async def forget(tx: Connection, order_id: str) -> bool:
    """Take an order off the list; false when it is not on it."""
    return bool(await tx.fetchval("DELETE FROM reconciliation_findings WHERE order_id = $1 RETURNING true", order_id))


async def findings(tx: Connection, limit: int) -> list[Record]:
    """The orders that differ, those found first first."""
    rows: list[Record] = await tx.fetch(
        "SELECT f.*, o.reference, o.merchant_id, o.code, o.status, o.created_at FROM reconciliation_findings f"
        " JOIN orders o ON o.id = f.order_id ORDER BY f.found_at, f.order_id LIMIT $1",
        limit,
    )
    return rows


async def count(tx: Connection) -> int:
    """How many orders differ from what their provider says."""
    counted: int = await tx.fetchval("SELECT count(*) FROM reconciliation_findings")
    return counted


async def count_unfinished(tx: Connection) -> int:
    """How many runs did not come to their end when they were last to: those of the day before, unless today's have ended."""
    counted: int = await tx.fetchval(
        "SELECT count(*) FROM (SELECT DISTINCT ON (connector) state FROM reconciliations"
        " WHERE connector <> '' AND state IN ('done', 'superseded')"
        " AND day >= (SELECT max(day) FROM reconciliations WHERE connector = '' AND state = 'done') - 1"
        " ORDER BY connector, day DESC) AS last WHERE state = 'superseded'"
    )
    return counted
