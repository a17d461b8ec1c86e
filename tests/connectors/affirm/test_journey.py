"""Affirm in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.installation import Installation, Merchant, Shopper


@pytest.mark.parametrize("code", ["AFFIRM_US", "AFFIRM_CAD"])
async def test_an_order_of_each_code_is_captured_and_partly_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(code, "64.10")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == Decimal("24.10")


async def test_an_authorised_order_is_captured_in_two_parts(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("AFFIRM_US", autoCapture=False)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 0
    await merchant.captures(reference, "30", "C-1")
    assert installation.balance(reference) == 30
    await merchant.captures(reference, "70", "C-2")
    assert installation.balance(reference) == 100
    assert (await merchant.details(reference))["captureStatus"] == "CAPTURED"
