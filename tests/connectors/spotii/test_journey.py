"""Spotii in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.connectors.journey import Shop


async def test_an_order_is_captured_and_partly_refunded(shop: Shop) -> None:
    order = await shop.sells("SPOTII", "264.10")
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.balance == Decimal("224.10")


async def test_a_shopper_who_never_comes_back_has_paid_once_the_order_is_asked_about(shop: Shop) -> None:
    order = await shop.opens("SPOTII", "250.00")
    await order.decides()
    await order.later(31)
    assert await order.state() == "SUCCESSFUL"
    assert order.balance == 250


async def test_a_capture_whose_answer_was_lost_is_never_sent_again_and_is_listed_for_a_person(shop: Shop) -> None:
    order = await shop.opens("SPOTII", "250.00")
    await order.fault("confirm", "error_before")
    assert await order.pays() == "PENDING"
    await order.later(31, 61, 601)
    details = await order.details()
    assert details["status"] == "PENDING"
    assert details["needsReview"]
    assert order.ledger == []


async def test_an_order_that_can_not_be_read_for_a_moment_is_captured_later(shop: Shop) -> None:
    order = await shop.opens("SPOTII", "250.00")
    await order.fault("status", "error_before")
    assert await order.pays() == "PENDING"
    await order.later(31, 61)
    assert await order.state() == "SUCCESSFUL"
    assert order.balance == 250


async def test_the_daily_comparison_finds_nothing_in_what_was_sold_and_given_back(shop: Shop) -> None:
    order = await shop.sells("SPOTII", "250")
    assert await order.differences() == []
    for name in ("R-1", "R-2"):
        assert await order.refunded(str(250 // 2), name) == "SUCCESSFUL"
        assert await order.differences() == []
