"""The same work without paymux: pgbench with the statements of an order, on the same PostgreSQL."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from paymux.platform import postgres_binaries

_RATE = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.M)
_LATENCY = re.compile(r"^latency average = ([0-9.]+) ms", re.M)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.M)


def orders_per_second(url: str, script: str, clients: int, seconds: int) -> tuple[float, float]:
    """How often per second so many clients get the script done, and the mean milliseconds it takes them."""
    place = urlsplit(url)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [
                str(_program()), "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(seconds),
                "-f", file.name, "-h", parse_qs(place.query)["host"][0], "-U", place.username or "", place.path[1:],
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    rate, latency, failed = _RATE.search(done.stdout), _LATENCY.search(done.stdout), _FAILED.search(done.stdout)
    if done.returncode or rate is None or latency is None or failed is None or int(failed[1]):
        raise RuntimeError(f"pgbench: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    return float(rate[1]), float(latency[1])


def _program() -> Path:
    return postgres_binaries.packaged() / "bin" / "pgbench"
