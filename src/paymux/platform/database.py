"""PostgreSQL through asyncpg: one pool per process, transactions with an explicit beginning and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeAlias

import asyncpg
import simplejson

Connection: TypeAlias = Any
"""An asyncpg connection of the pool. asyncpg publishes no types that mypy can read."""
Record: TypeAlias = Any


IDLE_LIFE = 60.0
"""Seconds until a connection that nobody uses is closed: each costs the server about 5 MB."""


class DatabaseUnavailable(Exception):
    """PostgreSQL can't be reached or has no free connection: the caller answers 503 and nothing was written."""


def to_json(value: object) -> str:
    """JSON text in which decimals stay exact numbers."""
    return simplejson.dumps(value, use_decimal=True, separators=(",", ":"), ensure_ascii=False)


def from_json(text: str | bytes) -> Any:
    """The value of a JSON text, numbers with a point as decimals."""
    return simplejson.loads(text, parse_float=Decimal)


async def _prepare(connection: asyncpg.Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=to_json, decoder=from_json, schema="pg_catalog")


async def _as_it_is(connection: asyncpg.Connection) -> None:
    """asyncpg ends an open transaction by itself. Nothing here changes a session, so that nothing else is to be undone."""


class Database:
    """The pool of a process. SQL lives in the `store.py` of the room that owns the table, nowhere else."""

    def __init__(self, pool: asyncpg.Pool, acquire_timeout: float = 10.0) -> None:
        self.pool = pool
        self._acquire_timeout = acquire_timeout

    @classmethod
    async def connect(cls, url: str, size: int = 10, acquire_timeout: float = 10.0) -> Database:
        """Open the pool. Raises DatabaseUnavailable."""
        try:
            pool = await asyncpg.create_pool(
                url, min_size=1, max_size=size, init=_prepare, reset=_as_it_is, command_timeout=30,
                max_inactive_connection_lifetime=IDLE_LIFE, server_settings={"jit": "off"},
            )  # fmt: skip
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
            raise DatabaseUnavailable(str(fault)) from fault
        return cls(pool, acquire_timeout)

    async def close(self) -> None:
        """Close the pool; connections still busy after five seconds are cut."""
        try:
            await asyncio.wait_for(self.pool.close(), 5)
        except TimeoutError:
            self.pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection outside a transaction. Raises DatabaseUnavailable."""
        try:
            held = await self.pool.acquire(timeout=self._acquire_timeout)
        except (OSError, TimeoutError, asyncpg.PostgresError) as fault:
            # Whatever the server says no with before a connection is there, nothing was done.
            raise DatabaseUnavailable("no database connection") from fault
        except asyncpg.InterfaceError as fault:
            raise DatabaseUnavailable(str(fault)) from fault
        try:
            yield held
        except (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.CannotConnectNowError) as fault:
            raise DatabaseUnavailable("the database went away") from fault
        except asyncpg.InterfaceError as fault:
            if held.is_closed():
                raise DatabaseUnavailable("the database went away") from fault
            raise
        finally:
            await self.pool.release(held)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction: committed at the end, rolled back on any exception. Never held across a provider call."""
        async with self.connection() as held, held.transaction():
            yield held
