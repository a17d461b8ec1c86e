"""Zip in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


async def reaches(merchant: Merchant, eventually: Eventually, reference: str, **expected: Any) -> dict[str, Any]:
    """Wait until the order's status shows this."""

    async def shown() -> dict[str, Any] | None:
        status = await merchant.status(reference)
        return status if expected.items() <= status.items() else None

    found: dict[str, Any] = await eventually(shown)
    return found


@pytest.mark.parametrize("code", ["ZIP_AU", "ZIP_NZ", "ZIP_UK"])
async def test_an_order_of_each_code_is_approved_charged_and_partly_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(code, "64.10")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.status(reference))["captureStatus"] == "CAPTURED"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.ledger(reference) == money(("authorize", "64.10"), ("capture", "64.10"), ("refund", "40"))


@pytest.mark.parametrize("changes", [{"autoCapture": False}, {"getToken": True}])
async def test_what_only_australia_has_is_refused_in_pounds(merchant: Merchant, changes: dict[str, Any]) -> None:
    refused = await merchant.post("/orders", merchant.order("ZIP_UK", **changes))
    assert (refused.status, refused.body["code"]) == (400, "not_supported")


@pytest.mark.parametrize(("changes", "named"), [({"purchaseCurrency": "AUD"}, "purchaseCurrency"), ({}, "orderAmount")])
async def test_an_order_that_zip_cannot_take_in_pounds_says_which_field(
    merchant: Merchant, changes: dict[str, Any], named: str
) -> None:
    refused = await merchant.post("/orders", merchant.order("ZIP_UK", "64.10" if changes else "1000.01", **changes))
    assert refused.status == 400
    assert named in str(refused.body["message"])


async def test_what_australia_has_and_new_zealand_lacks_is_refused_before_anything_is_claimed(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = merchant.order("ZIP_NZ", autoCapture=False)
    refused = await merchant.post("/orders", body)
    assert (refused.status, refused.body["code"]) == (400, "not_supported")
    assert refused.body["message"] == ["autoCapture false is not supported by ZIP_NZ"]
    assert (await merchant.post("/orders", {**body, "autoCapture": True})).status == 201
    deferred = await merchant.creates("ZIP_AU", autoCapture=False)
    assert (await shopper.pays(deferred["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.captures(deferred["orderReference"], "30", "C-1")).body["status"] == "SUCCESSFUL"
    assert (await merchant.voids(deferred["orderReference"], "70", "V-1")).body["status"] == "SUCCESSFUL"
    assert installation.balance(deferred["orderReference"]) == 30


async def test_the_poll_alone_charges_what_the_shopper_agreed_to(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("ZIP_AU")
    reference = opened["orderReference"]
    await shopper.decides(opened["redirectUrl"], "approve")
    assert (await merchant.status(reference))["status"] == "PENDING"
    await installation.advance(31)
    await reaches(merchant, eventually, reference, status="SUCCESSFUL")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


async def test_a_referred_application_is_paid_once_zip_has_approved_it(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("ZIP_AU")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"], "pending"))["status"] == "PENDING"
    await installation.settle(reference, "approve")
    await installation.advance(61)
    await reaches(merchant, eventually, reference, status="SUCCESSFUL", captureStatus="CAPTURED")


async def test_a_charge_whose_answer_was_lost_is_found_and_charged_once(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("ZIP_AU")
    reference = opened["orderReference"]
    await installation.fault("zip", "confirm", "error_after", reference)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    assert (await merchant.status(reference))["status"] == "PENDING"
    await installation.advance(31)
    await reaches(merchant, eventually, reference, status="SUCCESSFUL")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))
