"""Who waits for whom: a merchant with slow endpoints waits for himself, however many hosts he names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import timedelta
from time import monotonic

import pytest

from paymux.notifications.endpoint_limits import AT_ONCE, FAILURES, PAUSE, EndpointFull, EndpointLimits
from paymux.platform import lanes, shares

IN_ALL = 40
SHARED = "https://hooks.example/in"


@pytest.fixture
async def under_way() -> AsyncIterator[ExitStack]:
    """What is entered here has not been answered yet."""
    with ExitStack() as stack:
        yield stack


def fill(limits: EndpointLimits, under_way: ExitStack, merchant: str, most: int = 1000) -> int:
    """Deliver to ever new hosts that do not answer; how many are under way before the merchant has to wait."""
    for number in range(most):
        try:
            under_way.enter_context(limits.place(f"https://h{number}.{merchant}.example/", merchant))
        except EndpointFull:
            return number
    return most


def hang(limits: EndpointLimits, under_way: ExitStack, merchant: str) -> int:
    """Deliver to one host that does not answer; how many are under way before the merchant has to wait."""
    for number in range(1000):
        try:
            under_way.enter_context(limits.place(SHARED, merchant))
        except EndpointFull:
            return number
    return 1000


def fail(limits: EndpointLimits, merchant: str, times: int = FAILURES) -> None:
    for _ in range(times):
        with limits.place(SHARED, merchant) as call:
            call.healthy = False


async def test_who_hangs_at_a_host_that_others_use_delays_himself_alone(under_way: ExitStack) -> None:
    limits = EndpointLimits(IN_ALL)
    assert hang(limits, under_way, "slow") == AT_ONCE
    assert hang(limits, under_way, "another") == AT_ONCE


async def test_a_host_that_hangs_for_everybody_leaves_the_other_hosts_half_of_all_places(under_way: ExitStack) -> None:
    limits = EndpointLimits(IN_ALL)
    assert sum(hang(limits, under_way, f"m{number}") for number in range(IN_ALL)) == IN_ALL / 2
    with limits.place("https://shop.example/", "m0"):
        pass


async def test_a_dead_endpoint_is_left_alone_until_one_has_tried_and_is_another_merchants_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moved = 0.0
    monkeypatch.setattr(lanes, "monotonic", lambda: monotonic() + moved)
    limits = EndpointLimits(IN_ALL)
    fail(limits, "dead")
    with pytest.raises(EndpointFull) as put_off, limits.place(SHARED, "dead"):
        pass
    assert timedelta(seconds=PAUSE - 1) < put_off.value.after
    with limits.place(SHARED, "another"):
        pass

    moved += PAUSE + 1
    with limits.place(SHARED, "dead") as trial:
        with pytest.raises(EndpointFull), limits.place(SHARED, "dead"):
            pass
        trial.healthy = False
    with pytest.raises(EndpointFull), limits.place(SHARED, "dead"):
        pass

    moved += PAUSE + 1
    with limits.place(SHARED, "dead") as trial:
        trial.healthy = True
    with ExitStack() as under_way:
        assert hang(limits, under_way, "dead") == AT_ONCE


async def test_an_endpoint_that_answers_now_and_then_is_not_dead(under_way: ExitStack) -> None:
    limits = EndpointLimits(IN_ALL)
    for _ in range(FAILURES):
        fail(limits, "shop", FAILURES - 1)
        with limits.place(SHARED, "shop") as call:
            call.healthy = True
    assert hang(limits, under_way, "shop") == AT_ONCE


async def test_those_that_wait_for_a_merchant_with_many_hosts_come_back_one_after_the_other(
    under_way: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = monotonic()
    monkeypatch.setattr(shares, "monotonic", lambda: now)  # all of them come at the same time, however long we take
    limits, told = EndpointLimits(IN_ALL), []
    fill(limits, under_way, "greedy")
    for number in range(20):
        with pytest.raises(EndpointFull) as put_off, limits.place(f"https://new{number}.example/", "greedy"):
            pass
        told.append(put_off.value.after)
    assert told == sorted(told)
    assert told[-1] > 10 * told[0]


async def test_one_merchant_with_ever_new_hosts_that_hang_leaves_the_others_their_places(under_way: ExitStack) -> None:
    limits = EndpointLimits(IN_ALL)
    assert fill(limits, under_way, "greedy") == IN_ALL // 3
    with limits.place("https://shop.example/", "another"):
        pass


async def test_even_a_small_worker_delivers_four_of_a_merchants_at_once(under_way: ExitStack) -> None:
    assert fill(EndpointLimits(10), under_way, "shop") == AT_ONCE


async def test_a_merchants_places_are_free_again_when_his_endpoints_have_answered() -> None:
    limits = EndpointLimits(IN_ALL)
    for _ in range(3):
        with ExitStack() as stack:
            assert fill(limits, stack, "shop") == IN_ALL // 3


async def test_all_of_them_together_get_no_more_than_all_places(under_way: ExitStack) -> None:
    limits = EndpointLimits(IN_ALL)
    assert [fill(limits, under_way, f"m{number}") for number in range(5)] == [13, 13, 13, 1, 0]
