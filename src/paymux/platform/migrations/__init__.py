"""Migrations: forwards only, plain SQL in `sql/`, run by Alembic under an advisory lock."""

from __future__ import annotations

from pathlib import Path

import asyncpg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

_HERE = Path(__file__).parent
_LOCK = 7_296_689_150_331


class NewerDatabase(Exception):
    """The database's schema is newer than this version knows."""


def _script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def _run(connection: Connection) -> str:
    script = _script()
    head = script.get_current_head() or ""

    def up(revision: object, context: object) -> object:
        known = {item.revision for item in script.walk_revisions()}
        for one in revision if isinstance(revision, tuple) else (revision,):
            if one and one not in known:
                raise NewerDatabase(
                    f"The database is at revision {one}, which this version does not know; upgrade paymux."
                )
        return script._upgrade_revs("head", revision)  # type: ignore[arg-type]

    config = Config()
    with EnvironmentContext(config, script, fn=up) as environment:
        environment.configure(connection=connection, version_table="schema_revision", transactional_ddl=True)
        with environment.begin_transaction():
            environment.run_migrations()
    return head


async def upgrade(url: str) -> str:
    """Bring a database to this version's schema; the revision reached. Raises NewerDatabase."""
    engine = create_async_engine(
        "postgresql+asyncpg://", poolclass=NullPool, async_creator=lambda: asyncpg.connect(url, timeout=30)
    )
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
            try:
                revision = await connection.run_sync(_run)
                await connection.commit()
            finally:
                await connection.rollback()
                await connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))
            return revision
    finally:
        await engine.dispose()


def run_sql(connection: Connection, sql: str) -> None:
    """Run several statements as they stand, in the migration's own transaction."""
    raw = connection.connection
    raw.dbapi_connection.run_async(lambda driver: driver.execute(sql))  # type: ignore[union-attr]


def sql_file(name: str) -> str:
    """The text of a file in `sql/`."""
    return (_HERE / "sql" / name).read_text(encoding="utf-8")
