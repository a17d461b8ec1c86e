"""PayJustNow in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.connectors.journey import Shop

HOUR = 3_600


async def test_the_callback_alone_pays_an_order_whose_shopper_never_came_back(shop: Shop) -> None:
    order = await shop.opens("PAYJUSTNOW_SA", "64.10")
    await order.decides()
    await shop.quiet()
    assert await order.state() == "SUCCESSFUL"
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.balance == Decimal("24.10")


async def test_a_payment_whose_callback_is_lost_is_found_by_asking(shop: Shop) -> None:
    order = await shop.opens("PAYJUSTNOW_SA")
    await order.loses_every_event()
    await order.decides()
    await order.later(61)
    assert await order.state() == "SUCCESSFUL"


@pytest.mark.parametrize("changes", [{"amount": "50"}, {"reference": "another-order"}])
async def test_a_cheaper_payment_or_another_orders_is_no_payment_of_this_one(
    changes: dict[str, str], shop: Shop
) -> None:
    order = await shop.opens("PAYJUSTNOW_SA")
    await order.page()
    await order.at_provider("tamper", **changes)
    assert await order.pays() != "SUCCESSFUL"
    await order.later(601)
    details = await order.details()
    assert details["status"] != "SUCCESSFUL"
    assert details["needsReview"]
    assert "SUCCESSFUL" not in [told["status"] for told in order.announced()]


async def test_another_orders_return_pays_nothing(shop: Shop) -> None:
    paid, unpaid = await shop.opens("PAYJUSTNOW_SA"), await shop.opens("PAYJUSTNOW_SA")
    back = await paid.decides()
    forged = f"{shop.merchant.base}/return/{unpaid.opened['orderToken']}?{back.raw_query_string}"
    assert await unpaid.returns(forged) == "PENDING"
    await shop.quiet()
    assert await unpaid.state() == "PENDING"


async def test_who_cancels_and_pays_all_the_same_has_paid(shop: Shop) -> None:
    order = await shop.opens("PAYJUSTNOW_SA")
    await order.loses_every_event()
    assert await order.pays("cancel") == "PENDING"
    assert await order.pays() == "SUCCESSFUL"
    assert order.balance == 100


async def test_who_cancels_and_never_pays_ends_the_order_and_can_not_pay_any_more(shop: Shop) -> None:
    order = await shop.opens("PAYJUSTNOW_SA", cancellationTimeout=900)
    await order.pays("cancel")
    await order.later(901)
    assert await order.state() == "CANCELED"
    assert order.case.status == "CANCELLED_BY_MERCHANT"


async def test_an_order_that_nobody_pays_within_the_hour_ends(shop: Shop) -> None:
    order = await shop.opens("PAYJUSTNOW_SA")
    assert await order.pays("decline") in ("PENDING", "CANCELLED")
    await order.later(HOUR + 1)
    assert await order.state() == "CANCELED"
    assert order.balance == 0


async def test_a_refund_whose_answer_was_lost_is_sent_again_and_made_once(shop: Shop) -> None:
    order = await shop.sells("PAYJUSTNOW_SA")
    await order.fault("refund", "error_after")
    assert await order.refunded("30") == "PENDING"
    await order.later(31)
    assert [status for _, status in await order.refunds_made()] == ["SUCCESSFUL"]
    assert order.balance == 70


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"purchaseCurrency": "AUD"}, "purchaseCurrency"),
        ({"customer": {"firstName": "A", "lastName": "B", "email": "a@shop.example", "phoneNumber": ""}}, "phoneNumber"),
    ],
)  # fmt: skip
async def test_an_order_that_payjustnow_would_not_take_is_refused_before_anything_is_sent(
    changes: dict[str, object], named: str, shop: Shop
) -> None:
    answer = await shop.is_refused("PAYJUSTNOW_SA", "100", **changes)
    assert answer.status == 400
    assert named in str(answer.body["message"])


async def test_the_daily_comparison_finds_nothing_in_what_was_sold_and_given_back(shop: Shop) -> None:
    order = await shop.sells("PAYJUSTNOW_SA", "1500")
    assert await order.differences() == []
    for name in ("R-1", "R-2"):
        assert await order.refunded(str(1500 // 2), name) == "SUCCESSFUL"
        assert await order.differences() == []
