"""TendoPay in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.connectors.journey import Shop


async def test_an_order_is_paid_and_given_back_whole(shop: Shop) -> None:
    order = await shop.sells("TENDOPAY", "1500")
    assert (await order.refunds("500")).status == 400, "only a whole payment can be cancelled"
    assert await order.refunded("1500", "R-2") == "SUCCESSFUL"
    assert order.balance == 0


async def test_a_refund_whose_answer_was_lost_is_found_again_by_asking(shop: Shop) -> None:
    order = await shop.sells("TENDOPAY", "1500")
    await order.fault("refund", "error_after")
    assert await order.refunded("1500") == "PENDING"
    await order.later(31)
    details = await order.details()
    assert await order.refunds_made() == [("MERCHANT", "SUCCESSFUL")]
    assert (Decimal(details["refundedAmount"]), order.balance) == (1500, 0)


async def test_an_order_with_centavos_is_refused_and_its_reference_can_be_used_again(shop: Shop) -> None:
    answer = await shop.is_refused("TENDOPAY", "1500.50", orderReference="centavos")
    assert (answer.status, answer.body["code"]) == (400, "not_supported")
    assert answer.body["message"] == ["orderAmount must have at most 0 decimals in PHP for TENDOPAY"]
    assert (await shop.merchant.get("/orders/centavos")).status == 404
    order = await shop.sells("TENDOPAY", "1500", orderReference="centavos")
    assert order.balance == 1500


async def test_a_payment_that_tendopay_cancels_by_itself_is_listed_for_a_person(shop: Shop) -> None:
    """Its signed notification says CANCELED, as it does after our own refund; nothing can be asked."""
    order = await shop.sells("TENDOPAY", "1500")
    await order.at_provider("tamper", status="CANCELED")
    (told,) = await order.told("ORDER_NEEDS_REVIEW")
    assert told["needsReview"] == "the provider reports cancelled after a payment"
    assert (await order.state(), (await order.details())["refundedAmount"]) == ("SUCCESSFUL", "0")


async def test_the_notification_of_our_own_refund_needs_nobody(shop: Shop) -> None:
    order = await shop.sells("TENDOPAY", "1500")
    assert await order.refunded("1500") == "SUCCESSFUL"
    await shop.quiet()
    assert (await order.details())["needsReview"] is None
