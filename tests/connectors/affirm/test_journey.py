"""Affirm in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.connectors.journey import Shop


@pytest.mark.parametrize("code", ["AFFIRM_US", "AFFIRM_CAD"])
async def test_an_order_of_each_code_is_captured_and_partly_refunded(code: str, shop: Shop) -> None:
    order = await shop.sells(code, "64.10")
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.balance == Decimal("24.10")


async def test_an_authorised_order_is_captured_in_two_parts(shop: Shop) -> None:
    order = await shop.sells("AFFIRM_US", autoCapture=False)
    assert order.balance == 0
    await order.captures("30")
    assert order.balance == 30
    await order.captures("70", "C-2")
    assert order.balance == 100
    assert (await order.details())["captureStatus"] == "CAPTURED"
