"""TripleA in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from typing import Any

import pytest

from tests.installation import Installation, Merchant, Shopper


async def coins(installation: Installation, reference: str, value: str) -> None:
    """Send coins of a value to the address of an order's payment."""
    ((_, case),) = installation.store.cases(reference)
    url = f"{installation.settings.sandbox_base_url}/triplea/sandbox/coins"
    assert (await installation.call("POST", url, json={"id": case.id, "value": value})).status == 201


async def time_passes(installation: Installation, *seconds: int) -> None:
    """Let polls and watches happen."""
    for step in seconds:
        await installation.quiet()
        await installation.advance(step)
    await installation.quiet()


def told(installation: Installation, reference: str) -> list[Any]:
    """The final statuses that the merchant was told."""
    return [event["data"]["status"] for event in installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")]


async def test_an_order_is_paid_and_a_refund_is_refused_before_anything_is_sent(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("TRIPLEA", "64.10")
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    answer = await merchant.refunds(opened["orderReference"], "40", "R-1")
    assert (answer.status, answer.body["code"]) == (400, "not_supported")


async def test_coins_on_hold_pay_once_they_are_confirmed_and_no_clock_ends_the_order_before(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("TRIPLEA")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"], "pending"))["status"] == "PENDING"
    await time_passes(installation, 86_401, 3_601)
    assert (await merchant.status(reference))["status"] == "PENDING"
    await installation.settle(reference, "approve")
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert not (await merchant.details(reference))["needsReview"]


@pytest.mark.parametrize("value", ["40.00", "99.99", "100.01", "250.00"])
async def test_coins_of_another_value_never_pay_the_order_and_are_left_to_a_person(
    installation: Installation, merchant: Merchant, value: str
) -> None:
    opened = await merchant.creates("TRIPLEA", "100.00")
    reference = opened["orderReference"]
    await coins(installation, reference, value)
    await time_passes(installation, 31, 61, 601)
    details = await merchant.details(reference)
    assert (details["status"], str(details["capturedAmount"])) == ("PENDING", "0")
    assert "another amount" in str(details["needsReview"])
    assert told(installation, reference) == []


async def test_what_was_missing_pays_the_order_when_it_follows(installation: Installation, merchant: Merchant) -> None:
    opened = await merchant.creates("TRIPLEA", "100.00")
    reference = opened["orderReference"]
    await coins(installation, reference, "40.00")
    await time_passes(installation, 31)
    await coins(installation, reference, "60.00")
    await time_passes(installation, 61)
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert told(installation, reference) == ["SUCCESSFUL"]
    assert installation.balance(reference) == 100


async def test_coins_that_come_after_those_that_came_to_nothing_are_left_to_a_person(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("TRIPLEA", "100.00")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"], "decline"))["status"] == "DECLINED"
    await coins(installation, reference, "100.00")
    await time_passes(installation, 31)
    details = await merchant.details(reference)
    assert details["status"] == "DECLINED"
    assert "no refund" in str(details["needsReview"])
    assert told(installation, reference) == ["DECLINED"]


async def test_coins_that_come_after_the_end_of_the_order_are_left_to_a_person(
    installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates("TRIPLEA", "100.00", cancellationTimeout=900)
    reference = opened["orderReference"]
    await time_passes(installation, 901, 31)
    assert (await merchant.status(reference))["status"] == "CANCELED"
    await coins(installation, reference, "100.00")
    await time_passes(installation, 601)
    details = await merchant.details(reference)
    assert details["status"] == "CANCELED"
    assert "no refund" in str(details["needsReview"])
    assert told(installation, reference) == ["CANCELED"]


async def test_a_webhook_that_nobody_signed_is_refused(installation: Installation, merchant: Merchant) -> None:
    opened = await merchant.creates("TRIPLEA", "100.00")
    ((_, case),) = installation.store.cases(opened["orderReference"])
    body = {"payment_reference": case.id, "payment_tier": "good"}
    answer = await installation.call("POST", case.data["notify_url"], json=body)
    assert 400 <= answer.status < 500
    assert (await merchant.status(opened["orderReference"]))["status"] == "PENDING"
