"""Migrations: forwards only, plain SQL in `sql/`, run by Alembic in one transaction behind an advisory lock."""

from __future__ import annotations

from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

HERE = Path(__file__).parent
REVISION_TABLE = "schema_revision"
_LOCK = 7_296_689_150_331


class NewerDatabase(Exception):
    """The database was migrated by a later version of paymux than this one."""


async def upgrade(url: str) -> str:
    """Bring a database to this version's schema, all of it or nothing; the revision reached.

    Safe to run twice and from several machines at once: the second waits for the first. Raises NewerDatabase.
    """
    engine = create_async_engine(
        "postgresql+asyncpg://", poolclass=NullPool, async_creator=lambda: asyncpg.connect(url, timeout=30)
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            return await connection.run_sync(_upgrade)
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


def _upgrade(connection: Connection) -> str:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    at = MigrationContext.configure(connection, opts={"version_table": REVISION_TABLE}).get_current_heads()
    if unknown := sorted(set(at) - known):
        raise NewerDatabase(
            f"The database is at revision {', '.join(unknown)}, which this version of paymux does not know: it was "
            "upgraded by a later version, so run that one. Migrations go forwards only."
        )
    command.upgrade(config, "head")
    return script.get_current_head() or ""
