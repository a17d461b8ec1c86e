"""Paymob in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.connectors.journey import Shop


async def test_an_order_is_paid_and_partly_refunded(shop: Shop) -> None:
    order = await shop.sells("PAYMOB_EG", "64.10")
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.balance == Decimal("24.10")


async def test_who_comes_back_with_a_failed_payment_can_try_again(shop: Shop) -> None:
    order = await shop.opens("PAYMOB_EG")
    await order.loses_every_event()
    assert await order.pays("decline") == "PENDING"
    assert await order.pays() == "SUCCESSFUL"
    assert order.balance == 100


async def test_who_fails_once_and_pays_then_without_ever_coming_back_has_paid(shop: Shop) -> None:
    order = await shop.opens("PAYMOB_EG")
    await order.decides("decline")
    await shop.quiet()
    assert await order.state() == "PENDING"
    await order.decides()
    await order.later(31)
    assert await order.state() == "SUCCESSFUL"
    assert order.balance == 100


async def test_who_pays_after_his_order_was_cancelled_gets_his_money_back(shop: Shop) -> None:
    order = await shop.opens("PAYMOB_EG")
    page = await order.page()
    assert (await order.cancels()).status == 201
    await shop.installation.call("POST", page, data={"outcome": "approve"})
    await order.later(31)
    assert await order.state() == "CANCELED"
    assert order.balance == 0
    assert [who for who, _ in await order.refunds_made()] == ["SYSTEM"]


async def test_an_order_whose_opening_was_lost_is_opened_again_and_paid_once(shop: Shop) -> None:
    order = await shop.opens_on_our_page("PAYMOB_EG")
    assert await order.pays() == "SUCCESSFUL"
    assert order.balance == 100


async def test_a_refund_whose_answer_was_lost_is_found_and_made_once(shop: Shop) -> None:
    order = await shop.sells("PAYMOB_EG")
    await order.fault("refund", "error_after")
    await order.loses_every_event()
    assert await order.refunded("30") == "PENDING"
    await order.later(31)
    assert [status for _, status in await order.refunds_made()] == ["SUCCESSFUL"]
    assert order.balance == 70


async def test_a_currency_that_paymob_in_egypt_does_not_take_is_refused_before_anything_is_sent(shop: Shop) -> None:
    answer = await shop.is_refused("PAYMOB_EG", purchaseCurrency="USD")
    assert answer.status == 400
    assert "EGP" in str(answer.body["message"])
