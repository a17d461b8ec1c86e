"""PostgreSQL through asyncpg: one pool per process, transactions with an explicit beginning and end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias, TypeVar

import asyncpg
import simplejson

from paymux.platform.database_url import Server, asks_for_a_kind, servers_of

Connection: TypeAlias = Any
"""An asyncpg connection of the pool. asyncpg publishes no types that mypy can read."""
Record: TypeAlias = Any


IDLE_LIFE = 60.0
"""Seconds until a connection that nobody uses is closed: each costs the server about 5 MB."""
PATIENCE = 10.0
"""Seconds that work which has begun waits for a connection, before it is left to whoever takes it over."""
APART_WAIT = 1.5
LONGEST_STATEMENT = 15.0
STATEMENT_PER_WAIT = 3
"""A statement may take so many times as long as its process waits for a connection, but LONGEST_STATEMENT at most."""
TRIES = 4
HEAD_START = 0.25
"""Seconds that the server which let us in last is asked alone, before the others are asked as well."""
ANSWER = 3.0
"""Seconds that one of several servers has to let us in: one whose machine died refuses nothing, it is silent."""
ALONE = 30.0
"""The same for the only one: nobody else could answer in its place, and a busy one is slow."""
BAD_URL = "its URL can't be read; signs such as / # ? and @ in a password are written %2F %23 %3F %40"

T = TypeVar("T")
_NONE_WRITES = asyncpg.TargetServerAttributeNotMatched
"""Of several servers in the URL none takes writes yet: one has died, and the other one is not promoted."""


class DatabaseUnavailable(Exception):
    """PostgreSQL can't be reached or has no free connection. Nothing was written, unless it is a CommitUnknown."""


class CommitUnknown(DatabaseUnavailable):
    """The database was lost behind a COMMIT: what the transaction wrote may be there, or come later, or never.

    A commit that waits for a standby shows up once that is back. Whoever answers for it must not say that nothing was done.
    """


class DatabaseBusy(DatabaseUnavailable):
    """Two transactions stood in each other's way, and this one was rolled back whole: it may be tried again."""


def to_json(value: object) -> str:
    """JSON text in which decimals stay exact numbers."""
    return simplejson.dumps(value, use_decimal=True, separators=(",", ":"), ensure_ascii=False)


def from_json(text: str | bytes) -> Any:
    """The value of a JSON text, numbers with a point as decimals.

    What JSON can write and nothing of ours can keep, NUL and half a surrogate pair, is U+FFFD: a provider that cuts a name
    in the middle of a letter must not keep a payment from being decided.
    """
    value = simplejson.loads(text, parse_float=_decimal)
    # Whoever writes one of these has to escape it.
    return _kept(value) if (b"\\u" if isinstance(text, bytes) else "\\u") in text else value  # type: ignore[operator]


_NOT_KEPT = re.compile("[\0\ud800-\udfff]")


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return _NOT_KEPT.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_kept(name): _kept(part) for name, part in value.items()}
    return [_kept(part) for part in value] if isinstance(value, list) else value


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as fault:  # an exponent that no decimal has
        raise ValueError(f"{text[:40]} is no number") from fault


