"""Postpay in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.connectors.journey import Shop


async def test_an_order_is_captured_and_partly_refunded(shop: Shop) -> None:
    order = await shop.sells("POSTPAY", "64.10")
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.balance == Decimal("24.10")


async def test_a_capture_whose_answer_was_lost_is_found_and_paid_once(shop: Shop) -> None:
    order = await shop.opens("POSTPAY")
    await order.fault("confirm", "error_after")
    assert await order.pays() == "PENDING"
    await order.later(31)
    assert await order.state() == "SUCCESSFUL"
    assert order.balance == 100


async def test_a_refund_whose_answer_was_lost_is_listed_for_a_person(shop: Shop) -> None:
    order = await shop.sells("POSTPAY")
    await order.fault("refund", "error_after")
    assert await order.refunded("30") == "PENDING"
    await order.later(31)
    assert (await order.details())["needsReview"]
    assert order.balance == 70
