"""Openpay in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.connectors.journey import Shop


@pytest.mark.parametrize("code", ["OPENPAY_AU", "OPENPAY_UK"])
async def test_an_order_of_each_code_is_captured_and_partly_refunded(code: str, shop: Shop) -> None:
    order = await shop.sells(code, "64.10")
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.balance == Decimal("24.10")


@pytest.mark.parametrize("fault", ["error_before", "error_after"])
async def test_a_capture_whose_answer_was_lost_is_found_or_sent_again_and_paid_once(fault: str, shop: Shop) -> None:
    order = await shop.opens("OPENPAY_AU")
    await order.fault("confirm", fault)
    assert await order.pays() == "PENDING"
    await order.later(31)
    assert await order.state() == "SUCCESSFUL"
    assert order.balance == 100


async def test_a_shopper_who_cancels_has_ended_the_order(shop: Shop) -> None:
    order = await shop.opens("OPENPAY_AU")
    assert await order.pays("cancel") == "CANCELLED"
    assert await order.state() == "CANCELED"
