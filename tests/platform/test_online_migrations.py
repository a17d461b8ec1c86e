"""Migrations are taken while the version before goes on working: none locks orders out, rewrites a table or takes away."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from paymux.platform.database import Servers
from paymux.platform.migrations import HERE, indexes, known_revisions, steps, upgrade
from paymux.platform.postgres import EmbeddedPostgres

# The first two made the tables, before anybody had any.
LATER = known_revisions()[2:]

# What a step may do is listed, and nothing else may be done: whatever is forgotten here is refused. Every table that the
# step did not make itself counts as large.
_TYPE = (
    r"(text|smallint|integer|bigint|boolean|bytea|jsonb|date|timestamptz|interval|uuid|numeric( ?\(\d+(, ?\d+)?\))?)"
    r"( ?\[\])?"
)
_CONSTANT = r"(-?\d+(\.\d+)?|true|false|'…'(::\w+)?)"
_TABLE = r"(?:public\.)?(?P<table>\w+)"
_NEW_TABLE = re.compile(rf"CREATE TABLE {_TABLE} ?\(.*\)", re.I)
_NEW_INDEX = re.compile(rf"CREATE (UNIQUE )?INDEX (\w+ )?ON {_TABLE} ?\(.*", re.I)
_ALTER = re.compile(rf"ALTER TABLE (IF EXISTS )?(ONLY )?{_TABLE} (?P<actions>.+)", re.I)
_DONE_AT_ONCE = re.compile(r"CREATE (OR REPLACE )?(FUNCTION|(CONSTRAINT )?TRIGGER) .*|DROP TRIGGER \w+ ON [\w.]+", re.I)
# Old rows and the version before fill the column with nothing, or with what the catalogue keeps once for all of them.
_NEW_COLUMN = re.compile(
    rf"ADD (COLUMN )?(IF NOT EXISTS )?(?!(CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE) )\w+ {_TYPE}"
    rf"( NULL| DEFAULT NULL|( NOT NULL)? DEFAULT {_CONSTANT}| DEFAULT {_CONSTANT} NOT NULL)?",
    re.I,
)
_NEW_CONSTRAINT = re.compile(r"ADD CONSTRAINT \w+ (CHECK|FOREIGN KEY) ?\(.*\).* NOT VALID", re.I)
# Held for a moment as by a new trigger, and only this way: a guard may be made to fire always, and not to fire no more.
_GUARD = re.compile(r"ENABLE ALWAYS TRIGGER \w+", re.I)
_VALIDATION = re.compile(r"VALIDATE CONSTRAINT \w+", re.I)
_PIECE = re.compile(
    r"""--[^\n]*|/\*.*?\*/|(?P<text>\bE'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')|(?P<tag>\$\w*\$).*?(?P=tag)|"(?P<name>\w+)"|.""",
    re.S | re.I,
)


def statements(sql: str) -> list[str]:
    """The statements of a file on a line each, without comments; a text stands as '…', a function's body as $$."""

    def piece(hit: re.Match[str]) -> str:
        if hit["text"] or hit["tag"]:
            return "'…'" if hit["text"] else "$$"
        return hit["name"] or ("" if hit[0].startswith(("--", "/*")) else hit[0])

    plain = _PIECE.sub(piece, sql)
    return [one for part in plain.split(";") if (one := re.sub(r"\s+", " ", part).strip())]


def _apart(actions: str) -> list[str]:
    """What stands between the commas that stand in no parentheses."""
    parts, depth = [""], 0
    for letter in actions:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def faults_of(sql: str) -> list[str]:
    """The statements of a migration that are none of those that are done at once while payments go on."""
    found: list[str] = []
    made: set[str] = set()
    locked = False
    for statement in statements(sql):
        if table := _NEW_TABLE.fullmatch(statement):
            made.add(table["table"])
        elif (index := _NEW_INDEX.fullmatch(statement)) and index["table"] not in made:
            found.append(f"locks writers out while it builds, see indexes.py: {statement}")
        elif alter := _ALTER.fullmatch(statement):
            for action in _apart(alter["actions"]):
                if _VALIDATION.fullmatch(action):
                    # Others write while it looks through the table, unless its transaction has locked one before.
                    if locked:
                        found.append(f"looks through a table while one is locked: {statement}")
                elif not any(kind.fullmatch(action) for kind in (_NEW_COLUMN, _NEW_CONSTRAINT, _GUARD)):
                    found.append(f"no change of a table that is done at once: {statement}")
                else:
                    locked = True
        elif _DONE_AT_ONCE.fullmatch(statement):
            locked = locked or "TRIGGER" in statement.upper()
        elif not index:
            found.append(f"not among what a migration may do: {statement}")
    return found


