"""A repeat's no after a lost answer: reading tells whether the first try did it, and ends the wait either way (U1)."""

from __future__ import annotations

from decimal import Decimal

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper


async def test_a_refund_that_was_never_possible_fails_after_its_lost_answer_instead_of_waiting_for_ever(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    """Tabby refunds only what is closed: with a part still open the repeat is refused, and nothing shows the first try."""
    opened = await merchant.creates("TABBY_AE", autoCapture=False)
    await shopper.pays(opened["redirectUrl"])
    reference = opened["orderReference"]
    assert (await merchant.captures(reference, "40", "C-1")).body["status"] == "SUCCESSFUL"
    await installation.fault("TABBY_AE", "refund", "timeout_before", reference)
    assert (await merchant.refunds(reference, "10", "R-1")).body["refundStatus"] == "PENDING"

    async def refused() -> bool:
        await installation.advance(60)
        return bool((await merchant.details(reference))["refunds"][0]["status"] == "FAILED")

    await eventually(refused)
    assert (await merchant.details(reference))["needsReview"] is None
    assert (await merchant.refunds(reference, "10", "R-1")).status == 422
    assert installation.ledger(reference) == [("authorize", Decimal("100.00")), ("capture", Decimal("40.00"))]
