"""A void that gives back all that is not captured must not run while a capture is undecided."""

from __future__ import annotations

from decimal import Decimal

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper


async def test_a_void_that_takes_everything_waits_for_a_capture_under_way(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    """Tabby's close would have given back the part that the capture was about to take."""
    opened = await merchant.creates("TABBY_KW", autoCapture=False)
    await shopper.pays(opened["redirectUrl"])
    reference = opened["orderReference"]
    await installation.fault("TABBY_KW", "capture", "timeout_before", reference)
    assert (await merchant.captures(reference, "30", "C-1")).body["status"] == "PENDING"

    early = await merchant.voids(reference, "70", "V-1")

    assert (early.status, early.body["code"]) == (409, "in_progress")
    assert installation.ledger(reference) == [("authorize", Decimal("100.000"))]
    await installation.advance(60)

    async def captured() -> bool:
        return bool((await merchant.status(reference))["captureStatus"] == "PARTIALLY_CAPTURED")

    await eventually(captured)
    assert (await merchant.voids(reference, "70", "V-1")).body["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 30
