"""Migrations: forwards only, plain SQL in `sql/`, run by Alembic in one transaction behind an advisory lock.

They are taken while the version before goes on working: they add, and neither rewrite nor lock for long what orders need.
Indexes on large tables are built online, see `indexes`.

A migration is a file `versions/NNNN_what_it_does.py` whose revision is `NNNN`.
"""

from __future__ import annotations

from pathlib import Path

import asyncpg

from paymux.platform.database import Servers
from paymux.platform.migrations import indexes

HERE = Path(__file__).parent
REVISION_TABLE = "schema_revision"


class NewerDatabase(Exception):
    """The database was migrated by a later version of paymux than this one."""


def known_revisions() -> list[str]:
    """The revisions of this version, oldest first."""
    return sorted(file.name.partition("_")[0] for file in (HERE / "versions").glob("[0-9]*_*.py"))


async def upgrade(url: str) -> str:
    """Bring a database to this version's schema, all of it or nothing; the revision reached.

    Safe to run twice and from several machines at once: the second waits for the first. Raises NewerDatabase, DatabaseUnavailable.
    """
    newest = known_revisions()[-1]
    servers = Servers(url)
    if await _revision(servers) != newest:
        from paymux.platform.migrations.steps import take  # Alembic takes a second to import: only when there is work

        await take(servers)
    await indexes.build(servers)
    return newest


async def _revision(servers: Servers) -> str | None:
    connection = await servers.connect()
    try:
        revision: str | None = await connection.fetchval(f"SELECT version_num FROM {REVISION_TABLE}")  # noqa: S608
        return revision
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()
