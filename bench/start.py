"""How long `paymux dev` takes to be ready, at the first start in a home and at the second, and its memory then.

`python -m bench.start --make` measures `make run` instead, in a fresh copy of this checkout: the environment is made,
the packages come from pip's cache or the network.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import memory
from bench.installation import environment, free_port
from paymux.platform.postgres import EmbeddedPostgres

READY = "paymux is ready"
STOP_LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds until it said that it was ready; memory then, by process."""

    seconds: float
    memory: dict[str, memory.Memory]


def measured(home: Path, command: list[str], folder: Path | None = None) -> Start:
    """Start, wait for the banner, look at the memory, stop."""
    began = time.monotonic()
    dev = subprocess.Popen(
        command, cwd=folder, env=environment(home, free_port(), free_port()), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert dev.stdout is not None
        for line in dev.stdout:
            if line.startswith(READY):
                return Start(time.monotonic() - began, _by_process(dev.pid))
        raise RuntimeError(f"{' '.join(command)} ended with {dev.wait()} before it was ready")
    finally:
        # As a terminal's Ctrl-C does: make hands nothing on.
        if dev.poll() is None:
            os.killpg(dev.pid, signal.SIGINT)
        dev.communicate(timeout=STOP_LIMIT)


def first_and_second() -> tuple[Start, Start]:
    """Both starts of `paymux dev` in a new home."""
    with _home() as home:
        command = [sys.executable, "-m", "paymux", "dev"]
        return measured(home, command), measured(home, command)


def _by_process(pid: int) -> dict[str, memory.Memory]:
    found: dict[str, list[psutil.Process]] = {}
    for process in memory.with_children(pid):
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if words and "postgres" in words[0]:
            name = "postgres"
        elif "paymux" in words:
            name = words[-1]
        else:
            continue
        found.setdefault(name, []).append(process)
    return {name: memory.of_all(processes) for name, processes in found.items()}


@contextmanager
def _home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="paymux-start-"))
    try:
        yield home
    finally:
        EmbeddedPostgres(home).delete()
        shutil.rmtree(home, ignore_errors=True)


def _with_make() -> tuple[Start, Start]:
    root = Path(__file__).parent.parent
    checkout = Path(tempfile.mkdtemp(prefix="paymux-checkout-"))
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if (root / name).exists():
                (checkout / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, checkout / name)
        with _home() as home:
            return measured(home, ["make", "run"], checkout), measured(home, ["make", "run"], checkout)
    finally:
        shutil.rmtree(checkout, ignore_errors=True)


def table(first: Start, second: Start, name: str) -> str:
    """Both starts, and the memory of what runs then and has nothing to do."""
    return "\n".join(
        [
            f"  {name + ', first start':<32}{first.seconds:>6.1f} s",
            f"  {name + ', second start':<32}{second.seconds:>6.1f} s",
            "",
            memory.table(second.memory),
        ]
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--make", action="store_true", help="measure `make run` in a fresh copy of the checkout")
    if parser.parse_args().make:
        print(table(*_with_make(), "make run"))
    else:
        print(table(*first_and_second(), "paymux dev"))


if __name__ == "__main__":
    main()
