"""Alma in a whole installation: what the conformance suite leaves out, as Alma names no currency beside its amounts (T1)."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Shopper


async def test_a_cheaper_payment_does_not_pay_the_order_and_is_given_back(installation: Installation) -> None:
    opened = await installation.merchant.creates("ALMA", "100")
    reference = opened["orderReference"]
    ((_, case),) = installation.store.cases(reference)
    url = f"{installation.settings.sandbox_base_url}/alma/sandbox/tamper"
    assert (await installation.call("POST", url, json={"id": case.id, "amount": "50.00"})).status == 200
    assert (await Shopper(installation).pays(opened["redirectUrl"], "approve"))["status"] == "PENDING"
    await installation.quiet()
    details = await installation.merchant.details(reference)
    assert (details["status"], details["needsReview"]) == (
        "PENDING",
        "the provider reports a payment with another amount",
    )
    assert installation.ledger(reference) == [
        ("authorize", Decimal(50)), ("capture", Decimal(50)), ("refund", Decimal(50)),
    ]  # fmt: skip
    assert installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK") == []
