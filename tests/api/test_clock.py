"""The test clock: forwards only, everything due happens, each thing once (C1)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.api.conftest import Holds
from tests.installation import Installation, Merchant


async def test_the_clock_tells_its_time_and_moves_forwards(merchant: Merchant, holds: Holds) -> None:
    before = await merchant.post("/sandbox/clock", {"advance": 0})
    assert before.status == 200
    holds("ClockState", before.body)
    after = await merchant.post("/sandbox/clock/", {"advance": 3600})
    assert after.body["offset"] == before.body["offset"] + 3600
    assert after.body["now"] > before.body["now"]


BAD: list[Any] = [
    {},
    {"advance": -1},
    {"advance": "60"},
    {"advance": 1.5},
    {"advance": True},
    {"advance": 10**12},
    {"advance": None},
]


@pytest.mark.parametrize("body", BAD)
async def test_it_moves_by_a_whole_number_of_seconds_only(body: Any, merchant: Merchant) -> None:
    answer = await merchant.post("/sandbox/clock", body)
    assert answer.status == 400
    assert answer.body["message"][0].startswith("advance ")


async def test_it_can_not_be_moved_beyond_what_dates_can_hold(merchant: Merchant) -> None:
    for _ in range(12):
        answer = await merchant.post("/sandbox/clock", {"advance": 10 * 366 * 86_400})
    assert answer.status == 400
    assert answer.body["message"][0].startswith("advance must leave the clock at most ")
    assert (await merchant.post("/sandbox/clock", {"advance": 0})).status == 200


async def test_it_needs_a_token(installation: Installation) -> None:
    answer = await installation.call("POST", f"{installation.settings.base_url}/sandbox/clock", json={"advance": 1})
    assert answer.status == 401


async def test_fifty_deadlines_in_one_advance_each_happen_once(
    merchant: Merchant, installation: Installation, eventually: Any
) -> None:
    opened = await asyncio.gather(*(merchant.creates("PLANPAY_AU", cancellationTimeout=600) for _ in range(50)))
    references = {order["orderReference"] for order in opened}
    await installation.advance(601)

    async def all_told() -> bool:
        return all(installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK") for reference in references)

    await eventually(all_told)
    await installation.quiet()
    for reference in references:
        events = installation.inbox.events(reference)
        assert Counter(event["event"] for event in events)["ORDER_ASYNC_CALLBACK"] == 1
        assert [event["data"]["sequence"] for event in events] == list(range(1, len(events) + 1))
        state = await merchant.status(reference)
        assert (state["status"], state["cancelledBy"]) == ("CANCELED", "SYSTEM")
