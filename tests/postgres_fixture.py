"""A real PostgreSQL for the tests: one server per session (and per xdist worker), a fresh database per test.

Use it by `pytest_plugins = ["tests.postgres_fixture"]` in `tests/conftest.py`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from paymux.platform.migrations import upgrade
from paymux.platform.postgres import EmbeddedPostgres

_TEMPLATE = "migrated"
_numbers = itertools.count(1)


def migrate(url: str) -> str:
    """Migrate from synchronous code, whatever event loop the tests have: in a loop and a thread of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(upgrade(url))).result()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The session's own server, started and stopped by paymux's own supervisor."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("paymux"))
    server.start()
    try:
        yield server
    finally:
        server.delete()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: EmbeddedPostgres) -> str:
    """The name of a migrated database that nobody is connected to: what the tests' databases are copied from."""
    migrate(postgres_server.create_database(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def empty_database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a database without any table, gone after the test."""
    yield from _lent(postgres_server, "template1")


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """The URL of a fresh migrated database, gone after the test."""
    yield from _lent(postgres_server, migrated_template)


def _lent(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    yield server.create_database(name, template)
    server.drop_database(name)
