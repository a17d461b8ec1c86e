"""The form that opens a checkout, and what a return and a callback prove."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Declined, EventReading, Forged, Paid, Pending, Redirect
from paymux.money import Money
from tests.connectors.humm.conftest import SECRET, Till, callback, sample, signed, told
from tests.connectors.till import KEY

CUT_HERE = "NSWx_gateway_reference99999999x_referenceR-1001x_resultcompletedx_test"


async def test_the_form_names_the_order_the_shop_and_our_addresses(till: Till) -> None:
    opened, _ = await till.opens("129.95")
    form = dict(opened.form or {})
    assert (form["x_account_id"], form["x_shop_name"], form["x_shop_country"]) == ("30199250", "Sandbox Shop", "AU")
    assert (form["x_reference"], form["x_amount"], form["x_currency"]) == ("R-1001", "129.95", "AUD")
    assert form["x_url_callback"] == till.counter.inbox.url
    assert form["x_url_complete"] == "https://paymux.example/return/otk_1"
    assert form["x_url_cancel"] == "https://paymux.example/return/otk_1?via=cancel"
    assert (form["x_customer_billing_zip"], form["x_customer_shipping_city"]) == ("2000", "Sydney")
    assert (opened.session, opened.expires_at) == ("R-1001", None)


async def test_in_live_mode_the_form_is_no_test_and_its_address_bears_no_label(till: Till) -> None:
    opened = await till.live.create_checkout(till.counter.order("HUMM_AU"), KEY)
    assert isinstance(opened, Redirect)
    assert (opened.form or {})["x_test"] == "false"
    assert opened.url == f"{till.counter.base_url}/humm-checkout/Checkout?platform=Default"


async def test_the_documented_form_is_signed_as_openssl_signs_it(till: Till) -> None:
    fields = sample("form")["fields"]
    assert signed({name: value for name, value in fields.items() if name != "x_signature"}) == fields
    form = await till.form()
    assert signed({name: value for name, value in form.items() if name != "x_signature"}) == form


async def test_what_is_empty_is_not_posted_and_what_is_too_long_is_cut_or_left_out(till: Till) -> None:
    order = till.counter.order("HUMM_AU")
    who = replace(order.customer, first_name="A" * 51, last_name=" B\r\nC ", phone="+6140000000012", email="e" * 66)
    form = await till.form(customer=who, billing=replace(order.billing, street="S" * 201, street2=""), delivery=None)
    assert (form["x_customer_first_name"], form["x_customer_last_name"]) == ("A" * 50, "B C")
    assert form["x_customer_billing_address1"] == "S" * 200
    assert not {"x_customer_phone", "x_customer_email", "x_customer_billing_address2"} & form.keys()
    assert not [name for name in form if "shipping" in name]
    assert all(form.values())


@pytest.mark.parametrize(("life", "minutes"), [(30, "1"), (90, "1"), (900, "15"), (86_400, "1440"), (200_000, "1440")])
async def test_humm_is_told_how_long_the_order_lives(till: Till, life: int, minutes: str) -> None:
    order = till.counter.order("HUMM_AU")
    form = await till.form(expires_at=order.created_at + timedelta(seconds=life), created_at=order.created_at)
    assert form["x_transaction_timeout"] == minutes


async def test_new_zealand_is_another_country_currency_and_host(till: Till) -> None:
    form = await replace(till, code="HUMM_NZ").form()
    assert (form["x_shop_country"], form["x_currency"]) == ("NZ", "NZD")
    hosts = till.counter.provider.facts.codes["HUMM_NZ"].hosts
    assert hosts["checkout"].live == "https://cart.shophumm.co.nz"
    assert hosts["api"].test == "https://integration-buyerapi.shophumm.co.nz"


# -- the return -------------------------------------------------------------------------------


async def test_a_completed_return_is_the_payment_with_its_amount(till: Till) -> None:
    checkout, query = await till.decides("approve")
    paid = till.connector.read_return(query, checkout)
    assert isinstance(paid, Paid)
    assert (paid.total, paid.captured) == (Money(Decimal(100), "AUD"), Decimal(100))
    assert (paid.session, paid.reference, paid.payment_id) == ("R-1001", "R-1001", query["x_gateway_reference"])
    assert till.counter.ledger() == [("authorize", Decimal(100), "AUD"), ("capture", Decimal(100), "AUD")]


async def test_the_documented_answer_is_read_and_its_signature_may_be_in_capitals(till: Till) -> None:
    fields = sample("answer")["fields"]
    connector = till.counter.connector("HUMM_AU", merchant_id="123456")
    checkout = (await till.opens())[1]
    for given in (fields, fields | {"x_signature": fields["x_signature"].upper()}):
        paid = connector.read_return(given, checkout)
        assert isinstance(paid, Paid)
        assert (paid.reference, paid.total, paid.payment_id) == ("19783", Money(Decimal("99.90"), "AUD"), "123")


async def test_a_failed_return_is_a_refusal(till: Till) -> None:
    checkout, query = await till.decides("decline")
    declined = till.connector.read_return(query, checkout)
    assert isinstance(declined, Declined)
    assert (declined.code, declined.session, till.counter.ledger()) == ("failed", "R-1001", [])


@pytest.mark.parametrize("fields", [told(x_result="error"), told(x_result="settled"), told(x_amount=""),
                                    told(x_currency=""), told(x_gateway_reference="")])  # fmt: skip
async def test_a_result_that_decides_nothing_or_names_no_amount_leaves_it_open(
    till: Till, fields: dict[str, str]
) -> None:
    said = till.connector.read_return(fields, (await till.opens())[1])
    assert isinstance(said, Pending)
    assert said.completed


async def test_a_shopper_who_cancels_is_only_a_hint(till: Till) -> None:
    checkout, query = await till.decides("cancel")
    assert query == {"via": "cancel"}
    assert till.connector.read_return(query, checkout) == Ask(left=True)
    assert till.connector.read_return({"x_reference": "R-9", "x_result": "completed"}, checkout) == Ask(session="R-9")


async def test_a_test_transaction_does_not_pay_a_live_order(till: Till) -> None:
    checkout = (await till.opens())[1]
    assert isinstance(till.live.read_return(told(x_test="True"), checkout), Pending)
    assert isinstance(till.live.read_return(told(x_test="False"), checkout), Paid)


async def test_another_orders_answer_names_that_order_and_never_ours(till: Till) -> None:
    said = till.connector.read_return(told(x_reference="R-2002"), (await till.opens())[1])
    assert isinstance(said, Paid)
    assert (said.session, said.reference) == ("R-2002", "R-2002")


@pytest.mark.parametrize("changed", ["x_amount", "x_result", "x_reference", "x_signature", "x_more"])
async def test_a_return_with_a_changed_field_is_forged(till: Till, changed: str) -> None:
    fields = told(x_result="failed")
    fields[changed] = "completed" if changed == "x_result" else "1"
    with pytest.raises(Forged):
        till.connector.read_return(fields, (await till.opens())[1])


async def test_a_return_signed_by_another_key_or_for_another_merchant_is_forged(till: Till) -> None:
    checkout = (await till.opens())[1]
    plain = {name: value for name, value in told().items() if name != "x_signature"}
    for fields in (signed(plain, "another key"), signed(plain, ""), told(x_account_id="30199251"), told(x_result="")):
        with pytest.raises(Forged):
            till.connector.read_return(fields, checkout)


@pytest.mark.parametrize("empties", [True, False])
async def test_empty_fields_may_or_may_not_be_part_of_the_signature(till: Till, empties: bool) -> None:
    fields = told()
    plain = {name: value for name, value in fields.items() if name != "x_signature"} | {"x_message": ""}
    given = signed(plain) if empties else fields | {"x_message": ""}
    assert isinstance(till.connector.read_return(given, (await till.opens())[1]), Paid)


async def test_the_form_that_the_shopper_holds_can_not_be_cut_into_an_answer(till: Till) -> None:
    order = till.counter.order("HUMM_AU")
    form = await till.form(delivery=replace(order.billing, state=CUT_HERE, postal_code=""))
    # The same signed text, cut so that the shopper's own address becomes humm's answer.
    rest = {name: value for name, value in form.items() if name > "x_customer_shipping_state" and name != "x_signature"}
    cut = {name: value for name, value in form.items() if name not in rest}
    cut |= {"x_customer_shipping_state": "NSW", "x_gateway_reference": "99999999", "x_reference": "R-1001",
            "x_result": "completed", "x_test": "".join(name + value for name, value in sorted(rest.items()))}  # fmt: skip
    plain = {name: value for name, value in cut.items() if name != "x_signature"}
    assert signed(plain, SECRET) == cut, "the signature holds for the cut fields"
    with pytest.raises(Forged):
        till.connector.read_return(cut, (await till.opens())[1])
    with pytest.raises(Forged):
        till.connector.verify_event(callback(cut))


# -- the callback -----------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "kind"), [("approve", Paid), ("decline", Declined), ("error", Pending)])
async def test_the_callback_brings_what_the_return_brings(
    till: Till, outcome: str, kind: type, eventually: Any
) -> None:
    checkout, query = await till.decides(outcome)

    async def came() -> Any:
        return till.counter.inbox.received

    ((method, headers, _, body),) = await eventually(came)
    assert (method, headers["content-type"]) == ("POST", "application/x-www-form-urlencoded")
    event = replace(callback({}), body=body)
    assert till.connector.verify_event(event) is None
    read = till.connector.read_event(event)
    assert isinstance(read, EventReading)
    assert (read.session, read.reference) == ("R-1001", "R-1001")
    assert isinstance(read.report, kind)
    assert read.report == till.connector.read_return(query, checkout)


@pytest.mark.parametrize("body", [b"", b"x_signature=", b"\xff\xfe", b"{}", b"x_result=completed&x_reference=R-1001"])
async def test_a_callback_that_is_not_signed_is_forged(till: Till, body: bytes) -> None:
    event = replace(callback({}), body=body)
    with pytest.raises(Forged):
        till.connector.verify_event(event)
    with pytest.raises(ValueError, match=r"\w"):
        till.connector.read_event(event)
