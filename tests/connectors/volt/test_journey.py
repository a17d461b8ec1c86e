"""Volt in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.connectors.journey import Journey, Shop


async def paid(shop: Shop) -> Journey:
    order = await shop.opens("VOLT", "64.10", purchaseCountry="DE")
    await order.pays()
    await shop.quiet()
    assert await order.state() == "SUCCESSFUL"
    return order


async def test_a_refund_is_answered_as_pending_and_told_later(shop: Shop) -> None:
    order = await paid(shop)
    await order.fault("events", "late_event")
    assert await order.refunded("24.10") == "PENDING"
    await order.later(121)
    details = await order.details()
    assert await order.refunds_made() == [("MERCHANT", "SUCCESSFUL")]
    assert (Decimal(details["refundedAmount"]), order.balance) == (Decimal("24.10"), 40)
    assert order.announced("REFUND_CALLBACK")


async def test_a_refund_that_the_bank_sends_back_has_failed(shop: Shop) -> None:
    order = await paid(shop)
    await shop.installation.call("POST", shop.sandbox("VOLT", "refunds-fail"))
    await order.refunds("24.10")
    await shop.quiet()
    details = await order.details()
    assert [row["status"] for row in details["refunds"]] == ["FAILED"]
    assert (Decimal(details["refundedAmount"]), order.balance) == (0, Decimal("64.10"))


async def test_a_payment_that_the_bank_only_took_on_waits_until_it_is_received(shop: Shop) -> None:
    order = await shop.opens("VOLT", "100", purchaseCountry="DE")
    await order.loses_every_event()
    back = await order.decides()
    await order.at_provider("tamper", status="COMPLETED")
    assert await order.returns(back) == "PENDING"
    await order.at_provider("tamper", status="RECEIVED")
    await order.later(61)
    assert await order.state() == "SUCCESSFUL"