class Servers:
    """The servers that a URL names, and which of them let us in last. Every connection to the database is made here.

    asyncpg asks several one after the other, and one that is silent keeps it from all behind it. Here the last one is asked
    first, and a moment later all the others beside it: the first that takes writes has us, also where the URL says nothing of
    `target_session_attrs`. Raises DatabaseUnavailable for a URL that can't be read.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            self._all = servers_of(url)
        except ValueError:
            # What can't be read is quoted, and it may be a part of the password.
            raise DatabaseUnavailable(BAD_URL) from None
        self._last = self._all[0] if self._all else None
        self._kind = {} if asks_for_a_kind(url) else {"target_session_attrs": "read-write"}

    async def connect(self, _url: str | None = None, **how: Any) -> Connection:
        """Connect, `how` as asyncpg's own `connect` understands it. Raises DatabaseUnavailable, which says why."""
        if self._last is None or len(self._all) == 1:
            return await _let_in(self._url, ALONE, **how)
        asked = {self._ask(self._last, how): self._last}
        waiting, said, won = set(asked), dict.fromkeys(self._all, ""), None
        ahead: float | None = HEAD_START
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, timeout=ahead, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    try:
                        connection = task.result()
                    except DatabaseUnavailable as fault:
                        said[asked[task]] = str(fault)
                    else:
                        won, self._last = task, asked[task]
                        return connection
                if ahead is not None:
                    ahead = None
                    beside = {self._ask(one, how): one for one in said if one not in asked.values()}
                    asked, waiting = asked | beside, waiting | set(beside)
        finally:
            for task in asked:
                if task is not won:
                    task.cancel()
                    task.add_done_callback(_hang_up)
        raise DatabaseUnavailable("; ".join(f"{server} {why}" for server, why in said.items()))

    def _ask(self, server: Server, how: dict[str, Any]) -> asyncio.Task[Connection]:
        asking = {"host": server.host, "port": server.port, **self._kind, **how}
        return asyncio.create_task(_let_in(self._url, ANSWER, **asking))


async def _let_in(url: str, seconds: float, **how: Any) -> Connection:
    try:
        return await asyncpg.connect(url, timeout=seconds, **how)
    except _NONE_WRITES as fault:
        raise DatabaseUnavailable("takes no writes, or is not what target_session_attrs asks for") from fault
    except TimeoutError as fault:
        raise DatabaseUnavailable(str(fault) or f"has not answered in {seconds:g} seconds") from fault
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        raise DatabaseUnavailable(str(fault) or type(fault).__name__) from fault
    except ValueError:
        raise DatabaseUnavailable(BAD_URL) from None


def _hang_up(asked: asyncio.Task[Connection]) -> None:
    """What becomes of those who were asked in vain: one that lets us in late is left again."""
    if not asked.cancelled() and asked.exception() is None:
        asked.result().terminate()


async def _prepare(connection: asyncpg.Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=to_json, decoder=from_json, schema="pg_catalog")


async def _as_it_is(connection: asyncpg.Connection) -> None:
    """asyncpg ends an open transaction by itself. Nothing here changes a session, so that nothing else is to be undone."""


