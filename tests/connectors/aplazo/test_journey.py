"""Aplazo in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Merchant, Shopper

DAY = 86_400


async def test_the_notification_alone_pays_an_order_whose_shopper_never_came_back(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("APLAZO_MX", "64.10")
    reference = opened["orderReference"]
    await shopper.decides(opened["redirectUrl"], "approve")
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == Decimal("24.10")


async def test_a_payment_whose_notification_is_lost_is_found_by_asking(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("APLAZO_MX")
    reference = opened["orderReference"]
    await installation.fault("aplazo", "events", "no_event", reference, 1000)
    await shopper.decides(opened["redirectUrl"], "approve")
    await installation.advance(61)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"


async def test_a_cheaper_payment_is_no_payment_of_this_order(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("APLAZO_MX")
    reference = opened["orderReference"]
    await shopper.reaches(opened["redirectUrl"])
    ((_, case),) = installation.store.cases(reference)
    tamper = f"{installation.settings.sandbox_base_url}/aplazo/sandbox/tamper"
    assert (await installation.call("POST", tamper, json={"id": case.id, "amount": "50"})).status == 200
    assert (await shopper.pays(opened["redirectUrl"]))["status"] != "SUCCESSFUL"
    await installation.advance(601)
    await installation.quiet()
    details = await merchant.details(reference)
    assert details["status"] != "SUCCESSFUL"
    assert details["needsReview"]


async def test_a_loan_that_nobody_confirms_is_cancelled_when_the_order_ends(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("APLAZO_MX")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"], "decline"))["status"] == "PENDING"
    for _ in range(3):
        await installation.advance(DAY)
        await installation.quiet()
    assert (await merchant.status(reference))["status"] == "CANCELED"
    ((_, case),) = installation.store.cases(reference)
    assert case.status == "CANCELLED"
    assert installation.balance(reference) == 0


async def test_a_refund_whose_answer_was_lost_is_sent_again_and_made_once(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("APLAZO_MX")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.fault("aplazo", "refund", "error_after", reference)
    assert (await merchant.refunds(reference, "30", "R-1")).body["refundStatus"] == "PENDING"
    await installation.advance(31)
    await installation.quiet()
    details = await merchant.details(reference)
    assert [row["status"] for row in details["refunds"]] == ["SUCCESSFUL"]
    assert installation.balance(reference) == 70


async def test_an_order_in_another_currency_is_refused_before_anything_is_sent(
    installation: Installation, merchant: Merchant
) -> None:
    answer = await merchant.post("/orders", merchant.order("APLAZO_MX", "100", purchaseCurrency="USD"))
    assert answer.status == 400
    assert "purchaseCurrency" in str(answer.body["message"])
