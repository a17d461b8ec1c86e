"""Opening a checkout at PayJustNow, the shopper's return, how a checkout stands, callbacks, and closing it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Address,
    Ask,
    Cancelled,
    EventReading,
    Item,
    NotThere,
    Paid,
    Pending,
    Redirect,
    Refused,
)
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.payjustnow.conftest import KEY, LOST, NEVER_CAME, TOKEN, Scripted, Till, callback, sample

RETURN = "https://paymux.example/return/otk_1"
STANDING = sample("status_paid")["answer"]
OPENED = {**STANDING, "checkoutPaymentStatus": "PENDING_ORDER"}
SALE = [("authorize", Decimal(100)), ("capture", Decimal(100))]


async def test_what_is_sent_names_the_order_in_cents_in_the_documented_form(scripted: Scripted, till: Till) -> None:
    scripted.says(200, OPENED)
    order = till.counter.order("PAYJUSTNOW_SA", "100.05", shipping=Decimal(0))
    opened = await scripted.connector.create_checkout(order, KEY)
    assert isinstance(opened, Redirect)
    assert (opened.session, opened.url) == (TOKEN, OPENED["paymentUrl"])
    assert opened.expires_at == datetime(2023, 3, 20, 14, 6, 31, tzinfo=UTC)
    place = {
        "addressLine1": "1 High Street", "city": "Sydney", "province": "NSW", "postalCode": "2000",
    }  # fmt: skip
    ((method, path, sent),) = scripted.asked
    assert (method, path) == ("POST", "/v2/create")
    assert sent == {
        "requestId": KEY,
        "payjustnow": {
            "merchantOrderReference": "R-1001",
            "orderAmountCents": 10005,
            "orderItems": [{"name": "Shirt", "sku": "S-1", "quantity": 1, "priceCents": 10005}],
            "customer": {
                "firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000",
            },
            "billingAddress": place,
            "shippingAddress": place,
            "confirmRedirectUrl": f"{RETURN}?via=success",
            "cancelRedirectUrl": f"{RETURN}?via=cancel",
        },
    }  # fmt: skip


def documented_names(name: str, body: Any) -> set[str]:
    """Every field's name in a body, with those that it stands in."""
    if isinstance(body, list):
        return set().union(*(documented_names(name, one) for one in body))
    if not isinstance(body, dict):
        return {name}
    return {name}.union(*(documented_names(f"{name}.{key}", value) for key, value in body.items()))


async def test_no_field_is_sent_that_no_documented_request_or_answer_has(scripted: Scripted, till: Till) -> None:
    scripted.says(200, OPENED)
    await scripted.connector.create_checkout(till.counter.order("PAYJUSTNOW_SA"), KEY)
    known = documented_names("", sample("order_sent")["request"]) | documented_names("", sample("cancelled")["answer"])
    # The page of the update shows a shipping address like the billing one, and hides e-mail addresses.
    known |= {name.replace("billing", "shipping") for name in known} | {".payjustnow.customer.email"}
    ((_, _, sent),) = scripted.asked
    assert documented_names("", sent) <= known


async def test_a_unit_price_that_cents_can_not_hold_goes_as_one_line_at_its_total(
    scripted: Scripted, till: Till
) -> None:
    scripted.says(200, OPENED)
    item = Item(name="Screws", quantity=300, unit_price=Decimal("0.335"), total=Decimal("100.50"))
    order = till.counter.order("PAYJUSTNOW_SA", "100.50", items=(item,))
    await scripted.connector.create_checkout(order, KEY)
    ((_, _, sent),) = scripted.asked
    assert sent["payjustnow"]["orderItems"] == [{"name": "Screws", "sku": "Screws", "quantity": 1, "priceCents": 10050}]


async def test_an_address_without_a_street_is_not_sent(scripted: Scripted, till: Till) -> None:
    scripted.says(200, OPENED)
    order = till.counter.order("PAYJUSTNOW_SA", billing=Address(country="ZA"), delivery=None)
    await scripted.connector.create_checkout(order, KEY)
    ((_, _, sent),) = scripted.asked
    assert not sent["payjustnow"].keys() & {"billingAddress", "shippingAddress"}


