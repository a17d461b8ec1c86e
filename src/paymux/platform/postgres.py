"""An embedded PostgreSQL under our own small supervisor: nothing to install first, nothing left running.

It survives `kill -9` of its parent and of itself. `postmaster.pid` is never deleted: PostgreSQL itself knows best
whether another server still works on the data, so a start that it refuses is tried again, for the old server's
shared memory lingers up to two seconds. The programs come from `postgres_binaries`; any PostgreSQL from 17 on would do.

    HOME/postgres/data      the data folder
    HOME/postgres/log       what the server said
    HOME/postgres/socket    its only door; in the system's temporary folder when the path is too long

PostgreSQL refuses to run as root. Started by root it runs as `nobody`, who may not reach HOME: then `HOME/postgres` is a
link to a folder below /var/lib/paymux, and no existing folder's mode is touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from paymux.platform import postgres_binaries
from paymux.platform.parent_death import die_with_parent

SHELF = Path("/var/lib/paymux")
ROOTS_USER = "nobody"
OWNER = "paymux"
LONGEST_SOCKET = 107
START_LIMIT = 40.0
_LOG_LIMIT = 10_000_000
_SETTINGS = {
    "listen_addresses": "", "unix_socket_permissions": "0700", "max_connections": "100", "shared_buffers": "64MB",
    "max_wal_size": "256MB", "autovacuum_max_workers": "2", "max_worker_processes": "2", "jit": "off",
    "max_parallel_workers": "0", "max_parallel_workers_per_gather": "0", "log_min_messages": "warning",
    "max_logical_replication_workers": "0", "timezone": "UTC", "log_timezone": "UTC",
}  # fmt: skip
_MAKE_OUR_DATABASE = (
    r"SELECT 'CREATE DATABASE paymux' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'paymux') \gexec"
)
_LINGERING = re.compile(r"lock file|shared memory|postmaster\.pid", re.I)


class PostgresFailed(Exception):
    """The embedded database could not be made or started: the sentence says why or where to look."""


@dataclass(frozen=True, slots=True)
class _User:
    """Whose the server is: None is ourselves."""

    name: str | None
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class _Place:
    user: _User
    binaries: Path
    folder: Path
    socket: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"


class EmbeddedPostgres:
    """One server for one home. For one thread: the main thread, whose end the server takes for its parent's."""

    def __init__(self, home: Path) -> None:
        self._home = home.absolute()
        self._process: subprocess.Popen[bytes] | None = None
        self._place: _Place | None = None
        self._lock: int | None = None

    def start(self, cancelled: Callable[[], bool] = lambda: False) -> str:
        """Start the server, making its data folder at first; the URL of the database `paymux` once it answers.

        Waits for a server of a parent that died to let go of the data, until `cancelled`. Raises PostgresFailed.
        """
        try:
            place = self._place = self._prepared()
            self._take_lock(place)
            if not (place.data / "PG_VERSION").exists():
                self._make_data(place)
            self._start_server(place, cancelled)
            self._sql(_MAKE_OUR_DATABASE)
        except PostgresFailed:
            self.stop(hurry=True)
            raise
        except (OSError, postgres_binaries.NoBinaries) as fault:
            self.stop(hurry=True)
            raise PostgresFailed(str(fault)) from fault
        return self.url(OWNER)

    def stop(self, *, hurry: bool = False) -> None:
        """Stop the server: open transactions are rolled back, nothing committed is lost. `hurry` skips the tidying."""
        process, self._process = self._process, None
        endings = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
        for ending in endings[1:] if hurry else endings:
            if process is not None and process.poll() is None:
                process.send_signal(ending)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
        if self._place is not None and self._place.folder not in self._place.socket.parents:
            shutil.rmtree(self._place.socket, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def delete(self) -> None:
        """Stop the server and delete all its data: for tests."""
        self.stop(hurry=True)
        folder = self._home / "postgres"
        if folder.is_symlink():
            shutil.rmtree(folder.readlink(), ignore_errors=True)
            folder.unlink()
        else:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def url(self, database: str) -> str:
        """The URL of one of the server's databases, as asyncpg reads it."""
        assert self._place is not None
        return f"postgresql://{OWNER}@/{database}?host={quote(str(self._place.socket))}"

    def create_database(self, name: str, template: str = "template1") -> str:
        """Make a database as a copy of another that nobody is connected to; its URL. Raises PostgresFailed."""
        self._sql(f'CREATE DATABASE "{_plain(name)}" TEMPLATE "{_plain(template)}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Delete a database, ending its connections. Raises PostgresFailed."""
        self._sql(f'DROP DATABASE IF EXISTS "{_plain(name)}" WITH (FORCE)')

    # -- where ------------------------------------------------------------------------------------------------

    def _prepared(self) -> _Place:
        self._home.mkdir(parents=True, exist_ok=True)
        folder = self._home / "postgres"
        if os.geteuid() != 0:
            if folder.is_symlink():
                raise PostgresFailed(f"{folder} was made by root: run as root again, or set another PAYMUX_HOME.")
            user, binaries = _User(None, os.geteuid(), os.getegid()), postgres_binaries.packaged()
            _private(folder, user)
        else:
            if not SHELF.exists():
                SHELF.mkdir(parents=True)
                SHELF.chmod(0o755)
            entry = pwd.getpwnam(ROOTS_USER)
            user, binaries = _User(entry.pw_name, entry.pw_uid, entry.pw_gid), postgres_binaries.readable_copy(SHELF)
            folder = self._shelved(folder)
        return _Place(user, binaries, folder, _private(self._socket_folder(folder), user))

    def _shelved(self, link: Path) -> Path:
        """The folder on the shelf that the home's link names; a new one when there is no link."""
        if link.is_symlink():
            folder = link.readlink()
            if folder.parent != SHELF or not folder.is_dir():
                raise PostgresFailed(f"{link} leads to {folder}, where no database is.")
            return folder
        if link.exists():
            raise PostgresFailed(f"{link} was not made by root: run as its owner, or set another PAYMUX_HOME.")
        # A home that was deleted starts anew: its old data can't be read without the keys that went with it.
        name = self._digest()
        folder = next(
            path for path in (SHELF / name, *(SHELF / f"{name}-{n}" for n in range(2, 10_000))) if not path.exists()
        )
        folder.mkdir()
        folder.chmod(0o711)
        link.symlink_to(folder)
        return folder

    def _socket_folder(self, folder: Path) -> Path:
        for path in (folder / "socket", Path(tempfile.gettempdir()) / f"paymux-{self._digest()}"):
            if len(str(path / ".s.PGSQL.5432.lock").encode()) <= LONGEST_SOCKET:
                return path
        return Path("/tmp") / f"paymux-{self._digest()}"  # noqa: S108

    def _digest(self) -> str:
        return hashlib.sha256(f"{os.geteuid()} {self._home}".encode()).hexdigest()[:12]

    def _take_lock(self, place: _Place) -> None:
        if self._lock is not None:
            return
        lock = os.open(place.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise PostgresFailed(
                f"Another paymux already runs with PAYMUX_HOME {self._home}: stop it, or set another PAYMUX_HOME."
            ) from None
        self._lock = lock

    # -- the server -------------------------------------------------------------------------------------------

    def _make_data(self, place: _Place) -> None:
        # One that is cut short leaves no data folder behind, only a draft.
        for old in place.folder.glob("draft-*"):
            shutil.rmtree(old, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=place.folder))
        if place.user.name is not None:
            os.chown(draft, place.user.uid, place.user.gid)
        made = self._run(
            place, "initdb", "-D", str(draft), "-U", OWNER, "--auth-local=trust", "--auth-host=reject", "-E", "UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
        )  # fmt: skip
        if made.returncode:
            raise PostgresFailed(f"The database's folder could not be made: {made.stderr.strip()[-500:]}")
        draft.rename(place.data)

    def _start_server(self, place: _Place, cancelled: Callable[[], bool]) -> None:
        ends = time.monotonic() + START_LIMIT
        if place.log.exists() and place.log.stat().st_size > _LOG_LIMIT:
            place.log.replace(place.folder / "log.1")
        while True:
            said_before = place.log.stat().st_size if place.log.exists() else 0
            self._process = self._spawned(place)
            if self._becomes_ready(place, self._process, cancelled):
                return
            if cancelled():
                raise PostgresFailed("The start of the embedded database was called off.")
            with place.log.open("rb") as log:
                log.seek(said_before)
                said = log.read().decode(errors="replace")
            if not _LINGERING.search(said) or time.monotonic() > ends:
                reason = next((line for line in said.splitlines() if "FATAL" in line), "it ended without a word")
                raise PostgresFailed(f"The embedded database does not start: {reason} (all of it: {place.log})")
            time.sleep(0.1)

    def _spawned(self, place: _Place) -> subprocess.Popen[bytes]:
        options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with place.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                [str(place.binaries / "bin" / "postgres"), "-D", str(place.data), "-k", str(place.socket), *options],
                user=place.user.name, group=place.user.gid if place.user.name else None,
                extra_groups=[] if place.user.name else None, start_new_session=True, env=_environment(), cwd="/",
                preexec_fn=die_with_parent(signal.SIGINT),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @staticmethod
    def _becomes_ready(place: _Place, process: subprocess.Popen[bytes], cancelled: Callable[[], bool]) -> bool:
        """Whether this very server, not an older one behind the same socket, comes to answer; false once it ended."""
        while process.poll() is None and not cancelled():
            try:
                lines = (place.data / "postmaster.pid").read_text().splitlines()
            except OSError:
                lines = []
            if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
                return True
            time.sleep(0.01)
        return False

    def _run(self, place: _Place, program: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [str(place.binaries / "bin" / program), *arguments], user=place.user.name, text=True, capture_output=True,
            group=place.user.gid if place.user.name else None, extra_groups=[] if place.user.name else None,
            preexec_fn=die_with_parent(signal.SIGKILL),
            env=_environment(), cwd="/", check=False, input=text,
        )  # fmt: skip

    def _sql(self, statement: str) -> None:
        assert self._place is not None
        done = self._run(
            self._place, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self._place.socket), "-U", OWNER,
            "-d", "postgres", "-f", "-", text=statement,
        )  # fmt: skip
        if done.returncode:
            raise PostgresFailed(done.stderr.strip())


def _private(folder: Path, user: _User) -> Path:
    """The folder, made if need be, which is the server's alone. Raises PostgresFailed when it is somebody else's."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if user.name is not None:
            os.chown(folder, user.uid, user.gid)
    found = folder.lstat()
    if folder.is_symlink() or not folder.is_dir() or found.st_uid != user.uid or found.st_mode & 0o077:
        raise PostgresFailed(f"{folder} is not the database's alone: move it away.")
    return folder


def _plain(name: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise ValueError(f"not a plain database name: {name}")
    return name


def _environment() -> dict[str, str]:
    return {"LC_ALL": "C", "TZ": "UTC", "PATH": os.environ.get("PATH", os.defpath)}
