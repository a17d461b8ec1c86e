"""Aplazo in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.connectors.journey import Shop

DAY = 86_400


async def test_the_notification_alone_pays_an_order_whose_shopper_never_came_back(shop: Shop) -> None:
    order = await shop.opens("APLAZO_MX", "64.10")
    await order.decides()
    await shop.quiet()
    assert await order.state() == "SUCCESSFUL"
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.balance == Decimal("24.10")


async def test_a_payment_whose_notification_is_lost_is_found_by_asking(shop: Shop) -> None:
    order = await shop.opens("APLAZO_MX")
    await order.loses_every_event()
    await order.decides()
    await order.later(61)
    assert await order.state() == "SUCCESSFUL"


async def test_a_cheaper_payment_is_no_payment_of_this_order(shop: Shop) -> None:
    order = await shop.opens("APLAZO_MX")
    await order.page()
    await order.at_provider("tamper", amount="50")
    assert await order.pays() != "SUCCESSFUL"
    await order.later(601)
    details = await order.details()
    assert details["status"] != "SUCCESSFUL"
    assert details["needsReview"]


async def test_a_loan_that_nobody_confirms_is_cancelled_when_the_order_ends(shop: Shop) -> None:
    order = await shop.opens("APLAZO_MX")
    assert await order.pays("decline") == "PENDING"
    await order.later(DAY, DAY, DAY)
    assert await order.state() == "CANCELED"
    assert order.case.status == "CANCELLED"
    assert order.balance == 0


@pytest.mark.parametrize("fault", ["error_before", "error_after"])
async def test_a_refund_whose_answer_was_lost_is_left_to_a_person_and_never_sent_twice(shop: Shop, fault: str) -> None:
    """No page of Aplazo's says that a repeated key is heeded, and none lists the refunds of a loan."""
    order = await shop.sells("APLAZO_MX")
    await order.fault("refund", fault)
    assert await order.refunded("30") == "PENDING"
    await order.later(31, DAY, DAY)
    details = await order.details()
    assert await order.refunds_made() == [("MERCHANT", "PENDING")]
    assert "nobody knows whether the refund R-1 happened" in details["needsReview"]
    assert order.balance == (70 if fault == "error_after" else 100)


async def test_a_loan_that_is_given_back_in_aplazos_panel_is_a_refund_of_all(shop: Shop) -> None:
    order = await shop.sells("APLAZO_MX", "64.10")
    assert await order.refunded("20") == "SUCCESSFUL"
    await order.at_provider("provider-refund")
    await order.refunds_come_to(("MERCHANT", "SUCCESSFUL"), ("PROVIDER", "SUCCESSFUL"))
    details = await order.details()
    assert (details["status"], Decimal(details["refundedAmount"]), details["needsReview"]) == (
        "SUCCESSFUL", Decimal("64.10"), None,
    )  # fmt: skip
    assert order.balance == 0


async def test_a_loan_that_was_paid_and_is_called_cancelled_is_listed_once(shop: Shop) -> None:
    order = await shop.sells("APLAZO_MX", "1500")
    for _ in range(2):
        await order.at_provider("tamper", status="CANCELADO", notify=True)
        (told,) = await order.told("ORDER_NEEDS_REVIEW")
        assert told["needsReview"] == "the provider reports cancelled after a payment"
    assert (await order.details())["refundedAmount"] == "0"


async def test_a_cancelled_loan_that_is_called_returned_was_never_paid(shop: Shop) -> None:
    order = await shop.opens("APLAZO_MX")
    await order.page()
    await order.at_provider("tamper", status="DEVUELTO", notify=True)
    (told,) = await order.told()
    assert told["status"] == "CANCELED"
    assert order.ledger == []


async def test_an_order_in_another_currency_is_refused_before_anything_is_sent(shop: Shop) -> None:
    answer = await shop.is_refused("APLAZO_MX", "100", purchaseCurrency="USD")
    assert answer.status == 400
    assert "purchaseCurrency" in str(answer.body["message"])


async def test_the_daily_comparison_finds_nothing_in_what_was_sold_and_given_back(shop: Shop) -> None:
    order = await shop.sells("APLAZO_MX", "1500")
    assert await order.differences() == []
    for name in ("R-1", "R-2"):
        assert await order.refunded(str(1500 // 2), name) == "SUCCESSFUL"
        assert await order.differences() == []
