"""A return to an order that has ended: proof of a payment gives it back (T3), and our page promises no more than is known."""

from __future__ import annotations

import pytest
from yarl import URL

from tests.api.conftest import a_merchant
from tests.conftest import Eventually
from tests.connectors.journey import Journey, Shop, sale
from tests.installation import Installation, Merchant, Shopper

# Only these two's returns are the sole evidence of a payment whose callback was lost: nothing can be asked there.
ONLY_RETURNS = [("HUMM_AU", "300"), ("HUMM_NZ", "300"), ("TENDOPAY", "1500")]


@pytest.fixture
def shop(installation: Installation, eventually: Eventually) -> Shop:
    return Shop(installation, eventually)


async def approves(order: Journey, page: str) -> URL:
    """The shopper pays on a page that he has reached before; where his browser is sent on to."""
    answer = await order.installation.call("POST", page, data={"outcome": "approve"})
    assert answer.status == 303, answer.body
    return URL(answer.headers["Location"], encoded=True)


@pytest.mark.parametrize(("code", "amount"), ONLY_RETURNS)
async def test_who_pays_after_the_merchants_cancel_and_returns_gets_his_money_back(
    code: str, amount: str, shop: Shop
) -> None:
    order = await shop.opens(code, amount, {"events": "no_event"})
    page = await order.page()
    assert (await order.cancels()).body["status"] == "CANCELED"
    back = await approves(order, page)
    assert order.ledger == sale(amount)
    await given_back(order, back)


@pytest.mark.parametrize(("code", "amount"), ONLY_RETURNS)
async def test_who_has_paid_and_returns_after_the_deadline_gets_his_money_back(
    code: str, amount: str, shop: Shop
) -> None:
    order = await shop.opens(code, amount, {"events": "no_event"}, cancellationTimeout=600)
    back = await approves(order, await order.page())
    await order.later(601)
    assert (await order.reaches(status="CANCELED"))["cancelledBy"] == "SYSTEM"
    await given_back(order, back)


async def given_back(order: Journey, back: URL) -> None:
    """The return that proves the payment leads to one refund, however often it comes, and the merchant is told."""
    for _ in range(2):
        assert await order.returns(back) == "CANCELLED"
    [(_, paid), *_] = order.ledger
    assert order.ledger == sale(str(paid), ("refund", str(paid)))
    assert await order.refunds_made() == [("SYSTEM", "SUCCESSFUL")]
    (told,) = await order.told("REFUND_CALLBACK")
    assert (told["status"], told["initiator"], told["amount"]) == ("SUCCESSFUL", "SYSTEM", paid)
    assert (await order.details())["needsReview"] is None


async def test_a_return_that_nobody_signed_says_nothing_of_an_order_that_has_ended(shop: Shop) -> None:
    order = await shop.opens("HUMM_AU", "300", {"events": "no_event"})
    page = await order.page()
    assert (await order.cancels()).status == 201
    back = await approves(order, page)
    assert await order.returns(back.update_query(x_signature="0" * 64)) == "CANCELLED"
    assert order.ledger == sale("300"), "nothing of it is believed"
    assert (await order.details())["capturedAmount"] == "0"


async def page_of(installation: Installation, url: str) -> str:
    answer = await installation.call("GET", URL(url, encoded=True))
    assert answer.status == 200
    return str(answer.body)


async def test_our_page_says_not_charged_only_where_that_is_known(installation: Installation, shopper: Shopper) -> None:
    merchant = await a_merchant(installation, "HUMM_AU")
    opened = await merchant.creates("HUMM_AU", dynamicRedirectUrl=None)
    reference = opened["orderReference"]
    await installation.fault("humm", "events", "no_event", reference, times=1000)
    page = await shopper.reaches(opened["redirectUrl"])
    assert (await merchant.post(f"/orders/{reference}/cancel", {})).status == 201
    ours = f"{merchant.base}/return/{opened['orderToken']}"
    said = await page_of(installation, ours)
    assert "Your payment was cancelled." in said
    assert "not been charged" not in said, "he may be paying at this moment, and there is nothing to ask"
    assert "please tell the shop" in said
    answer = await installation.call("POST", page, data={"outcome": "approve"})
    for url in (answer.headers["Location"], ours):
        said = await page_of(installation, url)
        assert "What you paid has been given back." in said
        assert "not been charged" not in said


@pytest.mark.parametrize("outcome", ["decline", "cancel", "error"])
async def test_our_page_says_not_charged_where_the_provider_ended_it(
    outcome: str, installation: Installation, shopper: Shopper
) -> None:
    merchant = await a_merchant(installation, "PLANPAY_AU")
    opened = await merchant.creates("PLANPAY_AU", dynamicRedirectUrl=None)
    back = await shopper.decides(opened["redirectUrl"], outcome)
    assert "You have not been charged." in await page_of(installation, back)


async def test_our_page_says_not_charged_where_no_checkout_was_ever_opened(
    installation: Installation, merchant: Merchant
) -> None:
    own = await a_merchant(installation, "AFTERPAY_AU")
    body = own.order("AFTERPAY_AU", dynamicRedirectUrl=None)
    await installation.fault("afterpay", "create", "timeout_before", body["orderReference"], times=50)
    opened = (await own.post("/orders", body)).body
    assert (await own.post(f"/orders/{body['orderReference']}/cancel", {})).status == 201
    assert "You have not been charged." in await page_of(installation, f"{merchant.base}/return/{opened['orderToken']}")
