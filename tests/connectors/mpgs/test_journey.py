"""The gateway in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.connectors.journey import Shop, money


async def test_an_order_is_paid_and_refunded(shop: Shop) -> None:
    order = await shop.sells("MPGS", "120.50", purchaseCurrency="BHD")
    assert await order.refunded("20.50") == "SUCCESSFUL"
    assert order.balance == Decimal(100)


async def test_only_the_whole_is_captured(shop: Shop) -> None:
    order = await shop.sells("MPGS", "100", purchaseCurrency="EUR", autoCapture=False)
    part = await order.captures("30")
    assert (part.status, part.body["code"]) == (400, "not_supported")
    assert (await order.captures("100", "C-2")).status == 201
    assert order.balance == Decimal(100)


async def test_a_declined_shopper_may_pay_by_the_same_link(shop: Shop) -> None:
    order = await shop.opens("MPGS", "80", purchaseCurrency="USD")
    assert await order.pays("decline") == "PENDING"
    assert await order.pays() == "SUCCESSFUL"
    assert order.balance == Decimal(80)


async def test_a_refund_made_in_merchant_administration_is_the_providers_and_counts(shop: Shop) -> None:
    order = await shop.sells("MPGS", "80", purchaseCurrency="USD")
    await order.at_provider("administration", operation="REFUND", amount="30")
    await order.later(61, 601)
    assert [who for who, _ in await order.refunds_made()] == ["PROVIDER"]
    assert (await order.refunds("51")).body["code"] == "over_refund"


async def test_an_order_that_was_paid_in_part_only_is_not_paid_and_the_part_is_given_back(shop: Shop) -> None:
    order = await shop.opens("MPGS", "80", purchaseCurrency="USD")
    await order.at_provider("bank", code="PARTIALLY_APPROVED", amount="50")
    assert await order.pays() == "PENDING"
    await order.later(61)
    await order.comes_to(money(("authorize", "50"), ("capture", "50"), ("refund", "50")))
    details = await order.details()
    assert details["status"] == "PENDING"
    assert "another amount" in str(details["needsReview"])


async def test_a_refund_that_the_bank_has_not_answered_stays_pending_until_it_comes_out(shop: Shop) -> None:
    order = await shop.sells("MPGS", "80", purchaseCurrency="USD")
    await order.at_provider("bank", code="TIMED_OUT")
    assert await order.refunded("30") == "PENDING"
    await order.later(61, 601)
    assert await order.refunds_made() == [("MERCHANT", "PENDING")]
    again = await order.refunds("80", "R-2")
    assert again.body["code"] == "over_refund"
    last = order.case.data["rows"][-1]["transaction"]["id"]
    await order.at_provider("bank", code="APPROVED", transaction=last)
    await order.later(601)
    await order.refunds_come_to(("MERCHANT", "SUCCESSFUL"))
    assert order.balance == Decimal(50)


async def test_a_sale_and_a_refund_that_wait_for_the_banks_batch_are_done(shop: Shop) -> None:
    order = await shop.opens("MPGS", "80", purchaseCurrency="USD")
    await order.at_provider("bank", code="APPROVED_PENDING_SETTLEMENT")
    assert await order.pays() == "SUCCESSFUL"
    await order.at_provider("bank", code="APPROVED_PENDING_SETTLEMENT")
    assert await order.refunded("30") == "SUCCESSFUL"
    assert order.balance == Decimal(50)
