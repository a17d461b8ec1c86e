"""Opening an order at TendoPay, and what its signed return and notification prove."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from paymux.connectors.contract import Ask, Cancelled, Declined, Forged, NotThere, Paid, Pending, Refused, Report
from paymux.connectors.provider_http import ProviderHttp
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.tendopay.conftest import SECRET, Till, notification, sample, signed, told
from tests.connectors.till import KEY

PHP = "PHP"


async def test_what_is_sent_names_the_order_in_whole_pesos_and_is_signed(scripted: Scripted, till: Till) -> None:
    scripted.says(200, sample("order_created")["answer"])
    order = till.counter.order("TENDOPAY", "1500.00")
    opened = await scripted.opens(order)
    assert (opened.session, opened.state) == ("R-1001", {"order_token": "0c9e2d7b-c3bb-4661-ba54-8e0542ecc482"})
    assert opened.url == sample("order_created")["answer"]["authorize_url"]
    ((method, path, sent),) = scripted.asked
    assert (method, path) == ("POST", "/payments/api/v2/order")
    assert sent == signed(
        {
            "tp_amount": 1500,
            "tp_currency": "PHP",
            "tp_merchant_order_id": "R-1001",
            "tp_redirect_url": "https://paymux.example/return/otk_1",
            "tp_description": "Order R-1001",
            "tp_billing_city": "Sydney",
            "tp_billing_address1": "1 High Street",
            "tp_billing_postcode": "2000",
            "tp_shipping_city": "Sydney",
            "tp_shipping_address1": "1 High Street",
            "tp_shipping_postcode": "2000",
        }
    )


def test_the_published_signature_is_the_one_that_the_tests_make() -> None:
    documented = sample("order_created")
    request = {name: value for name, value in documented["request"].items() if name != "x_signature"}
    assert signed(request, documented["secret"]) == documented["request"]


async def test_what_is_empty_is_not_sent_and_blanks_around_a_text_are_not_signed(
    scripted: Scripted, till: Till
) -> None:
    scripted.says(200, sample("order_created")["answer"])
    order = till.counter.order("TENDOPAY", "100", reference="R" * 60)
    billing = replace(order.billing, street=" 1 Calle Real\n", city="Parañaque", postal_code=" ")
    await scripted.connector.create_checkout(replace(order, billing=billing, delivery=None), KEY)
    sent = scripted.asked[0][2]
    assert (sent["tp_billing_address1"], sent["tp_billing_city"]) == ("1 Calle Real", "Parañaque")
    assert len(sent["tp_description"]) == 50
    assert not {"tp_billing_postcode", "tp_shipping_city"} & sent.keys()
    assert signed({name: value for name, value in sent.items() if name != "x_signature"}) == sent


async def test_an_amount_with_centavos_is_refused_before_anything_is_sent(scripted: Scripted, till: Till) -> None:
    with pytest.raises(Refused, match="whole amounts") as no:
        await scripted.connector.create_checkout(till.counter.order("TENDOPAY", "100.50"), KEY)
    assert (no.value.code, scripted.asked) == ("inexact_amount", [])


@pytest.mark.parametrize("reference", ["R-1tp_transaction_id9", "a b", "tp_"])
def test_a_reference_that_could_be_taken_for_the_next_field_is_not_sent(till: Till, reference: str) -> None:
    assert re.fullmatch(till.counter.provider.facts.reference.pattern, reference) is None


@pytest.mark.parametrize("status", [403, 404, 422])
async def test_a_refusal_keeps_tendopays_sentence(scripted: Scripted, till: Till, status: int) -> None:
    scripted.says(status, sample("error")["answer"])
    with pytest.raises(Refused, match="EXAMPLE ERROR MESSAGE") as no:
        await scripted.connector.create_checkout(till.counter.order("TENDOPAY"), KEY)
    assert (no.value.code, isinstance(no.value, NotThere)) == (str(status), status == 404)


@pytest.mark.parametrize("body", ["{}", "[]", "oops", '{"tp_order_token": "a", "authorize_url": "javascript:1"}'])
async def test_an_answer_that_opens_nothing_is_unclear(scripted: Scripted, till: Till, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("TENDOPAY"), KEY)


async def test_credentials_are_checked_by_an_access_token(till: Till) -> None:
    assert "access token" in await till.connector.check()
    wrong = till.counter.connector("TENDOPAY", client_secret="wrong")
    with pytest.raises(Refused, match="invalid_client"):
        await wrong.check()
    with pytest.raises(Refused):
        await wrong.create_checkout(till.counter.order("TENDOPAY"), KEY)


async def test_without_tendopay_nothing_has_left(till: Till) -> None:
    account = till.counter.account("TENDOPAY")
    gone = till.counter.provider.connector(
        replace(account, hosts={"api": "http://127.0.0.1:1"}), ProviderHttp(till.counter.client)
    )
    with pytest.raises(NotSent):
        await gone.create_checkout(till.counter.order("TENDOPAY"), KEY)


# -- the return -------------------------------------------------------------------------------


async def test_a_signed_return_is_the_payment_with_its_amount(till: Till) -> None:
    checkout, query = await till.decides("approve")
    paid = till.connector.read_return(query, checkout)
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference, paid.payment_id) == ("R-1001", "R-1001", query["tp_transaction_id"])
    assert (paid.total, paid.captured) == (Money(Decimal(100), PHP), Decimal(100))
    assert till.counter.ledger() == [("authorize", Decimal(100), PHP), ("capture", Decimal(100), PHP)]


async def test_the_documented_returns_are_read(till: Till) -> None:
    _, checkout = await till.opens()
    paid = till.connector.read_return(sample("return_paid")["fields"], checkout)
    assert isinstance(paid, Paid)
    assert (paid.reference, paid.payment_id) == ("TEST-OID-12324567890", "12215")
    assert paid.total == Money(Decimal(1000), PHP)
    declined = till.connector.read_return(sample("return_failed")["fields"], checkout)
    assert isinstance(declined, Declined)
    assert (declined.code, declined.reference) == ("FAILED", "TEST-ORD-1603907027113")
    assert declined.reason.startswith("Your available TendoPay credit is ₱1.")


@pytest.mark.parametrize(
    ("outcome", "kind"), [("decline", Declined), ("error", Declined), ("cancel", Cancelled), ("pending", Ask)]
)
async def test_a_shopper_who_does_not_pay_is_told_by_the_return(till: Till, outcome: str, kind: type) -> None:
    checkout, query = await till.decides(outcome)
    assert isinstance(till.connector.read_return(query, checkout), kind)
    assert till.counter.ledger() == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"tp_transaction_status": "CANCELED"}, Cancelled), ({"tp_transaction_status": "CANCELLED"}, Cancelled),
        ({"tp_transaction_status": "PTOK"}, Pending), ({"tp_transaction_status": "REVIEW"}, Pending),
        ({"tp_amount": ""}, Pending),
    ],
)  # fmt: skip
async def test_a_word_or_an_amount_that_is_missing_decides_nothing(
    till: Till, changes: dict[str, str], kind: type[Report]
) -> None:
    _, checkout = await till.opens()
    said = till.connector.read_return(told(**changes), checkout)
    assert isinstance(said, kind)
    assert said.reference == "R-1001"


async def test_another_order_amount_or_currency_is_told_as_it_is(till: Till) -> None:
    _, checkout = await till.opens()
    paid = till.connector.read_return(told(tp_merchant_order_id="R-2", tp_amount="99.5", tp_currency="USD"), checkout)
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference, paid.total) == ("R-2", "R-2", Money(Decimal("99.5"), "USD"))


@pytest.mark.parametrize(
    "fields",
    [
        told() | {"tp_amount": "1000"}, told(tp_transaction_status="FAILED") | {"tp_transaction_status": "PAID"},
        told() | {"tp_more": "1"}, told() | {"x_signature": ""}, told(tp_merchant_order_id=""),
        signed({"tp_transaction_status": "PAID"}, ""), told(tp_amount="much"), told(tp_amount="-1"),
        signed({name: value for name, value in told().items() if name != "x_signature"}, "another secret"),
    ],
)  # fmt: skip
async def test_a_return_that_tendopay_did_not_sign_is_forged(till: Till, fields: dict[str, str]) -> None:
    _, checkout = await till.opens()
    with pytest.raises(Forged):
        till.connector.read_return(fields, checkout)


async def test_a_signed_return_can_not_be_cut_into_another_one(till: Till) -> None:
    _, checkout = await till.opens()
    honest = told()
    glued = {
        "tp_amount": "100",
        "tp_merchant_order_id": "R-1001tp_transaction_id12215tp_transaction_statusPAID",
    }
    assert signed(glued)["x_signature"] == honest["x_signature"], "the signature holds for the cut fields"
    with pytest.raises(Forged):
        till.connector.read_return({**glued, "x_signature": honest["x_signature"]}, checkout)


async def test_a_return_without_a_signature_is_only_a_hint(till: Till) -> None:
    _, checkout = await till.opens()
    plain = {name: value for name, value in told().items() if name != "x_signature"}
    assert till.connector.read_return(plain, checkout) == Ask()


# -- the notification -------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "kind"), [("approve", Paid), ("decline", Declined)])
async def test_the_notification_brings_what_the_return_brings(
    till: Till, outcome: str, kind: type, eventually: Any
) -> None:
    _, query = await till.decides(outcome)

    async def came() -> Any:
        return till.counter.inbox.received

    ((method, headers, _, body),) = await eventually(came)
    assert (method, headers["content-type"]) == ("POST", "application/json")
    event = notification(body)
    assert till.connector.verify_event(event) is None
    reading = till.connector.read_event(event)
    assert (reading.session, reading.reference) == ("R-1001", "R-1001")
    assert isinstance(reading.report, kind)
    if isinstance(reading.report, Paid):
        assert reading.report.payment_id == query["tp_transaction_id"]
        assert reading.report.total == Money(Decimal(100), PHP)


async def test_the_documented_notification_is_read(till: Till) -> None:
    event = notification(sample("notification")["body"])
    till.connector.verify_event(event)
    reading = till.connector.read_event(event)
    assert (reading.session, reading.reference) == ("TEST_ORDER_ID_12346", "TEST_ORDER_ID_12346")
    assert isinstance(reading.report, Cancelled)


async def test_numbers_are_signed_as_they_are_written_and_what_is_null_as_nothing(till: Till) -> None:
    fields = signed({
        "tp_transaction_id": "9", "tp_transaction_status": "PAID", "tp_amount": "100.50",
        "tp_merchant_order_id": "R-1001", "tp_description": "",
    })  # fmt: skip
    body = json.dumps(fields).replace('"100.50"', "100.50").replace('"9"', "9")
    body = body.replace('"tp_description": ""', '"tp_description": null')
    reading = till.connector.read_event(notification(body.encode()))
    assert isinstance(reading.report, Paid)
    assert (reading.report.payment_id, reading.report.total) == ("9", Money(Decimal("100.50"), PHP))


async def test_a_notification_sent_as_a_form_is_read_too(till: Till) -> None:
    event = notification(urlencode(told()).encode())
    till.connector.verify_event(event)
    assert isinstance(till.connector.read_event(event).report, Paid)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"\xff\xfe", b'{"tp_amount": {}}', b'{"x_signature": true}', b"{" * 9999,
        json.dumps(signed({"tp_transaction_status": "PAID"}, SECRET + "x")).encode(),
    ],
)  # fmt: skip
async def test_a_notification_that_is_not_signed_is_forged(till: Till, body: bytes) -> None:
    with pytest.raises(Forged):
        till.connector.verify_event(notification(body))
    with pytest.raises(ValueError, match=r"\w"):
        till.connector.read_event(notification(body))
