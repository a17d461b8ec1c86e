"""Migrations against a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from paymux.platform.migrations import HERE, NewerDatabase, known_revisions, steps, upgrade
from paymux.platform.postgres import EmbeddedPostgres


@pytest.fixture
def empty(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a database without any table."""
    yield postgres_server.create_database("nothing_yet")
    postgres_server.drop_database("nothing_yet")


async def _value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_an_empty_database_gets_the_core_tables_and_the_job_queue(empty: str) -> None:
    revision = await upgrade(empty)

    assert await _value(empty, "SELECT version_num FROM schema_revision") == revision
    assert await _value(empty, "SELECT count(*) FROM orders") == 0
    assert await _value(empty, "SELECT count(*) FROM pgqueuer") == 0


async def test_a_second_upgrade_changes_nothing(empty: str) -> None:
    first = await upgrade(empty)
    await _run(empty, "CREATE TABLE ours AS SELECT 1 AS kept")

    assert await upgrade(empty) == first
    assert await _value(empty, "SELECT kept FROM ours") == 1


async def test_upgrades_from_several_machines_at_once_wait_for_each_other(empty: str) -> None:
    reached = await asyncio.gather(*(upgrade(empty) for _ in range(4)))

    assert len(set(reached)) == 1
    assert await _value(empty, "SELECT count(*) FROM schema_revision") == 1


async def test_a_failed_migration_leaves_nothing_behind(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = steps.run_statements
    monkeypatch.setattr(steps, "run_statements", lambda connection, sql: run(connection, sql + "; SELECT 1/0"))

    with pytest.raises(asyncpg.DivisionByZeroError):
        await upgrade(empty)
    left = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert await _value(empty, left) == 0


async def test_a_database_of_a_later_version_is_refused_and_left_as_it_is(empty: str) -> None:
    await upgrade(empty)
    await _run(empty, "UPDATE schema_revision SET version_num = '9999'")

    with pytest.raises(NewerDatabase, match=r"revision 9999.*later version"):
        await upgrade(empty)
    assert await _value(empty, "SELECT version_num FROM schema_revision") == "9999"


def test_a_migrations_file_begins_with_its_revision_and_follows_the_one_before() -> None:
    chain = reversed(list(ScriptDirectory(HERE).walk_revisions()))

    assert [revision.revision for revision in chain] == known_revisions()
