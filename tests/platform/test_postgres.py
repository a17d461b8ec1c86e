"""The embedded PostgreSQL: how it starts, survives and stops. As root and, where the tests run as root, as a plain user."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from paymux.platform import postgres
from paymux.platform.postgres import EmbeddedPostgres, PostgresFailed

_PARENT = """
import os, pwd, sys
from pathlib import Path
from paymux.platform import postgres, postgres_binaries
from paymux.platform.postgres import EmbeddedPostgres
if len(sys.argv) > 2:  # this Python and its packages may be root's alone
    sys.path.insert(0, str(postgres_binaries.readable_copy(postgres.SHELF).parent.parent))
    entry = pwd.getpwnam(sys.argv[2])
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), server.pid, flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    embedded = EmbeddedPostgres(home)
    yield embedded
    embedded.delete()


def _value(url: str, query: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    with asyncio.Runner() as runner:
        return runner.run(ask())


def _parent(home: Path, *user: str) -> tuple[subprocess.Popen[str], str, int]:
    """Another process with an embedded server of its own: the process, the server's URL and its process id."""
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(home), *user], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    url, _, pid = parent.stdout.readline().strip().rpartition(" ")
    return parent, url, int(pid)


def _wait_for_the_end_of(pid: int) -> None:
    ends = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < ends, "the server outlived its parent"
        time.sleep(0.01)


def test_it_answers_over_a_socket_alone_and_commits_durably(server: EmbeddedPostgres) -> None:
    url = server.start()

    assert _value(url, "SELECT current_database()") == "paymux"
    assert _value(url, "SHOW listen_addresses") == ""
    assert _value(url, "SHOW server_encoding") == "UTF8"
    assert (_value(url, "SHOW fsync"), _value(url, "SHOW synchronous_commit")) == ("on", "on")
    assert _value(url, "SELECT upper('å')") == "Å"


def test_what_was_committed_is_there_after_a_stop_and_a_start(server: EmbeddedPostgres) -> None:
    _value(server.start(), "CREATE TABLE kept AS SELECT 7 AS amount")
    pid = server.pid
    server.stop()
    assert pid is not None
    assert not psutil.pid_exists(pid)

    assert _value(server.start(), "SELECT amount FROM kept") == 7


def test_a_killed_server_starts_again_on_its_data(server: EmbeddedPostgres) -> None:
    _value(server.start(), "CREATE TABLE kept AS SELECT 7 AS amount")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)

    assert _value(server.start(), "SELECT amount FROM kept") == 7


def test_a_server_does_not_outlive_a_killed_parent_and_its_data_is_free_at_once(
    server: EmbeddedPostgres, home: Path
) -> None:
    for _ in range(3):
        parent, url, pid = _parent(home)
        _value(url, "CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS amount")
        parent.kill()
        parent.communicate()

        parent, url, successor = _parent(home)
        assert _value(url, "SELECT amount FROM kept") == 7
        _wait_for_the_end_of(pid)
        parent.communicate("")
        assert not psutil.pid_exists(successor)
    server.start()


def test_parent_and_server_killed_together_lose_nothing_committed(server: EmbeddedPostgres, home: Path) -> None:
    parent, url, pid = _parent(home)
    _value(url, "CREATE TABLE kept AS SELECT 7 AS amount")
    os.kill(pid, signal.SIGKILL)
    parent.kill()
    parent.communicate()

    assert _value(server.start(), "SELECT amount FROM kept") == 7


def test_a_recycled_process_id_in_the_old_lock_file_does_not_hinder_a_start(
    server: EmbeddedPostgres, home: Path
) -> None:
    server.start()
    lock = home / "postgres" / "data" / "postmaster.pid"
    lines = lock.read_text().splitlines()
    server.stop()
    lines[0] = "1"  # alive, and no PostgreSQL
    lock.write_text("\n".join(lines) + "\n")

    assert _value(server.start(), "SELECT 1") == 1


