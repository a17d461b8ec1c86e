"""Cancelling an unpaid order, and money that comes after it: given back, or impossible (D1, T3)."""

from __future__ import annotations

import asyncio

import pytest

from tests.conformance.trial import PATIENT, Trial

pytestmark = pytest.mark.able("sale")
LIMITS = PATIENT | {"sandbox_slow": 0.8}
FAR = 3 * 86_400


async def _time_passes(trial: Trial) -> None:
    for seconds in (31, 61, 601, 601, FAR):
        await trial.installation.quiet()
        await trial.installation.advance(seconds)
    await trial.installation.quiet()


async def _nothing_is_kept(trial: Trial, reference: str) -> None:
    await _time_passes(trial)
    await trial.comes_to_rest(reference)
    assert await trial.wrongs(reference) == []
    books = await trial.books(reference)
    assert (books.status, books.balance, books.held) == ("CANCELED", 0, 0)


@pytest.mark.able("cancel")
async def test_a_shopper_cannot_pay_what_the_merchant_has_cancelled(trial: Trial) -> None:
    opened = await trial.opens()
    reference = opened["orderReference"]
    answer = await trial.cancels(reference)
    assert (answer.status, answer.body["status"], answer.body["cancelledBy"]) == (201, "CANCELED", "MERCHANT")
    again = await trial.cancels(reference)
    assert (again.status, again.body["status"]) == (201, "CANCELED")
    await trial.installation.call("POST", opened["redirectUrl"], data={"outcome": "approve"})
    assert [row for row in trial.installation.ledger(reference) if row[0] == "capture"] == []
    await _nothing_is_kept(trial, reference)


async def _paid_after_the_merchants_cancel(trial: Trial) -> str:
    opened = await trial.opens()
    reference = opened["orderReference"]
    page = await trial.shopper.reaches(opened["redirectUrl"])
    if trial.can("cancel"):
        await trial.fault("cancel", "error_before", reference, 1000)
    assert (await trial.cancels(reference)).status == 201
    await trial.leaves(opened | {"redirectUrl": page})
    return str(reference)


@pytest.mark.able("refund")
async def test_a_payment_after_the_merchants_cancel_is_given_back(trial: Trial) -> None:
    reference = await _paid_after_the_merchants_cancel(trial)
    paid = trial.installation.balance(reference) > 0
    await _nothing_is_kept(trial, reference)
    if paid:
        assert (await trial.books(reference)).initiators("refunds") == ["SYSTEM"]
        (told,) = trial.installation.inbox.events(reference, "REFUND_CALLBACK")
        assert (told["data"]["initiator"], told["data"]["status"]) == ("SYSTEM", "SUCCESSFUL")


@pytest.mark.unable("refund")
async def test_a_payment_after_the_merchants_cancel_that_no_call_gives_back_is_left_to_a_person(trial: Trial) -> None:
    reference = await _paid_after_the_merchants_cancel(trial)
    paid = trial.installation.balance(reference)
    assert paid == trial.total
    await _time_passes(trial)
    books = await trial.books(reference)
    assert (books.status, books.said("captured"), books.balance) == ("CANCELED", paid, paid)
    assert "no refund" in str(books.details["needsReview"])
    told = trial.installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")
    assert [event["data"]["status"] for event in told] == ["CANCELED"]


@pytest.mark.able("deferred_capture")
async def test_an_authorisation_after_the_deadline_is_given_back(trial: Trial) -> None:
    opened = await trial.opens(autoCapture=False, cancellationTimeout=60)
    reference = opened["orderReference"]
    if trial.can("cancel"):
        await trial.fault("cancel", "error_before", reference, 1000)
    await trial.installation.advance(61)
    await trial.becomes(reference, "CANCELED")
    back = await trial.leaves(opened)
    await trial.shopper.returns(back)
    await _nothing_is_kept(trial, reference)


async def test_a_paid_order_cannot_be_cancelled(trial: Trial) -> None:
    reference = await trial.paid()
    answer = await trial.cancels(reference)
    assert (answer.status, answer.body["code"]) == (409, "order_final")
    assert (await trial.books(reference)).balance == trial.total


@pytest.mark.able("confirm_by_poll")
async def test_a_deadline_that_meets_a_confirm_under_way_waits_for_that_alone(trial: Trial) -> None:
    opened = await trial.opens(cancellationTimeout=600)
    reference = opened["orderReference"]
    await trial.fault("confirm", "slow", reference)
    await trial.installation.advance(31)
    while not trial.struck("confirm", reference):
        await asyncio.sleep(0.02)
    # The poll's try is being answered now, and nobody advances the clock any more.
    await trial.installation.advance(600)
    await trial.becomes(reference, "CANCELED")
    assert (await trial.merchant.status(reference))["cancelledBy"] == "SYSTEM"


@pytest.mark.able("cancel")
async def test_a_cancel_whose_own_event_overtakes_its_answer_is_the_merchants(trial: Trial) -> None:
    opened = await trial.opens()
    reference = opened["orderReference"]
    await trial.fault("cancel", "slow", reference)
    answer = await trial.cancels(reference)
    assert (answer.status, answer.body["status"], answer.body["cancelledBy"]) == (201, "CANCELED", "MERCHANT")
    await trial.comes_to_rest(reference)
    assert await trial.wrongs(reference) == []
