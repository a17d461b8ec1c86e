"""MyFatoorah in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Merchant, Shopper


async def test_an_order_is_paid_and_refunded_once_the_finance_team_has_done_it(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("MYFATOORAH_KW", "120.50")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    refund = await merchant.refunds(reference, "20.50", "R-1")
    assert (refund.status, refund.body["refundStatus"]) == (201, "PENDING")
    for seconds in (61, 121, 601):
        await installation.advance(seconds)
        await installation.quiet()
    details = await merchant.details(reference)
    assert (details["refundedAmount"], details["refunds"][0]["status"]) == ("20.5", "SUCCESSFUL")
    assert installation.balance(reference) == Decimal(100)


async def test_a_shopper_who_was_declined_may_pay_the_same_invoice_after_all(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("MYFATOORAH_KW", "80")
    assert (await shopper.pays(opened["redirectUrl"], "decline"))["status"] == "PENDING"
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(opened["orderReference"]) == Decimal(80)


async def test_a_refund_made_in_the_portal_is_the_providers_and_counts(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("MYFATOORAH_KW", "80")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    ((_, case),) = installation.store.cases(reference)
    url = f"{installation.settings.sandbox_base_url}/myfatoorah/sandbox/portal-refund"
    assert (await installation.call("POST", url, json={"id": case.id, "amount": "30"})).status == 201
    for seconds in (61, 601):
        await installation.advance(seconds)
        await installation.quiet()
    details = await merchant.details(reference)
    assert [row["initiator"] for row in details["refunds"]] == ["PROVIDER"]
    assert (await merchant.refunds(reference, "51", "R-1")).body["code"] == "over_refund"