def test_an_initdb_cut_short_is_begun_anew(server: EmbeddedPostgres, home: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(home)], stdout=subprocess.PIPE)
    while not list(home.glob("postgres/draft-*/PG_VERSION")):
        assert parent.poll() is None
    parent.kill()
    parent.communicate()
    assert not (home / "postgres" / "data").exists()

    assert _value(server.start(), "SELECT 1") == 1


def test_a_second_paymux_with_the_same_home_is_told_so(server: EmbeddedPostgres, home: Path) -> None:
    url = server.start()

    with pytest.raises(PostgresFailed, match="Another paymux already runs with PAYMUX_HOME"):
        EmbeddedPostgres(home).start()
    assert _value(url, "SELECT 1") == 1


def test_a_server_that_cannot_start_says_why(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(postgres._SETTINGS, "max_connections", "none")

    with pytest.raises(PostgresFailed, match="max_connections"):
        server.start()


def test_a_database_is_copied_and_dropped(server: EmbeddedPostgres) -> None:
    _value(server.start(), "CREATE TABLE kept AS SELECT 7 AS amount")

    copy = server.create_database("copy", "paymux")
    assert _value(copy, "SELECT amount FROM kept") == 7
    server.drop_database("copy")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        _value(copy, "SELECT 1")
    with pytest.raises(ValueError, match="plain"):
        server.create_database('x"; DROP DATABASE paymux; --')


def test_it_works_below_a_long_path(tmp_path: Path) -> None:
    embedded = EmbeddedPostgres(tmp_path / ("long" * 30))
    try:
        assert _value(embedded.start(), "SELECT 1") == 1
    finally:
        embedded.delete()


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    """A folder that `nobody` owns and reaches, as pytest's own ones are root's alone."""
    with tempfile.TemporaryDirectory(prefix="paymux-test-", dir="/tmp") as name:
        shutil.chown(name, "nobody")
        yield Path(name)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


@as_root
def test_root_below_a_private_folder_changes_no_mode_and_the_server_is_not_root(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    embedded = EmbeddedPostgres(private / "home")
    try:
        assert _value(embedded.start(), "SELECT 1") == 1
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert embedded.pid is not None
        running = psutil.Process(embedded.pid)
        nobody = pwd.getpwnam("nobody")
        assert tuple(running.uids()) == (nobody.pw_uid,) * 3
        assert tuple(running.gids()) == (nobody.pw_gid,) * 3
        assert stat.S_IMODE((private / "home" / "postgres" / "data").stat().st_mode) == 0o700
    finally:
        embedded.delete()


@as_root
def test_a_deleted_home_starts_anew_and_a_moved_one_keeps_its_data(tmp_path: Path) -> None:
    first = EmbeddedPostgres(tmp_path / "first")
    _value(first.start(), "CREATE TABLE kept AS SELECT 7 AS amount")
    first.stop()
    moved = EmbeddedPostgres((tmp_path / "first").rename(tmp_path / "second"))
    fresh = EmbeddedPostgres(tmp_path / "first")
    try:
        assert _value(moved.start(), "SELECT amount FROM kept") == 7
        assert _value(fresh.start(), "SELECT to_regclass('kept')::text") is None
    finally:
        moved.delete()
        fresh.delete()


@as_root
def test_a_plain_user_has_everything_in_the_home_and_survives_kills_as_well(
    nobodys_folder: Path,
) -> None:
    home = nobodys_folder / "home"
    parent, url, pid = _parent(home, "nobody")
    assert (home / "postgres" / "data" / "PG_VERSION").is_file()
    assert not (home / "postgres").is_symlink()
    _value(url, "CREATE TABLE kept AS SELECT 7 AS amount")
    os.kill(pid, signal.SIGKILL)
    parent.kill()
    parent.communicate()

    parent, url, pid = _parent(home, "nobody")
    assert _value(url, "SELECT amount FROM kept") == 7
    parent.communicate("")
    assert not psutil.pid_exists(pid)
    with pytest.raises(PostgresFailed, match="not made by root"):
        EmbeddedPostgres(home).start()
