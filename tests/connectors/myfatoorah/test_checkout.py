"""Opening an invoice, what it says, and the return."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Ask,
    Cancelled,
    Expired,
    Item,
    NotThere,
    Paid,
    Pending,
    Person,
    Refused,
    Report,
)
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.myfatoorah.conftest import Till, checkout, invoice, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY

REFUNDS = {"IsSuccess": True, "Data": {"RefundStatusResult": []}}
OPENED = {"IsSuccess": True, "Data": {"InvoiceId": 4711, "InvoiceURL": "https://demo.myfatoorah.com/KWT/ia/01"}}


async def _asked(till: Till, scripted: Scripted, **changes: Any) -> dict[str, Any]:
    scripted.says(200, OPENED)
    await scripted.connector.create_checkout(till.counter.order("MYFATOORAH_KW", **changes), KEY)
    method, path, body = scripted.asked[-1]
    assert (method, path) == ("POST", "/v2/SendPayment")
    asked: dict[str, Any] = body
    return asked


# -- opening ----------------------------------------------------------------------------------


async def test_an_invoice_is_made_and_the_shopper_sent_to_it(till: Till) -> None:
    opened, held = await till.opens("12.50")
    assert opened.url.startswith("http")
    assert opened.expires_at == held.expires_at
    said = await till.connector.fetch(held)
    assert isinstance(said, Pending)
    assert (said.session, said.reference, said.completed) == (opened.session, "R-1001", False)


async def test_the_invoice_names_amount_currency_reference_and_the_ways_back(till: Till, scripted: Scripted) -> None:
    asked = await _asked(till, scripted, amount="12.50")
    assert asked["InvoiceValue"] == 12.5
    assert (asked["DisplayCurrencyIso"], asked["CustomerReference"]) == ("KWD", "R-1001")
    assert asked["NotificationOption"] == "LNK"
    assert asked["CallBackUrl"].endswith("?via=success")
    assert asked["ErrorUrl"].endswith("?via=failure")
    assert asked["InvoiceItems"] == [{"ItemName": "Shirt", "Quantity": 1, "UnitPrice": 12.5}]


async def test_the_orders_deadline_is_told_in_kuwaits_own_time(till: Till, scripted: Scripted) -> None:
    asked = await _asked(till, scripted, expires_at=datetime(2026, 11, 26, 22, 30, tzinfo=UTC))
    assert asked["ExpiryDate"] == "2026-11-27T01:30:00"


@pytest.mark.parametrize(
    ("phone", "sent"),
    [("+965 9999 1111", "99991111"), ("0096599991111", "99991111"), ("+61400000000", None), ("", None)],
)
async def test_only_a_kuwaiti_number_is_sent_for_another_would_be_refused(
    till: Till, scripted: Scripted, phone: str, sent: str | None
) -> None:
    who = Person(first_name="Ada", last_name="O'Neil-Byron", email="ada@shop.example", phone=phone)
    asked = await _asked(till, scripted, customer=who)
    assert asked.get("CustomerMobile") == sent
    assert asked["CustomerName"] == "Ada O Neil Byron"


async def test_lines_sum_up_and_are_left_out_where_there_is_a_discount(till: Till, scripted: Scripted) -> None:
    item = Item(name="Shirt", quantity=2, unit_price=Decimal(40), total=Decimal(80))
    asked = await _asked(till, scripted, items=(item,), shipping=Decimal(15), tax=Decimal(5))
    assert sum(line["UnitPrice"] * line["Quantity"] for line in asked["InvoiceItems"]) == asked["InvoiceValue"]
    less = await _asked(till, scripted, items=(item,), shipping=Decimal(25), discount=Decimal(5))
    assert "InvoiceItems" not in less


@pytest.mark.parametrize("number", [0, 1])
async def test_a_refusal_keeps_myfatoorahs_words(till: Till, scripted: Scripted, number: int) -> None:
    documented = sample("failures")["answers"][number]
    scripted.says(documented["status"], documented["answer"])
    with pytest.raises(NotThere if documented["status"] == 404 else Refused) as no:
        await scripted.connector.create_checkout(till.counter.order("MYFATOORAH_KW"), KEY)
    assert (no.value.reason, no.value.code) == (documented["reason"], str(documented["status"]))


async def test_a_no_with_status_200_is_a_no(till: Till, scripted: Scripted) -> None:
    scripted.says(200, {"IsSuccess": False, "Message": "", "Data": {"ErrorMessage": "Not activated"}})
    with pytest.raises(Refused, match="Not activated"):
        await scripted.connector.create_checkout(till.counter.order("MYFATOORAH_KW"), KEY)


@pytest.mark.parametrize(
    "answer", ["<html>", {}, {"IsSuccess": True}, {"IsSuccess": True, "Data": {"InvoiceId": 1}}, OPENED["Data"]]
)
async def test_an_answer_that_makes_no_sense_is_unclear(till: Till, scripted: Scripted, answer: Any) -> None:
    scripted.says(200, answer)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("MYFATOORAH_KW"), KEY)


# -- reading ----------------------------------------------------------------------------------


async def _said(scripted: Scripted, answer: dict[str, Any], *more: Any) -> Report:
    for body in (answer, *more):
        scripted.says(200, body)
    return await scripted.connector.fetch(checkout())


@pytest.mark.parametrize("status", ["Paid", "DuplicatePayment"])
async def test_a_paid_invoice_is_reported_as_myfatoorah_names_it(scripted: Scripted, status: str) -> None:
    said = await _said(scripted, invoice("Failed", "Succss", InvoiceStatus=status, CustomerReference="other"), REFUNDS)
    assert isinstance(said, Paid)
    assert (said.session, said.reference, said.payment_id) == ("4711", "other", "07071")
    assert (said.total, said.captured, said.moves) == (Money(Decimal("100.000"), "KWD"), Decimal(100), ())
    assert [path for _, path, _ in scripted.asked] == ["/v2/GetPaymentStatus", "/v2/GetRefundStatus"]
    assert bool(said.review) is (status == "DuplicatePayment")


@pytest.mark.parametrize("status", ["Paid", "DuplicatePayment"])
async def test_a_second_payment_of_an_invoice_is_named_for_a_person_to_give_it_back(
    scripted: Scripted, status: str
) -> None:
    said = await _said(scripted, invoice("Succss", "Failed", "Succss", InvoiceStatus=status), REFUNDS)
    assert isinstance(said, Paid)
    assert (said.payment_id, said.captured) == ("07070", 100)
    assert "(payment 07072): give what is too much back" in said.review


@pytest.mark.parametrize(
    ("written", "amount", "currency"),
    [
        ("1,234,567.500 KD", "1234567.5", "KWD"),
        ("10.000 KWD", "10", "KWD"),
        ("99.00 USD", "99", "USD"),
        ("7 KD", "7", "KWD"),
    ],
)
async def test_amount_and_currency_are_read_from_their_text(
    scripted: Scripted, written: str, amount: str, currency: str
) -> None:
    said = await _said(scripted, invoice("Succss", InvoiceStatus="Paid", InvoiceDisplayValue=written), REFUNDS)
    assert isinstance(said, Paid)
    assert said.total == Money(Decimal(amount), currency)


@pytest.mark.parametrize("written", ["", "KD", "100.000", "1,00.5 KD", "-5 KD", "1e3 KD", "5 kd"])
async def test_an_amount_that_can_not_be_read_is_no_payment(scripted: Scripted, written: str) -> None:
    with pytest.raises(Unclear):
        await _said(scripted, invoice("Succss", InvoiceStatus="Paid", InvoiceDisplayValue=written), REFUNDS)


async def test_a_paid_invoice_without_a_successful_payment_is_undecided(scripted: Scripted) -> None:
    assert isinstance(await _said(scripted, invoice("Failed", InvoiceStatus="Paid")), Pending)
    assert isinstance(await _said(scripted, invoice("Succss", InvoiceStatus="Canceled")), Pending)


@pytest.mark.parametrize(("status", "report"), [("Canceled", Cancelled), ("Expired", Expired)])
async def test_an_invoice_that_can_not_be_paid_any_more_is_over(
    scripted: Scripted, status: str, report: type[Report]
) -> None:
    assert isinstance(await _said(scripted, invoice("Failed", InvoiceStatus=status)), report)


@pytest.mark.parametrize(
    ("tries", "status", "completed"),
    [
        ((), "Pending", False), (("Failed",), "Pending", False), (("Canceled",), "Pending", False),
        (("Failed", "InProgress"), "Pending", True), (("Authorize",), "Pending", False), ((), "Blocked", False),
    ],
)  # fmt: skip
async def test_anything_else_may_still_be_paid(
    scripted: Scripted, tries: tuple[str, ...], status: str, completed: bool
) -> None:
    said = await _said(scripted, invoice(*tries, InvoiceStatus=status))
    assert isinstance(said, Pending)
    assert said.completed is completed


async def test_the_documented_invoice_is_being_paid(scripted: Scripted) -> None:
    said = await _said(scripted, sample("invoice_status")["answer"])
    assert isinstance(said, Pending)
    assert (said.session, said.reference, said.completed) == ("2004851", "id123", True)


@pytest.mark.parametrize("no", [{"IsSuccess": False, "Message": "No refunds"}, {"IsSuccess": True, "Data": None}, "?"])
async def test_refunds_that_are_not_told_do_not_hide_a_payment(scripted: Scripted, no: Any) -> None:
    said = await _said(scripted, invoice("Succss", InvoiceStatus="Paid"), no)
    assert isinstance(said, Paid)
    assert (said.moves, said.refunded) == (None, None)


@pytest.mark.parametrize("outcome", ["decline", "cancel", "error", "pending"])
async def test_a_shopper_who_did_not_pay_may_try_again(till: Till, outcome: str) -> None:
    held, query = await till.decides(outcome)
    assert query["via"] == ("success" if outcome == "pending" else "failure")
    assert isinstance(await till.connector.fetch(held), Pending)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({"via": "success", "paymentId": "1"}, Ask(completed=True)),
        ({"via": "failure", "paymentId": "1"}, Ask(left=True)),
        ({"paymentId": "1", "Id": "1"}, Ask()),
    ],
)
def test_a_return_only_leads_to_asking(till: Till, query: dict[str, str], asked: Ask) -> None:
    assert till.connector.read_return(query, checkout()) == asked


async def test_another_invoice_is_not_there(till: Till) -> None:
    _, held = await till.opens()
    with pytest.raises(Refused, match="No data match"):
        await till.connector.fetch(replace(held, session="1"))


async def test_the_token_is_checked_by_reading_the_ways_to_pay(till: Till) -> None:
    assert "KNET" in await till.connector.check()
    with pytest.raises(Refused, match="denied") as no:
        await till.counter.connector(till.code, api_token="wrong").check()
    assert no.value.code == "401"
