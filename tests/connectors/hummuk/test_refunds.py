"""Refunds at humm in the United Kingdom: without id and key, so never sent twice."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paymux.connectors.contract import Moved, NotThere, Paid, Refused
from paymux.platform.http import NotSent
from tests.connectors.hummuk.conftest import CALLS, ONE, TWO, Scripted, Till, sample

SALE = [("authorize", Decimal(100)), ("capture", Decimal(100))]


async def test_a_payment_is_refunded_in_parts_until_all_is_given_back(till: Till) -> None:
    checkout = await till.pays()
    await till.moves("refund", checkout, "40", ONE)
    partly = await till.connector.fetch(checkout)
    assert isinstance(partly, Paid)
    assert partly.refunded is None
    await till.moves("refund", checkout, "60", TWO, open="60")
    wholly = await till.connector.fetch(checkout)
    assert isinstance(wholly, Paid)
    assert wholly.refunded == 100
    assert till.rows() == [*SALE, ("refund", Decimal(40)), ("refund", Decimal(60))]


async def test_the_request_and_the_answer_are_as_documented(scripted: Scripted, till: Till) -> None:
    scripted.grants()
    scripted.replays("refunded")
    move = till.counter.move(till.money("40.00"), ONE, "100.00")
    done = await scripted.connector.refund(till.checkout(payment_id="P-1001"), move)
    assert scripted.asked[-1][1:] == (f"{CALLS}/RefundPayment", sample("refunded")["request"])
    assert done == Moved(provider_id=f"P-1001/refund/{ONE}", raw=sample("refunded")["answer"])


async def test_more_than_is_left_is_a_clear_no(till: Till) -> None:
    checkout = await till.pays()
    with pytest.raises(Refused) as no:
        await till.moves("refund", checkout, "100.01")
    assert no.value.code == "REFUND_NOT_POSSIBLE"
    assert till.rows() == SALE


async def test_a_refusal_may_be_worded_by_the_refund_itself(scripted: Scripted, till: Till) -> None:
    scripted.grants()
    scripted.says(200, {"success": False, "refundMessage": "Refunds are closed"})
    with pytest.raises(Refused, match="Refunds are closed"):
        await scripted.connector.refund(till.checkout(), till.counter.move(till.money("40"), ONE, "100"))


@pytest.mark.parametrize("fault", ["timeout_after", "error_after", "reset_after", "malformed"])
async def test_a_refund_whose_answer_was_lost_is_neither_done_nor_failed(till: Till, fault: str) -> None:
    checkout = await till.pays()
    await till.loses_track("refund", fault, checkout, "100")
    assert till.rows() == [*SALE, ("refund", Decimal(100))]
    told = await till.connector.fetch(checkout)
    assert isinstance(told, Paid)
    assert told.refunded == 100


@pytest.mark.parametrize("fault", ["timeout_before", "error_before"])
async def test_a_refund_that_never_arrived_moves_nothing_and_nobody_knows(till: Till, fault: str) -> None:
    checkout = await till.pays()
    await till.loses_track("refund", fault, checkout, "100")
    assert till.rows() == SALE


async def test_without_a_new_token_a_refund_certainly_never_left(scripted: Scripted, till: Till) -> None:
    scripted.grants()
    scripted.says(401)
    scripted.says(503)
    with pytest.raises(NotSent):
        await scripted.connector.refund(till.checkout(), till.counter.move(till.money("40"), ONE, "100"))
    assert len(scripted.asked) == 3


async def test_what_was_not_paid_is_not_refunded(till: Till) -> None:
    checkout, _ = await till.decides("cancel")
    with pytest.raises(Refused):
        await till.moves("refund", checkout, "10")
    with pytest.raises(NotThere):
        await till.connector.fetch(till.checkout(session="P-unknown"))
