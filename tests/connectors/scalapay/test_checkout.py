"""Creating an order: what Scalapay is sent, what it says until the order is captured or delayed, its events."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Address,
    Approved,
    Ask,
    Declined,
    Expired,
    Forged,
    Incoming,
    Item,
    NotThere,
    Pending,
    Redirect,
    Refused,
)
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.scalapay.conftest import API_KEY, Scripted, Till, checkout, sample
from tests.connectors.till import KEY, TWO


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


async def test_an_order_carries_its_shopper_lines_and_addresses(till: Till) -> None:
    items = (
        Item(name="Blue Shirt", quantity=3, unit_price=Decimal("33.333333"), total=Decimal("100.00")),
        Item(name="Cap", quantity=2, unit_price=Decimal("5"), total=Decimal("10.00"), sku="C-1"),
    )
    parts: dict[str, Any] = {"shipping": Decimal("7.50"), "tax": Decimal("8.25"), "discount": Decimal("5.75")}
    more = {"product": "pay-in-4", "category": "clothes"}
    order = till.order()
    opened, _ = await till.opens("120.00", items=items, additional_data=more, **parts)
    (exchange,) = till.exchanges
    address = {
        "name": "Ada Byron", "line1": "1 High Street", "suburb": "Sydney", "postcode": "2000", "countryCode": "AT",
        "phoneNumber": "+61400000000",
    }  # fmt: skip
    assert exchange.headers["Idempotency-Key"] == KEY
    assert exchange.sent == {
        "totalAmount": euros("120.00"),
        "consumer": {
            "givenNames": "Ada", "surname": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000",
        },
        "billing": address,
        "shipping": address,
        "items": [
            {"name": "Blue Shirt", "category": "clothes", "quantity": 1, "sku": "blue-shirt", "price": euros("100.00")},
            {"name": "Cap", "category": "clothes", "quantity": 2, "sku": "C-1", "price": euros("5.00")},
        ],
        "merchant": {
            "redirectConfirmUrl": f"{order.return_url}?via=success", "redirectCancelUrl": f"{order.return_url}?via=cancel",
        },
        "merchantReference": "R-1001", "taxAmount": euros("8.25"), "shippingAmount": euros("7.50"), "type": "online",
        "discounts": [{"displayName": "Discount", "amount": euros("5.75")}], "product": "pay-in-4",
    }  # fmt: skip
    assert opened.session == exchange.answer.json()["token"]
    assert opened.expires_at is not None


async def test_a_line_with_neither_sku_nor_name_goes_by_its_number(till: Till) -> None:
    items = tuple(
        Item(name=name, quantity=1, unit_price=Decimal(50), total=Decimal(50), sku=sku)
        for name, sku in (("Cap", ""), ("  ", ""))
    )
    await till.opens("100.00", items=items)
    assert [line["sku"] for line in till.exchanges[-1].sent["items"]] == ["cap", "2"]


async def test_an_order_without_a_whole_delivery_address_is_shipped_to_the_billing_address(till: Till) -> None:
    await till.opens(delivery=Address(first_name="Bob", city="Rome"))
    assert till.exchanges[-1].sent["shipping"] == till.exchanges[-1].sent["billing"]


async def test_the_same_key_creates_the_same_order(till: Till) -> None:
    first, _ = await till.opens()
    again, _ = await till.opens()
    other, _ = await till.opens(key=TWO)
    assert first.session == again.session != other.session
    assert till.exchanges[1].answer.headers["request-idempotency"] == "true"


async def test_an_amount_that_the_currency_cannot_hold_is_never_sent(till: Till) -> None:
    with pytest.raises(Refused):
        await till.opens(total=Money(Decimal("10.005"), "EUR"))
    assert till.exchanges == []


async def test_the_documented_order_is_opened(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_created")
    opened = await scripted.connector.create_checkout(till.counter.order("SCALAPAY"), KEY)
    assert isinstance(opened, Redirect)
    assert (opened.session, opened.url) == ("71KH916VPE", "https://portal.scalapay.com/checkout/71KH916VPE")
    assert opened.expires_at is not None
    assert opened.expires_at.isoformat() == "2024-11-08T13:06:17.858000+00:00"


@pytest.mark.parametrize("body", ["<html>", {"expires": "2030-01-01"}, {"token": "1", "checkoutUrl": "x"}])
async def test_an_answer_without_token_or_address_is_unclear(scripted: Scripted, till: Till, body: Any) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("SCALAPAY"), KEY)


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("error_validation", "api_validationerror", '"amount" is not allowed to be empty'),
        ("error_unauthorized", "401", "Scalapay refused with 401"),
        ("error_invalid_token", "invalid_token", "Order null not found."),
    ],
)  # fmt: skip
async def test_a_documented_refusal_is_read(scripted: Scripted, till: Till, name: str, code: str, reason: str) -> None:
    scripted.replays(name)
    with pytest.raises(Refused) as no:
        await scripted.connector.create_checkout(till.counter.order("SCALAPAY"), KEY)
    assert (no.value.code, no.value.reason) == (code, reason)


async def test_another_operation_under_way_is_unclear(scripted: Scripted) -> None:
    scripted.replays("error_in_progress")
    with pytest.raises(Unclear):
        await scripted.connector.fetch(checkout())


async def test_the_check_proves_the_key(till: Till, scripted: Scripted) -> None:
    assert "API key" in await till.connector.check()
    with pytest.raises(Refused):
        await till.counter.connector("SCALAPAY", api_key="sp_wrong").check()
    scripted.replays("error_invalid_token")
    assert await scripted.connector.check()


# -- until it is captured or delayed ----------------------------------------------------------


@pytest.mark.parametrize("outcome", ["decline", "cancel", "pending", "error"])
async def test_an_order_that_is_not_authorised_waits_for_the_shopper(till: Till, outcome: str) -> None:
    report = await till.connector.fetch(await till.decided(outcome))
    assert isinstance(report, Pending)
    assert (report.reason, report.reference, report.completed) == ("the shopper has not agreed", "R-1001", False)


async def test_an_authorised_order_waits_for_our_confirm_and_has_moved_nothing(till: Till) -> None:
    assert isinstance(await till.connector.fetch(await till.decided()), Approved)
    assert till.rows() == []


@pytest.mark.parametrize(("outcome", "end"), [("decline", Declined), ("cancel", Expired), ("approve", Expired)])
async def test_an_order_that_nobody_confirmed_expires(till: Till, outcome: str, end: type) -> None:
    own = await till.decided(outcome)
    till.passes(minutes=41)
    assert isinstance(await till.connector.fetch(own), end)
    assert till.rows() == []


async def test_the_documented_expired_order_was_declined(scripted: Scripted) -> None:
    scripted.replays("order_expired")
    report = await scripted.connector.fetch(checkout())
    assert isinstance(report, Declined)
    assert (report.session, report.reference, report.code) == ("82LJ027WQF", "merchantOrder-5678", "DECLINED_FRAUD")


async def test_an_unknown_status_is_pending(scripted: Scripted) -> None:
    scripted.says(200, {"token": "1", "status": "on_hold"})
    report = await scripted.connector.fetch(checkout())
    assert isinstance(report, Pending)
    assert (report.reason, report.completed) == ("unknown order status on_hold", True)


async def test_an_unknown_order_is_not_there(till: Till) -> None:
    _, own = await till.opens()
    with pytest.raises(NotThere):
        await till.connector.fetch(replace(own, session="0"))


@pytest.mark.parametrize(
    ("outcome", "approved"), [("approve", True), ("pending", True), ("decline", False), ("cancel", False)]
)
async def test_a_return_is_a_hint_only(till: Till, outcome: str, approved: bool) -> None:
    opened, own = await till.opens()
    query = await till.counter.shopper(opened.url, outcome)
    hint = Ask(session=own.session, approved=approved, left=not approved)
    assert till.connector.read_return(query, own) == hint


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        (sample("return_success")["query"], Ask(session="71KH916VPE", approved=True)),
        ({"via": "cancel"}, Ask(left=True)), ({"via": "success"}, Ask()), ({}, Ask()),
    ],
)  # fmt: skip
def test_what_a_return_says(till: Till, query: dict[str, str], hint: Ask) -> None:
    assert till.connector.read_return(query, checkout()) == hint


# -- events -----------------------------------------------------------------------------------

# openssl dgst -sha256 -hmac qhtfs87hjnc12kkos of `V1:{timestamp}:{body}`
TIMESTAMP, BODY = "1732000000000", b'{"status":"charged","orderToken":"71KH916VPE"}'
SIGNATURE = "ad1661bbf53fd44073689335819abfe6187f96429a08565b8ad8471ec33436d5"


def event(body: bytes = BODY, timestamp: str = TIMESTAMP, signature: str = SIGNATURE) -> Incoming:
    headers = {"x-scalapay-hmac-v1": signature, "x-scalapay-timestamp": timestamp}
    return Incoming(method="POST", headers=headers, query={}, body=body)


def test_a_signature_made_elsewhere_is_accepted(till: Till) -> None:
    assert till.connector.verify_event(event()) is None
    reading = till.connector.read_event(event())
    assert (reading.session, reading.report) == ("71KH916VPE", None)


def test_the_documented_recipe_is_the_one_that_is_followed(till: Till) -> None:
    # The page's own values: key api_key, timestamp 1234567890123, payload {"payload":"payload"}; signed by openssl.
    signature = "1c9b245f89f458d992c1681c60388e0bda17335de5492f23547a0f9de5bf5969"
    connector = till.counter.connector("SCALAPAY", api_key="api_key")
    connector.verify_event(event(b'{"payload":"payload"}', "1234567890123", signature))


@pytest.mark.parametrize(
    "forged",
    [
        event(BODY.replace(b"charged", b"expired")), event(timestamp="1732000000001"), event(signature="0" * 64),
        event(signature=""), event(signature=SIGNATURE.upper()), replace(event(), headers={}),
    ],
)  # fmt: skip
def test_a_changed_event_is_forged(till: Till, forged: Incoming) -> None:
    with pytest.raises(Forged):
        till.connector.verify_event(forged)


def test_another_merchants_key_signs_nothing_for_this_one(till: Till) -> None:
    with pytest.raises(Forged):
        till.counter.connector("SCALAPAY", api_key=f"{API_KEY}x").verify_event(event())


@pytest.mark.parametrize("body", [b"", b"[]", b'{"status":"charged"}', b'{"orderToken":""}'])
def test_an_event_that_names_no_order_cannot_be_read(till: Till, body: bytes) -> None:
    with pytest.raises(ValueError, match="names no order"):
        till.connector.read_event(event(body))


async def test_each_step_is_told_to_the_portals_address_and_signed(till: Till) -> None:
    own, _ = await till.confirmed()
    await till.tries("refund", own, "10.00")
    told = await till.events(4)
    for received in told:
        assert till.connector.verify_event(received) is None
        assert till.connector.read_event(received).session == own.session
    documented = sample("event")["body"]
    said = [json.loads(received.body) for received in told]
    assert sorted(body["status"] for body in said) == ["authorized", "charged", "created", "refunded"]
    assert all(body.keys() == documented.keys() for body in said)
