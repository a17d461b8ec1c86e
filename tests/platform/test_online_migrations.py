"""Migrations are taken while the version before goes on working: none locks orders out, rewrites a table or takes away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import asyncpg
import pytest

from paymux.platform.migrations import HERE, indexes, known_revisions, steps, upgrade
from paymux.platform.postgres import EmbeddedPostgres

# The first two made the tables, before anybody had any.
LATER = known_revisions()[2:]
LARGE = (
    "orders", "order_events", "operations", "timers", "idempotency_keys", "payment_tokens", "provider_events",
    "outbox_events", "deliveries", "delivery_attempts", "pgqueuer", "pgqueuer_log", "audit_entries", "provider_calls",
)  # fmt: skip
_TABLE = rf"\b({'|'.join(LARGE)})\b"
FORBIDDEN = {
    "builds an index in its transaction: see indexes.py": rf"CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)[^;]*? ON {_TABLE}",
    "changes a column's type, which rewrites": rf"ALTER TABLE (ONLY )?{_TABLE}[^;]*\bTYPE\b",
    "looks through the whole table for NULL": rf"ALTER TABLE (ONLY )?{_TABLE}[^;]*SET NOT NULL",
    "adds a column that old rows and the version before can't fill": (
        rf"ALTER TABLE (ONLY )?{_TABLE}[^;]*ADD (COLUMN )?(?!CONSTRAINT)(?=[^;,]*NOT NULL)(?![^;,]*DEFAULT)"
    ),
    "adds a column whose default is computed per row": rf"ALTER TABLE (ONLY )?{_TABLE}[^;]*DEFAULT [a-z_]*(random|uuid|clock)",
    "checks every row, instead of NOT VALID first": rf"ALTER TABLE (ONLY )?{_TABLE}[^;]*ADD CONSTRAINT(?![^;]*NOT VALID)",
    "takes away what the version before still reads": r"DROP (TABLE|COLUMN|TYPE)|RENAME (TO|COLUMN)",
    "locks a table by name": r"LOCK TABLE",
    "rewrites a table": r"VACUUM FULL|\bCLUSTER\b|SET (UN)?LOGGED",
    "changes every row": rf"UPDATE {_TABLE}(?! WHERE)[^;]*;|DELETE FROM {_TABLE}",  # noqa: S608
}


def faults_of(sql: str) -> list[str]:
    """What a migration's statements do that must not be done while payments go on."""
    plain = re.sub(r"\$\$.*?\$\$", "", re.sub(r"--[^\n]*", "", sql), flags=re.S)
    words = re.sub(r"\s+", " ", plain)
    made = set(re.findall(r"CREATE TABLE (\w+)", words, re.I))
    found = []
    for fault, pattern in FORBIDDEN.items():
        for hit in re.finditer(pattern, words, re.I):
            if not ({*re.findall(_TABLE, hit[0], re.I)} & made):
                found.append(fault)
    return found


@pytest.mark.parametrize("revision", LATER)
def test_a_migration_neither_locks_orders_for_long_nor_takes_anything_away(revision: str) -> None:
    [script] = (HERE / "versions").glob(f"{revision}_*.py")
    text = script.read_text()

    assert "def downgrade" not in text, "migrations go forwards only"
    files = re.findall(r'"(\d{4}_\w+\.sql)"', text)
    assert files, "its statements stand in sql/"
    for file in files:
        assert faults_of((HERE / "sql" / file).read_text()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX orders_x ON orders (status);",
        "CREATE UNIQUE INDEX x ON order_events (order_id);",
        "ALTER TABLE orders ALTER COLUMN amount TYPE numeric(30, 4);",
        "ALTER TABLE operations ADD COLUMN tries integer NOT NULL;",
        "ALTER TABLE operations ADD tries integer NOT NULL, ADD more text;",
        "ALTER TABLE orders ADD COLUMN x uuid DEFAULT gen_random_uuid();",
        "ALTER TABLE orders ADD CONSTRAINT x CHECK (amount > 0);",
        "ALTER TABLE orders ALTER status SET NOT NULL;",
        "ALTER TABLE merchants RENAME COLUMN name TO title;",
        "DROP TABLE channels;",
        "UPDATE orders SET surcharge = 0;",
    ],
)
def test_the_lint_finds_what_would_stop_payments(sql: str) -> None:
    assert faults_of(sql) != []


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE fresh (id text PRIMARY KEY); CREATE INDEX fresh_x ON fresh (id);",
        "ALTER TABLE orders ADD COLUMN note text;",
        "ALTER TABLE orders ADD COLUMN tries integer NOT NULL DEFAULT 0;",
        "ALTER TABLE orders ADD CONSTRAINT x CHECK (amount > 0) NOT VALID;",
    ],
)
def test_the_lint_lets_pass_what_is_done_at_once(sql: str) -> None:
    assert faults_of(sql) == []


@pytest.fixture
def empty(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a database without any table."""
    yield postgres_server.create_database("to_upgrade")
    postgres_server.drop_database("to_upgrade")


async def _files(connection: asyncpg.Connection) -> dict[str, int]:
    rows = await connection.fetch(
        "SELECT relname, relfilenode FROM pg_class WHERE relkind IN ('r', 'i') AND relfilenode > 0"
    )
    return {row["relname"]: row["relfilenode"] for row in rows if not row["relname"].startswith("pg_")}


async def test_no_migration_rewrites_a_table_that_was_there_before(empty: str) -> None:
    await steps.take(empty, known_revisions()[1])
    connection = await asyncpg.connect(empty)
    try:
        for revision in LATER:
            before = await _files(connection)
            await steps.take(empty, revision)
            after = await _files(connection)
            assert {name: after.get(name) for name in before} == before, revision
    finally:
        await connection.close()


async def test_a_migration_that_does_not_get_its_table_gives_way_to_writers_and_comes_again(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await steps.take(empty, "0002")
    monkeypatch.setattr(steps, "LOCK_WAIT", 0.2)
    monkeypatch.setattr(steps, "_PAUSE", 0.2)
    busy, other = await asyncpg.connect(empty), await asyncpg.connect(empty)
    try:
        await busy.execute("BEGIN; LOCK TABLE order_events IN ROW EXCLUSIVE MODE")
        upgrading = asyncio.create_task(upgrade(empty))
        while not await other.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            await asyncio.sleep(0.01)

        # Whoever comes now queues behind the migration, and only for as long as that one waits.
        await other.execute("DELETE FROM order_events", timeout=10)

        assert not upgrading.done()
        await busy.execute("COMMIT")
        assert await asyncio.wait_for(upgrading, 60) == known_revisions()[-1]
    finally:
        await busy.close()
        await other.close()


async def test_indexes_on_large_tables_are_built_online_and_built_again_when_that_was_cut_short(empty: str) -> None:
    await upgrade(empty)
    connection = await asyncpg.connect(empty)
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'provider_events_of_order'::regclass"
    try:
        assert await connection.fetchval(valid)
        await connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'provider_events_of_order'::regclass"
        )
        await asyncio.gather(*(indexes.build(empty) for _ in range(3)))
        assert await connection.fetchval(valid)
    finally:
        await connection.close()
