"""Refunds at PayJustNow: whole or in parts, decided at once, and made once under our key."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Checkout, Moved, Paid, Refused
from paymux.platform.http import Unclear
from tests.connectors.payjustnow.conftest import LOST, NEVER_CAME, ONE, TWO, Scripted, Till, sample

SALE = [("authorize", Decimal(100)), ("capture", Decimal(100))]
REFUNDED = sample("refunded")


@pytest.fixture
async def paid(till: Till) -> Checkout:
    """A checkout of 100 rand that the shopper paid."""
    checkout, _ = await till.decides("approve")
    return checkout


async def test_a_refund_is_sent_as_documented(scripted: Scripted, till: Till) -> None:
    scripted.replays("refunded")
    documented = REFUNDED["request"]
    move = till.counter.move(till.money("400.00"), ONE, "3000.00", description=documented["refundDescription"])
    done = await scripted.connector.refund(till.checkout(session=documented["checkoutToken"]), move)
    assert scripted.asked == [("POST", "/v2/refund", documented | {"requestId": ONE, "merchantRefundReference": ONE})]
    assert isinstance(done, Moved)
    assert (done.provider_id, done.raw) == (ONE, REFUNDED["answer"])


async def test_a_refund_without_a_reason_says_which_it_is(scripted: Scripted, till: Till) -> None:
    scripted.replays("refunded")
    await scripted.connector.refund(till.checkout(), till.counter.move(till.money("400.00"), ONE, "3000.00"))
    assert scripted.asked[0][2]["refundDescription"] == f"Refund OP-{ONE[:8]}"


@pytest.mark.parametrize(
    "changes",
    [
        {"refundStatus": "FAILED"}, {"refundStatus": "PENDING"}, {"refundedAmountCents": 39999},
        {"refundedAmountCents": None}, {"refundStatus": None},
    ],
)  # fmt: skip
async def test_another_amount_or_a_word_that_no_source_shows_is_unclear(
    scripted: Scripted, till: Till, changes: dict[str, Any]
) -> None:
    scripted.replays("refunded", **changes)
    with pytest.raises(Unclear):
        await scripted.connector.refund(till.checkout(), till.counter.move(till.money("400.00"), ONE, "3000.00"))


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_clear_no_is_a_refusal(scripted: Scripted, till: Till, status: int) -> None:
    scripted.says(status, {"message": "no refund"})
    with pytest.raises(Refused, match="no refund") as no:
        await scripted.connector.refund(till.checkout(), till.counter.move(till.money("400.00"), ONE, "3000.00"))
    assert no.value.code == str(status)


async def test_parts_are_refunded_until_nothing_is_left(till: Till, paid: Checkout) -> None:
    await till.moves("refund", paid, "40.00", ONE)
    still = await till.connector.fetch(paid)
    assert isinstance(still, Paid)
    assert (still.captured, still.refunded) == (Decimal(100), None)
    with pytest.raises(Refused, match="more than what is left"):
        await till.moves("refund", paid, "60.01", TWO, open="60.00")
    await till.moves("refund", paid, "60.00", TWO, open="60.00")
    assert till.rows() == [*SALE, ("refund", Decimal(40)), ("refund", Decimal(60))]


async def test_a_checkout_that_was_not_paid_can_not_be_refunded(till: Till) -> None:
    _, checkout = await till.opens()
    with pytest.raises(Refused, match="PENDING_ORDER can not be refunded"):
        await till.moves("refund", checkout, "40.00")
    assert till.rows() == []


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_refund_whose_answer_was_lost_is_sent_again_and_made_once(
    till: Till, paid: Checkout, fault: str
) -> None:
    await till.loses_track("refund", fault, paid, "100.00")
    await till.moves("refund", paid, "100.00")
    assert till.rows() == [*SALE, ("refund", Decimal(100))]
