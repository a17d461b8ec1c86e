"""Requesting a payment of TripleA, the access token, and the shopper's return."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Connector, Item, Person, Redirect, Refused
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY
from tests.connectors.triplea.conftest import CREDENTIALS, PAYMENT, Till, sample


async def test_what_is_requested_names_the_order_and_its_amount(scripted: Scripted, till: Till) -> None:
    scripted.replays("payment_requested")
    order = till.counter.order("TRIPLEA", "112.50", shipping=Decimal("10.00"), tax=Decimal("2.50"))
    shirt = Item(name="Shirt", quantity=2, unit_price=Decimal("50.00"), total=Decimal("100.00"), sku="S-1")
    opened = await scripted.connector.create_checkout(replace(order, items=(shirt,)), KEY)
    ((method, path, body),) = scripted.asked
    assert (method, path) == ("POST", "/api/v1/payment/request")
    assert body == {
        "type": "triplea", "api_id": "HA1565669224NlgN_t", "crypto_currency": "testBTC", "order_currency": "USD",
        "order_amount": "112.50", "notify_url": order.events_url, "notify_secret": "whsec-demo",
        "payer_id": f"guest_{order.id}", "payer_name": "Ada Byron", "payer_email": "ada@shop.example",
        "payer_address": "1 High Street, Sydney, NSW, DE, 2000",
        "success_url": "https://paymux.example/return/otk_1?via=success",
        "cancel_url": "https://paymux.example/return/otk_1?via=cancel",
        "cart": {
            "items": [{"sku": "S-1", "label": "Shirt", "quantity": 2, "amount": 50.0}],
            "shipping_cost": 10.0, "tax_cost": 2.5, "shipping_discount": 0,
        },
        "webhook_data": {"order_txid": "R-1001"},
    }  # fmt: skip
    assert isinstance(opened, Redirect)
    assert (opened.session, opened.url) == (PAYMENT, sample("payment_requested")["answer"]["hosted_url"])
    assert opened.expires_at is None


async def test_the_cart_has_the_documented_fields(scripted: Scripted, till: Till) -> None:
    scripted.replays("payment_requested")
    await scripted.connector.create_checkout(till.counter.order("TRIPLEA"), KEY)
    cart, documented = scripted.asked[0][2]["cart"], sample("payment_details")["answer"]["cart"]
    assert set(cart) == set(documented)
    assert set(cart["items"][0]) == set(documented["items"][0])


async def test_only_a_live_account_asks_for_real_bitcoin(scripted: Scripted, till: Till) -> None:
    scripted.replays("payment_requested")
    sandbox: Connector = scripted.connector
    live = type(sandbox)(replace(sandbox.account, live=True), sandbox.http)
    await live.create_checkout(till.counter.order("TRIPLEA"), KEY)
    assert scripted.asked[0][2]["crypto_currency"] == "BTC"


@pytest.mark.parametrize(("currency", "text"), [("JPY", "100"), ("EUR", "100.00")])
async def test_the_amount_has_the_decimals_of_its_currency(
    scripted: Scripted, till: Till, currency: str, text: str
) -> None:
    scripted.replays("payment_requested")
    order = replace(till.counter.order("TRIPLEA"), total=Money(Decimal(100), currency))
    await scripted.connector.create_checkout(order, KEY)
    assert scripted.asked[0][2]["order_amount"] == text


@pytest.mark.parametrize(
    "said", ["<html>", "[]", {"error": "no"}, {"payment_reference": PAYMENT, "hosted_url": "javascript:alert(1)"}]
)
async def test_an_answer_without_a_form_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("TRIPLEA"), KEY)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [({"error": "bad", "message": "amount too small"}, "amount too small"), ({"error": "bad"}, "bad"),
     ({"message": ["a"]}, "refused with 400"), ("<html>", "refused with 400")],
)  # fmt: skip
async def test_a_refusal_is_told_as_far_as_it_can_be_read(
    scripted: Scripted, till: Till, said: Any, sentence: str
) -> None:
    scripted.says(400, said)
    with pytest.raises(Refused, match=sentence) as no:
        await scripted.connector.create_checkout(till.counter.order("TRIPLEA"), KEY)
    assert no.value.code == "400"


@pytest.mark.parametrize(
    ("changes", "credentials", "sentence"),
    [
        ({"total": Money(Decimal("10.00"), "PLN")}, {}, "order_currency is not supported"),
        ({"total": Money(Decimal("0.00"), "USD")}, {}, "order_amount must be a positive number"),
        ({"customer": Person(first_name="Ada")}, {}, "payer_email"),
        ({}, {"api_id": "HA1"}, "api_id is not one of the merchant's accounts"),
    ],
)
async def test_what_triplea_refuses_is_told_in_its_words(
    till: Till, changes: dict[str, Any], credentials: dict[str, str], sentence: str
) -> None:
    connector = till.counter.connector("TRIPLEA", **credentials)
    with pytest.raises(Refused, match=sentence):
        await connector.create_checkout(replace(till.counter.order("TRIPLEA"), **changes), KEY)


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
async def test_a_request_without_an_answer_moved_nothing_and_is_made_again(till: Till, fault: str) -> None:
    await till.counter.order_fault("create", fault)
    with pytest.raises(Unclear):
        await till.opens()
    await till.opens()
    assert till.rows() == []


# -- the access token -------------------------------------------------------------------------


async def test_a_token_is_granted_once_for_many_calls(scripted: Scripted, till: Till) -> None:
    scripted.replays("payment_details", "payment_details")
    for _ in range(2):
        await scripted.connector.fetch(till.checkout())
    shown = {
        "client_id": CREDENTIALS["client_id"], "client_secret": CREDENTIALS["client_secret"],
        "grant_type": "client_credentials",
    }  # fmt: skip
    assert scripted.granted == [("POST", "/api/v1/oauth/token", shown)]


async def test_the_documented_grant_is_taken(scripted: Scripted) -> None:
    scripted.grant = (200, '{"access_token": "0c5b9a7e41", "expires_in": 315360000}')
    assert sample("access_token")["answer"] == {"access_token": "0c5b9a7e41", "expires_in": 315360000}
    assert "access token" in await scripted.connector.check()


@pytest.mark.parametrize("grant", [(200, "<html>"), (200, '{"access_token": "", "expires_in": 1}'), (500, "{}")])
async def test_without_a_token_nothing_is_sent(scripted: Scripted, till: Till, grant: tuple[int, str]) -> None:
    scripted.grant = grant
    with pytest.raises(NotSent):
        await scripted.connector.create_checkout(till.counter.order("TRIPLEA"), KEY)
    assert scripted.asked == []


async def test_wrong_keys_are_refused_and_named(till: Till) -> None:
    assert "access token" in await till.connector.check()
    with pytest.raises(Refused, match="check client_id and client_secret") as no:
        await till.counter.connector("TRIPLEA", client_secret="other").check()
    assert no.value.code == "401"


# -- the return -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        ("approve", Ask(completed=True)), ("pending", Ask(completed=True)), ("decline", Ask(left=True)),
        ("cancel", Ask(left=True)), ("error", Ask(left=True)),
    ],
)  # fmt: skip
async def test_the_return_tells_by_its_address_alone(till: Till, outcome: str, hint: Ask) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == hint


async def test_a_return_that_only_claims_something_is_a_reason_to_ask(till: Till) -> None:
    query = {"payment_reference": "other", "payment_tier": "good", "status": "confirmed"}
    assert till.connector.read_return(query, till.checkout()) == Ask()
