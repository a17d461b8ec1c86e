"""The gateway in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Merchant, Shopper


async def test_an_order_is_paid_and_refunded(installation: Installation, merchant: Merchant, shopper: Shopper) -> None:
    opened = await merchant.creates("MPGS", "120.50", purchaseCurrency="BHD")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    refund = await merchant.refunds(reference, "20.50", "R-1")
    assert (refund.status, refund.body["refundStatus"]) == (201, "SUCCESSFUL")
    assert installation.balance(reference) == Decimal(100)


async def test_only_the_whole_is_captured(installation: Installation, merchant: Merchant, shopper: Shopper) -> None:
    opened = await merchant.creates("MPGS", "100", purchaseCurrency="EUR", autoCapture=False)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    part = await merchant.captures(reference, "30", "C-1")
    assert (part.status, part.body["code"]) == (400, "not_supported")
    assert (await merchant.captures(reference, "100", "C-2")).status == 201
    assert installation.balance(reference) == Decimal(100)


async def test_a_declined_shopper_may_pay_by_the_same_link(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("MPGS", "80", purchaseCurrency="USD")
    assert (await shopper.pays(opened["redirectUrl"], "decline"))["status"] == "PENDING"
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(opened["orderReference"]) == Decimal(80)


async def test_a_refund_made_in_merchant_administration_is_the_providers_and_counts(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("MPGS", "80", purchaseCurrency="USD")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    ((_, case),) = installation.store.cases(reference)
    url = f"{installation.settings.sandbox_base_url}/mpgs/sandbox/administration"
    made = {"id": case.id, "operation": "REFUND", "amount": "30"}
    assert (await installation.call("POST", url, json=made)).status == 201
    for seconds in (61, 601):
        await installation.advance(seconds)
        await installation.quiet()
    details = await merchant.details(reference)
    assert [row["initiator"] for row in details["refunds"]] == ["PROVIDER"]
    assert (await merchant.refunds(reference, "51", "R-1")).body["code"] == "over_refund"
