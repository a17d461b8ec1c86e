"""The version before the last migration and this one work side by side on one database, before, during and after it."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from paymux.platform.migrations import HERE, known_revisions
from paymux.platform.postgres import EmbeddedPostgres
from tests.installation import free_port
from tests.processes import environment_of, run, running, until
from tests.resilience.shop import Shop

ROOT = Path(__file__).parents[2]
VERSIONS = str((HERE / "versions").relative_to(ROOT))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True).stdout


def migrations_at(commit: str) -> list[str]:
    """The names of the migrations that a commit knows, oldest first."""
    listed = git("ls-tree", "--name-only", commit, f"{VERSIONS}/").decode().split()
    return sorted(Path(path).name for path in listed if Path(path).name[:1].isdigit())


def before_the_last_migration() -> str:
    """The last commit whose migrations are the first of ours, and not all of them.

    One whose numbers were given anew later was never a version that anybody's database could come from.
    """
    ours = sorted(file.name for file in (HERE / "versions").glob("[0-9]*_*.py"))
    changed = git("log", "--format=%H", "--", VERSIONS).decode().split()
    for commit in ("HEAD", *(f"{one}^" for one in changed)):
        theirs = migrations_at(commit)
        if theirs and len(theirs) < len(ours) and theirs == ours[: len(theirs)]:
            return commit
    raise AssertionError("no version before the last migration was ever committed")


@dataclass(frozen=True)
class Before:
    """The source of the version before, as it was committed, and the revision that it takes a database to."""

    source: Path
    revision: str


@pytest.fixture
def old(tmp_path: Path) -> Before:
    if not (ROOT / ".git").exists():
        pytest.skip("no history to take the version before from")
    commit = before_the_last_migration()
    with tarfile.open(fileobj=io.BytesIO(git("archive", commit, "src"))) as archive:
        archive.extractall(tmp_path / "old", filter="data")
    return Before(tmp_path / "old" / "src", migrations_at(commit)[-1].partition("_")[0])


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[str]:
    server = EmbeddedPostgres(tmp_path / "server")
    try:
        yield server.start()
    finally:
        server.delete()


async def _value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_the_version_before_goes_on_selling_while_the_database_is_upgraded_and_beside_the_new_one(
    old: Before, database: str, tmp_path: Path
) -> None:
    ports = {"old": free_port(), "new": free_port()}
    shared = {
        "PAYMUX_HOME": str(tmp_path / "home"), "PAYMUX_DATABASE_URL": database,
        "PAYMUX_SANDBOX_PORT": str(free_port()), "PAYMUX_PUBLIC_URL": f"http://127.0.0.1:{ports['old']}",
    }  # fmt: skip
    before = environment_of(**shared, PAYMUX_PORT=str(ports["old"]), PYTHONPATH=str(old.source))
    after = environment_of(**shared, PAYMUX_PORT=str(ports["new"]))
    ours, theirs = Shop(f"http://127.0.0.1:{ports['new']}", "NEW"), Shop(f"http://127.0.0.1:{ports['old']}", "OLD")
    for words in (("db", "upgrade"), ("db", "prepare")):
        ran = run(before, *words)
        assert ran.code == 0, ran.said
    assert await _value(database, "SELECT version_num FROM schema_revision") == old.revision < known_revisions()[-1]

    with running(before, tmp_path, "serve", "worker", "sandbox") as processes:
        await until(f"http://127.0.0.1:{shared['PAYMUX_SANDBOX_PORT']}/healthz", 200, processes["sandbox"])
        await until(f"{theirs.base}/readyz", 200, processes["serve"])
        await theirs.sells()
        stop = asyncio.Event()
        trading = asyncio.create_task(theirs.trades(stop))
        await asyncio.sleep(1)

        upgraded = await asyncio.to_thread(run, after, "db", "upgrade")

        assert upgraded.code == 0, upgraded.said
        assert await _value(database, "SELECT version_num FROM schema_revision") == known_revisions()[-1]
        (tmp_path / "new").mkdir()
        with running(after, tmp_path / "new", "serve", "worker") as ahead:
            await until(f"{ours.base}/readyz", 200, ahead["serve"])
            await asyncio.sleep(1)
            stop.set()
            assert await trading == 0, "the version before could not go on while the database was upgraded"
            by_old, by_new = await theirs.sells(), await ours.sells()
            # Each sees, and goes on with, what the other one did.
            await ours.refunds(by_old, "30")
            await theirs.refunds(by_new, "20")
            assert {await theirs.status(by_new), await ours.status(by_old)} == {"SUCCESSFUL"}
    sold = [*theirs.acknowledged, *ours.acknowledged]
    statuses = await _rows(database)
    assert {reference: statuses[reference] for reference in sold} == dict.fromkeys(sold, "SUCCESSFUL")


async def _rows(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        return {
            row["reference"]: row["status"] for row in await connection.fetch("SELECT reference, status FROM orders")
        }
    finally:
        await connection.close()