def _files_of(revision: str) -> list[str]:
    """The files of sql/ that a revision runs. It does nothing else."""
    [script] = (HERE / "versions").glob(f"{revision}_*.py")
    text = script.read_text()
    assert "def downgrade" not in text, "migrations go forwards only"
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
    assert called == {"run_sql", "op.get_bind"}, "its statements stand in sql/, where they are looked through"
    return re.findall(r'"(\d{4}_\w+\.sql)"', text)


@pytest.mark.parametrize("revision", LATER)
def test_a_migration_neither_locks_orders_for_long_nor_takes_anything_away(revision: str) -> None:
    files = _files_of(revision)

    assert files
    for file in files:
        assert faults_of((HERE / "sql" / file).read_text()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX orders_x ON orders (status);",
        "CREATE UNIQUE INDEX x ON order_events (order_id);",
        "CREATE INDEX x ON public.orders (status);",
        'CREATE INDEX ON "orders" (status);',
        "CREATE INDEX CONCURRENTLY x ON orders (status);",
        "CREATE TABLE IF NOT EXISTS orders (id text); CREATE INDEX x ON orders (status);",
        "ALTER TABLE orders ALTER COLUMN amount TYPE numeric(30, 4);",
        "ALTER TABLE IF EXISTS orders ALTER amount TYPE text;",
        "ALTER TABLE operations ADD COLUMN tries integer NOT NULL;",
        "ALTER TABLE operations ADD tries integer NOT NULL, ADD more text;",
        "ALTER TABLE operations ADD more text, ADD tries integer NOT NULL;",
        "ALTER TABLE operations ADD COLUMN tries integer NOT NULL DEFAULT NULL;",
        "ALTER TABLE operations ADD COLUMN tries serial;",
        "ALTER TABLE orders ADD COLUMN x uuid DEFAULT gen_random_uuid();",
        "ALTER TABLE orders ADD COLUMN x text UNIQUE;",
        "ALTER TABLE orders ADD COLUMN x text REFERENCES merchants (id);",
        "ALTER TABLE orders ADD COLUMN x numeric GENERATED ALWAYS AS (amount * 2) STORED;",
        "ALTER TABLE orders ADD CONSTRAINT x CHECK (amount > 0);",
        "ALTER TABLE orders ADD CONSTRAINT x CHECK (amount > 0) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT x;",
        "DROP TRIGGER t ON orders; ALTER TABLE orders VALIDATE CONSTRAINT x;",
        "ALTER TABLE orders ADD CONSTRAINT x CHECK (status <> ') NOT VALID');",
        "ALTER TABLE orders ADD CONSTRAINT x UNIQUE (session);",
        "ALTER TABLE orders ADD UNIQUE (session);",
        "ALTER TABLE orders ADD CHECK (amount > 0);",
        "ALTER TABLE operations ADD PRIMARY KEY (id);",
        "ALTER TABLE orders ADD FOREIGN KEY (account_id) REFERENCES provider_accounts (id);",
        "ALTER TABLE orders ALTER status SET NOT NULL;",
        "ALTER TABLE orders DROP x;",
        "ALTER TABLE orders DROP COLUMN x;",
        "ALTER TABLE orders SET UNLOGGED;",
        "ALTER TABLE order_events DISABLE TRIGGER append_only;",
        "ALTER TABLE order_events ENABLE TRIGGER append_only;",
        "ALTER TABLE order_events ENABLE REPLICA TRIGGER append_only;",
        "ALTER TABLE order_events ENABLE ALWAYS TRIGGER append_only; ALTER TABLE orders VALIDATE CONSTRAINT x;",
        "ALTER TABLE merchants RENAME COLUMN name TO title;",
        "DROP TABLE channels;",
        "DROP INDEX orders_by_session;",
        "UPDATE orders SET surcharge = 0;",
        "UPDATE orders SET surcharge = 0 WHERE surcharge IS NULL",
        "DO $$ BEGIN UPDATE orders SET surcharge = 0; END $$;",
        "DO $x$ BEGIN UPDATE orders SET surcharge = 0; END $x$;",
        "CREATE FUNCTION f() RETURNS void AS $$ UPDATE orders SET surcharge = 0 $$ LANGUAGE sql; SELECT f();",
        "WITH gone AS (DELETE FROM order_events) SELECT 1;",
        "REINDEX TABLE orders;",
        "TRUNCATE provider_events;",
        "LOCK TABLE orders;",
        "VACUUM FULL orders;",
        "CLUSTER orders USING orders_pkey;",
    ],
)
def test_the_lint_finds_what_would_stop_payments(sql: str) -> None:
    assert faults_of(sql) != []


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE fresh (id text PRIMARY KEY); CREATE INDEX fresh_x ON fresh (id);",
        "ALTER TABLE orders ADD COLUMN note text;",
        "ALTER TABLE idempotency_keys ADD COLUMN answer bytea, ADD kind text DEFAULT 'a,(b';",
        "ALTER TABLE orders ADD COLUMN tries integer NOT NULL DEFAULT 0; -- UPDATE orders; not now",
        "ALTER TABLE orders ADD COLUMN state jsonb DEFAULT '{}'::jsonb NOT NULL, ADD fee numeric(20, 4);",
        "ALTER TABLE orders ADD CONSTRAINT x CHECK (amount > 0 AND (fee IS NULL OR fee > 0)) NOT VALID;",
        "ALTER TABLE orders ADD CONSTRAINT x FOREIGN KEY (account_id) REFERENCES provider_accounts (id) NOT VALID;",
        "ALTER TABLE orders VALIDATE CONSTRAINT x;",
        "ALTER TABLE order_events ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER append_only_but_erasure;",
        "CREATE OR REPLACE FUNCTION f() RETURNS trigger AS $$ BEGIN UPDATE x SET y = 1; RETURN NEW; END $$ LANGUAGE plpgsql;",
        "DROP TRIGGER t ON orders; CREATE TRIGGER t BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION f();",
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
    await steps.take(Servers(empty), known_revisions()[1])
    connection = await asyncpg.connect(empty)
    try:
        for revision in LATER:
            before = await _files(connection)
            await steps.take(Servers(empty), revision)
            after = await _files(connection)
            assert {name: after.get(name) for name in before} == before, revision
    finally:
        await connection.close()


