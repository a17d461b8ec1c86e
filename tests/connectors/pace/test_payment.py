"""How a transaction stands at Pace, cancelling it, and its webhooks."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Cancelled, EventReading, Expired, NotThere, Paid, Pending, Refused
from paymux.platform.http import Unclear
from tests.connectors.pace.conftest import TRANSACTION, Till, event, sample
from tests.connectors.scripted import Scripted

SALE = [("authorize", Decimal(100)), ("capture", Decimal(100))]
FULL = sample("created")["answer"]


async def test_the_documented_transaction_is_paid_and_vouched_for_by_its_own_opening(
    scripted: Scripted, till: Till
) -> None:
    scripted.replays("transaction")
    paid = await scripted.connector.fetch(till.checkout())
    assert scripted.asked == [("GET", f"/v1/checkouts/{TRANSACTION}", None)]
    assert isinstance(paid, Paid)
    assert (paid.session, paid.payment_id, paid.reference, paid.total) == (TRANSACTION, TRANSACTION, None, None)


async def test_a_transaction_that_names_its_amount_is_paid_by_that(scripted: Scripted, till: Till) -> None:
    scripted.says(
        200, {**FULL, "status": "approved", "amount": {"actualValue": 99.5, "value": 9950, "currency": "MYR"}}
    )
    paid = await scripted.connector.fetch(till.checkout())
    assert isinstance(paid, Paid)
    assert (paid.reference, paid.captured) == ("R-1001", Decimal("99.5"))
    assert paid.total is not None
    assert (paid.total.amount, paid.total.currency) == (Decimal("99.5"), "MYR")


@pytest.mark.parametrize(
    ("word", "kind", "completed"),
    [
        ("approved", Paid, None), ("cancelled", Cancelled, None), ("expired", Expired, None),
        ("processing", Pending, True), ("pending_confirmation", Pending, False), ("on_hold", Pending, False),
        ("APPROVED", Pending, False), ("", Pending, False),
    ],
)  # fmt: skip
async def test_every_word_that_a_source_names_is_known_and_any_other_is_pending(
    scripted: Scripted, till: Till, word: str, kind: type, completed: bool | None
) -> None:
    scripted.replays("transaction", status=word)
    report = await scripted.connector.fetch(till.checkout())
    assert type(report) is kind
    assert report.session == TRANSACTION
    if isinstance(report, Pending):
        assert report.completed == completed


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [("approve", Paid), ("decline", Cancelled), ("cancel", Cancelled), ("pending", Pending), ("error", Pending)],
)
async def test_what_the_shopper_decides_is_what_the_transaction_says(till: Till, outcome: str, kind: type) -> None:
    checkout, _ = await till.decides(outcome)
    assert type(await till.connector.fetch(checkout)) is kind
    assert till.rows() == (SALE if outcome == "approve" else [])


async def test_a_transaction_that_nobody_agreed_to_expires(till: Till) -> None:
    opened, checkout = await till.opens()
    assert opened.expires_at is not None
    till.passes(days=8)
    assert isinstance(await till.connector.fetch(checkout), Expired)


@pytest.mark.parametrize("said", ["<html>", "[]", {"status": "approved"}, {**FULL, "amount": {"actualValue": "much"}}])
async def test_an_answer_that_makes_no_sense_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(till.checkout())


async def test_an_unknown_transaction_is_not_there(till: Till) -> None:
    with pytest.raises(NotThere, match="not found"):
        await till.connector.fetch(till.checkout())


async def test_a_lost_answer_to_the_question_is_asked_for_again(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("status", "error_after")
    with pytest.raises(Unclear):
        await till.connector.fetch(checkout)
    assert isinstance(await till.connector.fetch(checkout), Paid)


# -- cancelling -------------------------------------------------------------------------------


async def test_a_cancelled_transaction_can_not_be_agreed_to_and_is_cancelled_again_without_harm(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.connector.cancel_checkout(checkout)
    await till.counter.shopper(opened.url, "approve")
    await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.fetch(checkout), Cancelled)
    assert till.rows() == []


async def test_a_paid_transaction_is_not_cancelled(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    with pytest.raises(Refused, match="is approved and can not be cancelled"):
        await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.fetch(checkout), Paid)


async def test_an_expired_transaction_needs_no_cancelling(till: Till) -> None:
    _, checkout = await till.opens()
    till.passes(days=8)
    await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.fetch(checkout), Expired)


async def test_any_answer_without_an_error_is_a_cancel_that_was_taken(scripted: Scripted, till: Till) -> None:
    scripted.says(200, {})
    await scripted.connector.cancel_checkout(till.checkout())
    assert scripted.asked == [("POST", f"/v1/checkouts/{TRANSACTION}/cancel", {})]


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
async def test_a_cancel_without_an_answer_is_sent_again(till: Till, fault: str) -> None:
    _, checkout = await till.opens()
    await till.counter.order_fault("cancel", fault)
    if fault == "malformed":
        await till.connector.cancel_checkout(checkout)
    else:
        with pytest.raises(Unclear):
            await till.connector.cancel_checkout(checkout)
        await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.fetch(checkout), Cancelled)


# -- webhooks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "reference"), [("event_approved", "R-1001"), ("event_refunded", None)])
async def test_a_documented_webhook_only_makes_us_ask(till: Till, name: str, reference: str | None) -> None:
    told = event(json.dumps(sample(name)["body"]).encode())
    assert till.connector.verify_event(told) is None
    assert till.connector.read_event(told) == EventReading(session=TRANSACTION, reference=reference)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"event": "approved"}', b'{"event": 1, "transactionID": "T1"}'])
async def test_a_webhook_that_names_no_transaction_is_not_read(till: Till, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"names no transaction|validation error"):
        till.connector.read_event(event(body))


@pytest.mark.parametrize(
    ("outcome", "word", "status"),
    [("approve", "approved", "success"), ("decline", "cancelled", "fail"), ("cancel", "cancelled", "success")],
)
async def test_the_simulator_tells_what_was_decided(till: Till, outcome: str, word: str, status: str) -> None:
    checkout, _ = await till.decides(outcome)
    (told,) = await till.told(1)
    assert (told["event"], told["status"], told["transactionID"]) == (word, status, checkout.session)
    assert set(sample("event_approved")["body"]) <= set(told)


async def test_a_refund_in_the_portal_changes_nothing_that_can_be_asked(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    assert (await till.call("POST", "/sandbox/provider-refund", {"id": checkout.session}))[0] == 201
    told = (await till.told(2))[1]
    assert (told["event"], told["refundType"]) == ("refundrequest_completed", "full")
    assert till.rows()[2:] == [("refund", Decimal(100))]
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert paid.refunded is None
