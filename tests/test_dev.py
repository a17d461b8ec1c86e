"""`make run` from a fresh clone, as root below a private folder and as a plain user: it starts, survives, and leaves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.installation import free_port
from tests.processes import ORDER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
ROOT = Path(__file__).parent.parent
LIMIT = 600.0
LONGEST_SOCKET = 107
USER = "paymux-try"
WHO = ["root", "a plain user"] if os.geteuid() == 0 else ["a plain user"]


@dataclass
class Clone:
    """A fresh copy of the sources, and the user who runs it (None: we ourselves)."""

    folder: Path
    user: str | None

    @property
    def home(self) -> Path:
        return self.folder / ".paymux"

    def command(self, *words: str, **variables: str) -> tuple[list[str], dict[str, str]]:
        """A command as this user types it."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "LANG"))}
        if self.user is None:
            return list(words), {**os.environ, **variables}
        path = "/usr/local/bin:/usr/bin:/bin"
        home = pwd.getpwnam(self.user).pw_dir
        return [shutil.which("runuser") or "/usr/sbin/runuser", "-u", self.user, "--", *words], {
            **kept,
            "HOME": home,
            "PATH": path,
            **variables,
        }


def _sources() -> list[Path]:
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]
    parts = (".venv", ".paymux", "__pycache__")
    return [path for path in ROOT.rglob("*") if path.is_file() and not set(parts) & set(path.parts)]


def _copied(target: Path) -> Path:
    for source in _sources():
        copy = target / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
    return target


@pytest.fixture(scope="module", params=WHO)
def clone(request: pytest.FixtureRequest) -> Iterator[Clone]:
    """A clone in a long path: root's below a folder of mode 0700, the plain user's in one of his own."""
    outer = Path(tempfile.mkdtemp(prefix="paymux-clone-"))
    deep = outer / "a-private-folder-with-a-rather-long-name" / "another-folder-with-a-rather-long-name" / "paymux"
    try:
        _copied(deep)
        if request.param == "root" or os.geteuid() != 0:
            yield Clone(deep, None)
            return
        subprocess.run(["useradd", "--home-dir", str(outer), "--no-create-home", USER], check=True)
        try:
            subprocess.run(["chown", "-R", USER, str(outer)], check=True)
            yield Clone(deep, USER)
        finally:
            subprocess.run(["userdel", USER], check=True)
    finally:
        link = deep / ".paymux" / "postgres"
        if link.is_symlink():
            shutil.rmtree(link.readlink(), ignore_errors=True)
        shutil.rmtree(outer)


