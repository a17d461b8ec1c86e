"""Laybuy in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.connectors.journey import Shop


@pytest.mark.parametrize("code", ["LAYBUY_NZ", "LAYBUY_AU", "LAYBUY_UK"])
async def test_an_order_of_each_code_is_confirmed_and_partly_refunded(code: str, shop: Shop) -> None:
    order = await shop.sells(code, "64.10")
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.balance == Decimal("24.10")


async def test_a_confirm_whose_answer_was_lost_is_found_and_paid_once(shop: Shop) -> None:
    order = await shop.opens("LAYBUY_NZ")
    await order.fault("confirm", "error_after")
    assert await order.pays() == "PENDING"
    await order.later(31)
    assert await order.state() == "SUCCESSFUL"
    assert order.balance == 100


async def test_a_refund_in_laybuys_own_pages_is_not_taken_for_ours_whose_answer_was_lost(shop: Shop) -> None:
    order = await shop.sells("LAYBUY_NZ")
    await order.at_provider("provider-refund", amount="30")
    await order.fault("refund", "error_before")
    assert await order.refunded("30") == "PENDING"
    await order.later(31)
    details = await order.details()
    assert await order.refunds_made() == [("MERCHANT", "SUCCESSFUL"), ("PROVIDER", "SUCCESSFUL")]
    assert (Decimal(details["refundedAmount"]), order.balance) == (60, 40)
