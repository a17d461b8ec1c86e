"""Splitit in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

import pytest

from tests.connectors.journey import Shop, money, sale

CODE = "SPLITIT"


@pytest.mark.parametrize(("currency", "amount"), [("USD", "64.10"), ("JPY", "6410")])
async def test_an_order_is_approved_and_partly_refunded(currency: str, amount: str, shop: Shop) -> None:
    order = await shop.sells(CODE, amount, purchaseCurrency=currency)
    assert (await order.status())["captureStatus"] == "CAPTURED"
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.ledger == sale(amount, ("refund", "40"))


async def test_parts_of_an_authorisation_are_refused_and_the_whole_is_voided(shop: Shop) -> None:
    order = await shop.sells(CODE, autoCapture=False)
    for answer in (await order.captures("50"), await order.voids("50")):
        assert (answer.status, answer.body["code"]) == (400, "not_supported")
    assert (await order.voids("100", "V-2")).body["status"] == "SUCCESSFUL"
    assert order.ledger == money(("authorize", "100"), ("void", "100"))


async def test_a_refused_card_leaves_the_order_open_until_the_form_is_dead(shop: Shop) -> None:
    order = await shop.opens(CODE)
    assert await order.pays("decline") == "PENDING"
    await order.later(3_601)
    status = await order.status()
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "SYSTEM")
    assert order.ledger == []
