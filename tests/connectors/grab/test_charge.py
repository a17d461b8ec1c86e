"""Opening a charge, the shopper's way back, the approval and the confirm, and what the webhooks say."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from yarl import URL

from paymux.connectors.contract import (
    Approved,
    Ask,
    Broken,
    Declined,
    Expired,
    Incoming,
    NotThere,
    Paid,
    Pending,
    Redirect,
    Refused,
    Report,
)
from paymux.connectors.grab import signature
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.grab.conftest import SECRET, Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, ONE

ID = KEY.replace("-", "")
CODES = [("GRAB_SG", "SGD"), ("GRAB_MY", "MYR")]


def test_the_facts_name_both_codes_with_their_currency() -> None:
    codes = all_providers()["grab"].facts.codes
    assert [(code, facts.currencies[0]) for code, facts in codes.items()] == CODES


@pytest.mark.parametrize(("code", "currency"), CODES)
async def test_every_code_is_paid_in_its_currency(till: Till, code: str, currency: str) -> None:
    till.code = code
    await till.pays("64.10")
    rows = [("authorize", Decimal("64.10"), currency), ("capture", Decimal("64.10"), currency)]
    assert till.counter.ledger() == rows


async def test_the_request_is_the_documented_one(scripted: Scripted, till: Till) -> None:
    scripted.says(200, {"partnerTxID": ID, "request": "eyJ.request"})
    opened = await scripted.connector.create_checkout(till.counter.order("GRAB_SG"), KEY)
    assert isinstance(opened, Redirect)
    assert opened.session == ID
    body = {
        "partnerGroupTxID": "R-1001", "partnerTxID": ID, "amount": 10000, "currency": "SGD",
        "merchantID": "sandbox-grab-merchant", "description": "Order R-1001", "metaInfo": {"brandName": "Demo"},
    }  # fmt: skip
    assert scripted.asked == [("POST", "/grabpay/partner/v2/charge/init", body)]
    assert scripted.headers[0]["Authorization"].startswith("sandbox-grab-partner:")
    assert scripted.headers[0]["Date"].endswith(" GMT")


async def test_everybody_returns_to_the_one_registered_url_and_state_names_the_order(
    scripted: Scripted, till: Till
) -> None:
    scripted.says(200, {"partnerTxID": ID, "request": "eyJ.request"})
    opened = await scripted.connector.create_checkout(till.counter.order("GRAB_SG"), KEY)
    assert isinstance(opened, Redirect)
    address = URL(opened.url)
    assert address.path == "/grabid/v1/oauth2/authorize"
    asked = dict(address.query)
    assert len(asked.pop("nonce")) == 32
    assert asked == {
        "acr_values": "consent_ctx:countryCode=SG,currency=SGD", "client_id": "sandbox-grab-client",
        "code_challenge": signature.challenge(signature.verifier(SECRET, ID)), "code_challenge_method": "S256",
        "redirect_uri": "https://paymux.example/return", "request": "eyJ.request", "response_type": "code",
        "scope": "openid payment.one_time_charge", "state": "otk_1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ({"code": "c", "state": "otk_1"}, Ask(completed=True)),
        ({"error": "user_canceled", "state": "otk_1"}, Ask(left=True)),
        ({"error": "server_error"}, Ask()),
        ({}, Ask()),
    ],
)
async def test_the_return_is_a_hint_and_its_code_is_not_used(till: Till, query: dict[str, str], hint: Ask) -> None:
    _, checkout = await till.opens()
    assert till.connector.read_return(query, checkout) == hint


async def test_nothing_moves_before_the_confirm(till: Till) -> None:
    checkout = await till.approved()
    assert till.counter.ledger() == []
    paid = await till.connector.confirm(checkout, ONE)
    assert isinstance(paid, Paid)
    again = await till.connector.confirm(checkout, ONE)
    assert isinstance(again, Paid)
    assert again.payment_id == paid.payment_id
    assert len(till.counter.ledger()) == 2


async def test_the_code_is_exchanged_once_and_the_token_kept_for_the_confirm(till: Till) -> None:
    checkout = await till.approved()
    again = await till.connector.fetch(checkout)
    assert again == Approved(session=None, raw=again.raw)
    without = await till.connector.fetch(replace(checkout, state={"redirect_uri": checkout.state["redirect_uri"]}))
    assert isinstance(without, Pending)
    assert "invalid_grant" in without.reason
    assert isinstance(await till.connector.confirm(replace(checkout, state={}), ONE), Pending)
    assert till.counter.ledger() == []


async def test_an_authorisation_that_was_not_confirmed_in_time_goes_back(till: Till) -> None:
    checkout = await till.approved()
    till.passes(minutes=11)
    assert isinstance(await till.connector.confirm(checkout, ONE), Expired)
    assert isinstance(await till.connector.fetch(checkout), Expired)
    assert till.counter.ledger() == []


@pytest.mark.parametrize("fault", ["reset_after", "error_after"])
async def test_a_confirm_whose_answer_was_lost_is_read_as_paid(till: Till, fault: str) -> None:
    checkout = await till.approved()
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, ONE)
    assert isinstance(await till.connector.fetch(checkout), Paid)


@pytest.mark.parametrize(
    ("outcome", "kind"), [("decline", Declined), ("error", Broken), ("cancel", Pending), ("pending", Pending)]
)
async def test_a_shopper_who_does_not_pay_moves_nothing(till: Till, outcome: str, kind: type[Report]) -> None:
    checkout, _ = await till.decides(outcome)
    assert type(await till.connector.fetch(checkout)) is kind
    assert till.counter.ledger() == []


async def test_a_request_that_nobody_answered_ends_after_twenty_minutes(till: Till) -> None:
    checkout, back = await till.decides("cancel")
    assert back == {"error": "user_canceled", "state": "otk_1"}
    till.passes(minutes=19)
    assert isinstance(await till.connector.fetch(checkout), Pending)
    till.passes(minutes=2)
    assert isinstance(await till.connector.fetch(checkout), Expired)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        ("success", "", Paid), ("failed", "insufficient_balance", Declined), ("failed", "err_capture_failed", Broken),
        ("authorisation_declined", "", Declined), ("cancelled", "auth_expired", Expired),
        ("cancelled", "cancelling", Pending), ("processing", "capturing", Pending), ("odd", "", Pending),
    ],
)  # fmt: skip
async def test_every_word_of_a_charge(
    scripted: Scripted, till: Till, status: str, reason: str, kind: type[Report]
) -> None:
    _, checkout = await till.opens()
    scripted.says(200, sample("charge_state")["answer"] | {"txStatus": status, "reason": reason, "oAuthCode": "secret"})
    report = await scripted.connector.fetch(checkout)
    assert type(report) is kind
    assert "secret" not in repr(report)
    asked = f"/grabpay/partner/v2/one-time-charge/{checkout.session}/status?currency=SGD"
    assert scripted.asked == [("GET", asked, None)]


@pytest.mark.parametrize(("status", "body"), [(404, {}), (200, {"txStatus": "failed", "reason": "no_record_found"})])
async def test_a_charge_that_is_not_there(scripted: Scripted, till: Till, status: int, body: dict[str, str]) -> None:
    _, checkout = await till.opens()
    scripted.says(status, body)
    with pytest.raises(NotThere):
        await scripted.connector.fetch(checkout)


async def test_a_refused_completion_of_a_completed_charge_is_a_payment(scripted: Scripted, till: Till) -> None:
    checkout = await till.approved()
    scripted.says(409, {"reason": "transaction_already_exists"})
    scripted.says(200, sample("charge_state")["answer"])
    assert isinstance(await scripted.connector.confirm(checkout, ONE), Paid)
    scripted.says(400, {"reason": "client_error"})
    scripted.says(200, {"txStatus": "authorised", "oAuthCode": "c"})
    with pytest.raises(Refused) as no:
        await scripted.connector.confirm(checkout, ONE)
    assert no.value.code == "client_error"


async def test_a_completion_that_names_no_state_is_asked_about(scripted: Scripted, till: Till) -> None:
    checkout = await till.approved()
    scripted.says(200, {"partnerTxID": checkout.session})
    scripted.says(200, {"txStatus": "authorised", "oAuthCode": "c"})
    assert isinstance(await scripted.connector.confirm(checkout, ONE), Pending)


async def test_the_webhooks_tell_of_the_approval_and_of_the_payment(till: Till) -> None:
    checkout = await till.pays()
    approved, paid = (till.connector.read_event(event) for event in await till.events(2))
    assert (approved.session, approved.report) == (checkout.session, None)
    assert isinstance(paid.report, Paid)
    assert (paid.report.total, paid.report.captured) == (Money(Decimal(100), "SGD"), Decimal(100))
    assert paid.report.payment_id == checkout.payment_id


@pytest.mark.parametrize("change", [{"amount": "x"}, {"currency": "???"}, {"partnerTxID": ""}, {"txType": None}])
async def test_a_webhook_that_makes_no_sense_is_unreadable(till: Till, change: dict[str, Any]) -> None:
    await till.pays()
    event = (await till.events(2))[1]
    body = json.dumps(json.loads(event.body) | change).encode()
    with pytest.raises(ValueError, match=r"."):
        till.connector.read_event(Incoming(method="POST", headers={}, query={}, body=body))


async def test_a_failed_charge_is_told_by_its_webhook(till: Till) -> None:
    await till.pays()
    event = (await till.events(2))[1]
    told = json.loads(event.body) | {"txStatus": "failed", "payload": {"reason": "insufficient_balance"}}
    report = till.connector.read_event(replace(event, body=json.dumps(told).encode())).report
    assert isinstance(report, Declined)
    assert report.code == "insufficient_balance"


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"reference": "R 1"}, "invalid partnerGroupTxID"), ({"total": Money(Decimal(9), "EUR")}, "currency_mismatch")],
)
async def test_the_simulator_demands_what_grab_demands(till: Till, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as no:
        await till.opens(**changes)
    assert no.value.code == code


async def test_a_charges_id_is_used_once(till: Till) -> None:
    await till.opens()
    with pytest.raises(Refused) as no:
        await till.opens()
    assert no.value.code == "transaction_already_exists"
