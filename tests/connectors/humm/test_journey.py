"""humm in a whole installation: our checkout page posts the form; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import quote, urlencode

import pytest
from yarl import URL

from paymux.connectors.registry import all_providers
from tests.connectors.humm.conftest import told
from tests.installation import Installation, Merchant, Shopper

REFERENCE = "Bestellung für Ada 1"
CODES = list(all_providers()["humm"].facts.codes)


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


@pytest.mark.parametrize("code", CODES)
async def test_an_order_of_each_code_is_paid_by_way_of_our_page_and_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(code, "120.50")
    reference = opened["orderReference"]
    assert opened["redirectUrl"].startswith(f"{merchant.base}/checkout/")
    page = (await installation.call("GET", opened["redirectUrl"])).body
    assert "humm-checkout/Checkout?platform=Default" in page
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    refund = await merchant.refunds(reference, "20.50", "R-1")
    assert (refund.status, refund.body["refundStatus"]) == (201, "SUCCESSFUL")
    assert installation.ledger(reference) == money(("authorize", "120.5"), ("capture", "120.5"), ("refund", "20.5"))
    again = await installation.call("GET", opened["redirectUrl"])
    assert again.status == 303, "a paid order's page does not post its form again"


async def test_a_shopper_who_cancelled_may_come_back_to_our_page_and_pay(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("HUMM_AU")
    assert (await shopper.pays(opened["redirectUrl"], "cancel"))["status"] == "PENDING"
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(opened["orderReference"]) == 100


async def test_a_reference_that_humm_does_not_take_is_still_found_by_the_merchants_own(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("HUMM_NZ", orderReference=REFERENCE)
    await shopper.pays(opened["redirectUrl"])
    assert (await merchant.status(quote(REFERENCE)))["status"] == "SUCCESSFUL"
    assert installation.balance(REFERENCE) == 100


async def test_what_the_shopper_changes_in_the_form_opens_nothing(
    installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates("HUMM_AU")
    page = (await installation.call("GET", opened["redirectUrl"])).body
    assert 'name="x_amount" value="100.00"' in page
    target = page.split('action="')[1].split('"')[0].replace("&amp;", "&")
    fields = dict(part.split('" value="') for part in page.split('name="')[1:] if '" value="' in part)
    form = {name: value.split('"')[0] for name, value in fields.items() if name.startswith("x_")}
    refused = await installation.call("POST", URL(target, encoded=True), data=form | {"x_amount": "1.00"})
    assert (refused.status, installation.ledger(opened["orderReference"])) == (400, [])


async def test_only_a_signed_callback_pays(installation: Installation, merchant: Merchant, shopper: Shopper) -> None:
    opened = await merchant.creates("HUMM_AU")
    reference = opened["orderReference"]
    await shopper.reaches(opened["redirectUrl"])
    ((_, case),) = installation.store.cases(reference)
    events = case.data["form"]["x_url_callback"]
    forged = told(x_reference=reference, x_signature="0" * 64)
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await installation.call("POST", events, data=urlencode(forged), headers=sent)
    assert answer.status >= 400
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "PENDING"
    await installation.call("POST", events, data=urlencode(told(x_reference=reference)), headers=sent)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
