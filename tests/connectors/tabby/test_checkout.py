"""Opening a session, the rejection before anybody is sent anywhere, the return, and what the poll reads."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Ask,
    Broken,
    Declined,
    Expired,
    Item,
    NotThere,
    Paid,
    Pending,
    Redirect,
    Refused,
    WrongCredentials,
)
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors.scripted import Scripted, changed
from tests.connectors.tabby.conftest import CURRENCIES, Till, sample
from tests.connectors.till import KEY, LOST, NEVER_CAME, TWO, checkout_of

SOON = {"registeredSince": "2026-11-24T09:00:00Z"}


def sent(till: Till) -> Any:
    """The last session that the simulator accepted, as it was sent."""
    _, case = till.counter.sandbox.store.cases(till.counter.reference)[0]
    return case.data["payment"]


def test_the_facts_name_all_codes_with_their_currency() -> None:
    codes = all_providers()["tabby"].facts.codes
    assert {code: facts.currencies[0] for code, facts in codes.items()} == CURRENCIES


@pytest.mark.parametrize(("code", "currency"), CURRENCIES.items())
async def test_every_code_opens_a_session_and_is_authorised_in_its_currency(
    till: Till, code: str, currency: str
) -> None:
    # QAR and BHD are not in the published file.
    till.code, till.beyond_the_specification = code, currency in ("QAR", "BHD")
    paid = await till.paid_now(await till.decided("approve", "64.10"))
    assert (paid.total, paid.captured) == (Money(Decimal("64.10"), currency), Decimal(0))
    assert till.counter.ledger() == [("authorize", Decimal("64.10"), currency)]


@pytest.mark.parametrize(
    ("code", "amount", "text"),
    [("TABBY_AE", "64.1", "64.10"), ("TABBY_KW", "10.12", "10.120"), ("TABBY_KW", "10.125", "10.125"),
     ("TABBY_BH", "7", "7.000"), ("TABBY_SA", "7", "7.00")],
)  # fmt: skip
async def test_amounts_are_decimal_strings_with_the_currencys_own_decimals(
    till: Till, code: str, amount: str, text: str
) -> None:
    till.code, till.beyond_the_specification = code, code == "TABBY_BH"
    _, checkout = await till.opens(amount)
    assert (sent(till)["amount"], sent(till)["order"]["items"][0]["unit_price"]) == (text, text)
    report = await till.connector.fetch(checkout)
    assert report.raw is not None
    assert report.raw["amount"] == text


async def test_the_request_and_the_answer_are_the_documented_ones(scripted: Scripted, till: Till) -> None:
    documented = scripted.replays("checkout_created")
    order = till.counter.order("TABBY_AE", additional_data=SOON)
    opened = await scripted.connector.create_checkout(order, KEY)
    (method, path, body), request = scripted.asked[0], documented["request"]
    request["payment"]["order"]["updated_at"] = body["payment"]["order"]["updated_at"]
    assert (method, path, body) == ("POST", "/api/v2/checkout", request)
    assert scripted.headers[0]["Authorization"] == "Bearer sk_test_1"
    assert isinstance(opened, Redirect)
    answer = documented["answer"]
    assert opened.session == answer["payment"]["id"]
    assert opened.url == answer["configuration"]["available_products"]["installments"][0]["web_url"]
    assert opened.state == {"tabby_session": answer["id"]}


async def test_opening_moves_nothing(till: Till) -> None:
    opened, checkout = await till.opens()
    assert opened.session == checkout.payment
    assert isinstance(await till.connector.fetch(checkout), Pending)
    assert till.counter.ledger() == []


async def test_a_line_whose_unit_price_is_no_whole_fils_goes_at_its_total(till: Till) -> None:
    nails = Item(name="Nail", quantity=3, unit_price=Decimal("0.3333"), total=Decimal("1.00"))
    shirts = Item(name="Shirt", quantity=2, unit_price=Decimal("24.5"), total=Decimal(49), sku="S-1")
    await till.opens("50.00", items=(nails, shirts))
    assert [
        (line["title"], line["quantity"], line["unit_price"], line.get("reference_id"))
        for line in sent(till)["order"]["items"]
    ] == [("Nail", 1, "1.00", None), ("Shirt", 2, "24.50", "S-1")]


async def test_shipping_tax_and_discount_have_fields_of_their_own(till: Till) -> None:
    await till.opens(shipping=Decimal("7.5"), tax=Decimal(2), discount=Decimal("9.5"))
    said = sent(till)["order"]
    assert (said["shipping_amount"], said["tax_amount"], said["discount_amount"]) == ("7.50", "2.00", "9.50")


async def test_the_delivery_address_counts_and_without_one_the_billing_address(till: Till) -> None:
    order = till.counter.order("TABBY_AE")
    away = replace(order.billing, street="2 Palm", street2="Flat 3", city="Dubai", postal_code="")
    await till.opens(delivery=away)
    assert sent(till)["shipping_address"] == {"city": "Dubai", "address": "2 Palm, Flat 3", "zip": ""}
    till.counter.reference = "R-1002"
    await till.opens(delivery=replace(away, street="", city=""))
    assert sent(till)["shipping_address"] == {"city": "Sydney", "address": "1 High Street", "zip": "2000"}
    till.counter.reference = "R-1003"
    await till.opens(delivery=None)
    assert sent(till)["shipping_address"]["city"] == "Sydney"


@pytest.mark.parametrize(("locale", "language"), [("ar", "ar"), ("ar_AE", "ar"), ("en_AU", "en"), ("de-DE", "en")])
async def test_the_page_is_in_arabic_or_else_in_english(
    scripted: Scripted, till: Till, locale: str, language: str
) -> None:
    scripted.replays("checkout_created")
    await scripted.connector.create_checkout(till.counter.order("TABBY_AE", locale=locale), KEY)
    assert scripted.asked[0][2]["lang"] == language


async def test_a_phone_number_goes_without_its_separators(till: Till) -> None:
    order = till.counter.order("TABBY_AE")
    await till.opens(customer=replace(order.customer, phone="+971 (50) 000-0001"))
    assert sent(till)["buyer"]["phone"] == "+971500000001"


async def test_what_the_merchant_knows_of_the_shopper_is_passed_on_and_overrides_nothing(till: Till) -> None:
    buyer = {"name": "Ada Byron", "email": "ada@shop.example", "phone": "500000001"}
    place = {"city": "Dubai", "address": "2 Palm", "zip": ""}
    history = [
        {"purchased_at": "2025-01-01T10:00:00Z", "amount": "10.00", "status": "complete", "payment_method": "card",
         "buyer": buyer, "shipping_address": place},
    ]  # fmt: skip
    known = {"loyaltyLevel": 7, "orderHistory": history, "category": "Clothes", "amount": "1.00", **SOON}
    await till.opens(additional_data=known)
    said = sent(till)
    assert said["buyer_history"] == {"registered_since": SOON["registeredSince"], "loyalty_level": 7}
    assert (said["order_history"], said["order"]["items"][0]["category"]) == (history, "Clothes")
    assert said["amount"] == "100.00"


async def test_texts_are_cut_to_what_tabby_takes(till: Till) -> None:
    item = Item(name="x" * 300, quantity=1, unit_price=Decimal(100), total=Decimal(100), sku="y" * 300)
    await till.opens(items=(item,))
    line = sent(till)["order"]["items"][0]
    assert (len(line["title"]), len(line["reference_id"])) == (255, 255)


# -- refused before anybody is sent anywhere -------------------------------------------------------


async def test_a_shopper_whom_the_prescoring_rejects_has_declined(till: Till) -> None:
    order = till.counter.order("TABBY_AE")
    rejected = replace(order, customer=replace(order.customer, phone="+971500000002"))
    declined = await till.connector.create_checkout(rejected, KEY)
    assert isinstance(declined, Declined)
    assert (declined.code, declined.reason) == ("not_available", "Tabby is unable to approve this purchase")
    assert declined.raw is not None
    assert declined.raw["status"] == "rejected"
    assert till.counter.ledger() == []


@pytest.mark.parametrize(
    ("code", "amount", "word"),
    [("TABBY_AE", "25000.01", "order_amount_too_high"), ("TABBY_KW", "2500.001", "order_amount_too_high"),
     ("TABBY_AE", "0.99", "order_amount_too_low")],
)  # fmt: skip
async def test_an_amount_outside_the_shoppers_limits_is_declined_at_creation(
    till: Till, code: str, amount: str, word: str
) -> None:
    till.code = code
    declined = await till.connector.create_checkout(till.counter.order(code, amount), KEY)
    assert isinstance(declined, Declined)
    assert declined.code == word


async def test_a_rejected_payment_stays_rejected_for_the_poll_and_for_its_page(till: Till) -> None:
    order = till.counter.order("TABBY_AE", "25000.01")
    declined = await till.connector.create_checkout(order, KEY)
    assert isinstance(declined, Declined)
    assert declined.raw is not None
    session = declined.raw["payment"]["id"]
    checkout = till.counter.checkout(order, Redirect(url="-", session=session))
    assert isinstance(await till.connector.fetch(checkout), Declined)
    query = await till.counter.shopper(f"{till.counter.base_url}/checkout/tabby/{session}", "approve")
    assert query["via"] == "failure"
    assert till.counter.ledger() == []


@pytest.mark.parametrize(
    ("reason", "code"),
    [("order_amount_too_high", "order_amount_too_high"), ("a_new_word", "a_new_word"), (None, "rejected")],
)
async def test_a_rejection_is_told_in_tabbys_own_word_whatever_it_is(
    scripted: Scripted, till: Till, reason: str | None, code: str
) -> None:
    answer = sample("checkout_rejected")["answer"]
    answer["configuration"]["products"]["installments"]["rejection_reason"] = reason
    scripted.says(200, answer)
    declined = await scripted.connector.create_checkout(till.counter.order("TABBY_AE"), KEY)
    assert isinstance(declined, Declined)
    assert declined.code == code
    assert declined.reason


async def test_a_product_that_is_not_available_is_a_rejection_though_the_session_was_created(
    scripted: Scripted, till: Till
) -> None:
    answer = sample("checkout_rejected")["answer"]
    answer["status"] = "created"
    scripted.says(200, answer)
    assert isinstance(await scripted.connector.create_checkout(till.counter.order("TABBY_AE"), KEY), Declined)


async def test_an_amount_that_has_too_many_decimals_is_refused_before_anything_is_sent(till: Till) -> None:
    for code, amount in (("TABBY_AE", "10.001"), ("TABBY_KW", "10.0001")):
        order = till.counter.order(code, "10.00", total=Money(Decimal(amount), CURRENCIES[code]))
        with pytest.raises(Refused, match="more decimals"):
            await till.connector.create_checkout(order, KEY)
    assert till.watched.seen == []


async def test_a_faulty_field_is_refused_and_named(till: Till) -> None:
    till.beyond_the_specification = True
    order = till.counter.order("TABBY_AE")
    with pytest.raises(Refused, match=r"\$\.payment\.buyer\.email") as no:
        await till.connector.create_checkout(replace(order, customer=replace(order.customer, email="")), KEY)
    assert no.value.code == "bad_data"


@pytest.mark.parametrize("wrong", [{"secret_key": "sk_test_other"}, {"merchant_code": "other"}])
async def test_wrong_credentials_are_refused(till: Till, wrong: dict[str, str]) -> None:
    checkout = await till.decided()
    connector = till.counter.connector("TABBY_AE", **wrong)
    with pytest.raises(Refused) as no:
        await connector.create_checkout(till.counter.order("TABBY_AE"), KEY)
    assert no.value.code == "not_authorized"
    with pytest.raises(Refused):
        await connector.check()
    if "secret_key" in wrong:
        with pytest.raises(Refused) as no:
            await connector.fetch(checkout)
        assert not isinstance(no.value, NotThere)


async def test_a_key_of_test_mode_is_refused_in_live_mode(scripted: Scripted, till: Till) -> None:
    live = scripted.altered(live=True)
    with pytest.raises(WrongCredentials, match="test mode"):
        await live.create_checkout(till.order(), KEY)
    with pytest.raises(WrongCredentials, match="test mode"):
        await live.check()
    assert scripted.asked == []


async def test_in_live_mode_nobody_is_sent_to_a_test_payment(scripted: Scripted, till: Till) -> None:
    live, scripted.authorization = scripted.altered(live=True, secret_key="sk_live"), "Bearer sk_live"
    scripted.replays("checkout_created")
    with pytest.raises(WrongCredentials, match="test payment"):
        await live.create_checkout(till.order(), KEY)
    created = sample("checkout_created")["answer"]
    scripted.says(200, changed(created, "payment.is_test", False))
    assert isinstance(await live.create_checkout(till.order(), KEY), Redirect)


@pytest.mark.parametrize("name", ["payment_authorized", "payment_captured", "payment_closed", "payment_refunded"])
async def test_in_live_mode_a_payment_of_test_mode_is_none(scripted: Scripted, name: str) -> None:
    live, scripted.authorization = scripted.altered(live=True, secret_key="sk_live"), "Bearer sk_live"
    documented = scripted.replays(name)["answer"]
    held = checkout_of(documented["id"], "100", "AED", "AE")
    said = await live.fetch(held)
    assert isinstance(said, Broken)
    assert "test mode" in said.reason
    assert (said.code, said.session) == ("test_payment", documented["id"])
    scripted.replays(name, is_test=False)
    assert isinstance(await live.fetch(held), Paid)


async def test_the_check_reads_the_webhooks_of_the_merchant_code(till: Till) -> None:
    assert await till.connector.check() == "read the webhooks of merchant code paymux-sandbox: 0 registered"


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_lost_create_answer_is_unclear_moves_nothing_and_may_be_tried_again(till: Till, fault: str) -> None:
    order = till.counter.order("TABBY_AE")
    await till.counter.order_fault("create", fault)
    with pytest.raises(Unclear):
        await till.connector.create_checkout(order, KEY)
    assert isinstance(await till.connector.create_checkout(order, TWO), Redirect)
    assert till.counter.ledger() == []


async def test_a_slow_create_is_waited_for(till: Till) -> None:
    await till.counter.order_fault("create", "slow")
    await till.opens()


async def test_nothing_is_sent_where_nobody_listens(till: Till) -> None:
    till.counter.base_url = "http://127.0.0.1:9"
    with pytest.raises(NotSent):
        await till.connector.create_checkout(till.counter.order("TABBY_AE"), KEY)


# -- the return ----------------------------------------------------------------------------------


async def test_the_documented_returns_are_hints_only(till: Till) -> None:
    _, checkout = await till.opens()
    read, named = till.connector.read_return, sample("return_success")["query"]["payment_id"]
    assert read(sample("return_success")["query"], checkout) == Ask(session=named)
    assert read(sample("return_cancelled")["query"], checkout) == Ask(session=named, left=True)
    for query in ({}, {"payment_id": ""}, {"via": "failure"}, {"status": "AUTHORIZED"}):
        assert read(query, checkout) == Ask()


@pytest.mark.parametrize(
    ("outcome", "via", "kind", "moved"),
    [
        ("approve", "success", Paid, True),
        ("decline", "failure", Declined, False),
        ("cancel", "cancel", Expired, False),
        ("pending", "success", Pending, False),
        ("error", "failure", Pending, False),
    ],
)
async def test_every_outcome_comes_back_as_a_hint_and_is_told_by_the_poll(
    till: Till, outcome: str, via: str, kind: type, moved: bool
) -> None:
    checkout, query = await till.decides(outcome)
    assert query == {"via": via, "payment_id": checkout.session}
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, left=outcome == "cancel")
    report = await till.connector.fetch(checkout)
    assert isinstance(report, kind)
    assert (report.session, report.reference) == (checkout.session, "R-1001")
    assert till.counter.ledger() == ([("authorize", Decimal("100.00"), "AED")] if moved else [])


async def test_a_shopper_who_decides_again_is_only_sent_back(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.counter.shopper(opened.url, "decline")
    assert (await till.counter.shopper(opened.url, "approve"))["via"] == "failure"
    assert isinstance(await till.connector.fetch(checkout), Declined)
    assert till.counter.ledger() == []


@pytest.mark.parametrize(("later", "kind"), [("approve", Paid), ("decline", Declined), ("cancel", Expired)])
async def test_an_undecided_payment_is_pending_until_it_is_settled(till: Till, later: str, kind: type) -> None:
    checkout, _ = await till.decides("pending")
    assert isinstance(await till.connector.fetch(checkout), Pending)
    assert await till.settles(later) == 200
    assert isinstance(await till.connector.fetch(checkout), kind)


# -- the poll --------------------------------------------------------------------------------------


async def test_a_session_can_be_paid_for_twenty_minutes_and_its_payment_expires_ten_later(till: Till) -> None:
    opened, checkout = await till.opens()
    till.passes(minutes=20)
    assert (await till.counter.shopper(opened.url, "approve"))["via"] == "cancel"
    assert isinstance(await till.connector.fetch(checkout), Pending)
    till.passes(minutes=10)
    assert isinstance(await till.connector.fetch(checkout), Expired)
    assert till.counter.ledger() == []


@pytest.mark.parametrize("session", ["2f6a4bd0-5a1c-4a53-9c3b-0b6a6cf3a101"])
async def test_an_unknown_payment_is_not_there(till: Till, session: str) -> None:
    _, checkout = await till.opens()
    with pytest.raises(NotThere):
        await till.connector.fetch(replace(checkout, session=session))


async def test_tabbys_session_id_is_no_payment(till: Till) -> None:
    opened, checkout = await till.opens()
    with pytest.raises(NotThere):
        await till.connector.fetch(replace(checkout, session=opened.state["tabby_session"]))


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_poll_that_gets_no_answer_is_unclear(till: Till, fault: str) -> None:
    checkout = await till.decided()
    await till.counter.order_fault("status", fault)
    with pytest.raises(Unclear):
        await till.connector.fetch(checkout)
    await till.paid_now(checkout)


@pytest.mark.parametrize(
    ("tampered", "reference", "total"),
    [
        ({"amount": "1.00"}, "R-1001", Money(Decimal("1.00"), "AED")),
        ({"currency": "SAR"}, "R-1001", Money(Decimal("100.00"), "SAR")),
        ({"reference": "other"}, "other", Money(Decimal("100.00"), "AED")),
    ],
)
async def test_what_is_reported_is_what_tabby_says_and_never_ours(
    till: Till, tampered: dict[str, str], reference: str, total: Money
) -> None:
    checkout = await till.decided()
    assert await till.post("/sandbox/tamper", id=checkout.session, **tampered) == 200
    paid = await till.paid_now(checkout)
    assert (paid.session, paid.reference, paid.total) == (checkout.session, reference, total)


async def test_another_orders_payment_is_reported_under_its_own_id(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens()
    scripted.replays("payment_authorized")
    report = await scripted.connector.fetch(checkout)
    assert report.session == sample("payment_authorized")["answer"]["id"] != checkout.session
