"""Tabby's webhooks: registered with a header of ours, proved by it, and each enough by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Broken, Declined, Expired, Forged, Incoming, Paid, Pending, Refused, Report
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.tabby.conftest import Till, sample
from tests.connectors.till import ONE, TWO

SECRET = "sandbox-tabby-webhook-secret"
OTHER = "https://elsewhere.example/events"


def incoming(body: Any, headers: Mapping[str, str] | None = None) -> Incoming:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Incoming(method="POST", headers=headers or {"x-shop-secret": SECRET}, query={}, body=content)


def documented(name: str) -> Incoming:
    content = sample(name)
    return incoming(content["body"], content["headers"])


async def registered(till: Till) -> Till:
    await till.connector.set_up_events(till.counter.inbox.url)
    return till


# -- the proof -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [("event_authorized", Paid), ("event_closed", Paid), ("event_rejected", Declined), ("event_expired", Expired)],
)
async def test_the_documented_webhooks_are_proved_by_their_header_and_tell_everything(
    till: Till, name: str, kind: type[Report]
) -> None:
    event = documented(name)
    assert till.connector.verify_event(event) is None
    reading = till.connector.read_event(event)
    said = sample(name)["body"]
    assert (reading.session, reading.payment_id, reading.reference) == (said["id"], said["id"], "R-1001")
    assert isinstance(reading.report, kind)
    assert (reading.report.session, reading.report.reference) == (said["id"], "R-1001")
    assert reading.report.raw == said


@pytest.mark.parametrize("name", ["event_authorized", "event_closed"])
async def test_in_live_mode_a_webhook_of_a_test_payment_pays_nothing(scripted: Scripted, name: str) -> None:
    live, body = scripted.altered(live=True, secret_key="sk_live"), sample(name)["body"]
    said = live.read_event(incoming(body)).report
    assert isinstance(said, Broken)
    assert "test mode" in said.reason
    assert isinstance(live.read_event(incoming({**body, "is_test": False})).report, Paid)


async def test_the_documented_closed_webhook_lists_capture_and_refund(till: Till) -> None:
    report = till.connector.read_event(documented("event_closed")).report
    assert isinstance(report, Paid)
    assert (report.total, report.captured, report.voided, report.refunded) == (
        Money(Decimal(100), "AED"),
        Decimal(100),
        Decimal(0),
        Decimal(10),
    )
    assert [move.key for move in report.moves or ()] == [ONE, TWO]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"x-shop-secret": ""},
        {"x-shop-secret": "wrong"},
        {"x-shop-secret": SECRET + " "},
        {"x-shop-secret": SECRET.upper()},
        {"x-shop-secret": "\udcff"},
        {"x-other": SECRET},
    ],
)
async def test_a_webhook_without_our_header_or_with_another_value_is_forged(
    till: Till, headers: dict[str, str]
) -> None:
    with pytest.raises(Forged):
        till.connector.verify_event(incoming(sample("event_authorized")["body"], headers))


async def test_the_header_is_the_one_that_the_merchant_chose(till: Till) -> None:
    connector = till.counter.connector(till.code, webhook_header="X-Mine", webhook_secret="m")
    body = sample("event_authorized")["body"]
    assert connector.verify_event(incoming(body, {"x-mine": "m"})) is None
    with pytest.raises(Forged):
        connector.verify_event(incoming(body, {"x-shop-secret": SECRET}))


async def test_an_account_without_a_secret_accepts_no_webhook(till: Till) -> None:
    connector = till.counter.connector(till.code, webhook_secret="")
    with pytest.raises(Forged):
        connector.verify_event(incoming(sample("event_authorized")["body"], {"x-shop-secret": ""}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"id": "1"}',
        b'{"id": "", "status": "authorized", "amount": "1", "currency": "AED"}',
        b'{"id": "1", "status": "authorized", "amount": "NaN", "currency": "AED"}',
        b'{"id": "1", "status": "authorized", "amount": "-1", "currency": "AED"}',
        b'{"id": "1", "status": "authorized", "amount": true, "currency": "AED"}',
        b'{"id": "1", "status": "authorized", "amount": "1", "currency": "dirham"}',
        b'{"id": "1", "status": "authorized", "amount": "1", "currency": "AED", "captures": [{}]}',
        b'{"id": "1", "status": ["authorized"], "amount": "1", "currency": "AED"}',
    ],
)
async def test_a_body_that_is_no_payment_is_forged(till: Till, body: bytes) -> None:
    with pytest.raises(Forged):
        till.connector.verify_event(incoming(body))
    with pytest.raises(ValueError):  # noqa: PT011
        till.connector.read_event(incoming(body))


async def test_an_unknown_status_is_asked_about_and_never_a_failure(till: Till) -> None:
    report = till.connector.read_event(incoming({**sample("event_closed")["body"], "status": "frozen"})).report
    assert isinstance(report, Pending)


# -- what the simulator sends ----------------------------------------------------------------------


async def test_the_authorisation_alone_completes_a_payment(till: Till) -> None:
    checkout = await (await registered(till)).decided()
    (event,) = await till.events()
    assert (event.method, event.headers["x-shop-secret"]) == ("POST", SECRET)
    assert till.connector.verify_event(event) is None
    reading = till.connector.read_event(event)
    assert (reading.session, reading.reference) == (checkout.session, "R-1001")
    assert isinstance(reading.report, Paid)
    assert (reading.report.total, reading.report.captured) == (till.money("100.00"), Decimal(0))


async def test_a_rejection_is_told_and_an_expiry_is_not(till: Till) -> None:
    await (await registered(till)).decides("cancel")
    till.counter.reference = "R-1002"
    await till.decides("decline")
    (event,) = await till.events()
    assert isinstance(till.connector.read_event(event).report, Declined)


async def test_a_capture_of_everything_is_told_as_a_capture_and_then_as_the_closing(till: Till) -> None:
    checkout = await (await registered(till)).closes()
    await till.moves("refund", checkout, "10.00", ONE)
    events = await till.events(4)
    reports = [till.connector.read_event(event).report for event in events]
    told = {(r.captured, r.voided, r.refunded) for r in reports if isinstance(r, Paid)}
    assert told == {
        (Decimal(0), Decimal(0), Decimal(0)),
        (Decimal(100), Decimal(0), Decimal(0)),
        (Decimal(100), Decimal(0), Decimal(10)),
    }


async def test_a_close_is_told_as_money_given_back(till: Till) -> None:
    checkout = await (await registered(till)).decided()
    await till.moves("void", checkout, "100.00", ONE)
    reports = [till.connector.read_event(event).report for event in await till.events(2)]
    assert Decimal(100) in [report.voided for report in reports if isinstance(report, Paid)]


@pytest.mark.parametrize(("fault", "count"), [("no_event", 0), ("duplicate_event", 2)])
async def test_a_webhook_that_is_lost_or_doubled_leaves_the_poll_to_tell(till: Till, fault: str, count: int) -> None:
    await registered(till)
    await till.counter.order_fault("events", fault)
    checkout = await till.decided()
    # The capture's own webhook comes after, so nothing of the first is still on its way.
    await till.moves("capture", checkout, "30.00", ONE)
    events = await till.events(count + 1)
    assert len(events) == count + 1
    assert (await till.paid_now(checkout)).captured == Decimal(30)


async def test_another_accounts_webhook_is_not_told_of_our_payments(till: Till) -> None:
    till.code = "TABBY_SA"
    await registered(till)
    till.code = "TABBY_AE"
    await till.decided()
    till.code, till.counter.reference = "TABBY_SA", "R-1002"
    checkout = await till.decided()
    (event,) = await till.events()
    assert till.connector.read_event(event).session == checkout.session


# -- registering -----------------------------------------------------------------------------------


async def test_our_url_is_registered_once_however_often_it_is_asked_for(till: Till) -> None:
    for _ in range(3):
        await registered(till)
    assert await till.connector.check() == "read the webhooks of merchant code paymux-sandbox: 1 registered"
    assert [exchange.method for exchange in till.watched.seen].count("POST") == 1


async def test_a_header_that_has_changed_is_corrected_at_the_same_registration(till: Till) -> None:
    await registered(till)
    changed = till.counter.connector(till.code, webhook_secret="new")
    await changed.set_up_events(till.counter.inbox.url)
    await till.decided()
    (event,) = await till.events()
    assert changed.verify_event(event) is None
    with pytest.raises(Forged):
        till.connector.verify_event(event)
    assert [exchange.method for exchange in till.watched.seen].count("PUT") == 1


async def test_other_urls_of_the_merchant_are_left_alone(scripted: Scripted) -> None:
    hook = {"id": "1", "url": OTHER, "header": None, "is_test": True}
    registered = sample("webhook_registered")
    for listed in (hook, [hook], None):
        scripted.says(200, json.dumps(listed))
        scripted.says(registered["status"], registered["answer"])
        await scripted.connector.set_up_events(registered["request"]["url"])
    assert (
        scripted.asked
        == [
            ("GET", "/api/v1/webhooks", None),
            ("POST", "/api/v1/webhooks", registered["request"]),
        ]
        * 3
    )
    assert {headers["X-Merchant-Code"] for headers in scripted.headers} == {"paymux-sandbox"}


async def test_a_registration_without_its_header_is_corrected(scripted: Scripted) -> None:
    registered = sample("webhook_registered")
    scripted.says(200, [{**registered["answer"], "header": None}])
    scripted.says(200, registered["answer"])
    await scripted.connector.set_up_events(registered["request"]["url"])
    method, path, body = scripted.asked[1]
    assert (method, path) == ("PUT", f"/api/v1/webhooks/{registered['answer']['id']}")
    assert body == {"id": registered["answer"]["id"], **registered["request"]}


@pytest.mark.parametrize("body", ["", "[[]]", '[{"id": 1}]', '"x"', "7"])
async def test_a_list_that_can_not_be_read_is_unclear_and_registers_nothing(scripted: Scripted, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.set_up_events(OTHER)
    assert len(scripted.asked) == 1


async def test_a_url_that_is_not_https_is_refused(till: Till) -> None:
    with pytest.raises(Refused):
        await till.connector.set_up_events("http://shop.example/events")
