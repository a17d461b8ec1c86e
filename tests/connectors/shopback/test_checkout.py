"""Opening an order at ShopBack, how it stands, the shopper's return and notifications."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from paymux.connectors.contract import (
    Ask,
    Cancelled,
    Declined,
    EventReading,
    Incoming,
    Item,
    NotThere,
    Paid,
    Pending,
    Redirect,
    Refused,
)
from paymux.platform.http import NotSent, Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.shopback.conftest import LOGIN, UUID, Till, sample
from tests.connectors.till import KEY, TWO

RETURN = "https://paymux.example/return/otk_1"
PLACE = {"line1": "1 High Street", "city": "Sydney", "state": "NSW", "postcode": "2000", "countryCode": "SG"}


async def test_what_is_sent_names_the_order_in_major_units(scripted: Scripted, till: Till) -> None:
    scripted.replays("order")
    order = till.counter.order("SHOPBACK_SG", "112.50", shipping=Decimal("10.00"), tax=Decimal("5.00"))
    shirt = Item(name="Shirt", quantity=2, unit_price=Decimal("50.00"), total=Decimal("100.00"), sku="S-1")
    order = replace(order, items=(shirt,), discount=Decimal("2.50"), additional_data={"voucherCode": "FLAT50"})
    opened = await scripted.connector.create_checkout(order, KEY)
    ((method, path, body),) = scripted.asked
    assert (method, path, scripted.headers[0]["X-ShopBack-Idempotent-Id"]) == ("POST", "/merchant/order/initiate", KEY)
    assert body == {
        "totalAmount": 112.5, "originalAmount": 115, "discount": 2.5, "taxAmount": 5, "shippingAmount": 10,
        "currency": "SGD", "merchantOrderId": "R-1001", "shippingMethod": "NORMAL", "billingAddress": PLACE,
        "shippingAddress": PLACE, "items": [{"name": "Shirt", "sku": "S-1", "quantity": 2, "price": 50}],
        "callbackUrl": order.events_url, "returnToShopUrl": f"{RETURN}?via=success", "closeUrl": f"{RETURN}?via=failure",
        "consumerEmail": "ada@shop.example", "consumerPhoneNumber": "+61400000000", "consumerFirstName": "Ada",
        "consumerLastName": "Byron", "voucherCode": "FLAT50",
    }  # fmt: skip
    assert body.keys() - {"taxAmount"} <= sample("order")["request"].keys()
    assert opened.session == sample("order")["answer"]["orderUuid"]


async def test_the_page_is_opened_by_the_orders_public_token(scripted: Scripted, till: Till) -> None:
    scripted.replays("order")
    opened = await scripted.connector.create_checkout(till.counter.order("SHOPBACK_SG"), KEY)
    assert isinstance(opened, Redirect)
    said, documented = urlsplit(opened.url), urlsplit(sample("checkout_page")["url"])
    assert (said.path, said.query) == ("/checkout" + documented.path, documented.query)
    facts = till.counter.provider.facts
    assert facts.hosts["checkout"].test == f"{documented.scheme}://{documented.netloc}"
    assert [facts.codes[code].hosts["checkout"].live for code in ("SHOPBACK_MY", "HOOLAH_MY")] == [
        "https://checkout.shopback.my"
    ] * 2


async def test_a_line_that_cents_cannot_hold_goes_as_one_at_its_total(scripted: Scripted, till: Till) -> None:
    scripted.replays("order")
    item = Item(name="Nail", quantity=3, unit_price=Decimal("33.3333"), total=Decimal("100.00"))
    await scripted.connector.create_checkout(replace(till.counter.order("SHOPBACK_SG"), items=(item,)), KEY)
    assert scripted.asked[0][2]["items"] == [{"name": "Nail", "quantity": 1, "price": 100}]


@pytest.mark.parametrize(
    ("method", "kind", "word"),
    [
        ("delivery", "normal", "NORMAL"), ("delivery", "same_day", "EXPRESS"), ("store pick-up", "express", "PICKUP"),
        ("delivery", "scheduled", "MERCHANT_SPECIFIED"),
    ],
)  # fmt: skip
async def test_the_delivery_has_shopbacks_word(
    scripted: Scripted, till: Till, method: str, kind: str, word: str
) -> None:
    scripted.replays("order")
    order = till.counter.order("SHOPBACK_SG", shipping_method=method, shipping_type=kind, delivery=None)
    await scripted.connector.create_checkout(order, KEY)
    assert (scripted.asked[0][2]["shippingMethod"], scripted.asked[0][2]["shippingAddress"]) == (word, PLACE)


async def test_the_accounts_online_store_is_named_where_there_is_one(till: Till) -> None:
    connector = till.counter.connector("SHOPBACK_SG", store_uuid="281ac28b-e785-429d-bf12-5a50e9db9377")
    assert (await connector.create_checkout(till.counter.order("SHOPBACK_SG"), KEY)).session


async def test_a_repeated_order_is_the_first_one_and_another_key_is_refused(till: Till) -> None:
    order = till.counter.order("SHOPBACK_SG")
    first, again = [await till.connector.create_checkout(order, KEY) for _ in (1, 2)]
    assert first == again
    with pytest.raises(Refused, match="external ids already exists"):
        await till.connector.create_checkout(order, TWO)


@pytest.mark.parametrize("fault", ["error_after", "malformed"])
async def test_an_order_whose_answer_was_lost_is_opened_once(till: Till, fault: str) -> None:
    await till.counter.order_fault("create", fault)
    with pytest.raises(Unclear):
        await till.opens()
    opened, _ = await till.opens()
    assert [case.id for _, case in till.counter.sandbox.store.cases("R-1001")] == [opened.session]


async def test_a_refusal_names_what_to_fix(scripted: Scripted, till: Till) -> None:
    scripted.replays("error")
    with pytest.raises(Refused, match="BillingAddress Country is not merchant supported") as no:
        await scripted.connector.create_checkout(till.counter.order("SHOPBACK_SG"), KEY)
    assert no.value.code == "PRECONDITION_FAILED"


async def test_an_unknown_currency_is_no_unknown_order(till: Till) -> None:
    order = till.counter.order("SHOPBACK_SG")
    with pytest.raises(Refused, match="Currency not found") as no:
        await till.connector.create_checkout(replace(order, total=replace(order.total, currency="HKD")), KEY)
    assert not isinstance(no.value, NotThere)


@pytest.mark.parametrize(("amount", "match"), [("0.99", "from 1 to 1000"), ("1000.01", "from 1 to 1000")])
async def test_an_amount_outside_of_the_limits_is_refused_with_the_limits(till: Till, amount: str, match: str) -> None:
    with pytest.raises(Refused, match=match):
        await till.opens(amount)


async def test_a_billing_address_of_another_country_is_refused(till: Till) -> None:
    order = till.counter.order("SHOPBACK_SG")
    with pytest.raises(Refused, match="BillingAddress Country"):
        await till.connector.create_checkout(replace(order, billing=replace(order.billing, country="MY")), KEY)


@pytest.mark.parametrize(
    "said", ["<html>", "[]", {"orderId": 1}, {"orderUuid": "u", "orderContextToken": ""}, {"orderContextToken": "t"}]
)
async def test_an_answer_without_an_order_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("SHOPBACK_SG"), KEY)


async def test_an_order_that_shopback_has_under_way_already_is_unclear(scripted: Scripted, till: Till) -> None:
    scripted.says(409, sample("error")["answer"])
    with pytest.raises(Unclear, match="from before"):
        await scripted.connector.create_checkout(till.counter.order("SHOPBACK_SG"), KEY)


# -- logging in -------------------------------------------------------------------------------


async def test_credentials_are_checked_by_a_login(till: Till) -> None:
    assert "granted an access token" in await till.connector.check()
    with pytest.raises(Refused, match="does not accept the merchant ID with this secret"):
        await till.counter.connector("SHOPBACK_SG", merchant_secret="TK_other").check()


async def test_each_call_has_a_token_of_its_own(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_status", "order_status")
    for _ in (1, 2):
        await scripted.connector.fetch(till.checkout())
    assert len(scripted.granted) == 2


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (401, "", Refused), (422, {}, Refused), (412, sample("error")["answer"], Refused), (500, {}, NotSent),
        (302, "", NotSent), (200, "<html>", NotSent), (200, {"token": ""}, NotSent), (200, {"token": "a b"}, NotSent),
    ],
)  # fmt: skip
async def test_without_a_login_the_order_was_never_sent(
    scripted: Scripted, till: Till, status: int, said: Any, kind: type[Exception]
) -> None:
    scripted.grant = (status, said)
    with pytest.raises(kind):
        await scripted.connector.create_checkout(till.counter.order("SHOPBACK_SG"), KEY)
    assert (len(scripted.granted), scripted.asked) == (1, [])


async def test_a_documented_login_is_read(scripted: Scripted) -> None:
    assert await scripted.connector.check()
    assert scripted.granted == [("POST", "/merchant/auth/login", LOGIN["request"])]


# -- how it stands ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("INITIATED", Pending), ("APPROVED", Paid), ("REFUNDED", Paid), ("CANCELLED", Cancelled), ("REJECTED", Declined),
        ("approved", Pending), ("ON_HOLD", Pending),
    ],
)  # fmt: skip
async def test_every_documented_status_is_read_and_an_unknown_one_is_pending(
    scripted: Scripted, till: Till, word: str, kind: type
) -> None:
    scripted.replays("order_status", status=word)
    report = await scripted.connector.fetch(till.checkout())
    assert scripted.asked == [("GET", f"/merchant/order/{UUID}", None)]
    assert type(report) is kind
    assert (report.session, report.reference) == (UUID, "#2020-82445")
    if isinstance(report, Paid):
        refunded = Decimal(100) if word == "REFUNDED" else None
        assert (report.payment_id, report.total, report.captured, report.refunded) == (UUID, None, None, refunded)


async def test_an_amount_that_the_answer_names_is_told_to_be_compared(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_status", status="APPROVED", totalAmount=64.1, currency="MYR")
    paid = await scripted.connector.fetch(till.checkout())
    assert isinstance(paid, Paid)
    assert (str(paid.total), paid.captured) == ("64.1 MYR", Decimal("64.1"))


async def test_ids_are_read_by_either_of_their_names(scripted: Scripted, till: Till) -> None:
    answer = sample("order_status")["answer"]
    scripted.says(200, {name: answer[name] for name in ("orderUuid", "merchantRef", "status")})
    report = await scripted.connector.fetch(till.checkout())
    assert (report.session, report.reference) == (UUID, "#2020-82445")


@pytest.mark.parametrize("said", ["<html>", "[]", {"uuid": "u"}, {"status": "APPROVED"}, {"uuid": "u", "status": ""}])
async def test_a_status_that_makes_no_sense_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(till.checkout())


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [("approve", Paid), ("decline", Declined), ("cancel", Cancelled), ("pending", Pending), ("error", Declined)],
)
async def test_the_order_stands_as_the_shopper_decided(till: Till, outcome: str, kind: type) -> None:
    checkout, _ = await till.decides(outcome)
    report = await till.connector.fetch(checkout)
    assert type(report) is kind
    assert (report.session, report.reference) == (checkout.session, "R-1001")
    sale = [("authorize", Decimal(100)), ("capture", Decimal(100))]
    assert till.rows() == (sale if outcome == "approve" else [])


async def test_an_order_that_shopback_does_not_know_is_not_there(till: Till) -> None:
    _, checkout = await till.opens()
    with pytest.raises(NotThere, match="No order found"):
        await till.connector.fetch(replace(checkout, session="no/such order"))


# -- the return and notifications -------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        ("approve", Ask(completed=True)), ("pending", Ask(completed=True)), ("decline", Ask(left=True)),
        ("cancel", Ask(left=True)), ("error", Ask(left=True)),
    ],
)  # fmt: skip
async def test_the_return_only_tells_which_way_he_came(till: Till, outcome: str, hint: Ask) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == hint


async def test_a_return_that_says_something_else_hints_at_nothing(till: Till) -> None:
    query = {"order_uuid": "another", "order_status": "SUCCESS"}
    assert till.connector.read_return(query, till.checkout()) == Ask()


def event(body: bytes) -> Incoming:
    return Incoming(method="POST", headers={}, query={}, body=body)


async def test_a_documented_notification_is_a_reason_to_ask(till: Till) -> None:
    body = sample("notification")["event"]
    text = str(body).replace("'", '"').encode()
    assert till.connector.verify_event(event(text)) is None
    assert till.connector.read_event(event(text)) == EventReading(session=body["order_uuid"])


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{}", b'{"order_uuid": ""}', b'{"order_uuid": 7}', b"null"])
async def test_a_notification_that_names_no_order_can_not_be_read(till: Till, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        till.connector.read_event(event(body))


@pytest.mark.parametrize(
    ("outcome", "word"), [("approve", "SUCCESS"), ("decline", "ERROR"), ("cancel", "ERROR"), ("error", "ERROR")]
)
async def test_the_simulator_notifies_as_documented(till: Till, outcome: str, word: str) -> None:
    checkout, _ = await till.decides(outcome)
    (told,) = await till.events()
    assert till.connector.read_event(told) == EventReading(session=checkout.session)
    assert f'"order_status":"{word}"'.encode() in told.body
    for name in sample("notification")["event"]:
        assert f'"{name}":'.encode() in told.body
    assert (b"failure_code" in told.body) is (word == "ERROR")
