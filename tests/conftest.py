"""Fixtures: a PostgreSQL per test process, a whole installation per module, and the people of the stories."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from paymux.platform import jobs
from paymux.platform.identifiers import new_id
from paymux.platform.migrations import upgrade
from paymux.platform.postgres import EmbeddedPostgres
from tests.installation import Installation, Merchant, Shopper

Eventually = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


@pytest.fixture(scope="session", autouse=True)
def looks_often() -> Iterator[None]:
    """The library of the queue may miss a notice while it hands out jobs; a story does not wait for the next look."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "NOTICE", timedelta(milliseconds=100))
        yield


async def _write_without_the_disk(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("ALTER SYSTEM SET fsync = off")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One embedded server for this test process. What is proved of crashes is proved on servers of the proofs' own."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    try:
        asyncio.run(_write_without_the_disk(server.url("postgres")))
        asyncio.run(upgrade(server.url("paymux")))
        yield server
    finally:
        server.delete()  # as root its data lies outside of the folders that pytest tidies


@pytest.fixture(scope="session")
async def new_database(postgres_server: EmbeddedPostgres) -> Callable[[], Awaitable[str]]:
    """Makes a fresh migrated database: `url = await new_database()`."""

    async def make() -> str:
        name = new_id("test")
        connection = await asyncpg.connect(postgres_server.url("postgres"))
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE paymux")
        finally:
            await connection.close()
        return postgres_server.url(name)

    return make


@pytest.fixture
async def database_url(new_database: Callable[[], Awaitable[str]]) -> str:
    """A fresh migrated database."""
    return await new_database()


@pytest.fixture(scope="module")
async def installation(
    request: pytest.FixtureRequest,
    new_database: Callable[[], Awaitable[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Installation]:
    """A whole installation, shared by a module's tests; they tell their orders apart by reference.

    A module says in `LIMITS` which settings it wants otherwise: long time-outs, where none is to strike.
    """
    limits = getattr(request.module, "LIMITS", {})
    running = Installation(tmp_path_factory.mktemp("home"), await new_database(), **limits)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def merchant(installation: Installation) -> Merchant:
    return installation.merchant


@pytest.fixture
def shopper(installation: Installation) -> Shopper:
    return Shopper(installation)


@pytest.fixture
def eventually() -> Eventually:
    """Ask until the answer is true, at most 45 seconds: for what jobs bring about."""

    async def ask(question: Callable[[], Awaitable[Any]]) -> Any:
        ends = time.monotonic() + 45
        while not (answer := await question()):
            assert time.monotonic() < ends, "it did not come about"
            await asyncio.sleep(0.05)
        return answer

    return ask


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
