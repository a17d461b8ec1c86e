"""A provider that voids by itself what ran out has let it expire (S3, S4); what is voided before is a void."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from paymux.orders import asking, reconciliation, store
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till

CODE, LASTS = "SHORTTILL", 43_200


async def authorised(merchant: Merchant, shopper: Shopper) -> dict[str, Any]:
    opened = await merchant.creates(CODE, autoCapture=False)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    return opened


def amounts(details: dict[str, Any]) -> tuple[str, ...]:
    return tuple(details[name] for name in ("captureStatus", "expiredAmount", "voidedAmount", "needsReview"))


async def test_what_the_provider_voids_at_the_deadline_has_expired_and_stays_so(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    opened = await authorised(merchant, shopper)
    reference, till = opened["orderReference"], tills[CODE]
    assert (await merchant.voids(reference, "30", "V-1")).body["status"] == "SUCCESSFUL"
    till.move(till.of(reference), "void", Decimal(70))  # it tells nobody: the order's own deadline asks
    await installation.advance(LASTS + 1)

    async def expired() -> bool:
        return amounts(await merchant.details(reference)) == ("EXPIRED", "70", "30", None)

    await eventually(expired)
    for late in (await merchant.captures(reference, "70", "C-1"), await merchant.voids(reference, "70", "V-2")):
        assert (late.status, late.body["code"]) == (409, "authorisation_expired")

    async with installation.database.connection() as held:
        order = await store.order_by_id(held, opened["orderId"])
    assert await asking.ask(installation.core, order, "poll") is not None
    details = await merchant.details(reference)
    assert amounts(details) == ("EXPIRED", "70", "30", None), "said again, it is no news"
    assert [row["initiator"] for row in details["orderVoids"]] == ["MERCHANT"]
    seen = await reconciliation.compared(installation.core, order.id)
    assert (seen.answered, list(seen.differences)) == (True, [])


async def test_what_the_provider_voids_before_the_deadline_is_its_void(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    opened = await authorised(merchant, shopper)
    reference, till = opened["orderReference"], tills[CODE]
    till.move(till.of(reference), "void", Decimal(100))
    async with installation.database.connection() as held:
        order = await store.order_by_id(held, opened["orderId"])
    assert await asking.ask(installation.core, order, "poll") is not None
    details = await merchant.details(reference)
    assert amounts(details) == ("VOIDED", "0", "100", None)
    assert [row["initiator"] for row in details["orderVoids"]] == ["PROVIDER"]
