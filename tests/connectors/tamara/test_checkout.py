"""Opening a checkout, the shopper's decision, and the authorise call that makes a payment of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Approved, Ask, Declined, Expired, Item, NotThere, Paid, Pending, Refused
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.tamara.conftest import CURRENCIES, Till, sample
from tests.connectors.till import KEY


def test_the_facts_name_both_codes_with_their_country_and_currency() -> None:
    codes = all_providers()["tamara"].facts.codes
    assert {code: (facts.countries, facts.currencies) for code, facts in codes.items()} == {
        "TAMARA_SA": (("SA",), ("SAR",)),
        "TAMARA_AE": (("AE",), ("AED",)),
    }


@pytest.mark.parametrize("code", CURRENCIES)
async def test_a_shopper_buys_with_every_code_in_its_currency(till: Till, code: str) -> None:
    till.code = code
    checkout = await till.captures("64.10")
    paid = await till.paid_now(checkout)
    assert (paid.total, paid.captured) == (Money(Decimal("64.10"), CURRENCIES[code]), Decimal("64.10"))
    assert till.counter.ledger() == [
        ("authorize", Decimal("64.10"), CURRENCIES[code]),
        ("capture", Decimal("64.10"), CURRENCIES[code]),
    ]


async def test_the_request_says_what_tamara_demands_with_numbers_for_amounts(scripted: Scripted, till: Till) -> None:
    documented = scripted.replays("checkout_created")
    extra = {"instalments": 3, "riskAssessment": {"is_phone_verified": True}}
    order = till.counter.order(
        "TAMARA_SA", "100.50", shipping=Decimal("7.5"), discount=Decimal("9.5"), locale="ar_SA", additional_data=extra
    )
    opened = await scripted.opens(order)
    assert (opened.session, opened.url) == (documented["answer"]["order_id"], documented["answer"]["checkout_url"])
    ((method, path, body),) = scripted.asked
    assert (method, path, scripted.headers[0]["Authorization"]) == ("POST", "/checkout", "Bearer t")
    assert body["total_amount"] == {"amount": 100.5, "currency": "SAR"}
    assert body["shipping_amount"] == {"amount": 7.5, "currency": "SAR"}
    assert body["discount"] == {"name": "Discount", "amount": {"amount": 9.5, "currency": "SAR"}}
    assert (body["order_reference_id"], body["country_code"], body["locale"]) == ("R-1001", "SA", "ar_SA")
    assert (body["payment_type"], body["instalments"], body["risk_assessment"]) == (
        "PAY_BY_INSTALMENTS", 3, {"is_phone_verified": True},
    )  # fmt: skip
    assert body["consumer"]["phone_number"] == "+61400000000"
    assert body["merchant_url"]["notification"] == order.events_url
    assert body["merchant_url"]["cancel"] == f"{order.return_url}?via=cancel"


async def test_a_line_that_does_not_multiply_exactly_goes_at_its_total(scripted: Scripted, till: Till) -> None:
    item = Item(name="Nail", quantity=3, unit_price=Decimal("0.3333"), total=Decimal("1.00"), sku="")
    scripted.replays("checkout_created")
    await scripted.connector.create_checkout(till.counter.order("TAMARA_SA", "1.00", items=(item,)), KEY)
    (line,) = scripted.asked[0][2]["items"]
    assert (line["quantity"], line["sku"]) == (1, "1")
    assert line["unit_price"] == line["total_amount"] == {"amount": 1.0, "currency": "SAR"}


async def test_a_refused_checkout_tells_tamaras_own_code(scripted: Scripted, till: Till) -> None:
    scripted.replays("error_validation")
    with pytest.raises(Refused) as no:
        await scripted.connector.create_checkout(till.counter.order("TAMARA_SA"), KEY)
    assert (no.value.code, no.value.reason) == ("country_currency_invalid", "Country and currency do not fit")


@pytest.mark.parametrize("change", [{"checkout_url": ""}, {"checkout_url": "javascript:1"}, {"order_id": ""}])
async def test_a_checkout_that_nobody_can_be_sent_to_is_unclear(
    scripted: Scripted, till: Till, change: dict[str, Any]
) -> None:
    scripted.says(200, {**sample("checkout_created")["answer"], **change})
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("TAMARA_SA"), KEY)


# -- what the shopper decided -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "ask", "report"),
    [
        ("approve", {"completed": True}, Approved),
        ("decline", {}, Declined),
        ("cancel", {"left": True}, Pending),
        ("pending", {"completed": True}, Pending),
        ("error", {}, Pending),
    ],
)
async def test_the_return_is_a_hint_and_the_order_tells(
    till: Till, outcome: str, ask: dict[str, Any], report: type
) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, **ask)
    said = await till.connector.fetch(checkout)
    assert isinstance(said, report)
    assert (said.session, said.reference) == (checkout.session, "R-1001")
    assert till.rows() == []


async def test_a_checkout_that_nobody_paid_expires_after_half_an_hour(till: Till) -> None:
    _, checkout = await till.opens()
    till.passes(minutes=29)
    assert isinstance(await till.connector.fetch(checkout), Pending)
    till.passes(minutes=2)
    assert isinstance(await till.connector.fetch(checkout), Expired)


async def test_an_order_that_tamara_does_not_know_is_not_there(till: Till) -> None:
    opened, _ = await till.opens()
    with pytest.raises(NotThere):
        await till.connector.fetch(till.counter.checkout(till.counter.order("TAMARA_SA"), opened, session="other"))


# -- authorising --------------------------------------------------------------------------------------


async def test_authorising_makes_the_payment_and_captures_nothing(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    paid = await till.connector.confirm(checkout, KEY)
    assert isinstance(paid, Paid)
    assert (paid.payment_id, paid.session, paid.total) == (checkout.session, checkout.session, till.money("100.00"))
    assert paid.captured == 0
    assert till.rows() == [("authorize", Decimal("100.00"))]


async def test_a_second_authorise_finds_the_payment_and_makes_no_other(till: Till) -> None:
    checkout = await till.confirms()
    assert isinstance(await till.connector.confirm(checkout, "another-key"), Paid)
    assert till.rows() == [("authorize", Decimal("100.00"))]


@pytest.mark.parametrize(("outcome", "report"), [("cancel", Pending), ("decline", Declined), ("pending", Pending)])
async def test_an_order_that_is_not_approved_can_not_be_authorised(till: Till, outcome: str, report: type) -> None:
    checkout, _ = await till.decides(outcome)
    assert isinstance(await till.connector.confirm(checkout, KEY), report)
    assert till.rows() == []


async def test_an_approval_that_was_not_authorised_in_time_is_dead(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    till.passes(hours=73)
    assert isinstance(await till.connector.confirm(checkout, KEY), Expired)


@pytest.mark.parametrize("fault", ["timeout_after", "error_after", "reset_after", "malformed"])
async def test_a_lost_authorise_is_found_by_asking(till: Till, fault: str) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, KEY)
    assert isinstance(await till.connector.recover_confirm(checkout, KEY), Paid)
    assert till.rows() == [("authorize", Decimal("100.00"))]


@pytest.mark.parametrize("fault", ["timeout_before", "error_before"])
async def test_an_authorise_that_never_came_surely_had_no_effect(till: Till, fault: str) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, KEY)
    assert await till.connector.recover_confirm(checkout, KEY) is None


async def test_an_approved_order_that_can_not_be_authorised_is_unclear(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens()
    scripted.says(409, {"message": "conflict"})
    scripted.says(200, {**sample("order_details")["answer"], "status": "approved"})
    with pytest.raises(Unclear):
        await scripted.connector.confirm(checkout, KEY)


@pytest.mark.parametrize(
    ("tampered", "reference", "total"),
    [
        ({"amount": "1.00"}, "R-1001", Money(Decimal("1.00"), "SAR")),
        ({"currency": "AED"}, "R-1001", Money(Decimal("100.00"), "AED")),
        ({"reference": "other"}, "other", Money(Decimal("100.00"), "SAR")),
    ],
)
async def test_what_is_reported_is_what_tamara_says_and_never_ours(
    till: Till, tampered: dict[str, str], reference: str, total: Money
) -> None:
    checkout, _ = await till.decides("approve")
    assert (await till.call("POST", "/sandbox/tamper", {"id": checkout.session, **tampered}))[0] == 200
    authorised = await till.connector.confirm(checkout, KEY)
    assert isinstance(authorised, Paid)
    # The answer to the authorise call names no reference, so none is filled in.
    assert (authorised.total, authorised.reference) == (total, None)
    assert ((await till.paid_now(checkout)).total, (await till.paid_now(checkout)).reference) == (total, reference)


async def test_the_check_names_the_ways_to_pay_and_needs_the_token(till: Till) -> None:
    assert "PAY_BY_INSTALMENTS from 1.00 to 70000.00" in await till.connector.check()
    with pytest.raises(Refused):
        await till.counter.connector("TAMARA_SA", api_token="other").check()