@asynccontextmanager
async def _upgrading_behind(url: str, statement: str) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
    """An upgrade that waits for whoever did `statement` in an open transaction: his connection, and another's.

    At the end it must still wait, and be done once he commits.
    """
    busy, other = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        await busy.execute(f"BEGIN; {statement}")
        upgrading = asyncio.create_task(upgrade(url))
        while not await other.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            assert not upgrading.done()
            await asyncio.sleep(0.01)
        yield busy, other
        assert not upgrading.done()
        await busy.execute("COMMIT")
        assert await asyncio.wait_for(upgrading, 60) == known_revisions()[-1]
    finally:
        await busy.close()
        await other.close()


async def test_a_migration_that_does_not_get_its_table_gives_way_to_writers_and_comes_again(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await steps.take(Servers(empty), "0002")
    monkeypatch.setattr(steps, "LOCK_WAIT", 0.2)
    monkeypatch.setattr(steps, "_PAUSE", 0.2)
    async with _upgrading_behind(empty, "LOCK TABLE order_events IN ROW EXCLUSIVE MODE") as (_, other):
        # Whoever comes now queues behind the migration, and only for as long as that one waits.
        await other.execute("DELETE FROM order_events", timeout=10)


async def test_a_migration_of_two_tables_gives_way_before_it_is_a_deadlock_with_who_uses_both(empty: str) -> None:
    await steps.take(Servers(empty), "0007")
    async with _upgrading_behind(empty, "SELECT FROM operations") as (busy, _):
        # The migration has the orders and waits for the operations; who has these wants the orders.
        await busy.execute("SELECT FROM orders", timeout=30)


async def test_indexes_on_large_tables_are_built_online_and_built_again_when_that_was_cut_short(empty: str) -> None:
    await upgrade(empty)
    connection = await asyncpg.connect(empty)
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'provider_events_of_order'::regclass"
    try:
        assert await connection.fetchval(valid)
        await connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'provider_events_of_order'::regclass"
        )
        await asyncio.gather(*(indexes.build(Servers(empty)) for _ in range(3)))
        assert await connection.fetchval(valid)
    finally:
        await connection.close()
