"""Token buckets: a burst, then a steady rate, a bucket per key, and memory with a bound."""

from __future__ import annotations

from time import monotonic

import pytest

from paymux.accounts.failed_attempts import PER_CALLER, PER_CLIENT, FailedAttempts
from paymux.platform import rate_limits
from paymux.platform.rate_limits import RateLimit


class Time:
    moved = 0.0

    def __call__(self) -> float:
        return self.start + self.moved

    start = monotonic()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(rate_limits, "monotonic", time)
    return time


def test_a_burst_passes_and_then_one_at_a_time(time: Time) -> None:
    limit = RateLimit(0.5, 3)
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 2]
    assert limit.take("b") == 0, "each key has a bucket of its own"
    time.moved = 1.0
    assert limit.take("a") == 1
    time.moved = 2.0
    assert [limit.take("a") for _ in range(2)] == [0, 2]
    time.moved = 3600.0
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 2], "it fills up to its burst, no further"


def test_a_rate_of_nothing_is_no_limit(time: Time) -> None:
    limit = RateLimit(0, 1)
    assert {limit.take("a") for _ in range(1000)} == {0}


def test_whoever_waits_is_not_made_to_wait_longer_by_asking(time: Time) -> None:
    limit = RateLimit(1, 1)
    limit.take("a")
    assert [limit.take("a") for _ in range(100)] == [1] * 100
    time.moved = 1.0
    assert limit.take("a") == 0


def test_memory_has_a_bound_and_keeps_those_who_call_most(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "REMEMBERED", 10)
    limit = RateLimit(0.001, 2)
    limit.take("busy")
    for n in range(100):
        limit.take(f"passing-{n}")
        if n == 5:
            limit.take("busy")
        assert len(limit._buckets) <= 10
        if n < 10:
            assert limit.wait("busy") == (1000 if n >= 5 else 0)


def test_one_who_holds_a_whole_ipv6_network_is_one_caller(time: Time) -> None:
    attempts = FailedAttempts()
    for n in range(PER_CALLER):
        attempts.failed(f"2001:db8:1:2::{n:x}", f"client-{n}")
    assert attempts.wait("2001:db8:1:2:ffff::1", "another") > 0
    assert attempts.wait("2001:db8:1:3::1", "another") == 0
    assert attempts.wait("::ffff:192.0.2.1", "another") == attempts.wait("192.0.2.1", "another") == 0


def test_who_knows_a_secret_is_held_up_by_his_own_failures_only(time: Time) -> None:
    attempts = FailedAttempts()
    attempts.succeeded("192.0.2.1", "shop")
    for n in range(PER_CALLER):
        attempts.failed("192.0.2.1", f"client-{n}")
    assert attempts.wait("192.0.2.1", "shop") == 0
    assert attempts.wait("192.0.2.1", "another") > 0
    for _ in range(PER_CLIENT):
        attempts.failed("192.0.2.1", "shop")
    assert attempts.wait("192.0.2.1", "shop") > 0
