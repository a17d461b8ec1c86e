"""Openpay in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.installation import Installation, Merchant, Shopper


@pytest.mark.parametrize("code", ["OPENPAY_AU", "OPENPAY_UK"])
async def test_an_order_of_each_code_is_captured_and_partly_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(code, "64.10")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == Decimal("24.10")


@pytest.mark.parametrize("fault", ["error_before", "error_after"])
async def test_a_capture_whose_answer_was_lost_is_found_or_sent_again_and_paid_once(
    fault: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("OPENPAY_AU")
    reference = opened["orderReference"]
    await installation.fault("openpay", "confirm", fault, reference)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    await installation.advance(31)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 100


async def test_a_shopper_who_cancels_has_ended_the_order(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("OPENPAY_AU")
    assert (await shopper.pays(opened["redirectUrl"], "cancel"))["status"] == "CANCELLED"
    assert (await merchant.status(opened["orderReference"]))["status"] == "CANCELED"
