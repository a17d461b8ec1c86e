"""The proof that nothing is lost and nothing doubled, for a minute with a fixed seed (`make torture` runs it for longer)."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_minute_of_torture_breaks_no_promise() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench.torture", "--minutes", "1", "--seed", "1"],
        capture_output=True, text=True, check=False, timeout=880,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
