"""Opening an intention, what is told of the tries to pay it, and the check of an account."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from paymux.connectors.contract import Item, NotThere, Paid, Pending, Person, Redirect, Refused
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors.paymob.conftest import CREDENTIALS, INQUIRY, Scripted, Till, sample
from tests.connectors.till import KEY, TWO


async def _asked(till: Till, scripted: Scripted, **changes: Any) -> dict[str, Any]:
    scripted.replays("intention_created")
    await scripted.connector.create_checkout(till.counter.order("PAYMOB_EG", **changes), KEY)
    method, path, body = scripted.asked[-1]
    assert (method, path) == ("POST", "/v1/intention/")
    asked: dict[str, Any] = body
    return asked


# -- opening ----------------------------------------------------------------------------------


async def test_the_shopper_is_sent_to_the_documented_page_of_the_documented_intention(
    till: Till, scripted: Scripted
) -> None:
    scripted.replays("intention_created")
    order = till.counter.order("PAYMOB_EG")
    opened = await scripted.connector.create_checkout(order, KEY)
    assert isinstance(opened, Redirect)
    assert opened.session == "399862108"
    assert opened.expires_at == order.expires_at
    page = urlsplit(opened.url)
    assert page.path == "/unifiedcheckout/"
    assert parse_qs(page.query) == {
        "publicKey": [CREDENTIALS["public_key"]], "clientSecret": ["egy_csk_test_6734a1fc392bc179dec8f4c2495842d6"],
    }  # fmt: skip


async def test_an_intention_names_amount_shopper_and_the_orders_own_addresses(till: Till, scripted: Scripted) -> None:
    asked = await _asked(till, scripted, amount="64.10")
    order = till.counter.order("PAYMOB_EG")
    assert (asked["amount"], asked["currency"], asked["payment_methods"]) == (6410, "EGP", [5083949, 5083950])
    assert asked["billing_data"] == {
        "first_name": "Ada", "last_name": "Byron", "email": "ada@shop.example", "phone_number": "+61400000000",
        "street": "1 High Street", "city": "Sydney", "state": "NSW", "country": "EG", "postal_code": "2000",
    }  # fmt: skip
    assert (asked["notification_url"], asked["redirection_url"]) == (order.events_url, order.return_url)
    assert asked["expiration"] == 24 * 3600


async def test_each_try_to_open_has_a_reference_of_its_own(till: Till) -> None:
    order = till.counter.order("PAYMOB_EG")
    first = await till.connector.create_checkout(order, KEY)
    with pytest.raises(Refused, match="special_reference"):
        await till.connector.create_checkout(order, KEY)
    again = await till.connector.create_checkout(order, TWO)
    assert isinstance(first, Redirect)
    assert isinstance(again, Redirect)
    assert first.session != again.session


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
async def test_a_lost_answer_to_opening_is_unclear_and_another_intention_can_be_paid(till: Till, fault: str) -> None:
    order = till.counter.order("PAYMOB_EG")
    await till.counter.order_fault("create", fault)
    with pytest.raises(Unclear):
        await till.connector.create_checkout(order, KEY)
    opened = await till.connector.create_checkout(order, TWO)
    assert isinstance(opened, Redirect)
    await till.counter.shopper(await till.page(opened), "approve")
    said = await till.connector.fetch(till.counter.checkout(order, opened))
    assert isinstance(said, Paid)
    assert said.reference == "R-1001"


async def test_the_lines_sum_up_to_the_total_each_as_one_piece(till: Till, scripted: Scripted) -> None:
    item = Item(name="Shirt " * 20, quantity=3, unit_price=Decimal("20"), total=Decimal("60"))
    asked = await _asked(
        till, scripted, amount="70.00", items=(item,), shipping=Decimal("15"), tax=Decimal("5"), discount=Decimal("10")
    )
    assert [(line["amount"], line["quantity"]) for line in asked["items"]] == [
        (6000, 1),
        (1500, 1),
        (500, 1),
        (-1000, 1),
    ]
    assert sum(line["amount"] for line in asked["items"]) == asked["amount"]
    assert len(asked["items"][0]["name"]) == 50
    assert asked["items"][0]["description"].startswith("3 x Shirt")


async def test_a_line_that_costs_nothing_is_left_out(till: Till, scripted: Scripted) -> None:
    gift = Item(name="Gift", quantity=2, unit_price=Decimal(0), total=Decimal(0), sku="G-1")
    shirt = Item(name="Shirt", quantity=1, unit_price=Decimal("30"), total=Decimal("30"), sku="S-1")
    asked = await _asked(till, scripted, amount="30.00", items=(gift, shirt))
    assert [(line["name"], line["amount"]) for line in asked["items"]] == [("Shirt", 3000)]
    asked = await _asked(till, scripted, amount="15.00", items=(gift,), shipping=Decimal("15"))
    assert [(line["name"], line["amount"]) for line in asked["items"]] == [("Shipping", 1500)]


async def test_an_order_with_a_discount_is_opened_at_paymob(till: Till) -> None:
    item = Item(name="Shirt", quantity=1, unit_price=Decimal("64.10"), total=Decimal("64.10"))
    order = till.counter.order("PAYMOB_EG", amount="54.10", items=(item,), discount=Decimal("10"))
    assert isinstance(await till.connector.create_checkout(order, KEY), Redirect)


async def test_a_long_name_is_cut_and_an_empty_one_taken_from_the_address(till: Till) -> None:
    billing = replace(till.counter.order("PAYMOB_EG").billing, last_name="Lovelace")
    who = Person(first_name="A" * 80, last_name="", email="ada@shop.example", phone="01010101010")
    opened, _ = await till.opens(customer=who, billing=billing)
    assert opened.session


@pytest.mark.parametrize(("days", "life"), [(1, 86_400), (60, 3_110_400), (-1, 1)])
async def test_an_intention_lives_as_long_as_the_order_and_36_days_at_most(
    till: Till, scripted: Scripted, days: int, life: int
) -> None:
    order = till.counter.order("PAYMOB_EG")
    asked = await _asked(
        till, scripted, expires_at=order.created_at + timedelta(days=days), created_at=order.created_at
    )
    assert asked["expiration"] == life


@pytest.mark.parametrize("number", range(len(sample("failures")["answers"])))
async def test_a_refusal_keeps_paymobs_words_and_names_what_to_fix(till: Till, scripted: Scripted, number: int) -> None:
    documented = sample("failures")["answers"][number]
    scripted.says(documented["status"], documented["answer"])
    with pytest.raises(Refused) as no:
        await scripted.connector.create_checkout(till.counter.order("PAYMOB_EG"), KEY)
    assert (no.value.reason, no.value.code) == (documented["says"], documented["code"])


@pytest.mark.parametrize("ids", ["", " , ", "card", "5083949;5083950", "-1", "٥٠"])
async def test_integrations_that_are_no_numbers_are_refused_before_anything_is_sent(
    till: Till, scripted: Scripted, ids: str
) -> None:
    with pytest.raises(Refused, match="integration_ids"):
        await scripted.altered(integration_ids=ids).create_checkout(till.counter.order("PAYMOB_EG"), KEY)
    assert scripted.asked == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"secret_key": "egy_sk_test_wrong"}, "secret_key"), ({"integration_ids": "1"}, "integration_ids"),
    ],
)  # fmt: skip
async def test_wrong_credentials_are_named(till: Till, changes: dict[str, str], named: str) -> None:
    connector = till.counter.connector("PAYMOB_EG", **changes)
    with pytest.raises(Refused, match=f"look at {named}"):
        await connector.create_checkout(till.counter.order("PAYMOB_EG"), KEY)


async def test_another_currency_and_a_shopper_without_a_phone_are_refused_by_their_fields(till: Till) -> None:
    with pytest.raises(Refused, match="Unsupported currency"):
        await till.opens(total=Money(Decimal(100), "USD"))
    order = till.counter.order("PAYMOB_EG")
    with pytest.raises(Refused, match=r"billing_data\.phone_number: This field is required"):
        await till.opens(customer=replace(order.customer, phone=""), billing=replace(order.billing, phone=""))


@pytest.mark.parametrize(
    "answer",
    ["<html>", {}, {"client_secret": "c"}, {"client_secret": "", "intention_order_id": 1},
     {"client_secret": "c", "intention_order_id": "pi_1"}],
)  # fmt: skip
async def test_an_answer_that_makes_no_sense_is_unclear(till: Till, scripted: Scripted, answer: Any) -> None:
    scripted.says(201, answer)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("PAYMOB_EG"), KEY)


# -- what is told of the tries ----------------------------------------------------------------


async def test_an_order_that_nobody_has_tried_to_pay_is_open(till: Till) -> None:
    _, checkout = await till.opens()
    said = await till.connector.fetch(checkout)
    assert isinstance(said, Pending)
    assert not said.completed


async def test_a_payment_is_reported_as_paymob_names_it(till: Till) -> None:
    checkout, _ = await till.decides("approve", "64.10")
    said = await till.connector.fetch(checkout)
    assert isinstance(said, Paid)
    assert (said.session, said.reference) == (checkout.session, "R-1001")
    assert said.total == till.money("64.10")
    assert (said.captured, said.refunded) == (Decimal("64.10"), Decimal(0))


async def test_the_documented_transaction_is_paid(scripted: Scripted) -> None:
    scripted.replays("transaction")
    said = await scripted.connector.fetch(scripted.checkout())
    assert scripted.asked == [("POST", INQUIRY, {"order_id": "690898"})]
    assert isinstance(said, Paid)
    assert (said.payment_id, said.session, said.total) == ("574588", "690898", Money(Decimal(20), "EGP"))
    assert said.raw == sample("transaction")["answer"]


async def test_once_it_is_known_the_payment_is_asked_for_by_its_own_id(scripted: Scripted) -> None:
    scripted.replays("transaction")
    assert isinstance(await scripted.connector.fetch(scripted.checkout(payment_id="574588")), Paid)
    assert scripted.granted == [("POST", "/api/auth/tokens", {"api_key": CREDENTIALS["api_key"]})]
    assert scripted.asked == [("GET", "/api/acceptance/transactions/574588", None)]


@pytest.mark.parametrize(
    ("changes", "completed"),
    [
        ({"success": False}, False), ({"success": False, "pending": True}, True), ({"error_occured": True}, False),
        ({"pending": True}, True), ({"is_auth": True}, True), ({"success": "false", "pending": "false"}, False),
    ],
)  # fmt: skip
async def test_anything_but_money_that_was_taken_leaves_the_order_open(
    scripted: Scripted, changes: dict[str, Any], completed: bool
) -> None:
    unpaid = sample("transaction")["answer"]["order"] | {"paid_amount_cents": 0}
    scripted.replays("transaction", order=unpaid, **changes)
    said = await scripted.connector.fetch(scripted.checkout())
    assert isinstance(said, Pending)
    assert said.completed is completed


@pytest.mark.parametrize(
    ("changes", "refunded"),
    [
        ({"is_refunded": True, "refunded_amount_cents": 700}, Decimal(7)), ({"is_voided": True}, Decimal(20)),
        ({"is_refunded": True}, None), ({"is_refunded": True, "refunded_amount_cents": 0}, None),
        ({"refunded_amount_cents": 0}, Decimal(0)), ({}, Decimal(0)),
    ],
)  # fmt: skip
async def test_what_was_given_back_is_told_by_the_payment(
    scripted: Scripted, changes: dict[str, Any], refunded: Decimal | None
) -> None:
    scripted.replays("transaction", **changes)
    said = await scripted.connector.fetch(scripted.checkout())
    assert isinstance(said, Paid)
    assert (said.captured, said.refunded) == (Decimal(20), refunded)


async def test_a_payment_that_was_refunded_before_anybody_asked_is_found_behind_its_refund(till: Till) -> None:
    checkout = await till.pays()
    await till.moves("refund", checkout, "30.00")
    said = await till.connector.fetch(replace(checkout, payment_id=None))
    assert isinstance(said, Paid)
    assert (said.payment_id, said.captured, said.refunded) == (checkout.payment_id, Decimal(100), Decimal(30))


async def test_what_followed_a_payment_that_is_not_named_is_undecided(scripted: Scripted) -> None:
    scripted.replays("transaction", has_parent_transaction=True, parent_transaction="false")
    assert isinstance(await scripted.connector.fetch(scripted.checkout()), Pending)


async def test_a_payment_voided_in_the_dashboard_was_given_back_whole(till: Till) -> None:
    checkout = await till.pays()
    await till.voided(checkout)
    said = await till.connector.fetch(checkout)
    assert isinstance(said, Paid)
    assert (said.captured, said.refunded) == (Decimal(100), Decimal(100))


async def test_in_live_mode_a_payment_of_test_mode_is_none(scripted: Scripted) -> None:
    live = scripted.altered(live=True)
    scripted.replays("transaction")
    said = await live.fetch(scripted.checkout())
    assert isinstance(said, Pending)
    assert "test mode" in said.reason
    scripted.replays("transaction", is_live=True)
    assert isinstance(await live.fetch(scripted.checkout()), Paid)


async def test_money_of_an_order_whose_latest_try_failed_keeps_it_from_ending(scripted: Scripted) -> None:
    """Only the latest try is told, but the order tells what was paid of it: by which try the callback tells."""
    order = sample("transaction")["answer"]["order"]
    for paid, completed in ((2000, True), (0, False), (None, False)):
        scripted.replays("transaction", success=False, order=order | {"paid_amount_cents": paid})
        report = await scripted.connector.fetch(scripted.checkout())
        assert isinstance(report, Pending)
        assert (report.completed, "earlier try" in report.reason) == (completed, completed)


async def test_a_failed_try_may_be_followed_by_a_payment(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.counter.shopper(await till.page(opened), "decline")
    said = await till.connector.fetch(checkout)
    assert isinstance(said, Pending)
    assert "Do not honour" in said.reason
    await till.counter.shopper(await till.page(opened), "approve")
    assert isinstance(await till.connector.fetch(checkout), Paid)


@pytest.mark.parametrize(
    "changes",
    [{"amount_cents": -1}, {"amount_cents": "20.5"}, {"currency": "LE"}, {"id": None}, {"order": 690898},
     {"success": None}],
)  # fmt: skip
async def test_a_transaction_that_makes_no_sense_is_unclear(scripted: Scripted, changes: dict[str, Any]) -> None:
    scripted.replays("transaction", **changes)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(scripted.checkout())


async def test_an_unknown_payment_is_not_there(till: Till) -> None:
    _, checkout = await till.opens()
    with pytest.raises(NotThere):
        await till.connector.fetch(replace(checkout, payment_id="17"))


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
async def test_a_lost_answer_to_asking_says_nothing(till: Till, fault: str) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("status", fault)
    with pytest.raises(Unclear):
        await till.connector.fetch(checkout)
    assert isinstance(await till.connector.fetch(checkout), Paid)


async def test_a_token_that_has_ended_is_replaced(till: Till) -> None:
    checkout = await till.pays()
    till.passes(minutes=61)
    assert isinstance(await till.connector.fetch(checkout), Paid)


async def test_a_token_that_is_not_granted_means_that_nothing_was_asked(till: Till, scripted: Scripted) -> None:
    _, checkout = await till.opens()
    with pytest.raises(Refused, match="look at api_key"):
        await till.counter.connector("PAYMOB_EG", api_key="wrong").fetch(checkout)
    nowhere = scripted.altered(api_key="unreachable")
    nowhere.account.hosts["api"] = "http://127.0.0.1:9"  # type: ignore[index]
    with pytest.raises(NotSent):
        await nowhere.fetch(scripted.checkout())


# -- the check --------------------------------------------------------------------------------


async def test_both_keys_are_checked_and_nothing_is_opened(till: Till) -> None:
    assert "accepted the secret key" in await till.connector.check()
    assert till.counter.sandbox.store.cases("R-1001") == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"api_key": "wrong"}, "look at api_key"), ({"secret_key": "egy_sk_test_wrong"}, "look at secret_key"),
        ({"secret_key": "ksa_sk_test_1"}, "secret_key is one of another country: ksa"),
        ({"public_key": "egy_pk_live_1"}, "one of test and one of live mode"), ({"integration_ids": "card"}, "integration_ids"),
    ],
)  # fmt: skip
async def test_a_check_names_the_credential_at_fault(till: Till, changes: dict[str, str], named: str) -> None:
    with pytest.raises(Refused, match=named):
        await till.counter.connector("PAYMOB_EG", **changes).check()


async def test_keys_of_test_mode_are_refused_in_live_mode(scripted: Scripted) -> None:
    with pytest.raises(Refused, match="test mode"):
        await scripted.altered(live=True).check()
    assert scripted.asked == []
