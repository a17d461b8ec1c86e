"""A real PostgreSQL for the tests: one server per session (and per xdist worker), a fresh database per test.

`tests/conftest.py` takes these fixtures in by `pytest_plugins = ["tests.postgres_fixture"]` or by importing them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from paymux.platform.identifiers import new_id
from paymux.platform.migrations import upgrade
from paymux.platform.postgres import EmbeddedPostgres

_TEMPLATE = "paymux"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The session's own server, under paymux's own supervisor, with a migrated database to copy the others from."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    url = server.start()
    try:
        with ThreadPoolExecutor(1) as thread:  # its event loop is not the tests' own
            thread.submit(lambda: asyncio.run(upgrade(url))).result()
        yield server
    finally:
        server.delete()


@pytest.fixture(scope="session")
def new_database(postgres_server: EmbeddedPostgres) -> Callable[[], Awaitable[str]]:
    """Makes a fresh migrated database that lasts as long as the session: `url = await new_database()`."""

    async def make() -> str:
        return postgres_server.create_database(new_id("test").lower(), _TEMPLATE)

    return make


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a fresh migrated database, gone after the test."""
    name = new_id("test").lower()
    yield postgres_server.create_database(name, _TEMPLATE)
    postgres_server.drop_database(name)
