"""Captures, voids and refunds, whole and in parts, as far as each connector declares them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.conformance.trial import PATIENT, Trial

LIMITS = PATIENT


async def _agreed(trial: Trial, reference: str, capture_status: str, captured: Decimal, refunded: Decimal) -> None:
    await trial.comes_to_rest(reference)
    assert await trial.wrongs(reference) == []
    books = await trial.books(reference)
    assert books.details["captureStatus"] == capture_status
    assert (books.said("captured"), books.said("refunded")) == (captured, refunded)
    assert books.balance == captured - refunded


@pytest.mark.able("deferred_capture")
async def test_a_deferred_order_is_authorised_and_captured_when_the_merchant_asks(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    books = await trial.books(reference)
    assert (books.details["captureStatus"], books.balance, books.held) == ("AUTHORIZED", 0, trial.total)
    answer = await trial.captures(reference, trial.total)
    assert (answer.status, answer.body["capturedAmount"]) == (201, trial.total)
    await _agreed(trial, reference, "CAPTURED", trial.total, Decimal(0))


@pytest.mark.able("partial_capture")
async def test_a_part_is_captured_and_what_is_over_is_refused(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    assert (await trial.captures(reference, trial.part(30))).status == 201
    over = await trial.captures(reference, trial.total, "over")
    assert over.status in (400, 409)
    assert over.body["code"] in ("over_capture", "not_supported")
    await trial.comes_to_rest(reference)
    assert (await trial.books(reference)).moved("capture") == trial.part(30)


@pytest.mark.able("multiple_captures")
async def test_several_captures_add_up_to_the_order(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    first, second = trial.part(30), trial.part(20)
    assert (await trial.captures(reference, first, "C-1")).status == 201
    assert (await trial.captures(reference, second, "C-2")).status == 201
    again = await trial.captures(reference, second, "C-2")
    assert (again.status, again.body["capturedAmount"]) == (201, second)
    await _agreed(trial, reference, "PARTIALLY_CAPTURED", first + second, Decimal(0))
    assert (await trial.captures(reference, trial.total - first - second, "C-3")).status == 201
    await _agreed(trial, reference, "CAPTURED", trial.total, Decimal(0))


@pytest.mark.able("partial_capture")
@pytest.mark.unable("multiple_captures")
async def test_where_one_capture_is_all_a_partial_one_releases_the_rest(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    assert (await trial.captures(reference, trial.part(30))).status == 201
    await _agreed(trial, reference, "CAPTURED", trial.part(30), Decimal(0))
    assert (await trial.books(reference)).details["orderVoids"][0]["initiator"] == "SYSTEM"


@pytest.mark.able("void", "deferred_capture")
async def test_an_authorisation_is_voided_whole(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    assert (await trial.voids(reference, trial.total)).status == 201
    await _agreed(trial, reference, "VOIDED", Decimal(0), Decimal(0))
    assert (await trial.books(reference)).held == 0
    late = await trial.captures(reference, trial.total)
    assert late.status in (400, 409)


@pytest.mark.able("partial_void")
async def test_a_part_is_voided_and_the_rest_captured(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    assert (await trial.voids(reference, trial.part(40))).status == 201
    assert (await trial.captures(reference, trial.total - trial.part(40))).status == 201
    await _agreed(trial, reference, "CAPTURED", trial.total - trial.part(40), Decimal(0))
    assert (await trial.books(reference)).held == 0


@pytest.mark.able("partial_capture", "void")
async def test_what_is_left_after_a_capture_is_voided(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    assert (await trial.captures(reference, trial.part(30))).status == 201
    if trial.can("multiple_captures"):
        assert (await trial.voids(reference, trial.total - trial.part(30))).status == 201
    await _agreed(trial, reference, "CAPTURED", trial.part(30), Decimal(0))
    assert (await trial.books(reference)).held == 0


@pytest.mark.able("refund", "sale")
async def test_a_sale_is_refunded_whole_and_no_more(trial: Trial) -> None:
    reference = await trial.paid()
    answer = await trial.refunds(reference, trial.total)
    assert (answer.status, answer.body["refundedAmount"]) == (201, trial.total)
    await _agreed(trial, reference, "CAPTURED", trial.total, trial.total)
    over = await trial.refunds(reference, trial.part(10), "more")
    assert (over.status, over.body["code"]) == (400, "over_refund")
    assert (await trial.books(reference)).balance == 0


@pytest.mark.able("partial_refund", "sale")
async def test_a_part_of_a_sale_is_refunded(trial: Trial) -> None:
    reference = await trial.paid()
    assert (await trial.refunds(reference, trial.part(40))).status == 201
    await _agreed(trial, reference, "CAPTURED", trial.total, trial.part(40))


@pytest.mark.able("multiple_refunds", "partial_refund", "sale")
async def test_several_refunds_add_up_and_never_exceed_the_sale(trial: Trial) -> None:
    reference = await trial.paid()
    assert (await trial.refunds(reference, trial.part(40), "R-1")).status == 201
    assert (await trial.refunds(reference, trial.part(40), "R-1")).status == 201
    await trial.comes_to_rest(reference)
    assert (await trial.refunds(reference, trial.part(40), "R-2")).status == 201
    await trial.comes_to_rest(reference)
    over = await trial.refunds(reference, trial.part(40), "R-3")
    assert (over.status, over.body["code"]) == (400, "over_refund")
    assert (await trial.refunds(reference, trial.total - 2 * trial.part(40), "R-4")).status == 201
    await _agreed(trial, reference, "CAPTURED", trial.total, trial.total)


@pytest.mark.able("deferred_capture", "refund")
async def test_what_was_captured_later_can_be_refunded(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    early = await trial.refunds(reference, trial.total, "early")
    assert (early.status, early.body["code"]) == (409, "not_captured")
    assert (await trial.captures(reference, trial.total)).status == 201
    await trial.comes_to_rest(reference)
    assert (await trial.refunds(reference, trial.total)).status == 201
    await _agreed(trial, reference, "CAPTURED", trial.total, trial.total)
