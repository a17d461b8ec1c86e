"""Of several servers the one that takes writes is found, also when the machine of another has died and is silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from paymux.platform import database as module
from paymux.platform.database import Database, DatabaseUnavailable, Servers
from paymux.platform.database_url import Server, servers_of
from paymux.platform.migrations import known_revisions, upgrade
from paymux.platform.postgres import OWNER, EmbeddedPostgres
from tests.installation import free_port
from tests.platform.machines import Machine, Unheard, url_of
from tests.resilience.servers import Shelf

WAIT = 1.5
"""Seconds that a request waits for a connection: the default of PAYMUX_DATABASE_WAIT."""


@pytest.fixture
async def machine(postgres_server: EmbeddedPostgres) -> AsyncIterator[Machine]:
    """A machine that works."""
    made = Machine(postgres_server.url("paymux"))
    await made.listen()
    yield made
    await made.close()


@pytest.fixture
async def silent(postgres_server: EmbeddedPostgres) -> AsyncIterator[Machine]:
    """A machine that accepts and never answers."""
    made = Machine(postgres_server.url("paymux"), silent=True)
    await made.listen()
    yield made
    await made.close()


@pytest.fixture(params=["accepts and says nothing", "lets nobody connect"])
def dead(request: pytest.FixtureRequest, silent: Machine) -> Iterator[int]:
    """The port of a dead machine."""
    if request.param == "accepts and says nothing":
        yield silent.port
        return
    unheard = Unheard()
    yield unheard.port
    unheard.close()


async def told(database: Database) -> Any:
    async with database.connection() as held:
        return await held.fetchval("SELECT 42")


async def test_a_dead_machine_that_stands_first_keeps_nobody_from_the_second(dead: int, silent: Machine) -> None:
    url = url_of(OWNER, dead, silent.folder, more="&target_session_attrs=read-write")

    async with asyncio.timeout(15):
        database = await Database.connect(url, 6, WAIT)
        try:
            assert await asyncio.gather(*(told(database) for _ in range(18))) == [42] * 18
            async with database.apart() as held:
                assert await held.fetchval("SELECT 43") == 43
        finally:
            await database.close()


async def test_a_database_is_upgraded_although_a_dead_machine_stands_first(
    postgres_server: EmbeddedPostgres, dead: int, silent: Machine
) -> None:
    postgres_server.create_database("behind_the_dead")
    url = url_of(OWNER, dead, silent.folder).replace("/paymux?", "/behind_the_dead?")
    try:
        async with asyncio.timeout(60):
            assert await upgrade(url) == known_revisions()[-1]
    finally:
        postgres_server.drop_database("behind_the_dead")


async def test_who_let_us_in_last_is_asked_first(silent: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await Database.connect(url_of(OWNER, silent.port, silent.folder), 6)
    try:
        before = silent.asked
        # From now on whoever is asked first is asked alone.
        monkeypatch.setattr(module, "HEAD_START", 600.0)
        assert before > 0
        assert await asyncio.gather(*(told(database) for _ in range(18))) == [42] * 18
        assert silent.asked == before
    finally:
        await database.close()


async def test_a_pool_goes_over_to_the_other_machine_when_its_own_dies(machine: Machine) -> None:
    database = await Database.connect(url_of(OWNER, machine.port, machine.folder), 3, 0.5)
    try:
        assert await asyncio.gather(*(told(database) for _ in range(3))) == [42] * 3
        assert machine.asked > 0
        machine.fall_silent()
        lost = 0
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await asyncio.gather(*(told(database) for _ in range(3))) == [42] * 3
                    break
                except DatabaseUnavailable:
                    lost += 1
        assert lost > 0, "nobody noticed: this proves nothing"
    finally:
        await database.close()


@pytest.mark.parametrize("more", ["", "&target_session_attrs=read-write"])
async def test_a_server_that_takes_no_writes_is_passed_over_wherever_it_stands(silent: Machine, more: str) -> None:
    shelf = Shelf()
    try:
        copy = shelf.server("copy")
        copy.init()
        copy.start()
        await copy.value("CREATE DATABASE paymux", "postgres")
        await copy.value("ALTER SYSTEM SET default_transaction_read_only = on")
        await copy.value("SELECT pg_reload_conf()")
        while await copy.value("SHOW default_transaction_read_only") != "on":
            await asyncio.sleep(0.01)
        for ways in ((copy.port, silent.folder), (silent.folder, copy.port), (silent.port, copy.port, silent.folder)):
            connection = await Servers(url_of(OWNER, *ways, more=more)).connect()
            assert await connection.fetchval("SHOW default_transaction_read_only") == "off"
            await connection.close()
        with pytest.raises(
            DatabaseUnavailable, match=rf"^127.0.0.1:{copy.port} takes no writes.*; 127.0.0.1:\d+ .*Errno"
        ):
            await Servers(url_of(OWNER, copy.port, free_port(), more=more)).connect()
    finally:
        shelf.delete()


async def test_where_nobody_answers_it_is_told_of_each_why(silent: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER", 0.3)
    monkeypatch.setattr(module, "ALONE", 0.2)
    nobody = free_port()

    with pytest.raises(DatabaseUnavailable) as found:
        await Database.connect(url_of(OWNER, silent.port, nobody), 2)

    first, second = str(found.value).split("; ")
    assert first == f"127.0.0.1:{silent.port} has not answered in 0.3 seconds"
    assert second.startswith(f"127.0.0.1:{nobody} [Errno 111]")
    for opens in (Database.connect(url_of(OWNER, silent.port), 2), upgrade(url_of(OWNER, silent.port))):
        with pytest.raises(DatabaseUnavailable, match=r"^has not answered in 0\.2 seconds$"):
            await opens


async def test_of_two_that_let_us_in_at_the_same_moment_one_is_left_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in, both, made = module._let_in, asyncio.Event(), []

    async def at_once(*asked: Any, **how: Any) -> Any:
        mine = await let_in(*asked, **how)
        made.append(mine)
        if len(made) == 2:
            both.set()
        await both.wait()
        return mine

    monkeypatch.setattr(module, "_let_in", at_once)
    monkeypatch.setattr(module, "HEAD_START", 0.0)
    given = await Servers(url_of(OWNER, machine.port, machine.folder)).connect()
    await asyncio.sleep(0)
    assert not given.is_closed()
    assert [one.is_closed() for one in made if one is not given] == [True]
    await given.close()


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("postgresql://u:p@db1,db2:6432/d", [("db1", 5432), ("db2", 6432)]),
        ("postgresql://db1:1,[::1]:2,[::2],%2Frun%2Fpg/d", [("db1", 1), ("::1", 2), ("::2", 5432), ("/run/pg", 5432)]),
        ("postgresql:///d?host=db1,/run/pg&port=1,2", [("db1", 1), ("/run/pg", 2)]),
        ("postgresql://u@/d?host=db1,db2:7", [("db1", 5432), ("db2", 7)]),
        ("postgresql:///d?host=db1,db2&port=6432", [("db1", 6432), ("db2", 6432)]),
        ("postgresql://db1/d?host=db2&port=3", [("db1", 5432)]),
        ("postgresql:///d", []),
        ("postgresql:///d?service=ours", []),
    ],
)
def test_a_urls_servers_are_read_as_asyncpg_reads_them(
    url: str, servers: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PGHOST", "PGPORT"):
        monkeypatch.delenv(name, raising=False)
    assert list(servers_of(url)) == [Server(*one) for one in servers]


def test_where_the_url_names_none_the_environments_servers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db1,db2")
    monkeypatch.setenv("PGPORT", "1,2")
    assert servers_of("postgresql:///d") == (Server("db1", 1), Server("db2", 2))
    assert servers_of("postgresql://db3,db4:9/d") == (Server("db3", 1), Server("db4", 9))
