"""A repeat's no after a lost answer: reading tells whether the first try did it, and ends the wait either way (U1)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till


async def test_a_refund_that_was_never_possible_fails_after_its_lost_answer_instead_of_waiting_for_ever(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually, tills: Till,
    refusing: Callable[[str, str], None],
) -> None:  # fmt: skip
    """The provider takes no refund of this order: the repeat is refused, and nothing shows the first try."""
    opened = await merchant.creates("SALESTILL", autoCapture=False)
    await shopper.pays(opened["redirectUrl"])
    reference = opened["orderReference"]
    assert (await merchant.captures(reference, "40", "C-1")).body["status"] == "SUCCESSFUL"
    refusing("SALESTILL", "refund")
    await installation.fault("SALESTILL", "refund", "timeout_before", reference)
    assert (await merchant.refunds(reference, "10", "R-1")).body["refundStatus"] == "PENDING"
    assert tills["SALESTILL"].count("refund", reference) == 0

    async def refused() -> bool:
        await installation.advance(60)
        return bool((await merchant.details(reference))["refunds"][0]["status"] == "FAILED")

    await eventually(refused)
    assert tills["SALESTILL"].count("refund", reference) > 0
    assert (await merchant.details(reference))["needsReview"] is None
    assert (await merchant.refunds(reference, "10", "R-1")).status == 422
    assert installation.ledger(reference) == [("authorize", Decimal(100)), ("capture", Decimal(40))]
