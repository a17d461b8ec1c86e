"""Payflex in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.connectors.journey import Shop


async def test_an_order_is_paid_and_refunded_in_parts(shop: Shop) -> None:
    order = await shop.sells("PAYFLEX_SA", "64.10")
    assert await order.refunded("40") == "SUCCESSFUL"
    assert await order.refunded("24.10", "R-2") == "SUCCESSFUL"
    assert order.balance == 0


async def test_a_cheaper_payment_does_not_pay_the_order_and_is_given_back(shop: Shop) -> None:
    order = await shop.opens("PAYFLEX_SA")
    await order.at_provider("tamper", amount="10")
    assert await order.pays() == "PENDING"
    await shop.quiet()
    assert (await order.details())["needsReview"]
    assert [row for row in order.ledger if row[0] == "refund"] == [("refund", Decimal(10))]
