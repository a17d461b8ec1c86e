"""Opening a checkout, the shopper's return, and what the poll reads before there is a payment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Declined, Item, NotThere, Pending, Redirect, Refused
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.afterpay.conftest import sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, Till

CODES = [
    ("AFTERPAY_AU", "AUD"),
    ("AFTERPAY_NZ", "NZD"),
    ("AFTERPAY_US", "USD"),
    ("AFTERPAY_CA", "CAD"),
    ("CLEARPAY", "GBP"),
]


def test_the_facts_name_all_codes_with_their_currency() -> None:
    codes = all_providers()["afterpay"].facts.codes
    assert [(code, facts.currencies[0]) for code, facts in codes.items()] == CODES


@pytest.mark.parametrize(("code", "currency"), CODES)
async def test_every_code_opens_a_checkout_and_gets_paid_in_its_currency(till: Till, code: str, currency: str) -> None:
    till.code = code
    await till.confirms("64.10")
    assert till.counter.ledger() == [
        ("authorize", Decimal("64.10"), currency),
        ("capture", Decimal("64.10"), currency),
    ]


async def test_opening_moves_nothing_and_tells_when_the_checkout_ends(till: Till) -> None:
    opened, _ = await till.opens()
    assert opened.expires_at is not None
    assert timedelta(minutes=179) < opened.expires_at - datetime.now(UTC) < timedelta(minutes=181)
    assert till.counter.ledger() == []


async def test_the_request_and_the_answer_are_the_documented_ones(scripted: Scripted, till: Till) -> None:
    documented = scripted.replays("checkout_created")
    opened = await scripted.connector.create_checkout(till.counter.order("AFTERPAY_AU"), KEY)
    assert isinstance(opened, Redirect)
    assert scripted.asked == [("POST", "/v2/checkouts", documented["request"])]
    assert opened.session == documented["answer"]["token"]
    assert opened.url == documented["answer"]["redirectCheckoutUrl"]
    assert scripted.headers[0]["Authorization"] == "Basic NjAwMzIwMDA6cw=="
    assert "Merchant/60032000" in scripted.headers[0]["User-Agent"]


async def test_a_line_whose_unit_price_is_no_whole_cent_goes_at_its_total(scripted: Scripted, till: Till) -> None:
    item = Item(name="Nail", quantity=3, unit_price=Decimal("0.3333"), total=Decimal("1.00"), sku="")
    scripted.says(201, sample("checkout_created")["answer"])
    await scripted.connector.create_checkout(till.counter.order("AFTERPAY_AU", "1.00", items=(item,)), KEY)
    assert scripted.asked[0][2]["items"] == [
        {"name": "Nail", "quantity": 1, "price": {"amount": "1.00", "currency": "AUD"}}
    ]


async def test_shipping_tax_and_discount_have_fields_of_their_own(scripted: Scripted, till: Till) -> None:
    order = till.counter.order(
        "AFTERPAY_AU", "100.00", shipping=Decimal("7.5"), tax=Decimal(2), discount=Decimal("9.5")
    )
    scripted.says(201, sample("checkout_created")["answer"])
    await scripted.connector.create_checkout(order, KEY)
    body = scripted.asked[0][2]
    assert body["shippingAmount"] == {"amount": "7.50", "currency": "AUD"}
    assert body["taxAmount"] == {"amount": "2.00", "currency": "AUD"}
    assert body["discounts"] == [{"displayName": "Discount", "amount": {"amount": "9.50", "currency": "AUD"}}]


async def test_more_than_a_hundred_lines_still_come_to_the_same_sum(till: Till) -> None:
    items = tuple(Item(name=f"Nail {n}", quantity=1, unit_price=Decimal(1), total=Decimal(1)) for n in range(130))
    _, checkout = await till.opens("130.00", items=items)
    case = till.case(checkout)
    lines = case.data["checkout"]["items"]
    assert len(lines) == 100
    assert sum(Decimal(line["price"]["amount"]) * line["quantity"] for line in lines) == 130


async def test_an_address_that_afterpay_would_refuse_is_left_out(till: Till) -> None:
    order = till.counter.order("AFTERPAY_AU")
    _, checkout = await till.opens(billing=replace(order.billing, postal_code=""), delivery=None)
    body = till.case(checkout).data["checkout"]
    assert "billing" not in body
    assert "shipping" not in body


async def test_additional_data_adds_a_description_and_overrides_nothing(till: Till) -> None:
    _, checkout = await till.opens(additional_data={"description": "Two shirts", "amount": "1.00"})
    body = till.case(checkout).data["checkout"]
    assert body["description"] == "Two shirts"
    assert body["amount"] == {"amount": "100.00", "currency": "AUD"}


async def test_an_amount_outside_the_accounts_limits_is_declined_at_creation(till: Till) -> None:
    declined = await till.connector.create_checkout(till.counter.order("AFTERPAY_AU", "9000.00"), KEY)
    assert isinstance(declined, Declined)
    assert declined.code == "unsupported_payment_type"


async def test_an_amount_that_has_too_many_decimals_is_refused_before_anything_is_sent(till: Till) -> None:
    order = till.counter.order("AFTERPAY_AU", "10.00", total=Money(Decimal("10.001"), "AUD"))
    with pytest.raises(Refused, match="more decimals"):
        await till.connector.create_checkout(order, KEY)


async def test_a_shopper_without_an_email_is_refused_with_afterpays_own_word(till: Till) -> None:
    order = till.counter.order("AFTERPAY_AU")
    with pytest.raises(Refused) as no:
        await till.connector.create_checkout(replace(order, customer=replace(order.customer, email="")), KEY)
    assert no.value.code == "invalid_object"


async def test_wrong_credentials_are_refused_and_the_right_ones_pass_the_check(till: Till) -> None:
    wrong = till.counter.connector("AFTERPAY_AU", secret_key="other")
    with pytest.raises(Refused) as no:
        await wrong.create_checkout(till.counter.order("AFTERPAY_AU"), KEY)
    assert no.value.code == "unauthorized"
    with pytest.raises(Refused):
        await wrong.check()
    assert await till.connector.check() == "read the account's configuration: payments from 1.00 AUD to 4000.00 AUD"


@pytest.mark.parametrize(
    "fault", ["timeout_before", "timeout_after", "error_before", "error_after", "reset_after", "malformed"]
)
async def test_a_lost_create_answer_is_unclear_and_moves_nothing(till: Till, fault: str) -> None:
    await till.counter.order_fault("create", fault)
    with pytest.raises(Unclear):
        await till.connector.create_checkout(till.counter.order("AFTERPAY_AU"), KEY)
    assert till.counter.ledger() == []


@pytest.mark.parametrize(
    "nonsense",
    ["", "null", "[]", '"x"', "{}", '{"token": 7}', '{"token": "", "redirectCheckoutUrl": "https://a.example"}',
     '{"token": "t", "redirectCheckoutUrl": "javascript:alert(1)"}', '{"token": "t", "redirectCheckoutUrl": ["a"]}',
     '{"token": "t", "redirectCheckoutUrl": "https://a.example", "expires": "soon"}'],
)  # fmt: skip
async def test_a_created_answer_that_lacks_what_it_must_have_is_unclear(
    scripted: Scripted, till: Till, nonsense: str
) -> None:
    scripted.says(201, nonsense)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("AFTERPAY_AU"), KEY)


# -- the return ----------------------------------------------------------------------------------


async def test_the_documented_returns_are_hints_only(till: Till) -> None:
    _, checkout = await till.opens()
    token = sample("return_success")["query"]["orderToken"]
    read = till.connector.read_return
    assert read(sample("return_success")["query"], checkout) == Ask(session=token, approved=True)
    assert read(sample("return_cancelled")["query"], checkout) == Ask(session=token, left=True)
    for query in ({}, {"status": "ERROR"}, {"status": "success"}, {"orderToken": ""}):
        assert read(query, checkout) == Ask()


@pytest.mark.parametrize(
    ("outcome", "approved", "left"),
    [
        ("approve", True, False),
        ("decline", True, False),
        ("cancel", False, True),
        ("pending", True, False),
        ("error", False, False),
    ],
)
async def test_the_shopper_comes_back_with_the_token_and_moves_nothing(
    till: Till, outcome: str, approved: bool, left: bool
) -> None:
    opened, checkout = await till.opens()
    query = await till.counter.shopper(opened.url, outcome)
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, approved=approved, left=left)
    assert till.counter.ledger() == []


async def test_a_shopper_who_decides_again_is_only_sent_back(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.counter.shopper(opened.url, "cancel")
    assert (await till.counter.shopper(opened.url, "approve"))["status"] == "CANCELLED"
    assert isinstance(await till.connector.confirm(checkout, KEY), Pending)


# -- the poll before there is a payment -------------------------------------------------------------


@pytest.mark.parametrize("outcome", [None, "approve", "cancel", "pending"])
async def test_an_open_checkout_is_pending_whatever_the_shopper_did(till: Till, outcome: str | None) -> None:
    opened, checkout = await till.opens()
    if outcome:
        await till.counter.shopper(opened.url, outcome)
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Pending)
    assert (report.session, report.reference, report.completed) == (checkout.session, "R-1001", False)


@pytest.mark.parametrize("outcome", [None, "error"])
async def test_a_checkout_that_afterpay_no_longer_tells_of_is_not_there(till: Till, outcome: str | None) -> None:
    opened, checkout = await till.opens()
    if outcome:
        await till.counter.shopper(opened.url, outcome)
    else:
        till.passes(minutes=61)
    with pytest.raises(NotThere):
        await till.connector.fetch(checkout)


async def test_an_unknown_checkout_and_an_unknown_payment_are_not_there(till: Till) -> None:
    _, checkout = await till.opens()
    for unknown in (replace(checkout, session="002.other"), replace(checkout, payment_id="999999999999")):
        with pytest.raises(NotThere):
            await till.connector.fetch(unknown)


@pytest.mark.parametrize("fault", ["timeout_before", "error_before", "reset_after", "malformed"])
async def test_a_poll_that_gets_no_answer_is_unclear(till: Till, fault: str) -> None:
    _, checkout = await till.opens()
    # A reset read is asked once more by the HTTP client itself, so both are struck.
    await till.counter.order_fault("status", fault, times=2)
    with pytest.raises(Unclear):
        await till.connector.fetch(checkout)


async def test_a_poll_with_wrong_credentials_is_refused_and_not_taken_for_not_there(till: Till) -> None:
    _, checkout = await till.opens()
    wrong: Any = till.counter.connector("AFTERPAY_AU", merchant_id="1")
    with pytest.raises(Refused) as no:
        await wrong.fetch(checkout)
    assert not isinstance(no.value, NotThere)