@pytest.mark.parametrize("changes", [{"paymentUrl": "javascript:alert(1)"}, {"paymentUrl": ""}, {"checkoutToken": ""}])
async def test_a_checkout_without_a_page_or_a_name_is_unclear(
    scripted: Scripted, till: Till, changes: dict[str, Any]
) -> None:
    scripted.says(200, OPENED | changes)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("PAYJUSTNOW_SA"), KEY)


async def test_an_answer_without_a_deadline_opens_the_checkout(scripted: Scripted, till: Till) -> None:
    scripted.says(200, {name: OPENED[name] for name in ("checkoutToken", "paymentUrl")})
    opened = await scripted.connector.create_checkout(till.counter.order("PAYJUSTNOW_SA"), KEY)
    assert isinstance(opened, Redirect)
    assert opened.expires_at is None


async def test_a_customer_that_is_refused_is_told_in_payjustnows_words(till: Till) -> None:
    order = till.counter.order("PAYJUSTNOW_SA")
    nobody = replace(order, customer=replace(order.customer, phone=""))
    with pytest.raises(Refused, match="phoneNumber is required") as no:
        await till.connector.create_checkout(nobody, KEY)
    assert no.value.code == "400"


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_lost_answer_to_a_create_is_unclear_and_the_next_try_opens_another(till: Till, fault: str) -> None:
    await till.counter.order_fault("create", fault)
    with pytest.raises(Unclear):
        await till.opens()
    opened, checkout = await till.opens()
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.fetch(checkout), Paid)
    assert till.rows() == SALE


# -- credentials ------------------------------------------------------------------------------


async def test_credentials_are_checked_by_asking_for_a_checkout_that_nobody_has(till: Till) -> None:
    assert "took the signature" in await till.connector.check()


@pytest.mark.parametrize("wrong", [{"signing_key": "wrong"}, {"merchant_account_id": "2"}])
async def test_wrong_credentials_are_named(till: Till, wrong: dict[str, str]) -> None:
    connector = till.counter.connector("PAYJUSTNOW_SA", **wrong)
    for call in (connector.check(), connector.create_checkout(till.counter.order("PAYJUSTNOW_SA"), KEY)):
        with pytest.raises(Refused, match="does not accept the Merchant Account ID with this signing key") as no:
            await call
        assert no.value.code == "401"


@pytest.mark.parametrize(("status", "accepted"), [(200, True), (400, True), (404, True), (401, False), (403, False)])
async def test_only_an_answer_about_the_checkout_proves_the_credentials(
    scripted: Scripted, status: int, accepted: bool
) -> None:
    scripted.says(status, {})
    if accepted:
        await scripted.connector.check()
    else:
        with pytest.raises(Refused):
            await scripted.connector.check()


# -- the return -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        ("approve", Ask(completed=True)), ("pending", Ask(completed=True)), ("cancel", Ask(left=True)),
        ("decline", Ask(left=True)), ("error", Ask(left=True)),
    ],
)  # fmt: skip
async def test_the_return_is_only_a_hint(till: Till, outcome: str, hint: Ask) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == hint
    assert till.connector.read_return({"status": "SUCCESS", "token": checkout.session}, checkout) == Ask()


# -- how it stands ----------------------------------------------------------------------------


async def test_the_documented_status_is_a_payment(scripted: Scripted, till: Till) -> None:
    scripted.replays("status_paid")
    paid = await scripted.connector.fetch(till.checkout())
    assert scripted.asked == [("POST", "/v2/getstatus", sample("status_paid")["request"])]
    assert isinstance(paid, Paid)
    assert (paid.session, paid.payment_id, paid.reference) == (TOKEN, TOKEN, "yourorderref")
    assert (paid.total, paid.captured, paid.refunded) == (Money(Decimal(3000), "ZAR"), Decimal(3000), None)
    assert paid.raw == STANDING


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("PAID", Paid), ("PAID_PENDING_CALLBACK", Paid), ("PARTIALLY_REFUNDED", Paid), ("paid", Paid),
        ("CANCELLED_BY_CONSUMER", Pending), ("CANCELLED_BY_MERCHANT", Cancelled), ("PENDING_ORDER", Pending),
        ("REFUNDED", Pending), ("EXPIRED", Pending), ("UNPAID", Pending),
    ],
)  # fmt: skip
async def test_every_documented_status_is_read_and_any_other_is_pending(
    scripted: Scripted, till: Till, word: str, kind: type
) -> None:
    scripted.replays("status_paid", checkoutPaymentStatus=word)
    report = await scripted.connector.fetch(till.checkout())
    assert type(report) is kind
    assert (report.session, report.reference) == (TOKEN, "yourorderref")


