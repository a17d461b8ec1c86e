"""Pace in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Merchant, Shopper


async def test_an_order_is_paid_and_a_refund_is_refused_before_anything_is_sent(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PACE", "64.10")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    answer = await merchant.refunds(reference, "40", "R-1")
    assert (answer.status, answer.body["code"]) == (400, "not_supported")
    assert installation.balance(reference) == Decimal("64.10")


async def test_a_payment_that_pace_still_processes_is_paid_once_it_says_so(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PACE")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"], "pending"))["status"] == "PENDING"
    await installation.settle(reference, "approve")
    await installation.advance(31)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"


async def test_an_order_that_nobody_agreed_to_ends_with_its_transaction(
    installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates("PACE")
    for seconds in (7 * 86_400, 601, 601):
        await installation.advance(seconds)
        await installation.quiet()
    status = await merchant.status(opened["orderReference"])
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "SYSTEM")
