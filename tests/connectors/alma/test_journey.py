"""Alma in a whole installation: what the conformance suite leaves out, as Alma names no currency beside its amounts (T1)."""

from __future__ import annotations

from tests.connectors.journey import Shop, sale


async def test_a_cheaper_payment_does_not_pay_the_order_and_is_given_back(shop: Shop) -> None:
    order = await shop.opens("ALMA")
    await order.at_provider("tamper", amount="50.00")
    assert await order.pays() == "PENDING"
    await shop.quiet()
    details = await order.details()
    assert (details["status"], details["needsReview"]) == (
        "PENDING",
        "the provider reports a payment with another amount",
    )
    assert order.ledger == sale("50", ("refund", "50"))
    assert order.announced() == []
