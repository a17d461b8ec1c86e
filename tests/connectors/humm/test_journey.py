"""humm in a whole installation: our checkout page posts the form; the sandbox's ledger is the witness."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from yarl import URL

from paymux.connectors.registry import all_providers
from tests.connectors.humm.conftest import told
from tests.connectors.journey import Shop, sale

CODES = list(all_providers()["humm"].facts.codes)


@pytest.mark.parametrize("code", CODES)
async def test_an_order_of_each_code_is_paid_by_way_of_our_page_and_refunded(code: str, shop: Shop) -> None:
    order = await shop.opens(code, "120.50")
    assert order.redirect_url.startswith(f"{shop.merchant.base}/checkout/")
    page = (await shop.installation.call("GET", order.redirect_url)).body
    assert "humm-checkout/Checkout?platform=Default" in page
    assert await order.pays() == "SUCCESSFUL"
    assert await order.refunded("20.50") == "SUCCESSFUL"
    assert order.ledger == sale("120.5", ("refund", "20.5"))
    again = await shop.installation.call("GET", order.redirect_url)
    assert again.status == 303, "a paid order's page does not post its form again"


async def test_a_shopper_who_cancelled_may_come_back_to_our_page_and_pay(shop: Shop) -> None:
    order = await shop.opens("HUMM_AU")
    assert await order.pays("cancel") == "PENDING"
    assert await order.pays() == "SUCCESSFUL"
    assert order.balance == 100


async def test_a_reference_that_humm_does_not_take_is_still_found_by_the_merchants_own(shop: Shop) -> None:
    order = await shop.sells("HUMM_NZ", orderReference="Bestellung für Ada 1")
    assert await order.state() == "SUCCESSFUL"
    assert order.balance == 100


async def test_what_the_shopper_changes_in_the_form_opens_nothing(shop: Shop) -> None:
    order = await shop.opens("HUMM_AU")
    page = (await shop.installation.call("GET", order.redirect_url)).body
    assert 'name="x_amount" value="100.00"' in page
    target = page.split('action="')[1].split('"')[0].replace("&amp;", "&")
    fields = dict(part.split('" value="') for part in page.split('name="')[1:] if '" value="' in part)
    form = {name: value.split('"')[0] for name, value in fields.items() if name.startswith("x_")}
    refused = await shop.installation.call("POST", URL(target, encoded=True), data=form | {"x_amount": "1.00"})
    assert (refused.status, order.ledger) == (400, [])


async def test_only_a_signed_callback_pays(shop: Shop) -> None:
    order = await shop.opens("HUMM_AU")
    await order.page()
    events = order.case.data["form"]["x_url_callback"]
    forged = told(x_reference=order.reference, x_signature="0" * 64)
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await shop.installation.call("POST", events, data=urlencode(forged), headers=sent)
    assert answer.status >= 400
    await shop.quiet()
    assert await order.state() == "PENDING"
    await shop.installation.call("POST", events, data=urlencode(told(x_reference=order.reference)), headers=sent)
    await shop.quiet()
    assert await order.state() == "SUCCESSFUL"
