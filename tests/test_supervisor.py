"""`paymux dev` as a person starts it: ready, tended, and gone without a trace however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from paymux.platform.encryption import KeyRing
from paymux.platform.postgres import EmbeddedPostgres
from tests.installation import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LIMIT = 120.0


class Dev:
    """A running `paymux dev` on free ports."""

    def __init__(self, home: Path, *command: str, **environment: str) -> None:
        self.port, self.sandbox_port = free_port(), free_port()
        self.environment = {
            **os.environ, "PAYMUX_HOME": str(home), "PAYMUX_PORT": str(self.port),
            "PAYMUX_SANDBOX_PORT": str(self.sandbox_port), "PAYMUX_SHUTDOWN_GRACE": "2", **environment,
        }  # fmt: skip
        self.process = subprocess.Popen(
            command or (sys.executable, "-m", "paymux", "dev"), env=self.environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        self.said.extend(iter(self.process.stdout.readline, ""))

    @property
    def text(self) -> str:
        return "".join(self.said)

    def wait_ready(self) -> None:
        until(lambda: "Ctrl-C stops everything" in self.text or self.process.poll() is not None)
        assert self.process.poll() is None, self.text

    def family(self) -> dict[str, psutil.Process]:
        """The processes by what they are: `dev`, `serve`, `worker`, `sandbox` and `postgres`."""
        found = {}
        for process in (psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)):
            try:
                line = process.cmdline()
            except psutil.NoSuchProcess:
                continue
            if "paymux" in line:
                found[line[-1]] = process
            elif line and line[0].endswith("/postgres"):
                found["postgres"] = process
        return found

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def end(self) -> str:
        """Stop it; everything it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> str:
        """Wait until it ends by itself; everything it said."""
        self.process.wait(LIMIT)
        self._listener.join(LIMIT)
        return self.text


def until(question: Callable[[], object]) -> None:
    ends = time.monotonic() + LIMIT
    while not question():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.05)


def everybody(dev: Dev) -> list[psutil.Process]:
    process = psutil.Process(dev.process.pid)
    return [process, *process.children(recursive=True)]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


@contextmanager
def running(home: Path, *command: str, **environment: str) -> Iterator[Dev]:
    dev = Dev(home, *command, **environment)
    try:
        dev.wait_ready()
        yield dev
    finally:
        dev.end()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("dev") / "home"
    yield folder
    EmbeddedPostgres(folder).delete()


@pytest.mark.parametrize("name", ["PAYMUX_PORT", "PAYMUX_SANDBOX_PORT"])
def test_a_taken_port_is_said_in_one_sentence_and_nothing_starts(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        dev = Dev(tmp_path / "home", **{name: str(port)})
        said = dev.wait()

    assert dev.process.returncode == 1
    assert said == f"Port {port} is taken: stop what uses it, or set {name} to another port.\n"
    assert not (tmp_path / "home").exists()


def test_the_printed_commands_create_an_order_and_ctrl_c_leaves_nothing(home: Path) -> None:
    with running(home) as dev:
        commands = re.search(r"^TOKEN=.*?\}'$", dev.text, re.S | re.M)
        assert commands is not None
        answer = subprocess.run(["bash", "-c", commands[0]], capture_output=True, text=True, check=True).stdout
        assert "redirectUrl" in json.loads(answer), answer
        assert set(dev.family()) == {"dev", "serve", "worker", "sandbox", "postgres"}
        processes = everybody(dev)

        dev.process.send_signal(signal.SIGINT)
        dev.end()
        assert dev.process.returncode == 0
        assert gone(processes)


def kills(dev: Dev, name: str) -> None:
    """Kill one of the family, and wait until it is back."""
    before = dev.family()[name]
    before.kill()
    until(lambda: not before.is_running())
    until(lambda: name in dev.family())
    until(dev.ready)


def test_whatever_is_killed_comes_back_and_the_data_with_it(home: Path) -> None:
    with running(home) as dev:
        for name in ("serve", "worker", "sandbox", "postgres"):
            kills(dev, name)
        assert "the database ended; starting it again" in dev.text


def test_nothing_survives_a_kill_of_the_parent_and_it_starts_again_at_once(home: Path) -> None:
    for _ in range(2):
        with running(home) as dev:
            processes = everybody(dev)
            dev.process.kill()
            again = Dev(home)
            again.wait_ready()
            assert gone(processes)
            again.end()
            assert again.process.returncode == 0


def test_a_second_ctrl_c_does_not_wait_for_running_requests(home: Path) -> None:
    with (
        running(home, PAYMUX_SHUTDOWN_GRACE="100000") as dev,
        socket.create_connection(("127.0.0.1", dev.port)) as held,
    ):
        held.sendall(b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert b"100" in held.recv(100)
        processes = everybody(dev)
        dev.process.send_signal(signal.SIGINT)
        until(lambda: "stopping" in dev.text)
        assert dev.process.poll() is None
        dev.process.send_signal(signal.SIGINT)
        dev.process.wait(LIMIT)
        assert gone(processes)


def test_a_database_of_ours_is_used_and_left_running(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path / "home", PAYMUX_DATABASE_URL=database_url) as dev:
        assert set(dev.family()) == {"dev", "serve", "worker", "sandbox"}
    assert not (tmp_path / "home" / "postgres").exists()


def test_live_mode_on_the_embedded_database_runs_without_a_sandbox(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    KeyRing.load(keys, create=True)
    dev = Dev(
        tmp_path / "home", PAYMUX_MODE="live", PAYMUX_ALLOW_EMBEDDED="1", PAYMUX_KEYS_FILE=str(keys),
        PAYMUX_PUBLIC_URL="https://pay.shop.example",
    )  # fmt: skip
    try:
        until(lambda: "(live mode): https://pay.shop.example" in dev.text or dev.process.poll() is not None)
        assert set(dev.family()) == {"dev", "serve", "worker", "postgres"}, dev.text
        assert not (tmp_path / "home" / "sandbox").exists()
        assert "demo" not in dev.text
    finally:
        dev.end()
        EmbeddedPostgres(tmp_path / "home").delete()


def test_a_child_that_never_starts_ends_it_all_with_its_reason(tmp_path: Path, database_url: str) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text("{}")
    dev = Dev(tmp_path / "home", PAYMUX_DATABASE_URL=database_url, PAYMUX_KEYS_FILE=str(keys))

    said = dev.wait()
    assert dev.process.returncode == 1
    assert "keys.json" in said


def test_a_child_that_is_killed_again_and_again_before_it_is_ready_still_gets_ready(home: Path) -> None:
    """Killed is not broken: an out-of-memory killer at a busy start ended the whole installation."""
    dev, killed = Dev(home), set[int]()
    try:
        while len(killed) < 4:
            assert dev.process.poll() is None, dev.text
            serving = dev.family().get("serve")
            if serving is not None and serving.pid not in killed:
                killed.add(serving.pid)
                serving.kill()
            time.sleep(0.01)
        dev.wait_ready()
        assert dev.text.count("serve ended with -9") == len(killed)
    finally:
        dev.end()
