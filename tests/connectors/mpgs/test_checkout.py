"""Opening a payment link, what an order says, the return and the notification."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Ask,
    Broken,
    Checkout,
    Connector,
    EventReading,
    Forged,
    Incoming,
    MoveKind,
    MoveStatus,
    Paid,
    Pending,
    Refused,
    Report,
    WrongCredentials,
)
from paymux.connectors.provider_http import ProviderHttp
from paymux.money import Money
from paymux.platform.http import Answer, HttpClient, Unclear
from tests.connectors.mpgs.conftest import CREDENTIALS, ROOT, Till, row, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, checkout_of


def checkout(**changes: Any) -> Checkout:
    return checkout_of("ord_1", "100", "USD", "US", **changes)


async def _asked(till: Till, scripted: Scripted, **changes: Any) -> dict[str, Any]:
    scripted.says(201, sample("link")["answer"])
    await scripted.connector.create_checkout(till.order(**changes), KEY)
    method, path, body = scripted.asked[-1]
    assert (method, path) == ("POST", f"{ROOT}/session")
    asked: dict[str, Any] = body
    return asked


# -- opening ----------------------------------------------------------------------------------


async def test_a_link_is_made_and_its_order_has_our_own_orders_id(till: Till) -> None:
    opened, held = await till.opens()
    assert opened.session == held.order_id != held.reference
    assert (opened.url.startswith("http"), opened.expires_at) == (True, held.expires_at)
    assert isinstance(await till.connector.fetch(held), Pending)


async def test_the_links_own_address_is_where_the_shopper_goes(till: Till, scripted: Scripted) -> None:
    documented = sample("link")
    scripted.says(201, documented["answer"])
    opened = await scripted.connector.create_checkout(till.order(), KEY)
    assert opened.url == documented["answer"]["paymentLink"]["url"]  # type: ignore[union-attr]


async def test_the_request_has_what_a_link_demands(till: Till, scripted: Scripted) -> None:
    asked = await _asked(till, scripted, amount="12.50", expires_at=datetime(2026, 11, 26, 22, 30, tzinfo=UTC))
    documented = sample("link")["request"]
    assert asked.keys() >= documented.keys()
    for part in ("interaction", "order"):
        assert asked[part].keys() >= documented[part].keys()
    assert (asked["order"]["amount"], asked["order"]["currency"]) == ("12.50", "USD")
    assert asked["order"]["reference"] == "R-1001"
    assert asked["paymentLink"] == {"expiryDateTime": "2026-11-26T22:30:00.000Z"}
    assert asked["order"]["notificationUrl"] == till.counter.inbox.url


@pytest.mark.parametrize(("auto_capture", "operation"), [(True, "PURCHASE"), (False, "AUTHORIZE")])
async def test_what_is_captured_later_is_only_authorised(
    till: Till, scripted: Scripted, auto_capture: bool, operation: str
) -> None:
    asked = await _asked(till, scripted, auto_capture=auto_capture)
    assert asked["interaction"]["operation"] == operation


async def test_the_simulator_accepts_the_documented_request(till: Till) -> None:
    status, body = await till.call(
        "POST", "/api/rest/version/100/merchant/TESTPAYMUX/session", sample("link")["request"]
    )
    assert (status, body["result"]) == (201, "SUCCESS")
    assert body.keys() >= sample("link")["answer"].keys()


async def test_a_refusal_keeps_the_gateways_words(till: Till, scripted: Scripted) -> None:
    scripted.says(400, {"error": {"cause": "INVALID_REQUEST", "explanation": "Value is too long"}, "result": "ERROR"})
    with pytest.raises(Refused) as no:
        await scripted.connector.create_checkout(till.order(), KEY)
    assert (no.value.reason, no.value.code) == ("Value is too long", "INVALID_REQUEST")


@pytest.mark.parametrize(
    "answer",
    ["<html>", {}, {"result": "SUCCESS"}, {"result": "SUCCESS", "session": {"id": "SESSION1"}},
     {"result": "UNKNOWN", "paymentLink": {"url": "https://x.example"}}],
)  # fmt: skip
async def test_an_answer_without_a_link_is_unclear(till: Till, scripted: Scripted, answer: Any) -> None:
    scripted.says(200, answer)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.order(), KEY)


class Noted(HttpClient):
    """A client that keeps the address it was asked for, and answers as the gateway does to its ways to pay."""

    url = ""

    async def send(self, method: str, url: str, *args: Any, **more: Any) -> Answer:
        self.url = url
        return Answer(200, {}, b'{"result": "SUCCESS"}')


def at_gateway(scripted: Scripted, gateway: str, client: HttpClient) -> Connector:
    """The connector of an account at this gateway."""
    account = scripted.connector.account
    hosts, credentials = {"api": "https://test-gateway.mastercard.com"}, {**account.credentials, "gateway": gateway}
    return type(scripted.connector)(replace(account, hosts=hosts, credentials=credentials), ProviderHttp(client))


@pytest.mark.parametrize(
    "gateway",
    ["na-gateway.mastercard.com", "nbkpayment.gateway.mastercard.com", "test-nbk.mtf.gateway.mastercard.com",
     " EU-gateway.mastercard.com"],
)  # fmt: skip
async def test_the_banks_own_gateway_is_called(scripted: Scripted, gateway: str) -> None:
    client = Noted(connect=1.0, total=1.0)
    await at_gateway(scripted, gateway, client).check()
    assert client.url.startswith(f"https://{gateway.strip().lower()}/api/rest/version/100/merchant/TESTPAYMUX/")
    await client.close()


@pytest.mark.parametrize(
    "gateway",
    ["", "evil.example", "gateway.mastercard.com.evil.example", "evil.example/gateway.mastercard.com",
     "evil.example#.gateway.mastercard.com", "evilgateway.mastercard.com", "user@gateway.mastercard.com"],
)  # fmt: skip
async def test_the_password_goes_to_no_other_host(scripted: Scripted, gateway: str) -> None:
    client = Noted(connect=1.0, total=1.0)
    with pytest.raises(Refused, match=r"gateway\.mastercard\.com"):
        await at_gateway(scripted, gateway, client).check()
    assert client.url == ""
    await client.close()


REAL = {"merchant_id": "SHOP1", "gateway": "eu-gateway.mastercard.com"}


@pytest.mark.parametrize(
    "tests",
    [
        {"merchant_id": "TESTSHOP1"}, {"merchant_id": " testshop1"}, {"gateway": "test-gateway.mastercard.com"},
        {"gateway": "MTF.gateway.mastercard.com"}, {"gateway": "mtf-gateway.mastercard.com"},
        {"gateway": "test-nbk.mtf.gateway.mastercard.com"}, {"gateway": "qnb.test.gateway.mastercard.com"},
    ],
)  # fmt: skip
async def test_a_live_account_takes_no_money_of_tests(till: Till, scripted: Scripted, tests: dict[str, str]) -> None:
    live = scripted.altered(live=True, **{**REAL, **tests})
    with pytest.raises(WrongCredentials, match="test"):
        await live.create_checkout(till.order(), KEY)
    with pytest.raises(WrongCredentials, match="test"):
        await live.check()
    assert scripted.asked == []
    scripted.authorization = ""
    scripted.says(200, sample("order")["answer"])
    said = await live.fetch(checkout())
    assert isinstance(said, Broken)
    assert (said.code, said.session) == ("test_payment", "ord_1")


async def test_a_live_account_of_a_real_profile_sells(till: Till, scripted: Scripted) -> None:
    live, scripted.authorization = scripted.altered(live=True, **REAL), ""
    scripted.says(201, sample("link")["answer"])
    await live.create_checkout(till.order(), KEY)
    scripted.says(200, sample("order")["answer"])
    assert isinstance(await live.fetch(checkout()), Paid)


# -- reading ----------------------------------------------------------------------------------


async def _said(scripted: Scripted, *rows: dict[str, Any], **changes: Any) -> Report:
    scripted.says(200, {"id": "ord_1", "reference": "R-1001", "result": "SUCCESS", "transaction": rows} | changes)
    return await scripted.connector.fetch(checkout())


async def test_a_documented_order_is_paid(scripted: Scripted) -> None:
    scripted.says(200, sample("order")["answer"])
    said = await scripted.connector.fetch(checkout())
    assert isinstance(said, Paid)
    assert (said.session, said.reference, said.payment_id) == ("ord_1", "R-1001", "1")
    assert (said.total, said.captured, said.moves) == (Money(Decimal(100), "USD"), Decimal(100), ())


async def test_an_order_is_reported_as_the_gateway_names_it(scripted: Scripted) -> None:
    said = await _said(scripted, row("PAYMENT", amount="50"), id="ord_2", reference="R-2")
    assert isinstance(said, Paid)
    assert (said.session, said.reference, said.total) == ("ord_2", "R-2", Money(Decimal(50), "USD"))


async def test_an_authorisation_is_not_captured(scripted: Scripted) -> None:
    said = await _said(scripted, row("PAYMENT", "FAILURE"), row("AUTHORIZATION", id="2"))
    assert isinstance(said, Paid)
    assert (said.captured, said.payment_id) == (0, "2")


@pytest.mark.parametrize(
    ("kind", "move"),
    [
        ("CAPTURE", MoveKind.CAPTURE), ("REFUND", MoveKind.REFUND), ("VOID_AUTHORIZATION", MoveKind.VOID),
        ("VOID_CAPTURE", MoveKind.REFUND), ("VOID_PAYMENT", MoveKind.REFUND),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("result", "status"),
    [("SUCCESS", MoveStatus.DONE), ("FAILURE", MoveStatus.FAILED), ("PENDING", MoveStatus.UNDERWAY),
     ("UNKNOWN", MoveStatus.UNDERWAY)],
)  # fmt: skip
async def test_every_movement_is_listed_under_its_id(
    scripted: Scripted, kind: str, move: MoveKind, result: str, status: MoveStatus
) -> None:
    said = await _said(scripted, row("AUTHORIZATION"), row(kind, result, KEY, "100.00"))
    assert isinstance(said, Paid)
    assert said.moves is not None
    (one,) = said.moves
    assert (one.kind, one.status, one.key, one.provider_id, one.amount) == (move, status, KEY, KEY, Decimal(100))


async def test_transactions_of_other_kinds_move_nothing(scripted: Scripted) -> None:
    said = await _said(
        scripted,
        row("AUTHENTICATION", amount=None),
        row("PAYMENT", id="2"),
        row("VOID_REFUND", id="3"),
        row("NEW", id="4"),
    )
    assert isinstance(said, Paid)
    assert said.moves == ()


@pytest.mark.parametrize(
    ("rows", "completed"),
    [
        ((), False),
        ((row("AUTHENTICATION", amount=None),), False),
        ((row("PAYMENT", "FAILURE", code="DECLINED"),), False),
        ((row("PAYMENT", "PENDING"),), True),
        ((row("PAYMENT", "UNKNOWN"),), True),
        ((row("VERIFICATION"),), False),
    ],
)
async def test_an_order_without_a_successful_payment_may_still_be_paid(
    scripted: Scripted, rows: tuple[dict[str, Any], ...], completed: bool
) -> None:
    said = await _said(scripted, *rows)
    assert isinstance(said, Pending)
    assert said.completed is completed


@pytest.mark.parametrize("missing", ["amount", "currency"])
async def test_a_payment_without_amount_or_currency_is_unclear(scripted: Scripted, missing: str) -> None:
    paid = row("PAYMENT")
    del paid["transaction"][missing]
    with pytest.raises(Unclear):
        await _said(scripted, paid)


@pytest.mark.parametrize(
    ("status", "explanation"),
    [(400, "Unable to find order 'ord_1'"), (404, ""), (404, "No such thing"), (400, "Order not found")],
)
async def test_an_order_that_is_not_known_has_not_been_tried_to_be_paid(
    scripted: Scripted, status: int, explanation: str
) -> None:
    error = {"cause": "INVALID_REQUEST", "explanation": explanation} if explanation else {}
    scripted.says(status, {"error": error, "result": "ERROR"})
    assert isinstance(await scripted.connector.fetch(checkout()), Pending)


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_another_error_is_no_news_of_the_order(scripted: Scripted, status: int) -> None:
    scripted.says(status, {"error": {"cause": "REQUEST_REJECTED", "explanation": "no privilege"}, "result": "ERROR"})
    with pytest.raises(Refused, match="no privilege"):
        await scripted.connector.fetch(checkout())


@pytest.mark.parametrize("outcome", ["decline", "error", "cancel"])
async def test_a_link_stays_payable_after_a_try_that_failed(till: Till, outcome: str) -> None:
    held, query = await till.decides(outcome)
    assert till.connector.read_return(query, held) == Ask(left=True)
    assert isinstance(await till.connector.fetch(held), Pending)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({"via": "success", "resultIndicator": "a"}, Ask(completed=True)),
        ({"resultIndicator": "a"}, Ask(completed=True)),
        ({"via": "cancel"}, Ask(left=True)),
        ({}, Ask()),
    ],
)
def test_a_return_only_leads_to_asking(till: Till, query: dict[str, str], asked: Ask) -> None:
    assert till.connector.read_return(query, checkout()) == asked


async def test_the_password_is_checked_by_asking_for_the_ways_to_pay(till: Till) -> None:
    assert "TESTPAYMUX" in await till.connector.check()
    with pytest.raises(Refused, match="credentials"):
        await till.counter.connector(till.code, api_password="wrong").check()


# -- notifications ----------------------------------------------------------------------------


def notification(secret: str | None = CREDENTIALS["notification_secret"], body: bytes = b"{}") -> Incoming:
    headers = {} if secret is None else {"x-notification-secret": secret}
    return Incoming(method="POST", headers=headers, query={}, body=body)


def test_a_documented_notification_names_the_order_and_proves_nothing(scripted: Scripted) -> None:
    documented = sample("notification")
    event = notification(documented["headers"]["x-notification-secret"], json.dumps(documented["body"]).encode())
    assert scripted.connector.verify_event(event) is None
    assert scripted.connector.read_event(event) == EventReading(session="ord_1")


@pytest.mark.parametrize("secret", [None, "", "wrong", CREDENTIALS["notification_secret"].lower()])
def test_another_secret_is_forged(scripted: Scripted, secret: str | None) -> None:
    with pytest.raises(Forged):
        scripted.connector.verify_event(notification(secret))


def test_an_empty_secret_proves_nobody(till: Till) -> None:
    with pytest.raises(Forged):
        till.counter.connector(till.code, notification_secret="").verify_event(notification(""))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"order": {}}', b'{"order": {"id": ""}}', b"\xff"])
def test_a_notification_without_an_order_can_not_be_read(scripted: Scripted, body: bytes) -> None:
    with pytest.raises(ValueError, match="names no order"):
        scripted.connector.read_event(notification(body=body))


async def test_the_simulator_notifies_of_every_transaction(till: Till) -> None:
    held = await till.pays()
    await till.connector.refund(held, till.move("10", captured="100"))
    for sent in await till.events(2):
        assert till.connector.verify_event(sent) is None
        assert till.connector.read_event(sent).session == held.session
