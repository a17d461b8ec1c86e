"""LatitudePay and Genoapay in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from paymux.connectors.registry import all_providers
from paymux.platform.database import from_json
from tests.connectors.journey import ENDLESSLY, Journey, Shop, sale, signed

CODES = list(all_providers()["latitudepay"].facts.codes)
EXAMPLE = Path(__file__).parents[2] / "order-example.json"


@pytest.mark.parametrize("code", CODES)
async def test_an_order_of_each_code_is_paid_returned_announced_and_refunded(code: str, shop: Shop) -> None:
    order = await shop.opens(code, "100")
    assert await order.pays() == "SUCCESSFUL"
    status = await order.status()
    assert (status["status"], status["captureStatus"], status["amount"]) == ("SUCCESSFUL", "CAPTURED", 100)
    (data,) = await order.told()
    assert (data["status"], data["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    refund = await order.refunds("40.55")
    assert (refund.status, refund.body["refundStatus"]) == (201, "SUCCESSFUL")
    assert (await order.refunds("40.55")).body == refund.body
    assert (await order.refunds("59.46", "R-2")).body["code"] == "over_refund"
    assert (await order.refunds("59.45", "R-3")).status == 201
    assert len(await order.told("REFUND_CALLBACK")) >= 1
    assert order.ledger == sale("100", ("refund", "40.55"), ("refund", "59.45"))
    details = await order.details()
    assert (details["capturedAmount"], details["refundedAmount"], details["needsReview"]) == ("100", "100", None)


async def test_the_published_example_is_accepted_as_it_is_then_paid_and_refunded(shop: Shop) -> None:
    example = from_json(EXAMPLE.read_bytes())
    answer = await shop.merchant.post("/orders", EXAMPLE.read_bytes())
    assert answer.status == 201, answer.body
    order = Journey(shop, answer.body)
    assert (order.reference, order.code) == ("LP000_OrderID", "LATITUDEPAY_AU")
    assert (order.opened["paymentStatus"], order.opened["orderAmount"]) == ("pending", Decimal("144.89"))
    back = await order.decides()
    assert order.ledger == sale("144.89")
    answer = await shop.installation.call("GET", back)
    home = URL(answer.headers["Location"])
    assert f"{home.scheme}://{home.host}{home.path}" == example["dynamicRedirectUrl"]
    assert home.query["hash"] == signed("SUCCESSFUL", "LP000_OrderID")
    (data,) = await order.told()
    assert (data["status"], data["amount"]) == ("SUCCESSFUL", Decimal("144.89"))
    assert (await order.refunds("44.89", "REF-1")).body["refundedAmount"] == Decimal("44.89")
    assert (await order.refunds("100", "REF-2")).status == 201
    assert order.balance == 0
    again = await shop.merchant.post("/orders", EXAMPLE.read_bytes())
    assert (again.status, again.body["code"]) == (409, "duplicate_reference")


@pytest.mark.parametrize("outcome", ["decline", "cancel"])
async def test_a_shopper_who_is_refused_or_gives_up_ends_the_order_declined(outcome: str, shop: Shop) -> None:
    order = await shop.opens("LATITUDEPAY_AU")
    assert await order.pays(outcome) == "DECLINED"
    (data,) = await order.told()
    assert data["status"] == "DECLINED"
    assert order.ledger == []
    refund = await order.refunds("1")
    assert refund.status in (400, 409)


async def test_the_callback_alone_completes_an_order_whose_shopper_never_returned(shop: Shop) -> None:
    order = await shop.opens("LATITUDEPAY_AU")
    await order.fault("status", "error_before", ENDLESSLY)
    await order.decides()
    await order.reaches(status="SUCCESSFUL")
    assert order.balance == 100


async def test_the_signed_return_alone_completes_an_order(shop: Shop) -> None:
    order = await shop.opens("LATITUDEPAY_AU")
    await order.loses_every_event()
    await order.fault("status", "error_before", ENDLESSLY)
    assert await order.pays() == "SUCCESSFUL"
    assert (await order.status())["captureStatus"] == "CAPTURED"


async def test_the_poll_alone_completes_an_order(shop: Shop) -> None:
    order = await shop.opens("GENOAPAY")
    await order.loses_every_event()
    await order.decides()
    assert await order.state() == "PENDING"
    await order.time_passes(31)
    await order.reaches(status="SUCCESSFUL")
    assert order.balance == 100


async def test_a_tampered_callback_is_refused_and_a_tampered_return_leads_to_asking(shop: Shop) -> None:
    order = await shop.opens("LATITUDEPAY_AU")
    await order.loses_every_event()
    back = await order.decides("pending")
    forged = back.update_query(result="COMPLETED")
    callback = URL(order.case.data["callback_url"]).with_query(forged.query)
    assert (await shop.installation.call("GET", str(callback))).status == 401
    assert await order.returns(forged) == "PENDING"
    await shop.quiet()
    assert await order.state() == "PENDING"
    await order.settles()
    await order.time_passes(700)
    await order.reaches(status="SUCCESSFUL")


async def test_the_signed_return_of_another_order_pays_nothing(shop: Shop) -> None:
    cheap, dear = await shop.opens("LATITUDEPAY_AU", "20"), await shop.opens("LATITUDEPAY_AU", "1000")
    paid, own = await cheap.decides(), URL(dear.case.data["success_url"])
    assert await dear.returns(own.with_query(paid.query)) == "PENDING"
    assert await dear.state() == "PENDING"
    assert dear.ledger == []
    # Its own payment still counts.
    assert await dear.pays() == "SUCCESSFUL"


async def test_a_payment_that_names_another_order_is_never_paid_and_given_back(shop: Shop) -> None:
    order = await shop.opens("LATITUDEPAY_AU")
    await order.at_provider("tamper", reference="other")
    assert await order.pays() != "SUCCESSFUL"
    await order.comes_to(sale("100", ("refund", "100")))
    details = await order.details()
    assert details["status"] != "SUCCESSFUL"
    assert "reference" in details["needsReview"]
    assert order.balance == 0


async def test_a_merchants_cancel_closes_the_sale_there_too(shop: Shop) -> None:
    order = await shop.opens("LATITUDEPAY_AU")
    cancelled = await order.cancels(description="changed his mind")
    assert cancelled.status == 201, cancelled.body
    status = await order.status()
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "MERCHANT")
    assert await order.pays() == "CANCELLED"
    assert order.ledger == []


async def test_a_callback_of_our_own_cancel_that_overtakes_its_answer_still_means_cancelled(shop: Shop) -> None:
    order = await shop.opens("LATITUDEPAY_AU")
    # The sale is cancelled and its callback sent, while the answer is held until nobody waits for it.
    await order.fault("cancel", "timeout_after")
    assert (await order.cancels()).status == 201
    await shop.quiet()
    status = await order.status()
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "MERCHANT")
    assert order.ledger == []


async def test_a_cancel_that_came_too_late_finds_the_payment(shop: Shop) -> None:
    order = await shop.opens("LATITUDEPAY_AU")
    await order.loses_every_event()
    await order.decides()
    await order.cancels()
    assert await order.state() == "SUCCESSFUL"
    assert order.balance == 100


async def test_an_unpaid_order_is_cancelled_when_the_sale_expires(shop: Shop) -> None:
    order = await shop.opens("LATITUDEPAY_AU", cancellationTimeout=600)
    await order.time_passes(601)
    status = await order.reaches(status="CANCELED")
    assert status["cancelledBy"] == "SYSTEM"

    async def closed() -> bool:
        return order.case.status == "DECLINED"

    await shop.eventually(closed)


@pytest.mark.parametrize("fault", ["error_after", "timeout_before"])
async def test_a_refund_whose_answer_was_lost_is_repeated_with_its_key_and_not_doubled(fault: str, shop: Shop) -> None:
    order = await shop.sells("LATITUDEPAY_AU")
    await order.fault("refund", fault)
    assert await order.refunded("40") == "PENDING"
    await order.time_passes(31)
    await order.refunds_come_to(("MERCHANT", "SUCCESSFUL"))
    assert order.balance == 60


async def test_a_lost_create_opens_one_sale_only(shop: Shop) -> None:
    order = await shop.opens_on_our_page("LATITUDEPAY_AU")
    assert await order.pays() == "SUCCESSFUL"
    assert len(order.cases) == 1
    assert order.balance == 100


@pytest.mark.parametrize(
    ("change", "field"),
    [({"autoCapture": False}, "autoCapture"), ({"getToken": True}, "getToken")],
)
async def test_what_latitudepay_can_not_do_is_refused_before_anything_is_sent(
    change: dict[str, Any], field: str, shop: Shop
) -> None:
    answer = await shop.is_refused("LATITUDEPAY_AU", **change)
    assert (answer.status, answer.body["code"]) == (400, "not_supported")
    assert field in str(answer.body["message"])


@pytest.mark.parametrize("code", CODES)
async def test_every_code_is_offered_with_what_it_demands(code: str, shop: Shop) -> None:
    currency = "AUD" if code == "LATITUDEPAY_AU" else "NZD"
    for amount, offered in (("20", True), ("1500", True), ("19.99", False), ("1500.01", False)):
        answer = await shop.merchant.get(f"/options?amount={amount}&currency={currency}")
        assert answer.status == 200
        assert (code in str(answer.body)) is offered
