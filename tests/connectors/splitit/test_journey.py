"""Splitit in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.installation import Installation, Merchant, Shopper

CODE = "SPLITIT"


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


@pytest.mark.parametrize(("currency", "amount"), [("USD", "64.10"), ("JPY", "6410")])
async def test_an_order_is_approved_and_partly_refunded(
    currency: str, amount: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE, amount, purchaseCurrency=currency)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.status(reference))["captureStatus"] == "CAPTURED"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.ledger(reference) == money(("authorize", amount), ("capture", amount), ("refund", "40"))


async def test_parts_of_an_authorisation_are_refused_and_the_whole_is_voided(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE, autoCapture=False)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    for answer in (await merchant.captures(reference, "50", "C-1"), await merchant.voids(reference, "50", "V-1")):
        assert (answer.status, answer.body["code"]) == (400, "not_supported")
    assert (await merchant.voids(reference, "100", "V-2")).body["status"] == "SUCCESSFUL"
    assert installation.ledger(reference) == money(("authorize", "100"), ("void", "100"))


async def test_a_refused_card_leaves_the_order_open_until_the_form_is_dead(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"], "decline"))["status"] == "PENDING"
    await installation.advance(3_601)
    await installation.quiet()
    status = await merchant.status(reference)
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "SYSTEM")
    assert installation.ledger(reference) == []
