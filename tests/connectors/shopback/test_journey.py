"""ShopBack in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.connectors.journey import Shop


@pytest.mark.parametrize("code", ["SHOPBACK_SG", "SHOPBACK_MY", "HOOLAH_SG", "HOOLAH_MY"])
async def test_an_order_of_each_code_is_paid_and_partly_refunded(code: str, shop: Shop) -> None:
    order = await shop.sells(code, "64.10")
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.balance == Decimal("24.10")


async def test_a_whole_refund_waits_for_the_order_to_say_so(shop: Shop) -> None:
    order = await shop.sells("SHOPBACK_SG")
    assert await order.refunded("100") == "PENDING"
    await order.later(31)
    details = await order.details()
    assert await order.refunds_made() == [("MERCHANT", "SUCCESSFUL")]
    assert (Decimal(details["refundedAmount"]), order.balance) == (Decimal(100), Decimal(0))


@pytest.mark.parametrize("fault", ["error_before", "error_after"])
@pytest.mark.parametrize("amount", ["30", "100"])
async def test_a_refund_whose_answer_was_lost_is_made_once(fault: str, amount: str, shop: Shop) -> None:
    order = await shop.sells("SHOPBACK_SG")
    await order.fault("refund", fault)
    assert await order.refunded(amount) == "PENDING"
    await order.later(31, 61)
    assert await order.refunds_made() == [("MERCHANT", "SUCCESSFUL")]
    assert order.balance == 100 - Decimal(amount)


async def test_an_order_whose_first_answer_was_lost_is_opened_once_and_paid(shop: Shop) -> None:
    order = await shop.opens_on_our_page("SHOPBACK_SG")
    assert await order.pays() == "SUCCESSFUL"
    assert len(order.cases) == 1
    assert order.balance == 100


async def test_a_shopper_who_gives_up_or_is_rejected_has_ended_the_order(shop: Shop) -> None:
    for outcome, word in (("cancel", "CANCELLED"), ("decline", "DECLINED")):
        order = await shop.opens("SHOPBACK_SG")
        assert await order.pays(outcome) == word
        assert order.balance == 0


async def test_another_currency_or_amount_than_the_code_has_is_refused_with_its_field(shop: Shop) -> None:
    for changes, field in (({"purchaseCurrency": "MYR"}, "purchaseCurrency"), ({}, "orderAmount")):
        amount = "100" if changes else "1000.01"
        answer = await shop.is_refused("SHOPBACK_SG", amount, **changes)
        assert answer.status == 400
        assert field in str(answer.body)
