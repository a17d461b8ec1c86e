"""Events that have no name and say the same every time: "look at this payment" (P1, T2)."""

from __future__ import annotations

from decimal import Decimal

from paymux.orders import erasure
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till
from tests.orders.test_statuses import heard, paid


async def test_a_hint_in_the_same_words_as_before_is_asked_about_again(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """Alma's and Splitit's calls name the payment and nothing else: the second tells of what the first could not."""
    reference = await paid(merchant, shopper, "HINTTILL")
    await installation.fault("hinttill", "events", "no_event", reference, times=9)
    await installation.quiet()
    till = tills["HINTTILL"]
    case = till.of(reference)
    hint = {"id": case.id, "reference": reference, "status": "open"}
    asked = till.count("status", reference)
    assert (await installation.call("POST", case.data["events_url"], json=hint)).status == 200

    async def asked_then() -> bool:
        return till.count("status", reference) > asked and await heard(installation, reference, 1)

    await eventually(asked_then)
    await installation.quiet()
    till.move(till.of(reference), "refund", Decimal(30))
    assert (await installation.call("POST", case.data["events_url"], json=hint)).status == 200

    async def refunded() -> bool:
        return bool((await merchant.details(reference))["refundedAmount"] == "30")

    await eventually(refunded)
    # Nor does an erasure, which empties what was kept of it, make the next one unreadable.
    await installation.quiet()
    await erasure.erase(installation.core, erasure.Asked(by="operator", reference=reference))
    till.move(till.of(reference), "refund", Decimal(20))
    assert (await installation.call("POST", case.data["events_url"], json=hint)).status == 200

    async def refunded_more() -> bool:
        return bool((await merchant.details(reference))["refundedAmount"] == "50")

    await eventually(refunded_more)
