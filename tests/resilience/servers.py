"""PostgreSQL servers on loopback ports, from the embedded programs: to back up, restore, replicate and kill."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from paymux.platform import postgres_binaries
from paymux.platform.parent_death import die_with_parent
from paymux.platform.postgres import OWNER, ROOTS_USER, SHELF
from tests.installation import free_port

COPIER = "paymux_copy"
"""The role that may make copies of a server, as docs/operate.md sets it up."""


class Shelf:
    """A folder that the servers' user may use, with the programs; deleted with all that is in it."""

    def __init__(self) -> None:
        self.user: str | None = None
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root, and its user reaches no folder of root's.
            SHELF.mkdir(parents=True, exist_ok=True)
            SHELF.chmod(0o755)
            self.user, self.binaries = ROOTS_USER, postgres_binaries.readable_copy(SHELF)
            self.folder = Path(tempfile.mkdtemp(prefix="test-", dir=SHELF))
            entry = pwd.getpwnam(ROOTS_USER)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        else:
            self.binaries, self.folder = postgres_binaries.packaged(), Path(tempfile.mkdtemp(prefix="paymux-test-"))
        self.servers: list[Server] = []

    def as_user(self) -> dict[str, Any]:
        """How to start a program as the servers' user."""
        group = pwd.getpwnam(self.user).pw_gid if self.user else None
        return {
            "user": self.user, "group": group, "extra_groups": [] if self.user else None, "cwd": "/",
            "env": {"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ.get("PATH", os.defpath)},
        }  # fmt: skip

    def run(self, program: str, *arguments: str | Path) -> str:
        """Run one of PostgreSQL's programs to its end; what it printed."""
        words = [str(self.binaries / "bin" / program), *map(str, arguments)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, **self.as_user())
        assert done.returncode == 0, f"{program}: {done.stderr}"
        printed: str = done.stdout
        return printed

    def make(self, name: str) -> Path:
        """A folder of the servers' user's own."""
        path = self.folder / name
        path.mkdir(mode=0o700)
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)
        return path

    def server(self, name: str) -> Server:
        """A server whose data folder is still to be made: by `init`, or by `pg_basebackup`."""
        self.servers.append(Server(self, self.folder / name, free_port()))
        return self.servers[-1]

    def delete(self) -> None:
        for server in self.servers:
            server.power_cut()
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    """One server. `url` names its database `paymux`."""

    def __init__(self, shelf: Shelf, data: Path, port: int) -> None:
        self.shelf, self.data, self.port = shelf, data, port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/paymux"

    @property
    def place(self) -> tuple[str, ...]:
        """Where PostgreSQL's own programs find it."""
        return "-h", "127.0.0.1", "-p", str(self.port)

    def init(self) -> None:
        self.shelf.run("initdb", "-D", self.data, "-U", OWNER, "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")
        # initdb lets everybody copy who is on its machine; a server elsewhere lets nobody before it is told to.
        (self.data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\n")

    async def lets_itself_be_copied(self) -> None:
        """Do what docs/operate.md does before a backup or a standby: a role with the right to, and its line."""
        await self.value(f"CREATE ROLE {COPIER} LOGIN REPLICATION", "postgres")
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write(f"host replication {COPIER} 127.0.0.1/32 trust\n")
        await self.value("SELECT pg_reload_conf()", "postgres")

    def start(self, **settings: str) -> None:
        """Start it, and wait until it answers."""
        # Every word here is a setting that docs/operate.md names, or makes a small server of it.
        given = {
            "listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": "", "shared_buffers": "32MB",
            "max_connections": "100", **settings,
        }  # fmt: skip
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        log = (self.shelf.folder / f"{self.data.name}.log").open("ab")
        self._process = subprocess.Popen(
            [str(self.shelf.binaries / "bin" / "postgres"), "-D", str(self.data), *options],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent(signal.SIGINT),
            **self.shelf.as_user(),
        )  # fmt: skip
        log.close()
        ends = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, self.said
            assert time.monotonic() < ends, self.said
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            self.shelf.run("pg_isready", *self.place, "-U", OWNER)
        except AssertionError:
            return False
        return True

    @property
    def said(self) -> str:
        return (self.shelf.folder / f"{self.data.name}.log").read_text()[-3000:]

    def stop(self) -> None:
        """As an operator stops it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)

    def power_cut(self) -> None:
        """`kill -9` of every process of the server at once: nothing is written or said any more."""
        if self._process is None or self._process.poll() is not None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            postmaster = psutil.Process(self._process.pid)
            postmaster.suspend()  # so that it starts nobody in place of those that die
            for process in [*postmaster.children(recursive=True), postmaster]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self._process.wait(60)

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """All its processes stand still: it receives, writes and confirms nothing. It may die so."""
        still = self.freeze()
        try:
            yield
        finally:
            for process in still:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def freeze(self) -> list[psutil.Process]:
        """All its processes stand still from now on; they. To others it is as if its machine had died.

        Connections stay open, new ones are accepted by the system alone, and nobody ever gets an answer.
        """
        assert self._process is not None
        postmaster = psutil.Process(self._process.pid)
        postmaster.suspend()  # first, so that it starts nobody who would go on
        still = [postmaster, *postmaster.children(recursive=True)]
        for process in still:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        return still

    def promote(self) -> None:
        """Make a standby the primary, as an operator or a failover manager does."""
        self.shelf.run("pg_ctl", "promote", "-D", self.data, "-w")

    async def value(self, query: str, database: str = "paymux") -> Any:
        connection = await asyncpg.connect(self.url.removesuffix("paymux") + database)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def rows(self, query: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()
