"""The steps from one revision to the next, taken by Alembic on asyncpg."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from paymux.platform.database import Servers
from paymux.platform.migrations import HERE, REVISION_TABLE, NewerDatabase, known_revisions, notes

_LOCK = 7_296_689_150_331
LOCK_WAIT = 0.8
"""Seconds that a step waits for a table that others use. Whoever comes after it waits as long, so it is short.

Shorter than PostgreSQL's `deadlock_timeout` of a second: a step that holds one table and waits for another, whose users
wait for the first, gives way before anybody's transaction is ended for it.
"""
LONGEST_STATEMENT = 60.0
"""Seconds that one statement of a step may take: what takes longer is no step to take while payments go on."""
TRIES = 30
_PAUSE = 1.0


async def take(servers: Servers, target: str = "head") -> None:
    """Take every step that the database lacks up to a revision, in one transaction, one process at a time.

    Raises NewerDatabase, DatabaseUnavailable.

    The other processes go on meanwhile: a step that does not get its tables soon gives way to them, and is tried again.
    """
    for left in reversed(range(TRIES)):
        try:
            await _take_all(servers, target)
            return
        except asyncpg.LockNotAvailableError:
            if not left:
                raise
            await asyncio.sleep(_PAUSE)


async def _take_all(servers: Servers, target: str) -> None:
    engine = create_async_engine("postgresql+asyncpg://", poolclass=NullPool, async_creator=servers.connect)
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await connection.execute(text(f"SET LOCAL lock_timeout = {int(LOCK_WAIT * 1000)}"))
            await connection.execute(text(f"SET LOCAL statement_timeout = {int(LONGEST_STATEMENT * 1000)}"))
            await connection.run_sync(_take, target)
    finally:
        await engine.dispose()


def run_sql(connection: Connection, file: str) -> None:
    """Run a file of `sql/` as it stands, in the migration's own transaction."""
    run_statements(connection, (HERE / "sql" / file).read_text(encoding="utf-8"))


def run_statements(connection: Connection, statements: str) -> None:
    """Run several statements at once, which SQLAlchemy's prepared ones can't."""
    _driver(connection).run_async(lambda driver: driver.execute(statements))


def _driver(connection: Connection) -> Any:
    adapted = connection.connection.dbapi_connection
    assert adapted is not None
    return adapted


def _take(connection: Connection, target: str) -> None:
    before = _revision(connection)
    if unknown := sorted(set(before) - set(known_revisions())):
        raise NewerDatabase(
            f"The database is at revision {', '.join(unknown)}, which this version of paymux does not know: it was "
            "upgraded by a later version, so run that one. Migrations go forwards only."
        )
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, target)
    _note(connection, before, _revision(connection))


def _revision(connection: Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection, opts={"version_table": REVISION_TABLE}).get_current_heads()


def _note(connection: Connection, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    """Tell the audit trail, from the revision on that has one."""
    if before == after or not connection.scalar(text("SELECT to_regclass('audit_entries') IS NOT NULL")):
        return
    values = notes.entry("database.upgraded", before=", ".join(before) or None, after=", ".join(after))
    _driver(connection).run_async(lambda driver: driver.execute(notes.ENTRY, *values))
