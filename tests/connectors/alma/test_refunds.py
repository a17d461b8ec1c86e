"""Refunds, and what becomes of lost ones."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paymux.connectors.contract import Refused
from tests.connectors.alma.conftest import Till
from tests.connectors.till import ONE, TWO


async def test_a_payment_is_refunded_in_parts_and_no_more(till: Till) -> None:
    checkout = await till.pays()
    first = await till.moves("refund", checkout, "40.00", ONE)
    second = await till.moves("refund", checkout, "60.00", TWO, "60.00")
    with pytest.raises(Refused):
        await till.moves("refund", checkout, "0.01", "three")
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.refunded) == (Decimal(100), Decimal(100))
    assert [(move.key, move.amount, move.provider_id) for move in paid.moves or ()] == [
        (ONE, Decimal(40), first.provider_id),
        (TWO, Decimal(60), second.provider_id),
    ]
    assert [kind for kind, _ in till.rows()] == ["authorize", "capture", "refund", "refund"]


@pytest.mark.parametrize("fault", ["timeout_after", "error_after", "reset_after", "malformed"])
async def test_a_lost_refund_is_unclear_and_shows_in_the_payment_with_its_key(till: Till, fault: str) -> None:
    checkout = await till.pays()
    await till.loses_track("refund", fault, checkout, "40.00", ONE)
    assert [(move.key, move.amount) for move in (await till.paid_now(checkout)).moves or ()] == [(ONE, Decimal(40))]


@pytest.mark.parametrize("fault", ["timeout_before", "error_before"])
async def test_a_refund_that_never_came_does_not_show(till: Till, fault: str) -> None:
    checkout = await till.pays()
    await till.loses_track("refund", fault, checkout, "40.00", ONE)
    assert (await till.paid_now(checkout)).moves == ()


async def test_a_refund_in_the_dashboard_is_listed_without_a_key(till: Till) -> None:
    checkout = await till.pays()
    status, _ = await till.call("POST", "/sandbox/provider-refund", {"id": checkout.session, "amount": "15.00"})
    assert status == 200
    paid = await till.paid_now(checkout)
    assert (paid.refunded, [move.key for move in paid.moves or ()]) == (Decimal(15), [None])


@pytest.mark.parametrize("outcome", ["decline", "cancel", "pending", "error"])
async def test_a_payment_that_was_not_made_can_not_be_refunded(till: Till, outcome: str) -> None:
    checkout, _ = await till.decides(outcome)
    with pytest.raises(Refused):
        await till.moves("refund", checkout, "1.00")
    assert till.rows() == []


async def test_an_amount_below_a_cent_is_refused_before_anything_is_sent(till: Till) -> None:
    checkout = await till.pays()
    with pytest.raises(Refused, match="whole number of minor units"):
        await till.moves("refund", checkout, "1.001")
    assert till.rows()[-1][0] == "capture"


async def test_a_restarted_simulator_remembers_what_moved(till: Till) -> None:
    checkout = await till.pays()
    await till.moves("refund", checkout, "40.00")
    simulators = till.counter.sandbox.simulators
    simulators["alma"] = type(simulators["alma"])(simulators["alma"].desk)
    assert (await till.paid_now(checkout)).refunded == 40
