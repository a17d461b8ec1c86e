"""TripleA in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.journey import Journey, Shop


async def coins(order: Journey, value: str) -> None:
    """Send coins of a value to the address of an order's payment, and let what follows happen."""
    await order.at_provider("coins", value=value)
    await order.shop.quiet()


def told(order: Journey) -> list[Any]:
    """The final statuses that the merchant was told."""
    return [data["status"] for data in order.announced()]


async def test_an_order_is_paid_and_a_refund_is_refused_before_anything_is_sent(shop: Shop) -> None:
    order = await shop.sells("TRIPLEA", "64.10")
    answer = await order.refunds("40")
    assert (answer.status, answer.body["code"]) == (400, "not_supported")


async def test_coins_on_hold_pay_once_they_are_confirmed_and_no_clock_ends_the_order_before(shop: Shop) -> None:
    order = await shop.opens("TRIPLEA")
    assert await order.pays("pending") == "PENDING"
    await shop.quiet()
    await order.later(86_401, 3_601)
    assert await order.state() == "PENDING"
    await order.settles()
    await shop.quiet()
    assert await order.state() == "SUCCESSFUL"
    assert not (await order.details())["needsReview"]


@pytest.mark.parametrize("value", ["40.00", "99.99", "100.01", "250.00"])
async def test_coins_of_another_value_never_pay_the_order_and_are_left_to_a_person(value: str, shop: Shop) -> None:
    order = await shop.opens("TRIPLEA", "100.00")
    await coins(order, value)
    await order.later(31, 61, 601)
    details = await order.details()
    assert (details["status"], str(details["capturedAmount"])) == ("PENDING", "0")
    assert "another amount" in str(details["needsReview"])
    assert told(order) == []


async def test_what_was_missing_pays_the_order_when_it_follows(shop: Shop) -> None:
    order = await shop.opens("TRIPLEA", "100.00")
    await coins(order, "40.00")
    await order.later(31)
    await coins(order, "60.00")
    await order.later(61)
    assert await order.state() == "SUCCESSFUL"
    assert told(order) == ["SUCCESSFUL"]
    assert order.balance == 100


async def test_coins_that_come_after_those_that_came_to_nothing_are_left_to_a_person(shop: Shop) -> None:
    order = await shop.opens("TRIPLEA", "100.00")
    assert await order.pays("decline") == "DECLINED"
    await coins(order, "100.00")
    await order.later(31)
    details = await order.details()
    assert details["status"] == "DECLINED"
    assert "no refund" in str(details["needsReview"])
    assert told(order) == ["DECLINED"]


async def test_coins_that_come_after_the_end_of_the_order_are_left_to_a_person(shop: Shop) -> None:
    order = await shop.opens("TRIPLEA", "100.00", cancellationTimeout=900)
    await shop.quiet()
    await order.later(901, 31)
    assert await order.state() == "CANCELED"
    await coins(order, "100.00")
    await order.later(601)
    details = await order.details()
    assert details["status"] == "CANCELED"
    assert "no refund" in str(details["needsReview"])
    assert told(order) == ["CANCELED"]


async def test_a_webhook_that_nobody_signed_is_refused(shop: Shop) -> None:
    order = await shop.opens("TRIPLEA", "100.00")
    case = order.case
    body = {"payment_reference": case.id, "payment_tier": "good"}
    answer = await shop.installation.call("POST", case.data["notify_url"], json=body)
    assert 400 <= answer.status < 500
    assert await order.state() == "PENDING"
