"""TendoPay in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Merchant, Shopper


async def test_an_order_is_paid_and_given_back_whole(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("TENDOPAY", "1500")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "500", "R-1")).status == 400, "only a whole payment can be cancelled"
    refund = await merchant.refunds(reference, "1500", "R-2")
    assert (refund.status, refund.body["refundStatus"]) == (201, "SUCCESSFUL")
    assert installation.balance(reference) == 0


async def test_a_refund_whose_answer_was_lost_is_found_again_by_asking(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("TENDOPAY", "1500")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.fault("tendopay", "refund", "error_after", reference)
    assert (await merchant.refunds(reference, "1500", "R-1")).body["refundStatus"] == "PENDING"
    await installation.advance(31)
    await installation.quiet()
    details = await merchant.details(reference)
    assert [(row["initiator"], row["status"]) for row in details["refunds"]] == [("MERCHANT", "SUCCESSFUL")]
    assert (Decimal(details["refundedAmount"]), installation.balance(reference)) == (1500, 0)


async def test_an_order_with_centavos_is_declined_without_a_checkout(
    installation: Installation, merchant: Merchant
) -> None:
    body = merchant.order("TENDOPAY", "1500.50")
    answer = await merchant.post("/orders", body)
    assert answer.status == 422
    assert "whole amounts" in str(answer.body)
    assert (await merchant.status(body["orderReference"]))["status"] == "DECLINED"
    assert installation.store.cases(body["orderReference"]) == []