class Database:
    """The pool of a process. SQL lives in the `store.py` of the room that owns the table, nowhere else.

    `acquire_timeout` is how many seconds a caller waits for a free connection; `waiting` tells how many do right now.
    """

    def __init__(
        self, pool: asyncpg.Pool, acquire_timeout: float = PATIENCE, spare: asyncpg.Pool | None = None
    ) -> None:
        self.pool, self.waiting = pool, 0
        self._acquire_timeout, self._spare = acquire_timeout, spare

    @classmethod
    async def connect(cls, url: str, size: int = 10, acquire_timeout: float = PATIENCE) -> Database:
        """Open the pool. Raises DatabaseUnavailable."""
        longest = min(LONGEST_STATEMENT, acquire_timeout * STATEMENT_PER_WAIT)

        servers = Servers(url)

        def pool(least: int, most: int) -> asyncpg.Pool:
            return asyncpg.create_pool(
                connect=servers.connect, min_size=least, max_size=most, init=_prepare, reset=_as_it_is,
                command_timeout=longest, max_inactive_connection_lifetime=IDLE_LIFE, server_settings={"jit": "off"},
            )  # fmt: skip

        try:
            return cls(await pool(1, size), acquire_timeout, await pool(0, 1))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
            raise DatabaseUnavailable(str(fault) or "it let us in, and then has not answered") from fault

    async def close(self) -> None:
        """Close the pools; connections still busy after five seconds are cut."""
        for pool in (self.pool, self._spare):
            if pool is None:
                continue
            try:
                await asyncio.wait_for(pool.close(), 5)
            except TimeoutError:
                pool.terminate()

    @asynccontextmanager
    async def connection(self, *, patient: bool = False) -> AsyncIterator[Connection]:
        """A connection outside a transaction. Raises DatabaseUnavailable.

        `patient` is for work that has begun and had better end: it waits PATIENCE seconds for a connection.
        """
        self.waiting += 1
        try:
            held = await _acquired(self.pool, PATIENCE if patient else self._acquire_timeout)
        finally:
            self.waiting -= 1
        async with _held(self.pool, held):
            yield held

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[Connection]:
        """A connection beside the pool, which no crowd can take away: to say how the process is. One at a time."""
        pool = self._spare or self.pool
        held = await _acquired(pool, APART_WAIT)
        async with _held(pool, held):
            yield held

    @asynccontextmanager
    async def transaction(self, *, patient: bool = False) -> AsyncIterator[Connection]:
        """A transaction: committed at the end, rolled back on any exception. Never held across a provider call.

        Raises DatabaseUnavailable, and from its COMMIT on CommitUnknown, of a transaction that only read as well: here
        nobody knows which it was. What only reads needs no transaction, and takes a `connection`.
        """
        committing = False
        try:
            async with self.connection(patient=patient) as held, held.transaction():
                yield held
                # A connection that is known to be lost by now takes no COMMIT any more: its server rolls back.
                committing = not _lost(held)
        except DatabaseBusy:
            raise  # the server's own answer to a COMMIT, too: it rolled back
        except (DatabaseUnavailable, OSError) as fault:
            if not committing:
                raise
            raise CommitUnknown(f"{fault or type(fault).__name__}, and whether it committed is unknown") from fault

    async def decided(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do `work` in a transaction, and once more in a new one when it stood in another's way; patiently.

        `work` may be called up to TRIES times, so it changes nothing but through its connection, and calls nobody. It is
        repeated only where the server itself said that it rolled back (DatabaseBusy). After a COMMIT that may have happened it
        never is: a claim would be made a second time, or be refused by its own unique reference as if it were another's, and
        an amount would count twice. Who then asks again with the same reference finds what is there, or makes it.
        Raises DatabaseUnavailable, CommitUnknown.
        """
        for left in reversed(range(TRIES)):
            try:
                async with self.transaction(patient=True) as tx:
                    return await work(tx)
            except DatabaseBusy:
                if not left:
                    raise
                await asyncio.sleep(random.uniform(0.0, 0.05))
        raise AssertionError("unreachable")


async def _acquired(pool: asyncpg.Pool, seconds: float) -> Connection:
    try:
        return await pool.acquire(timeout=seconds)
    except (OSError, asyncpg.PostgresError) as fault:
        # Whatever the server says no with before a connection is there, nothing was done.
        raise DatabaseUnavailable("no database connection") from fault
    except asyncpg.InterfaceError as fault:
        raise DatabaseUnavailable(str(fault)) from fault


def _lost(held: Connection) -> bool:
    try:
        return bool(held.is_closed())
    except asyncpg.InterfaceError:
        return True  # the pool has taken back a connection that died in our hands, and answers nothing for it


@asynccontextmanager
async def _held(pool: asyncpg.Pool, held: Connection) -> AsyncIterator[None]:
    """Give a connection back, and say in our own words when it was the database that failed."""
    try:
        yield
    except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.InvalidCachedStatementError) as fault:
        # The last of these: an upgrade has changed the table meanwhile, and whoever asks again asks anew.
        raise DatabaseBusy(type(fault).__name__) from fault
    except (
        asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError,
        ConnectionError,
    ) as fault:  # fmt: skip
        raise DatabaseUnavailable("the database went away") from fault
    except TimeoutError as fault:
        if not _lost(held):
            held.terminate()  # what it may still be doing is of no use to anybody, and the next one must not wait for it
        raise DatabaseUnavailable("the database does not answer") from fault
    except asyncpg.InterfaceError as fault:
        if _lost(held):
            raise DatabaseUnavailable("the database went away") from fault
        raise
    finally:
        # A connection that can't even be given back is cut by the pool itself.
        with contextlib.suppress(TimeoutError, ConnectionError):
            await pool.release(held)
