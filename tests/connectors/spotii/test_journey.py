"""Spotii in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Merchant, Shopper


async def test_an_order_is_captured_and_partly_refunded(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("SPOTII", "264.10")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == Decimal("224.10")


async def test_a_shopper_who_never_comes_back_has_paid_once_the_order_is_asked_about(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("SPOTII", "250.00")
    await shopper.decides(opened["redirectUrl"], "approve")
    await installation.advance(31)
    await installation.quiet()
    assert (await merchant.status(opened["orderReference"]))["status"] == "SUCCESSFUL"
    assert installation.balance(opened["orderReference"]) == 250


async def test_a_capture_whose_answer_was_lost_is_never_sent_again_and_is_listed_for_a_person(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("SPOTII", "250.00")
    reference = opened["orderReference"]
    await installation.fault("spotii", "confirm", "error_before", reference)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    for seconds in (31, 61, 601):
        await installation.advance(seconds)
        await installation.quiet()
    details = await merchant.details(reference)
    assert details["status"] == "PENDING"
    assert details["needsReview"]
    assert installation.ledger(reference) == []


async def test_an_order_that_can_not_be_read_for_a_moment_is_captured_later(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("SPOTII", "250.00")
    reference = opened["orderReference"]
    await installation.fault("spotii", "status", "error_before", reference)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    for seconds in (31, 61):
        await installation.advance(seconds)
        await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 250