@pytest.mark.parametrize(
    ("outcome", "kind"), [("approve", Paid), ("cancel", Pending), ("decline", Pending), ("pending", Pending)]
)
async def test_a_checkout_stands_as_the_shopper_left_it(till: Till, outcome: str, kind: type) -> None:
    checkout, _ = await till.decides(outcome)
    assert type(await till.connector.fetch(checkout)) is kind
    assert till.rows() == (SALE if kind is Paid else [])


async def test_after_its_hour_nobody_can_pay_a_checkout(till: Till) -> None:
    opened, checkout = await till.opens()
    till.passes(minutes=61)
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.fetch(checkout), Pending)
    assert till.rows() == []


async def test_a_checkout_that_payjustnow_does_not_know_is_not_there(till: Till) -> None:
    with pytest.raises(NotThere, match="not found"):
        await till.connector.fetch(till.checkout())


@pytest.mark.parametrize(
    "said",
    ["<html>", "[]", {"checkoutToken": TOKEN}, {**STANDING, "checkoutTotalCents": "much"}, {**STANDING, "checkoutTotalCents": -1}],
)  # fmt: skip
async def test_an_answer_that_makes_no_sense_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(till.checkout())


# -- callbacks --------------------------------------------------------------------------------


async def test_a_callback_brings_what_a_status_would(till: Till) -> None:
    reading = till.connector.read_event(callback({**STANDING, "checkoutPaymentStatus": "PAID_PENDING_CALLBACK"}))
    assert (reading.session, reading.reference) == (TOKEN, "yourorderref")
    assert isinstance(reading.report, Paid)
    assert (reading.report.session, reading.report.total) == (TOKEN, Money(Decimal(3000), "ZAR"))


@pytest.mark.parametrize(("outcome", "kind"), [("approve", Paid), ("cancel", Pending)])
async def test_what_is_called_back_is_signed_as_documented(till: Till, outcome: str, kind: type) -> None:
    checkout, _ = await till.decides(outcome)
    (event,) = await till.events()
    assert till.connector.verify_event(event) is None
    reading = till.connector.read_event(event)
    assert isinstance(reading, EventReading)
    assert (reading.session, reading.reference, type(reading.report)) == (checkout.session, "R-1001", kind)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"1e999", b'{"checkoutToken": "v2.1"}', b"\xff"])
async def test_a_callback_that_names_no_checkout_can_not_be_read(till: Till, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        till.connector.read_event(callback(body))


# -- closing ----------------------------------------------------------------------------------


async def test_the_documented_cancel_closes_a_checkout(scripted: Scripted, till: Till) -> None:
    documented = sample("cancelled")
    scripted.replays("cancelled")
    await scripted.connector.cancel_checkout(till.checkout(session=documented["request"]["checkoutToken"]))
    assert scripted.asked == [("POST", "/v2/cancel", documented["request"])]


@pytest.mark.parametrize("outcome", ["decline", "cancel"])
async def test_an_unpaid_checkout_is_closed_once_and_for_all(till: Till, outcome: str) -> None:
    opened, checkout = await till.opens()
    await till.counter.shopper(opened.url, outcome)
    await till.connector.cancel_checkout(checkout)
    await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.fetch(checkout), Cancelled)
    assert till.rows() == []


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_checkout_whose_cancel_got_no_answer_is_closed_by_the_next_try(till: Till, fault: str) -> None:
    _, checkout = await till.opens()
    await till.counter.order_fault("cancel", fault)
    with pytest.raises(Unclear):
        await till.connector.cancel_checkout(checkout)
    await till.connector.cancel_checkout(checkout)


async def test_a_checkout_that_was_paid_can_not_be_closed(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    with pytest.raises(Refused, match="PAID can not be cancelled"):
        await till.connector.cancel_checkout(checkout)
    assert till.rows() == SALE


async def test_a_cancel_that_cancelled_nothing_is_unclear(scripted: Scripted, till: Till) -> None:
    scripted.replays("cancelled", checkoutPaymentStatus="PAID")
    with pytest.raises(Unclear, match="PAID"):
        await scripted.connector.cancel_checkout(till.checkout())
