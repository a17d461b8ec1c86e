"""Who waits for whom: a merchant with slow endpoints waits for himself, however many hosts he names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest

from paymux.notifications.endpoint_limits import AT_ONCE, EndpointFull, EndpointLimits

IN_ALL = 40


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


async def test_one_merchant_with_ever_new_hosts_that_hang_leaves_the_others_their_places(under_way: ExitStack) -> None:
    limits = EndpointLimits(IN_ALL)
    assert fill(limits, under_way, "greedy") == IN_ALL / 4
    with limits.place("https://shop.example/", "another"):
        pass


async def test_even_a_small_worker_delivers_four_of_a_merchants_at_once(under_way: ExitStack) -> None:
    assert fill(EndpointLimits(10), under_way, "shop") == AT_ONCE


async def test_a_merchants_places_are_free_again_when_his_endpoints_have_answered() -> None:
    limits = EndpointLimits(IN_ALL)
    for _ in range(3):
        with ExitStack() as stack:
            assert fill(limits, stack, "shop") == IN_ALL / 4


async def test_all_of_them_together_get_no_more_than_all_places(under_way: ExitStack) -> None:
    limits = EndpointLimits(IN_ALL)
    assert [fill(limits, under_way, f"m{number}") for number in range(5)] == [10, 10, 10, 10, 0]
