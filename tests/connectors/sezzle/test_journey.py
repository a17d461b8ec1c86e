"""Sezzle in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper

LIMITS = {"provider_timeout": 10.0, "sandbox_hold": 12.0, "lease": 20.0}


@pytest.mark.parametrize(("country", "currency"), [("US", "USD"), ("CA", "CAD")])
async def test_an_order_of_each_country_is_paid_at_the_return_and_refunded(
    installation: Installation, merchant: Merchant, shopper: Shopper, country: str, currency: str
) -> None:
    opened = await merchant.creates("SEZZLE", "100", purchaseCountry=country, purchaseCurrency=currency)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    refund = await merchant.refunds(reference, "40.55", "R-1")
    assert (refund.status, refund.body["refundStatus"]) == (201, "SUCCESSFUL")
    assert [(kind, amount) for kind, amount in installation.ledger(reference)] == [
        ("authorize", Decimal(100)), ("capture", Decimal(100)), ("refund", Decimal("40.55")),
    ]  # fmt: skip


async def test_an_authorisation_that_runs_out_is_told_as_expired(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("SEZZLE", "100", autoCapture=False)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.advance(31 * 60)

    async def expired() -> bool:
        return bool((await merchant.details(reference))["captureStatus"] == "EXPIRED")

    await eventually(expired)
    late = await merchant.captures(reference, "10", "C-1")
    assert (late.status, late.body["code"]) == (409, "authorisation_expired")


async def test_a_reference_that_sezzle_does_not_take_is_replaced_by_our_own(
    merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    reference = "Bestellung Nr. 7 (Köln)"
    opened = await merchant.creates("SEZZLE", "100", orderReference=reference)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    ((_, case),) = installation.store.cases(reference)
    assert case.data["reference"] == opened["orderId"]
