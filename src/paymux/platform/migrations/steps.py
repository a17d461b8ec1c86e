"""The steps from one revision to the next, taken by Alembic on asyncpg."""

from __future__ import annotations

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from paymux.platform.migrations import HERE, REVISION_TABLE, NewerDatabase, known_revisions

_LOCK = 7_296_689_150_331


async def take(url: str) -> None:
    """Take every step that the database lacks, in one transaction, one process at a time. Raises NewerDatabase."""
    engine = create_async_engine(
        "postgresql+asyncpg://", poolclass=NullPool, async_creator=lambda: asyncpg.connect(url, timeout=30)
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await connection.run_sync(_take)
    finally:
        await engine.dispose()


def run_sql(connection: Connection, file: str) -> None:
    """Run a file of `sql/` as it stands, in the migration's own transaction."""
    run_statements(connection, (HERE / "sql" / file).read_text(encoding="utf-8"))


def run_statements(connection: Connection, statements: str) -> None:
    """Run several statements at once, which SQLAlchemy's prepared ones can't."""
    adapted = connection.connection.dbapi_connection
    assert adapted is not None
    adapted.run_async(lambda driver: driver.execute(statements))


def _take(connection: Connection) -> None:
    context = MigrationContext.configure(connection, opts={"version_table": REVISION_TABLE})
    if unknown := sorted(set(context.get_current_heads()) - set(known_revisions())):
        raise NewerDatabase(
            f"The database is at revision {', '.join(unknown)}, which this version of paymux does not know: it was "
            "upgraded by a later version, so run that one. Migrations go forwards only."
        )
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
