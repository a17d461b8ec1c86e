"""MyFatoorah in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from paymux.orders import review
from tests.connectors.journey import Shop


async def test_an_order_is_paid_and_refunded_once_the_finance_team_has_done_it(shop: Shop) -> None:
    order = await shop.sells("MYFATOORAH_KW", "120.50")
    assert await order.refunded("20.50") == "PENDING"
    await order.later(61, 121, 601)
    details = await order.details()
    assert (details["refundedAmount"], details["refunds"][0]["status"]) == ("20.5", "SUCCESSFUL")
    assert order.balance == Decimal(100)


async def test_a_shopper_who_was_declined_may_pay_the_same_invoice_after_all(shop: Shop) -> None:
    order = await shop.opens("MYFATOORAH_KW", "80")
    assert await order.pays("decline") == "PENDING"
    assert await order.pays() == "SUCCESSFUL"
    assert order.balance == Decimal(80)


async def test_a_refund_made_in_the_portal_is_the_providers_and_counts(shop: Shop) -> None:
    order = await shop.sells("MYFATOORAH_KW", "80")
    await order.at_provider("portal-refund", amount="30")
    await order.later(61, 601)
    assert [who for who, _ in await order.refunds_made()] == ["PROVIDER"]
    assert (await order.refunds("51")).body["code"] == "over_refund"


async def test_an_invoice_that_is_paid_twice_is_listed_once_and_counts_once(shop: Shop) -> None:
    order = await shop.sells("MYFATOORAH_KW", "80")
    await order.at_provider("pay-again")
    await order.later(61)
    (told,) = await order.told("ORDER_NEEDS_REVIEW")
    assert "took more than one payment for the invoice" in told["needsReview"]
    details = await order.details()
    assert (details["status"], details["needsReview"]) == ("SUCCESSFUL", told["needsReview"])
    assert order.balance == 160, "both are there until a person gives one back"
    await review.resolve(shop.installation.core, order.reference, "succeeded", "given back in the portal", "")
    assert await order.refunded("10") == "PENDING"
    await order.later(61, 601)
    assert (await order.details())["needsReview"] is None
    assert len(order.announced("ORDER_NEEDS_REVIEW")) == 1
