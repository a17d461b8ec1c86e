"""Scalapay in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Merchant, Shopper

CODE = "SCALAPAY"


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


async def test_an_order_is_approved_captured_and_partly_refunded(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE, "64.10")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.status(reference))["captureStatus"] == "CAPTURED"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.ledger(reference) == money(("authorize", "64.10"), ("capture", "64.10"), ("refund", "40"))


async def test_a_delayed_order_takes_no_parts_and_is_captured_whole(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE, autoCapture=False)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    for answer in (await merchant.captures(reference, "50", "C-1"), await merchant.voids(reference, "50", "V-1")):
        assert (answer.status, answer.body["code"]) == (400, "not_supported")
    assert (await merchant.captures(reference, "100", "C-2")).body["status"] == "SUCCESSFUL"
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


async def test_an_authorisation_that_nobody_captures_is_gone_after_five_days(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE, autoCapture=False)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    await installation.advance(432_001)
    await installation.quiet()
    details = await merchant.details(reference)
    assert (details["captureStatus"], Decimal(details["voidedAmount"])) == ("VOIDED", Decimal(100))
    assert installation.ledger(reference) == money(("authorize", "100"), ("void", "100"))


async def test_a_refused_shopper_is_declined_once_the_order_has_expired(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"], "decline"))["status"] == "PENDING"
    await installation.advance(2_401)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "DECLINED"
    assert installation.ledger(reference) == []
