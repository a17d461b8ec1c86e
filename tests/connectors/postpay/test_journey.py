"""Postpay in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Merchant, Shopper


async def test_an_order_is_captured_and_partly_refunded(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("POSTPAY", "64.10")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == Decimal("24.10")


async def test_a_capture_whose_answer_was_lost_is_found_and_paid_once(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("POSTPAY")
    reference = opened["orderReference"]
    await installation.fault("postpay", "confirm", "error_after", reference)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    await installation.advance(31)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 100


async def test_a_refund_whose_answer_was_lost_is_listed_for_a_person(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("POSTPAY")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.fault("postpay", "refund", "error_after", reference)
    assert (await merchant.refunds(reference, "30", "R-1")).body["refundStatus"] == "PENDING"
    await installation.advance(31)
    await installation.quiet()
    assert (await merchant.details(reference))["needsReview"]
    assert installation.balance(reference) == 70
