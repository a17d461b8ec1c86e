"""Sezzle in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

import pytest

from tests.connectors.journey import Shop, sale

LIMITS = {"provider_timeout": 10.0, "sandbox_hold": 12.0, "lease": 20.0}


@pytest.mark.parametrize(("country", "currency"), [("US", "USD"), ("CA", "CAD")])
async def test_an_order_of_each_country_is_paid_at_the_return_and_refunded(
    country: str, currency: str, shop: Shop
) -> None:
    order = await shop.sells("SEZZLE", "100", purchaseCountry=country, purchaseCurrency=currency)
    assert await order.refunded("40.55") == "SUCCESSFUL"
    assert order.ledger == sale("100", ("refund", "40.55"))


async def test_an_authorisation_that_runs_out_is_told_as_expired(shop: Shop) -> None:
    order = await shop.sells("SEZZLE", "100", autoCapture=False)
    await order.time_passes(31 * 60)
    await order.reaches(captureStatus="EXPIRED")
    late = await order.captures("10")
    assert (late.status, late.body["code"]) == (409, "authorisation_expired")


async def test_a_reference_that_sezzle_does_not_take_is_replaced_by_our_own(shop: Shop) -> None:
    order = await shop.sells("SEZZLE", "100", orderReference="Bestellung Nr. 7 (Köln)")
    assert order.case.data["reference"] == order.opened["orderId"]
