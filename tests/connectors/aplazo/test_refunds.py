"""Refunds at Aplazo: whole or in parts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Cancelled, Checkout, Moved, Paid, Refused
from paymux.platform.http import Unclear
from tests.connectors.aplazo.conftest import LOST, NEVER_CAME, ONE, TWO, Scripted, Till, sample

SALE = [("authorize", Decimal(100)), ("capture", Decimal(100))]
DOCUMENTED = sample("refund")


@pytest.fixture
async def paid(till: Till) -> Checkout:
    """A loan of 100 pesos whose first instalment is paid."""
    checkout, _ = await till.decides("approve")
    return checkout


async def refunds(scripted: Scripted, till: Till, **more: Any) -> Moved:
    """Refund 50 pesos of the sample's cart."""
    move = till.counter.move(till.money("50.00"), ONE, "1300.00", **more)
    done = await scripted.connector.refund(till.checkout(session="cart-123"), move)
    assert isinstance(done, Moved)
    return done


async def test_a_refund_is_sent_as_documented_with_our_key(scripted: Scripted, till: Till) -> None:
    scripted.replays("refund")
    done = await refunds(scripted, till, description=DOCUMENTED["request"]["reason"])
    assert scripted.asked == [("POST", "/api/pos/loan/refund", DOCUMENTED["request"])]
    assert scripted.headers[0]["X-Idempotency-Key"] == ONE
    assert (done.provider_id, done.raw) == ("26357", DOCUMENTED["answer"])


async def test_a_refund_without_a_reason_says_which_it_is(scripted: Scripted, till: Till) -> None:
    scripted.replays("refund")
    await refunds(scripted, till)
    assert scripted.asked[0][2]["reason"] == f"Refund OP-{ONE[:8]}"


@pytest.mark.parametrize("word", ["REQUESTED", "APPROVED", "REFUNDED", "requested"])
async def test_a_refund_counts_as_soon_as_it_is_taken_on(scripted: Scripted, till: Till, word: str) -> None:
    scripted.replays("refund", refundStatus=word)
    assert (await refunds(scripted, till)).provider_id == "26357"


async def test_a_rejected_refund_is_refused(scripted: Scripted, till: Till) -> None:
    scripted.replays("refund", refundStatus="REJECTED")
    with pytest.raises(Refused, match="rejected") as no:
        await refunds(scripted, till)
    assert no.value.code == "REJECTED"


@pytest.mark.parametrize("changes", [{"refundStatus": "LATER"}, {"cartId": "cart-9"}, {"refundId": None}])
async def test_another_word_or_another_cart_is_unclear(scripted: Scripted, till: Till, changes: dict[str, Any]) -> None:
    scripted.replays("refund", **changes)
    with pytest.raises(Unclear):
        await refunds(scripted, till)


async def test_the_documented_error_is_unclear_for_it_says_nothing(scripted: Scripted, till: Till) -> None:
    scripted.replays("error")
    with pytest.raises(Unclear, match="500"):
        await refunds(scripted, till)


async def test_parts_are_refunded_until_nothing_is_left(till: Till, paid: Checkout) -> None:
    await till.moves("refund", paid, "40.00", ONE)
    with pytest.raises(Refused, match="can not be refunded"):
        await till.moves("refund", paid, "60.01", TWO, open="60.00")
    await till.moves("refund", paid, "60.00", TWO, open="60.00")
    assert till.rows() == [*SALE, ("refund", Decimal(40)), ("refund", Decimal(60))]
    report = await till.connector.fetch(replace(paid, payment_id=till.simulator.case(f"cart:{paid.session}").id))
    assert isinstance(report, Paid)
    assert (report.captured, report.refunded) == (100, 100)
    assert isinstance(await till.connector.fetch(paid), Cancelled), "to whom never saw it paid nothing is left of it"


async def test_a_loan_that_is_not_paid_can_not_be_refunded(till: Till) -> None:
    _, checkout = await till.opens()
    with pytest.raises(Refused, match="NO CONFIRMADO can not be refunded"):
        await till.moves("refund", checkout, "40.00")
    assert till.rows() == []


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_refund_whose_answer_was_lost_leaves_it_open_whether_it_was_made(
    till: Till, paid: Checkout, fault: str
) -> None:
    await till.loses_track("refund", fault, paid, "100.00")
    made = [("refund", Decimal(100))] if fault in LOST else []
    assert till.rows() == [*SALE, *made]
