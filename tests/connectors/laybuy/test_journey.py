"""Laybuy in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.installation import Installation, Merchant, Shopper


@pytest.mark.parametrize("code", ["LAYBUY_NZ", "LAYBUY_AU", "LAYBUY_UK"])
async def test_an_order_of_each_code_is_confirmed_and_partly_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(code, "64.10")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == Decimal("24.10")


async def test_a_confirm_whose_answer_was_lost_is_found_and_paid_once(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("LAYBUY_NZ")
    reference = opened["orderReference"]
    await installation.fault("laybuy", "confirm", "error_after", reference)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    await installation.advance(31)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 100


async def test_a_refund_in_laybuys_own_pages_is_not_taken_for_ours_whose_answer_was_lost(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("LAYBUY_NZ")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    ((_, case),) = installation.store.cases(reference)
    url = f"{installation.settings.sandbox_base_url}/laybuy/sandbox/provider-refund"
    await installation.call("POST", url, json={"id": case.id, "amount": "30"})
    await installation.fault("laybuy", "refund", "error_before", reference)
    assert (await merchant.refunds(reference, "30", "R-1")).body["refundStatus"] == "PENDING"
    await installation.advance(31)
    await installation.quiet()
    details = await merchant.details(reference)
    assert sorted((row["initiator"], row["status"]) for row in details["refunds"]) == [
        ("MERCHANT", "SUCCESSFUL"), ("PROVIDER", "SUCCESSFUL"),
    ]  # fmt: skip
    assert (Decimal(details["refundedAmount"]), installation.balance(reference)) == (60, 40)
