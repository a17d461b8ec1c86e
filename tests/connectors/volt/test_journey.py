"""Volt in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Merchant, Shopper


async def _paid(merchant: Merchant, shopper: Shopper, amount: str = "64.10") -> str:
    opened = await merchant.creates("VOLT", amount, purchaseCountry="DE")
    await shopper.pays(opened["redirectUrl"])
    await merchant.installation.quiet()
    reference: str = opened["orderReference"]
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    return reference


async def test_a_refund_is_answered_as_pending_and_told_later(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await _paid(merchant, shopper)
    await installation.fault("volt", "events", "late_event", reference)
    refund = await merchant.refunds(reference, "24.10", "R-1")
    assert (refund.status, refund.body["refundStatus"]) == (201, "PENDING")
    await installation.advance(121)
    await installation.quiet()
    details = await merchant.details(reference)
    assert [(row["initiator"], row["status"]) for row in details["refunds"]] == [("MERCHANT", "SUCCESSFUL")]
    assert (Decimal(details["refundedAmount"]), installation.balance(reference)) == (Decimal("24.10"), 40)
    assert installation.inbox.events(reference, "REFUND_CALLBACK")


async def test_a_refund_that_the_bank_sends_back_has_failed(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await _paid(merchant, shopper)
    await installation.call("POST", f"{installation.settings.sandbox_base_url}/volt/sandbox/refunds-fail")
    await merchant.refunds(reference, "24.10", "R-1")
    await installation.quiet()
    details = await merchant.details(reference)
    assert [row["status"] for row in details["refunds"]] == ["FAILED"]
    assert (Decimal(details["refundedAmount"]), installation.balance(reference)) == (0, Decimal("64.10"))


async def test_a_payment_that_the_bank_only_took_on_waits_until_it_is_received(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("VOLT", "100", purchaseCountry="DE")
    reference = opened["orderReference"]
    await installation.fault("volt", "events", "no_event", reference, 1000)
    back = await shopper.decides(opened["redirectUrl"], "approve")
    ((_, case),) = installation.store.cases(reference)
    tamper = f"{installation.settings.sandbox_base_url}/volt/sandbox/tamper"
    await installation.call("POST", tamper, json={"id": case.id, "status": "COMPLETED"})
    assert (await shopper.returns(back))["status"] == "PENDING"
    await installation.call("POST", tamper, json={"id": case.id, "status": "RECEIVED"})
    await installation.advance(61)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
