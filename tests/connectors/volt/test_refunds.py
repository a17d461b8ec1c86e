"""Refunds at Volt: taken on at once, told by a notification, and never made twice."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Incoming, MoveKind, MoveStatus, Paid, Refused
from paymux.platform.http import Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.till import ONE, THREE, TWO
from tests.connectors.volt.conftest import Till, notification, sample


async def test_what_is_sent_names_the_amount_and_our_key(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens()
    scripted.says(200, sample("refund")["answer"])
    done = await scripted.connector.refund(replace(checkout, payment_id="P-1"), till.move("35.95"))
    assert done.provider_id == "93b85f3c-76eb-4316-b1ae-f3370ddc59bc"
    ((method, path, sent),), (headers,) = scripted.asked, scripted.headers
    assert (method, path, headers["idempotency-key"]) == ("POST", "/api/payments/P-1/request-refund", ONE)
    assert sent == {"amount": 3595, "externalReference": ONE.replace("-", "")}


@pytest.mark.parametrize("number", [0, 1])
async def test_a_refusal_is_told_in_volts_words(scripted: Scripted, till: Till, number: int) -> None:
    _, checkout = await till.opens()
    refusal = sample("refund")["refusals"][number]
    scripted.says(refusal["status"], refusal["answer"])
    with pytest.raises(Refused, match=refusal["answer"]["exception"]["message"]) as no:
        await scripted.connector.refund(checkout, till.move("40.00"))
    assert no.value.code == str(refusal["status"])


async def test_the_refusal_of_a_repeat_says_that_it_was_taken_on_before(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens()
    repeated = sample("refund")["repeated"]
    scripted.says(repeated["status"], repeated["answer"])
    assert (await scripted.connector.refund(checkout, till.move("40.00"))).provider_id is None


async def test_parts_are_refunded_each_once_and_never_more_than_was_paid(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    await till.refunds(checkout)
    assert (await till.refunds(checkout)).provider_id is None
    await till.refunds(checkout, "60.00", TWO)
    with pytest.raises(Refused, match="can not be refunded"):
        await till.refunds(checkout, "0.01", THREE)
    assert till.counter.ledger()[2:] == [("refund", Decimal(40), "EUR"), ("refund", Decimal(60), "EUR")]


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
async def test_a_refund_whose_answer_was_lost_is_sent_again_and_made_once(till: Till, fault: str) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("refund", fault)
    with pytest.raises(Unclear):
        await till.refunds(checkout)
    await till.refunds(checkout)
    assert till.counter.ledger()[2:] == [("refund", Decimal(40), "EUR")]


@pytest.mark.parametrize(("fails", "status"), [(False, MoveStatus.DONE), (True, MoveStatus.FAILED)])
async def test_the_notification_tells_what_became_of_it_under_our_key(
    till: Till, fails: bool, status: MoveStatus, eventually: Any
) -> None:
    checkout, _ = await till.decides("approve")
    if fails:
        await till.post("/sandbox/refunds-fail")
    done = await till.refunds(checkout)

    async def came() -> Any:
        return [row for row in till.counter.inbox.received if b"REFUND_" in row[3]]

    ((method, headers, query, body),) = await eventually(came)
    event = Incoming(method=method, headers=headers, query=query, body=body)
    till.connector.verify_event(event)
    reading = till.connector.read_event(event)
    assert reading.session == checkout.session
    assert isinstance(reading.report, Paid)
    ((move),) = reading.report.moves or ()
    assert (move.kind, move.amount, move.status) == (MoveKind.REFUND, Decimal(40), status)
    assert (move.key, move.provider_id) == (ONE, done.provider_id)
    assert len(till.counter.ledger()) == (2 if fails else 3)


@pytest.mark.parametrize("name", ["refund", "refund_by_id"])
async def test_the_documented_notifications_are_read_and_one_without_our_key_is_not_ours(till: Till, name: str) -> None:
    reading = till.connector.read_event(notification(sample("notifications")[name]))
    assert reading.session == "01dfb01b-c5ab-49e4-bfa4-277c766d5ecc"
    assert isinstance(reading.report, Paid)
    assert (reading.report.session, reading.report.total) == (reading.session, None)
    assert reading.report.underway, "a refund that was told is no proof of a payment"
    ((move),) = reading.report.moves or ()
    assert (move.amount, move.key, move.status) == (Decimal(1), None, MoveStatus.DONE)
    assert move.provider_id == "026cefa0-a174-4ca3-a1e6-533a129d9c32"


@pytest.mark.parametrize("changes", [{"status": "REFUND_PROCESSING"}, {"amount": None}, {"currency": None}])
async def test_a_notification_that_does_not_decide_a_refund_brings_no_report(
    till: Till, changes: dict[str, Any]
) -> None:
    body = sample("notifications")["refund"] | changes
    assert till.connector.read_event(notification(body)).report is None
