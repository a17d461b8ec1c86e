"""Opening a billing request, the shopper's way through its flow, and what asking says before there is a payment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paymux.connectors.contract import (
    Approved,
    Ask,
    Cancelled,
    NotThere,
    Pending,
    Redirect,
    Refused,
)
from paymux.platform.http import Unclear
from tests.connectors.gocardless.conftest import Scripted, Till, sample
from tests.connectors.till import KEY


async def test_a_mandate_is_asked_for_in_the_orders_currency_and_names_its_price(
    scripted: Scripted, till: Till
) -> None:
    scripted.replays("billing_request_created")
    scripted.replays("flow_created")
    order = till.counter.order("GOCARDLESS_EU", "12.50", locale="de_DE_formal")
    opened = await scripted.connector.create_checkout(order, KEY)
    assert isinstance(opened, Redirect)
    assert (opened.url, opened.session) == ("https://monzo.com/abc-123-things", "BRQ123")
    assert opened.expires_at == datetime(2024, 1, 15, 10, tzinfo=UTC)
    request, flow = scripted.asked
    assert request == ("POST", "/billing_requests", {"billing_requests": {
        "mandate_request": {"currency": "EUR", "description": "12.50 EUR for order R-1001"},
        "metadata": {"order": "R-1001", "amount": "12.50 EUR"},
    }})  # fmt: skip
    assert scripted.headers[0]["Idempotency-Key"] == KEY
    assert scripted.headers[0]["GoCardless-Version"] == "2015-07-06"
    assert scripted.headers[0]["Authorization"] == "Bearer t-1"
    sent = flow[2]["billing_request_flows"]
    assert sent["links"] == {"billing_request": "BRQ123"}
    assert (sent["redirect_uri"], sent["exit_uri"]) == (order.return_to("success"), order.return_to("cancel"))
    assert (sent["lock_currency"], sent["language"]) == (True, "de")
    assert sent["prefilled_customer"]["email"] == "ada@shop.example"


@pytest.mark.parametrize(
    ("code", "currency", "consent"), [("GOCARDLESS", "USD", "one_off"), ("GOCARDLESS_GB", "GBP", None)]
)
async def test_schemes_that_ask_for_it_are_told_that_it_is_for_once(
    scripted: Scripted, till: Till, code: str, currency: str, consent: str | None
) -> None:
    scripted.replays("billing_request_created")
    scripted.replays("flow_created")
    await scripted.connector.create_checkout(till.counter.order(code), KEY)
    mandate = scripted.asked[0][2]["billing_requests"]["mandate_request"]
    assert (mandate["currency"], mandate.get("consent_type")) == (currency, consent)


async def test_a_language_that_gocardless_does_not_speak_is_left_to_the_browser(scripted: Scripted, till: Till) -> None:
    scripted.replays("billing_request_created")
    scripted.replays("flow_created")
    await scripted.connector.create_checkout(till.counter.order("GOCARDLESS_EU", locale="ja"), KEY)
    assert "language" not in scripted.asked[1][2]["billing_request_flows"]


async def test_a_create_whose_answer_was_lost_finds_its_billing_request_again(till: Till) -> None:
    await till.counter.order_fault("create", "error_after")
    order = till.counter.order(till.code)
    with pytest.raises(Unclear):
        await till.connector.create_checkout(order, KEY)
    opened = await till.connector.create_checkout(order, KEY)
    assert isinstance(opened, Redirect)
    assert [case.id for _, case in till.counter.sandbox.store.cases(order.reference)] == [opened.session]


async def test_the_flow_lives_for_seven_days(till: Till) -> None:
    opened, _ = await till.opens()
    assert opened.expires_at is not None
    assert timedelta(days=6, hours=23) < opened.expires_at - datetime.now(UTC) <= timedelta(days=7)


async def test_a_currency_without_a_scheme_is_refused_in_gocardlesss_words(till: Till) -> None:
    order = till.counter.order(till.code)
    with pytest.raises(Refused) as refused:
        await till.connector.create_checkout(replace(order, total=replace(order.total, currency="PLN")), KEY)
    assert refused.value.code == "validation_failed"
    assert "mandate_request.currency" in refused.value.reason


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ({"via": "success"}, Ask(completed=True)),
        ({"via": "cancel"}, Ask(left=True)),
        ({"via": "success", "billing_request_id": "BRQ666", "status": "fulfilled"}, Ask(completed=True)),
        ({}, Ask()),
    ],
)
async def test_a_return_is_only_a_hint(till: Till, query: dict[str, str], hint: Ask) -> None:
    _, checkout = await till.opens()
    assert till.connector.read_return(query, checkout) == hint


async def test_an_open_flow_is_pending_and_names_its_order(till: Till) -> None:
    _, checkout = await till.opens()
    said = await till.connector.fetch(checkout)
    assert isinstance(said, Pending)
    assert (said.completed, said.session, said.reference) == (False, checkout.session, "R-1001")


async def test_a_shopper_who_agreed_has_approved_and_moved_nothing(till: Till) -> None:
    checkout, back = await till.decides("approve")
    assert back == {"via": "success"}
    said = await till.connector.fetch(checkout)
    assert isinstance(said, Approved)
    assert (said.session, said.reference) == (checkout.session, "R-1001")
    assert till.counter.ledger() == []


@pytest.mark.parametrize("outcome", ["cancel", "error"])
async def test_a_shopper_who_left_the_flow_may_come_back_to_it(till: Till, outcome: str) -> None:
    checkout, back = await till.decides(outcome)
    assert back == {"via": "cancel"}
    assert isinstance(await till.connector.fetch(checkout), Pending)


@pytest.mark.parametrize(
    ("status", "expected", "completed"),
    [
        ("pending", Pending, False), ("ready_to_fulfil", Pending, True), ("fulfilling", Pending, True),
        ("fulfilled", Approved, None), ("cancelled", Cancelled, None), ("a_new_word", Pending, True),
    ],
)  # fmt: skip
async def test_each_status_of_a_billing_request(
    scripted: Scripted, status: str, expected: type, completed: bool | None
) -> None:
    answer = sample("billing_request_fulfilled")["answer"]
    answer["billing_requests"]["status"] = status
    scripted.says(200, answer)
    said = await scripted.connector.fetch(scripted.checkout)
    assert type(said) is expected
    assert getattr(said, "completed", None) == completed


async def test_a_fulfilled_request_whose_mandate_does_not_show_yet_is_pending(scripted: Scripted) -> None:
    answer: Any = sample("billing_request_fulfilled")["answer"]
    del answer["billing_requests"]["links"]["mandate_request_mandate"]
    scripted.says(200, answer)
    said = await scripted.connector.fetch(scripted.checkout)
    assert isinstance(said, Pending)
    assert said.completed


async def test_a_checkout_that_is_cancelled_cannot_be_agreed_to_any_more(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.connector.cancel_checkout(checkout)
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.fetch(checkout), Cancelled)
    with pytest.raises(Refused):
        await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.fetch(checkout), Cancelled)


async def test_another_accounts_checkout_is_not_there(till: Till) -> None:
    _, checkout = await till.opens()
    with pytest.raises(NotThere):
        await till.connector.fetch(replace(checkout, session="BRQ666"))


async def test_the_check_names_the_creditor_and_wrong_credentials_fail(till: Till) -> None:
    assert await till.connector.check() == "read the creditors: Sandbox Shop Ltd"
    with pytest.raises(Refused) as refused:
        await till.counter.connector(till.code, access_token="wrong").check()
    assert refused.value.code == "access_token_not_found"
