"""What an authorisation held is free once it has expired: a void of it has nothing to do any more, and nobody is called for it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till


def expires(tills: Till, reference: str) -> None:
    """The provider lets the whole authorisation run out, and says so."""
    till = tills["SALESTILL"]
    case = till.of(reference)
    case.data["expired"] = str(case.amount)
    till.save(case)
    till.tell(case)


async def paid_late(installation: Installation, merchant: Merchant, tills: Till) -> str:
    """An authorisation on an order that was cancelled; its reference."""
    opened = await merchant.creates("SALESTILL", autoCapture=False)
    reference = str(opened["orderReference"])
    assert (await merchant.post(f"/orders/{reference}/cancel", {})).body["status"] == "CANCELED"
    till = tills["SALESTILL"]
    till.pay(till.of(reference))
    return reference


async def test_a_void_whose_answer_was_lost_fails_when_the_authorisation_has_expired(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """Sent again, it was answered as done, and 100 more than there was had been set free."""
    opened = await merchant.creates("SALESTILL", autoCapture=False)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.fault("salestill", "void", "timeout_before", reference)
    assert (await merchant.voids(reference, "100", "V-1")).body["status"] == "PENDING"

    expires(tills, reference)

    async def failed() -> bool:
        return [row["status"] for row in (await merchant.details(reference))["orderVoids"]] == ["FAILED"]

    await eventually(failed)
    calls = tills["SALESTILL"].calls.count(("void", reference))
    await installation.advance(3600)
    await installation.quiet()
    details = await merchant.details(reference)
    assert (details["voidedAmount"], details["expiredAmount"], details["needsReview"]) == ("0", "100", None)
    assert tills["SALESTILL"].calls.count(("void", reference)) == calls, "it is not sent again"
    assert "the authorisation expired before it was voided" in str((await merchant.voids(reference, "100", "V-1")).body)
    assert installation.ledger(reference) == [("authorize", Decimal(100))]


async def test_nobody_is_called_for_a_give_back_that_is_still_unknown_when_the_authorisation_has_expired(
    installation: Installation, merchant: Merchant, tills: Till, eventually: Eventually
) -> None:
    till = tills["SALESTILL"]
    opened = await merchant.creates("SALESTILL", autoCapture=False)
    reference = str(opened["orderReference"])
    await installation.fault("salestill", "void", "timeout_before", reference)
    assert (await merchant.post(f"/orders/{reference}/cancel", {})).body["status"] == "CANCELED"
    till.pay(till.of(reference))

    async def tried() -> bool:
        async with installation.database.connection() as held:
            asked: Any = await held.fetchval(
                "SELECT max(calls) FROM operations JOIN orders ON orders.id = order_id"
                " WHERE orders.reference = $1 AND kind = 'void' AND holder IS NULL",
                reference,
            )
        return bool(asked)

    await eventually(tried)
    expires(tills, reference)

    async def over() -> bool:
        return [row["status"] for row in (await merchant.details(reference))["orderVoids"]] == ["FAILED"]

    await eventually(over)
    details = await merchant.details(reference)
    assert (details["expiredAmount"], details["needsReview"]) == ("100", None)


async def test_a_give_back_that_was_refused_is_taken_off_the_list_when_the_authorisation_has_expired(
    installation: Installation, merchant: Merchant, tills: Till, refusing: Callable[[str, str], None],
    eventually: Eventually,
) -> None:  # fmt: skip
    """The provider refuses a void of what has run out already, and only then tells that it has."""
    refusing("SALESTILL", "void")
    reference = await paid_late(installation, merchant, tills)

    async def review() -> Any:
        return (await merchant.details(reference))["needsReview"]

    assert await eventually(review) == "a void by the system was refused: refused here"
    expires(tills, reference)

    async def gone() -> bool:
        return await review() is None

    await eventually(gone)
    assert (await merchant.details(reference))["expiredAmount"] == "100"
