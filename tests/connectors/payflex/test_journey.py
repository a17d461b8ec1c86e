"""Payflex in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Merchant, Shopper


async def test_an_order_is_paid_and_refunded_in_parts(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYFLEX_SA", "64.10")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "24.10", "R-2")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == 0


async def test_a_cheaper_payment_does_not_pay_the_order_and_is_given_back(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYFLEX_SA")
    reference = opened["orderReference"]
    ((_, case),) = installation.store.cases(reference)
    url = f"{installation.settings.sandbox_base_url}/payflex/sandbox/tamper"
    await installation.call("POST", url, json={"id": case.id, "amount": "10"})
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    await installation.quiet()
    assert (await merchant.details(reference))["needsReview"]
    assert [row for row in installation.ledger(reference) if row[0] == "refund"] == [("refund", Decimal(10))]
