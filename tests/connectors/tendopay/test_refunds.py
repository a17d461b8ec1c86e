"""Giving a payment back at TendoPay: the transaction is cancelled whole, and tells so when it is asked."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from paymux.connectors.contract import Moved, MoveKind, Refused, Underway
from paymux.platform.http import Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.tendopay.conftest import Till, signed
from tests.connectors.till import ONE

SHOWN = {
    "tp_transaction_id": 12215, "tp_transaction_status": "CANCELED", "tp_amount": 100, "tp_currency": "PHP",
    "tp_merchant_order_id": "R-1001",
}  # fmt: skip


async def test_a_payment_is_given_back_once_and_shows_it(till: Till) -> None:
    checkout = await till.pays()
    assert await till.connector.find_move(checkout, MoveKind.REFUND, ONE, None) is None
    done = await till.connector.refund(checkout, till.move("100"))
    assert isinstance(done, Moved)
    assert done.provider_id == checkout.payment_id
    with pytest.raises(Refused, match="cannot be cancelled") as no:
        await till.connector.refund(checkout, till.move("100"))
    assert no.value.code == "422"
    move = await till.connector.find_move(checkout, MoveKind.REFUND, ONE, None)
    assert move is not None
    assert (move.kind, move.amount, move.provider_id) == (MoveKind.REFUND, Decimal(100), checkout.payment_id)
    assert till.counter.ledger()[2:] == [("refund", Decimal(100), "PHP")]


async def test_what_is_sent_names_the_transaction_and_is_signed(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens()
    scripted.says(200, {})
    await scripted.connector.refund(replace(checkout, payment_id="123456789"), till.move("100"))
    assert scripted.asked == [("POST", "/payments/api/v2/cancelPayment", signed({"tp_transaction_id": "123456789"}))]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [({}, Moved), ({"tp_transaction_status": "CANCELED"}, Moved), ({"tp_transaction_status": "PAID"}, Underway)],
)
async def test_an_answer_that_names_another_status_is_not_taken_for_done(
    scripted: Scripted, till: Till, answer: dict[str, str], kind: type
) -> None:
    _, checkout = await till.opens()
    scripted.says(200, answer)
    assert isinstance(await scripted.connector.refund(replace(checkout, payment_id="12215"), till.move("100")), kind)


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
async def test_after_a_lost_answer_the_transaction_tells_what_happened(till: Till, fault: str) -> None:
    checkout = await till.pays()
    await till.counter.order_fault("refund", fault)
    with pytest.raises(Unclear):
        await till.connector.refund(checkout, till.move("100"))
    move = await till.connector.find_move(checkout, MoveKind.REFUND, ONE, None)
    assert (move is None) == (fault == "error_before")


@pytest.mark.parametrize("changed", [{"tp_transaction_id": 1}, {"tp_merchant_order_id": "R-2"}])
async def test_another_transaction_that_is_shown_says_nothing(
    scripted: Scripted, till: Till, changed: dict[str, object]
) -> None:
    _, checkout = await till.opens()
    known = replace(checkout, payment_id="12215")
    scripted.says(200, SHOWN)
    assert await scripted.connector.find_move(known, MoveKind.REFUND, ONE, None) is not None
    scripted.says(200, SHOWN | changed)
    with pytest.raises(Unclear):
        await scripted.connector.find_move(known, MoveKind.REFUND, ONE, None)
