"""Opening a transaction at Pace, the shopper's return, and the keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Item, Redirect, Refused
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.pace.conftest import TRANSACTION, Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY


async def test_what_is_sent_is_the_total_in_major_and_the_lines_in_minor_units(scripted: Scripted, till: Till) -> None:
    scripted.replays("created")
    order = till.counter.order("PACE", "109.90", shipping=Decimal("9.90"))
    shirt = Item(name="Shirt", quantity=2, unit_price=Decimal("50.00"), total=Decimal("100.00"), sku="S-1")
    opened = await scripted.connector.create_checkout(replace(order, items=(shirt,)), KEY)
    ((method, path, body),) = scripted.asked
    assert (method, path) == ("POST", "/v1/checkouts")
    assert (body["amountFloat"], body["currency"], body["referenceID"]) == (109.90, "SGD", "R-1001")
    assert [(line["itemId"], line["quantity"], line["unitPrice"]) for line in body["items"]] == [("S-1", 2, 5000)]
    assert body["webhookUrl"] == order.events_url
    assert body["redirectUrls"] == {
        "success": "https://paymux.example/return/otk_1?via=success",
        "failed": "https://paymux.example/return/otk_1?via=failure",
    }
    assert body["billingAddress"]["addr1"] == "1 High Street"
    assert body["shippingAddress"]["countryIsoCode"] == "SG"
    assert isinstance(opened, Redirect)
    assert (opened.session, opened.url) == (TRANSACTION, sample("created")["answer"]["paymentLink"])


async def test_the_fields_sent_are_those_of_the_official_module(scripted: Scripted, till: Till) -> None:
    scripted.replays("created")
    await scripted.connector.create_checkout(till.counter.order("PACE"), KEY)
    body = scripted.asked[0][2]
    assert set(body) == {
        "items", "currency", "webhookUrl", "referenceID", "amountFloat", "redirectUrls", "billingAddress",
        "shippingAddress",
    }  # fmt: skip
    assert set(body["items"][0]) == {
        "name", "tags", "brand", "itemId", "itemType", "imageUrl", "quantity", "unitPrice", "productUrl",
    }  # fmt: skip
    assert set(body["billingAddress"]) == {
        "city", "addr1", "addr2", "email", "state", "phone", "region", "lastName", "firstName", "postalCode",
        "countryIsoCode",
    }  # fmt: skip


async def test_a_currency_without_cents_goes_as_whole_units(till: Till) -> None:
    yen = replace(till.counter.order("PACE"), total=Money(Decimal(1200), "JPY"))
    item = Item(name="Shirt", quantity=1, unit_price=Decimal(1200), total=Decimal(1200))
    opened = await till.connector.create_checkout(replace(yen, items=(item,)), KEY)
    assert isinstance(opened, Redirect)
    case = till.counter.sandbox.simulators["pace"].case(opened.session)
    assert (case.amount, case.currency) == (Decimal(1200), "JPY")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2022-09-02 07:10:11", None), ("2022-09-02T07:10:11Z", datetime(2022, 9, 2, 7, 10, 11, tzinfo=UTC)),
        (None, None), ("soon", None), (1662102611, None),
    ],
)  # fmt: skip
async def test_only_an_expiry_that_names_its_time_zone_is_believed(
    scripted: Scripted, till: Till, said: Any, expected: datetime | None
) -> None:
    scripted.replays("created", expiryDate=said)
    opened = await scripted.connector.create_checkout(till.counter.order("PACE"), KEY)
    assert isinstance(opened, Redirect)
    assert opened.expires_at == expected


@pytest.mark.parametrize("status", [200, 400])
async def test_an_error_is_a_clear_no_with_any_status(scripted: Scripted, till: Till, status: int) -> None:
    scripted.says(status, sample("error")["answer"])
    with pytest.raises(Refused, match=r"Invalid currency \(correlation id 0f7c2a90") as no:
        await scripted.connector.create_checkout(till.counter.order("PACE"), KEY)
    assert no.value.code == str(status)


@pytest.mark.parametrize(
    "said", ["<html>", "[]", {"transactionID": "T1"}, {"transactionID": "T1", "paymentLink": "javascript:alert(1)"}]
)
async def test_an_answer_without_a_page_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("PACE"), KEY)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"total": Money(Decimal("100.00"), "EUR")}, "currency is not supported by the payment plan"),
        ({"total": Money(Decimal("5000.01"), "SGD")}, "amountFloat must be a number from 10 to 5000"),
        ({"reference": ""}, "referenceID is required"),
    ],
)
async def test_what_pace_refuses_is_told_in_its_words(till: Till, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        await till.connector.create_checkout(replace(till.counter.order("PACE"), **changes), KEY)


async def test_a_customers_country_that_is_none_is_refused_by_name(till: Till) -> None:
    order = till.counter.order("PACE")
    with pytest.raises(Refused, match=r"billingAddress\.countryIsoCode"):
        await till.connector.create_checkout(replace(order, billing=replace(order.billing, country="")), KEY)


@pytest.mark.parametrize(
    ("fault", "kind"), [("error_before", Unclear), ("error_after", Unclear), ("malformed", Unclear)]
)
async def test_a_create_without_an_answer_moved_nothing_and_is_tried_again(
    till: Till, fault: str, kind: type[Exception]
) -> None:
    await till.counter.order_fault("create", fault)
    with pytest.raises(kind):
        await till.opens()
    await till.opens()
    assert till.rows() == []


# -- the keys ---------------------------------------------------------------------------------


async def test_the_check_reads_the_payment_plans(scripted: Scripted) -> None:
    scripted.replays("plans")
    assert await scripted.connector.check() == "read the payment plans: SGD 10 to 5000"
    assert scripted.asked == [("GET", "/v1/checkouts/plans", None)]


async def test_wrong_keys_are_refused_and_named(till: Till) -> None:
    assert "SGD 10 to 5000" in await till.connector.check()
    with pytest.raises(Refused, match="check client_id and client_secret") as no:
        await till.counter.connector("PACE", client_secret="other").check()
    assert no.value.code == "401"


# -- the return -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        ("approve", {"completed": True}), ("pending", {"completed": True}), ("decline", {"left": True}),
        ("cancel", {"left": True}), ("error", {"left": True}),
    ],
)  # fmt: skip
async def test_the_return_is_a_hint_that_names_the_transaction(till: Till, outcome: str, hint: dict[str, bool]) -> None:
    checkout, query = await till.decides(outcome)
    assert query["merchantReferenceId"] == "R-1001"
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, **hint)


async def test_the_documented_return_alone_says_only_which_transaction(till: Till) -> None:
    query = sample("return_success")["query"]
    assert till.connector.read_return(query, till.checkout()) == Ask(session=TRANSACTION)
    assert till.connector.read_return({}, till.checkout()) == Ask()
