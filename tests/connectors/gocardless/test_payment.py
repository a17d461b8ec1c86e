"""The debit against the mandate: made once by our confirm, underway until the bank has answered, refunded, taken back."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Cancelled,
    Declined,
    Moved,
    MoveKind,
    MoveStatus,
    Paid,
    Pending,
    Refused,
    Underway,
)
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors.gocardless.conftest import Scripted, Till, sample
from tests.connectors.till import KEY, ONE, TWO

ALL = Decimal("100.00")
COLLECTED = [("authorize", ALL, "GBP"), ("capture", ALL, "GBP")]


async def test_the_confirm_charges_the_mandate_of_this_billing_request(scripted: Scripted) -> None:
    scripted.replays("billing_request_fulfilled")
    scripted.pays(status="pending_submission")
    charged = await scripted.connector.confirm(scripted.checkout, KEY)
    assert isinstance(charged, Paid)
    assert (charged.underway, charged.payment_id, charged.total) == (True, "PM123", Money(Decimal("10.00"), "EUR"))
    assert scripted.asked[0][:2] == ("GET", "/billing_requests/BRQ123")
    assert scripted.asked[1] == ("POST", "/payments", {"payments": {
        "amount": 1000, "currency": "EUR", "description": "Order R-1001", "retry_if_possible": False,
        "links": {"mandate": "MD123"}, "metadata": {"order": "R-1001", "billing_request": "BRQ123"},
    }})  # fmt: skip
    assert scripted.headers[1]["Idempotency-Key"] == KEY


async def test_a_debit_is_underway_and_then_collected(till: Till) -> None:
    checkout = await till.charges()
    paid = await till.paid_now(checkout)
    assert (paid.underway, paid.total, paid.captured, paid.refunded) == (False, Money(ALL, "GBP"), ALL, 0)
    assert (paid.session, paid.reference, paid.moves) == (checkout.session, "R-1001", ())
    assert till.counter.ledger() == COLLECTED


async def test_a_debit_that_the_bank_is_at_stays_underway_until_it_answers(till: Till) -> None:
    checkout = await till.charges("pending")
    for _ in range(2):
        assert (await till.paid_now(checkout)).underway
    assert till.counter.ledger() == []
    assert await till.settles("approve") == 200
    assert not (await till.paid_now(checkout)).underway


async def test_a_debit_that_the_bank_refuses_is_declined(till: Till) -> None:
    checkout = await till.charges("decline")
    said = await till.connector.fetch(checkout)
    assert isinstance(said, Declined)
    assert (said.code, said.session, said.reference) == ("failed", checkout.session, "R-1001")
    assert till.counter.ledger() == []


async def test_a_confirm_before_the_shopper_agreed_charges_nothing(till: Till) -> None:
    opened, checkout = await till.opens()
    said = await till.connector.confirm(checkout, KEY)
    assert isinstance(said, Pending)
    assert not said.completed
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.confirm(checkout, KEY), Paid)


@pytest.mark.parametrize("fault", ["error_after", "reset_after", "malformed"])
async def test_a_confirm_whose_answer_was_lost_is_the_same_payment_when_repeated(till: Till, fault: str) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, KEY)
    again = await till.connector.confirm(checkout, KEY)
    assert isinstance(again, Paid)
    assert (again.underway, again.captured) == (False, ALL)
    assert till.counter.ledger() == COLLECTED


async def test_a_confirm_that_can_not_ask_for_the_mandate_certainly_charged_nothing(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("status", "error_before")
    with pytest.raises(NotSent):
        await till.connector.confirm(checkout, KEY)
    assert till.counter.ledger() == []


async def test_a_mandate_that_the_bank_has_ended_is_a_clear_no(scripted: Scripted) -> None:
    scripted.replays("billing_request_fulfilled")
    fault = {"reason": "mandate_is_inactive", "message": "Mandate is failed, cancelled or expired"}
    scripted.says(422, {"error": {"type": "invalid_state", "message": fault["message"], "errors": [fault]}})
    with pytest.raises(Refused) as refused:
        await scripted.connector.confirm(scripted.checkout, KEY)
    assert refused.value.code == "mandate_is_inactive"


async def test_a_repeat_reads_what_the_first_request_made(scripted: Scripted) -> None:
    scripted.replays("billing_request_fulfilled")
    scripted.replays("error_idempotent_conflict")
    scripted.pays(status="submitted")
    assert isinstance(await scripted.connector.confirm(scripted.checkout, KEY), Paid)
    assert scripted.asked[-1][:2] == ("GET", "/payments/PM123")


async def test_a_conflict_that_names_nothing_is_not_taken_for_a_no(scripted: Scripted) -> None:
    scripted.replays("billing_request_fulfilled")
    scripted.says(409, {"error": {"type": "invalid_state", "message": "conflict", "errors": []}})
    with pytest.raises(Unclear):
        await scripted.connector.confirm(scripted.checkout, KEY)


async def test_a_validation_error_names_the_field(scripted: Scripted) -> None:
    scripted.replays("billing_request_fulfilled")
    scripted.replays("error_validation")
    with pytest.raises(Refused) as refused:
        await scripted.connector.confirm(scripted.checkout, KEY)
    assert (refused.value.code, refused.value.reason) == (
        "validation_failed", "Validation failed: amount must be greater than 1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "expected", "underway"),
    [
        ("pending_customer_approval", Paid, True), ("pending_submission", Paid, True), ("submitted", Paid, True),
        ("confirmed", Paid, False), ("paid_out", Paid, False), ("charged_back", Paid, False), ("failed", Declined, None),
        ("customer_approval_denied", Declined, None), ("cancelled", Cancelled, None), ("a_new_word", Pending, None),
    ],
)  # fmt: skip
async def test_each_status_of_a_payment(scripted: Scripted, status: str, expected: type, underway: bool | None) -> None:
    scripted.pays(status=status)
    if underway is False:
        scripted.says(200, {"refunds": []})
    said = await scripted.connector.fetch(replace(scripted.checkout, payment_id="PM123"))
    assert type(said) is expected
    assert getattr(said, "underway", None) == underway
    if isinstance(said, Pending):
        assert said.completed


async def test_a_payment_names_what_gocardless_says_and_not_what_we_expect(scripted: Scripted) -> None:
    scripted.pays(metadata={"order": "R-666", "billing_request": "BRQ666"}, amount=999, currency="GBP")
    said = await scripted.connector.fetch(replace(scripted.checkout, payment_id="PM123"))
    assert isinstance(said, Paid)
    assert (said.session, said.reference, said.total) == ("BRQ666", "R-666", Money(Decimal("9.99"), "GBP"))


async def test_refunds_are_taken_on_and_then_paid(till: Till) -> None:
    checkout = await till.charges()
    first = await till.refunds(checkout, "40.00", ONE, "100.00")
    second = await till.refunds(checkout, "60.00", TWO, "60.00")
    assert isinstance(first, Underway)
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.refunded) == (ALL, ALL)
    found = {move.key: (move.kind, move.amount, move.status, move.provider_id) for move in paid.moves or ()}
    assert found == {
        ONE: (MoveKind.REFUND, Decimal("40.00"), MoveStatus.DONE, first.provider_id),
        TWO: (MoveKind.REFUND, Decimal("60.00"), MoveStatus.DONE, second.provider_id),
    }


async def test_a_refund_whose_answer_was_lost_is_made_once(till: Till) -> None:
    checkout = await till.charges()
    await till.counter.order_fault("refund", "error_after")
    with pytest.raises(Unclear):
        await till.refunds(checkout, "40.00", ONE, "100.00")
    again = await till.refunds(checkout, "40.00", ONE, "100.00")
    assert isinstance(again, Moved)
    assert till.counter.ledger()[2:] == [("refund", Decimal("40.00"), "GBP")]


async def test_a_refund_beside_one_that_we_do_not_know_of_is_refused(till: Till) -> None:
    checkout = await till.charges()
    assert await till.post("/sandbox/provider-refund", id=checkout.session, amount="10.00") == 201
    with pytest.raises(Refused) as refused:
        await till.refunds(checkout, "40.00", ONE, "100.00")
    assert refused.value.code == "total_amount_confirmation_invalid"
    (theirs,) = (await till.paid_now(checkout)).moves or ()
    assert (theirs.key, theirs.amount) == (None, Decimal("10.00"))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("created", MoveStatus.UNDERWAY), ("pending_submission", MoveStatus.UNDERWAY), ("submitted", MoveStatus.UNDERWAY),
        ("paid", MoveStatus.DONE), ("cancelled", MoveStatus.FAILED), ("bounced", MoveStatus.FAILED),
        ("funds_returned", MoveStatus.FAILED), ("a_new_word", MoveStatus.UNDERWAY),
    ],
)  # fmt: skip
async def test_each_status_of_a_refund(scripted: Scripted, status: str, expected: MoveStatus) -> None:
    refund: Any = {**sample("refund_submitted")["answer"]["refunds"], "status": status, "metadata": {"key": ONE}}
    scripted.pays(status="paid_out")
    scripted.says(200, {"refunds": [refund]})
    paid = await scripted.connector.fetch(replace(scripted.checkout, payment_id="PM123"))
    assert isinstance(paid, Paid)
    assert [(move.status, move.key, move.amount) for move in paid.moves or ()] == [(expected, ONE, Decimal("1.50"))]
    assert paid.refunded == (Decimal("1.50") if expected is MoveStatus.DONE else 0)
    assert scripted.asked[-1][:2] == ("GET", "/refunds?payment=PM123")


async def test_a_payment_that_is_charged_back_was_collected_and_taken_back(till: Till) -> None:
    checkout = await till.charges()
    await till.post("/sandbox/payment-status", id=checkout.session, status="charged_back")
    paid = await till.paid_now(checkout)
    (move,) = paid.moves or ()
    assert (paid.captured, paid.refunded) == (ALL, 0)
    assert (move.kind, move.amount, move.status) == (MoveKind.CHARGEBACK, ALL, MoveStatus.DONE)


async def test_a_failure_after_the_confirmation_is_money_taken_back(till: Till) -> None:
    checkout = await till.charges()
    known = replace(checkout, state=(await till.paid_now(checkout)).state)
    await till.post("/sandbox/payment-status", id=checkout.session, status="failed")
    (move,) = (await till.paid_now(known)).moves or ()
    assert (move.kind, move.amount) == (MoveKind.CHARGEBACK, ALL)
    assert isinstance(await till.connector.fetch(checkout), Declined)


async def test_a_debit_that_is_not_with_the_banks_yet_can_be_cancelled(till: Till) -> None:
    checkout = await till.charges("pending")
    await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.fetch(checkout), Cancelled)
    assert await till.settles("approve") == 404
    assert till.counter.ledger() == []


async def test_a_debit_that_was_collected_cannot_be_cancelled(till: Till) -> None:
    checkout = await till.charges()
    with pytest.raises(Refused) as refused:
        await till.connector.cancel_checkout(checkout)
    assert refused.value.code == "cancellation_failed"
