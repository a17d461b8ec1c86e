"""Who voids by himself what ran out, and says so in the same word, has let it expire (S3, S4). All else is a void (T4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.orders import asking, reconciliation, store
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till

VOIDS, TELLS_APART, LASTS = "VOIDINGTILL", "SHORTTILL", 43_200


async def authorised(code: str, merchant: Merchant, shopper: Shopper) -> dict[str, Any]:
    opened = await merchant.creates(code, autoCapture=False)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    return opened


def amounts(details: dict[str, Any]) -> tuple[str, ...]:
    return tuple(details[name] for name in ("captureStatus", "expiredAmount", "voidedAmount", "needsReview"))


async def test_what_the_provider_voids_at_the_deadline_has_expired_and_stays_so(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    opened = await authorised(VOIDS, merchant, shopper)
    reference, till = opened["orderReference"], tills[VOIDS]
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


async def test_a_void_in_time_stays_one_where_the_provider_tells_voids_and_expiry_apart(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """It was made in the provider's portal, and its event was lost: we learn of it when the deadline asks."""
    opened = await authorised(TELLS_APART, merchant, shopper)
    reference, till = opened["orderReference"], tills[TELLS_APART]
    till.move(till.of(reference), "void", Decimal(70))
    case = till.of(reference)
    case.data["expired"] = "30"
    till.save(case)
    await installation.advance(LASTS + 1)

    async def ended() -> bool:
        return amounts(await merchant.details(reference)) == ("EXPIRED", "30", "70", None)

    await eventually(ended)
    details = await merchant.details(reference)
    assert [(row["initiator"], row["amount"]) for row in details["orderVoids"]] == [("PROVIDER", "70")]
    await installation.quiet()
    (told,) = installation.inbox.events(reference, "VOID_STATUS_UPDATE")
    assert (told["data"]["status"], told["data"]["amount"]) == ("SUCCESSFUL", 70)


async def test_a_void_that_is_missing_beside_what_has_expired_differs_where_the_provider_tells_them_apart(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    opened = await authorised(TELLS_APART, merchant, shopper)
    reference, till = opened["orderReference"], tills[TELLS_APART]
    await installation.advance(LASTS + 1)

    async def expired() -> bool:
        return amounts(await merchant.details(reference)) == ("EXPIRED", "100", "0", None)

    await eventually(expired)
    till.move(till.of(reference), "void", Decimal(100))
    seen = await reconciliation.compared(installation.core, opened["orderId"])
    assert [(one.what, one.ours, one.theirs) for one in seen.differences] == [("voided", "0", "100")]


@pytest.mark.parametrize("code", [VOIDS, TELLS_APART])
async def test_what_the_provider_voids_before_the_deadline_is_its_void(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    opened = await authorised(code, merchant, shopper)
    reference, till = opened["orderReference"], tills[code]
    till.move(till.of(reference), "void", Decimal(100))
    async with installation.database.connection() as held:
        order = await store.order_by_id(held, opened["orderId"])
    assert await asking.ask(installation.core, order, "poll") is not None
    details = await merchant.details(reference)
    assert amounts(details) == ("VOIDED", "0", "100", None)
    assert [row["initiator"] for row in details["orderVoids"]] == ["PROVIDER"]