class Run:
    """A running `make run`."""

    def __init__(self, clone: Clone, folder: Path) -> None:
        self.port, self.sandbox_port = free_port(), free_port()
        words, environment = clone.command(
            "make", "run", PAYMUX_PORT=str(self.port), PAYMUX_SANDBOX_PORT=str(self.sandbox_port)
        )
        self.log = folder / f"{self.port}.log"
        self.process = subprocess.Popen(
            words, cwd=clone.folder, env=environment, stdin=subprocess.DEVNULL, stdout=self.log.open("w"),
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        ends = time.monotonic() + LIMIT
        while "Ctrl-C stops everything" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < ends, self.log.read_text()[-3000:]
            time.sleep(0.1)

    @property
    def make(self) -> psutil.Process:
        """`make` itself, whoever started it."""
        started = psutil.Process(self.process.pid)
        return next(p for p in (started, *started.children(recursive=True)) if p.name() == "make")

    def everybody(self) -> list[psutil.Process]:
        return [self.make, *self.make.children(recursive=True)]

    def ctrl_c(self) -> None:
        """What a terminal does: the signal goes to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(LIMIT)

    def call(self, path: str, body: Any = None, form: dict[str, str] | None = None, token: str = "") -> Any:
        data = urllib.parse.urlencode(form).encode() if form else json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    def token(self) -> str:
        form = {"client_id": "demo-merchant", "client_secret": "demo-secret", "grant_type": "client_credentials",
                "scope": "api-user"}  # fmt: skip
        granted: str = self.call("/token", form=form)["access_token"]
        return granted


@contextlib.contextmanager
def started(clone: Clone, folder: Path) -> Iterator[Run]:
    run = Run(clone, folder)
    everybody = run.everybody()
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.ctrl_c()
        assert _left(everybody) == []


def _left(processes: list[psutil.Process]) -> list[psutil.Process]:
    _, alive = psutil.wait_procs([p for p in processes if p.is_running()], timeout=60)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def _modes(folder: Path) -> dict[str, int]:
    """The modes of a folder's parents."""
    return {str(parent): stat.S_IMODE(parent.stat().st_mode) for parent in (folder, *folder.parents)}


def test_make_run_keeps_an_order_through_kill_9_and_ctrl_c_leaves_nothing(clone: Clone, tmp_path: Path) -> None:
    before = _modes(clone.folder)
    with started(clone, tmp_path) as first:
        assert first.call("/orders", ORDER, token=first.token())["paymentStatus"] == "pending"
        names = {process.name() for process in first.everybody()}
        assert {"make", "postgres"} <= names
        everybody = first.everybody()
        owner = pwd.getpwnam(clone.user).pw_uid if clone.user else os.geteuid()
        for process in everybody:
            if process.name() == "postgres" and owner == 0:
                assert process.uids().real == pwd.getpwnam("nobody").pw_uid
            else:
                assert process.uids().real == owner
        host = urllib.parse.parse_qs(urllib.parse.urlsplit((clone.home / "database.url").read_text()).query)["host"][0]
        assert (Path(host) / ".s.PGSQL.5432").is_socket()
        assert len(f"{host}/.s.PGSQL.5432".encode()) < LONGEST_SOCKET
        first.make.kill()
        assert _left(everybody) == []
    with started(clone, tmp_path) as second:
        assert second.call(f"/orders/{ORDER['orderReference']}", token=second.token())["status"] == "PENDING"
        for process in second.everybody():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    with started(clone, tmp_path) as third:
        assert third.call(f"/orders/{ORDER['orderReference']}", token=third.token())["status"] == "PENDING"
        everybody = third.everybody()
        third.ctrl_c()
        assert _left(everybody) == []
    assert _modes(clone.folder) == before


def test_nothing_but_the_clone_and_its_home_is_written(clone: Clone) -> None:
    """What is not root's alone stays inside: a plain user has the database in the home, too."""
    assert (clone.folder / ".venv" / "run.installed").exists()
    postgres = clone.home / "postgres"
    if clone.user is None and os.geteuid() == 0:
        assert postgres.is_symlink()
        assert postgres.readlink().parent == Path("/var/lib/paymux")
        assert stat.S_IMODE(clone.folder.parents[1].stat().st_mode) & 0o077 == 0o55
        assert stat.S_IMODE(clone.folder.parents[2].stat().st_mode) == 0o700
    else:
        assert (postgres / "data" / "PG_VERSION").is_file()
        assert not postgres.is_symlink()
    assert (clone.home / "keys.json").stat().st_mode & 0o077 == 0


def test_a_python_that_is_too_old_or_absent_is_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    for python, said in (
        (str(old), "paymux needs Python 3.11 or later; Python 3.9.2 is too old"),
        ("no-such-python", "paymux needs Python 3.11 or later: apt-get install -y git make python3 python3-venv"),
    ):
        ended = subprocess.run(
            ["sh", str(ROOT / "build/check_python.sh"), python], capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr.strip()) == (1, said)


def test_without_a_chromium_make_test_names_the_line_that_installs_it(tmp_path: Path) -> None:
    """On a machine that has none, by a user who may install none, and where none can be fetched."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    unable = tmp_path / ".venv/bin/playwright"
    unable.write_text("#!/bin/sh\nexit 1\n")
    unable.chmod(0o755)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "id").write_text("#!/bin/sh\necho 1000\n")
    (programs / "id").chmod(0o755)
    ended = subprocess.run(
        ["/bin/sh", str(ROOT / "build/provide_browser.sh")], cwd=tmp_path, env={"PATH": str(programs)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.strip() == "The browser tests need Chromium: apt-get install -y chromium"
