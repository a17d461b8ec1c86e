"""Indexes on tables that may be large: built while everything goes on, outside of any transaction, after the steps.

An index that a step made would lock writers out of its table for as long as it is built. Those of here are looked for at
every upgrade, so that one whose building was cut short is built at the next.
"""

from __future__ import annotations

from paymux.platform.database import Connection, Servers
from paymux.platform.migrations import notes

ONLINE = {
    "deliveries_exhausted": "deliveries (id) WHERE state = 'exhausted'",
    "idempotency_keys_by_age": "idempotency_keys (created_at)",
    "provider_events_of_order": "provider_events (order_id) WHERE order_id IS NOT NULL",
    "provider_events_of_none": "provider_events (account_id, received_at) WHERE order_id IS NULL",
    "provider_events_named": "provider_events USING gin (named) WHERE named IS NOT NULL",
}
_LOCK = 7_296_689_150_332
_LONGEST = 6 * 3600


async def build(servers: Servers) -> None:
    """Build what is missing, one process at a time. Raises DatabaseUnavailable."""
    connection = await servers.connect()
    try:
        if not set(ONLINE) - await _valid(connection):
            return
        while not await connection.fetchval(f"SELECT pg_try_advisory_lock({_LOCK})"):
            # Waiting in one statement would hold a snapshot for which the building process waits in turn.
            await connection.execute("SELECT pg_sleep(0.2)")
        for name in sorted(set(ONLINE) - await _valid(connection)):
            await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}", timeout=_LONGEST)
            await connection.execute(f"CREATE INDEX CONCURRENTLY {name} ON {ONLINE[name]}", timeout=_LONGEST)
            await connection.execute(notes.ENTRY, *notes.entry("database.index_built", index=name))
    finally:
        await connection.close()


async def _valid(connection: Connection) -> set[str]:
    rows = await connection.fetch(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indisvalid AND c.relname = ANY($1)",
        list(ONLINE),
    )
    return {row["relname"] for row in rows}
