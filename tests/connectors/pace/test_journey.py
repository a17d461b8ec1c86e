"""Pace in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.connectors.journey import Shop


async def test_an_order_is_paid_and_a_refund_is_refused_before_anything_is_sent(shop: Shop) -> None:
    order = await shop.sells("PACE", "64.10")
    answer = await order.refunds("40")
    assert (answer.status, answer.body["code"]) == (400, "not_supported")
    assert order.balance == Decimal("64.10")


async def test_a_payment_that_pace_still_processes_is_paid_once_it_says_so(shop: Shop) -> None:
    order = await shop.opens("PACE")
    assert await order.pays("pending") == "PENDING"
    await order.settles()
    await order.later(31)
    assert await order.state() == "SUCCESSFUL"


async def test_an_order_that_nobody_agreed_to_ends_with_its_transaction(shop: Shop) -> None:
    order = await shop.opens("PACE")
    await order.later(7 * 86_400, 601, 601)
    status = await order.status()
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "SYSTEM")
