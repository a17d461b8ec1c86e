"""Documented answers replayed, unknown words, and nonsense."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Cancelled,
    Checkout,
    Declined,
    Incoming,
    MoveKind,
    NotThere,
    Paid,
    Pending,
    Refused,
)
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.conftest import Counter
from tests.connectors.klarna.conftest import sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import ONE

ORDER = sample("order_authorized")["answer"]
CHECKOUT = Checkout(
    session=sample("page_completed")["answer"]["session_id"], reference="ON4711", total=Money(Decimal(100), "EUR"),
    auto_capture=False, get_token=False, country="DE", locale="de_DE", expires_at=datetime(2038, 1, 19, tzinfo=UTC),
    order_id="ord_1", payment_id=ORDER["order_id"],
)  # fmt: skip
OPEN = Checkout(**{name: getattr(CHECKOUT, name) for name in CHECKOUT.__slots__ if name != "payment_id"})
NONSENSE = ["", "<html><body>Bad gateway", "null", "[]", "7", '"x"', "{}"]


async def test_the_documented_page_leads_to_its_documented_order(scripted: Scripted) -> None:
    page = sample("page_completed")
    for documented in (page, sample("order_authorized")):
        scripted.says(documented["status"], documented["answer"])
    paid = await scripted.connector.fetch(OPEN)
    assert [(m, p) for m, p, _ in scripted.asked] == [
        ("GET", page["path"]),
        ("GET", sample("order_authorized")["path"]),
    ]
    assert isinstance(paid, Paid)
    assert (paid.payment_id, paid.session, paid.reference) == (ORDER["order_id"], OPEN.session, "ON4711")
    assert (paid.total, paid.captured) == (Money(Decimal(100), "EUR"), Decimal(0))
    assert paid.authorised_until == datetime(2015, 12, 4, 10, 26, 6, tzinfo=UTC)
    assert paid.raw == ORDER


async def test_the_documented_captures_and_refunds_are_listed_one_by_one(scripted: Scripted) -> None:
    documented = scripted.replays("order_part_captured")
    paid = await scripted.connector.fetch(CHECKOUT)
    assert isinstance(paid, Paid)
    assert (paid.captured, paid.voided, paid.refunded) == (Decimal(60), Decimal(0), Decimal(10))
    key = documented["answer"]["captures"][0]["reference"]
    assert [(m.kind, m.amount, m.provider_id, m.key) for m in paid.moves or ()] == [
        (MoveKind.CAPTURE, Decimal(60), "4ba29b50-be7b-44f5-a492-113e6a865e22", key),
        (MoveKind.REFUND, Decimal(10), "b2cb4f2e-2781-4359-80ad-555735ebb8d8", None),
    ]


@pytest.mark.parametrize(
    ("verb", "name", "header"),
    [("capture", "capture_created", "Capture-Id"), ("refund", "refund_created", "Refund-Id")],
)
async def test_the_documented_capture_and_refund_are_sent_and_named(
    scripted: Scripted, verb: str, name: str, header: str
) -> None:
    documented = sample(name)
    request = documented["request"]
    minor = request.get("captured_amount") or request["refunded_amount"]
    move = Counter.move(
        Money.from_minor(minor, "EUR"), request["reference"], "100.00", description=request["description"]
    )
    for headers in (documented["headers"], {"Location": documented["headers"]["Location"]}):
        scripted.says(documented["status"], "", **headers)
        done = await getattr(scripted.connector, verb)(CHECKOUT, move)
        assert scripted.asked[-1] == (documented["method"], documented["path"], request)
        assert scripted.headers[-1]["Klarna-Idempotency-Key"] == request["reference"]
        assert done.provider_id == documented["headers"][header]
    scripted.says(documented["status"])
    with pytest.raises(Unclear):
        await getattr(scripted.connector, verb)(CHECKOUT, move)


@pytest.mark.parametrize(("name", "captured"), [("order_cancelled", "0"), ("authorization_released", "60.00")])
async def test_the_documented_cancel_and_release_are_sent(scripted: Scripted, name: str, captured: str) -> None:
    documented = sample(name)
    scripted.says(documented["status"])
    await scripted.connector.void(CHECKOUT, Counter.move(Money(Decimal(40), "EUR"), ONE, "40.00", captured))
    assert scripted.asked == [(documented["method"], documented["path"], None)]
    assert scripted.headers[0]["Klarna-Idempotency-Key"] == ONE


async def test_the_documented_disabling_of_a_page_is_sent(scripted: Scripted) -> None:
    documented = sample("page_disabled")
    scripted.says(documented["status"])
    await scripted.connector.cancel_checkout(OPEN)
    assert scripted.asked == [(documented["method"], documented["path"], None)]


@pytest.mark.parametrize(
    ("verb", "name", "kind"),
    [("capture", "error_capture_not_allowed", Refused), ("refund", "error_refund_not_allowed", Refused),
     ("void", "error_cancel_not_allowed", Refused), ("capture", "error_no_such_order", NotThere)],
)  # fmt: skip
async def test_a_documented_error_is_a_clear_no_with_klarnas_own_word(
    scripted: Scripted, verb: str, name: str, kind: type[Refused]
) -> None:
    documented = scripted.replays(name)
    with pytest.raises(kind) as no:
        await getattr(scripted.connector, verb)(CHECKOUT, Counter.move(Money(Decimal(5), "EUR"), ONE, "5.00"))
    assert no.value.code == documented["answer"]["error_code"]
    assert no.value.reason == documented["answer"]["error_messages"][0]


# -- words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "captured", "voided", "expired"),
    [
        ({"status": "AUTHORIZED"}, "0", "0", "0"),
        ({"status": "CANCELLED", "remaining_authorized_amount": 0}, "0", "100", "0"),
        ({"status": "CANCELLED"}, "0", "100", "0"),
        ({"status": "EXPIRED"}, "0", "0", "100"),
        ({"status": "CLOSED", "captured_amount": 3000}, "30", "0", "70"),
        ({"status": "PART_CAPTURED", "captured_amount": 3000, "remaining_authorized_amount": 7000}, "30", "0", "0"),
        ({"status": "CAPTURED", "captured_amount": 3000, "remaining_authorized_amount": 0}, "30", "70", "0"),
        ({"status": "CAPTURED", "captured_amount": 10000, "remaining_authorized_amount": 0}, "100", "0", "0"),
        ({"order_amount": 8000, "remaining_authorized_amount": 8000}, "0", "20", "0"),
    ],
)
async def test_every_documented_status_of_an_order_tells_its_amounts(
    scripted: Scripted, changes: dict[str, Any], captured: str, voided: str, expired: str
) -> None:
    scripted.says(200, {**ORDER, **changes})
    paid = await scripted.connector.fetch(CHECKOUT)
    assert isinstance(paid, Paid)
    assert (paid.captured, paid.voided, paid.expired) == (Decimal(captured), Decimal(voided), Decimal(expired))
    assert paid.total == Money(Decimal(100), "EUR")


@pytest.mark.parametrize("status", ["BACK", "IN_PROGRESS", "MANUAL_ID_CHECK", "WAITING", "FAILED", "ERROR", "TIMEOUT"])
async def test_a_page_on_which_the_shopper_may_still_pay_or_an_unknown_word_is_pending(
    scripted: Scripted, status: str
) -> None:
    scripted.says(200, {"session_id": OPEN.session, "status": status})
    report = await scripted.connector.fetch(OPEN)
    assert isinstance(report, Pending)
    assert not report.completed


@pytest.mark.parametrize("status", ["CANCELLED", "DISABLED"])
async def test_a_dead_page_is_cancelled(scripted: Scripted, status: str) -> None:
    scripted.says(200, {"session_id": OPEN.session, "status": status})
    assert isinstance(await scripted.connector.fetch(OPEN), Cancelled)


async def test_a_completed_page_that_names_no_order_yet_is_asked_again(scripted: Scripted) -> None:
    for page in ({"status": "COMPLETED"}, sample("page_to_confirm")["answer"]):
        scripted.says(200, page)
        report = await scripted.connector.fetch(OPEN)
        assert isinstance(report, Pending)
        assert report.completed
    scripted.says(200, sample("page_completed")["answer"])
    scripted.says(404, sample("error_no_such_order")["answer"])
    report = await scripted.connector.fetch(OPEN)
    assert isinstance(report, Pending)
    assert report.completed


@pytest.mark.parametrize("changes", [{"status": "REVERSED"}, {"status": "authorized"}, {"status": ""}])
async def test_an_unknown_word_for_an_order_is_pending_and_never_a_failure(
    scripted: Scripted, changes: dict[str, Any]
) -> None:
    scripted.says(200, {**ORDER, **changes})
    report = await scripted.connector.fetch(CHECKOUT)
    assert isinstance(report, Pending)
    assert report.completed


@pytest.mark.parametrize(("fraud", "underway"), [("ACCEPTED", False), ("PENDING", True), (None, True), ("OTHER", True)])
async def test_an_order_counts_only_once_its_fraud_check_has_ended(
    scripted: Scripted, fraud: str | None, underway: bool
) -> None:
    scripted.says(200, {**ORDER, "fraud_status": fraud})
    paid = await scripted.connector.fetch(CHECKOUT)
    assert isinstance(paid, Paid)
    assert paid.underway is underway


async def test_a_rejected_order_is_declined_but_never_once_money_was_captured(scripted: Scripted) -> None:
    scripted.says(200, {**ORDER, "fraud_status": "REJECTED", "status": "CANCELLED"})
    assert isinstance(await scripted.connector.fetch(CHECKOUT), Declined)
    scripted.says(200, {**sample("order_part_captured")["answer"], "fraud_status": "REJECTED"})
    assert isinstance(await scripted.connector.fetch(CHECKOUT), Paid)


# -- nonsense ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [*NONSENSE,
     *(json.dumps({**ORDER, **changes}) for changes in (
         {"order_amount": "10000"}, {"captured_amount": None}, {"captured_amount": -1}, {"order_amount": 1.5},
         {"purchase_currency": "XXX"}, {"captures": "x"}, {"captures": [{"capture_id": "1"}]}, {"expires_at": "soon"},
         {"order_id": ""}, {"status": ["AUTHORIZED"]}))],
)  # fmt: skip
async def test_a_poll_answered_with_nonsense_is_unclear(scripted: Scripted, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(CHECKOUT)


@pytest.mark.parametrize("body", [*NONSENSE, '{"status": 7}', '{"status": "COMPLETED", "order_id": 7}'])
async def test_a_page_answered_with_nonsense_is_unclear(scripted: Scripted, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(OPEN)


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
@pytest.mark.parametrize("status", [302, 408, 409, 425, 429, 500, 503])
async def test_answers_after_which_nobody_knows_are_unclear(scripted: Scripted, verb: str, status: int) -> None:
    scripted.says(status, {"error_code": "CONFLICT"})
    with pytest.raises(Unclear):
        await getattr(scripted.connector, verb)(CHECKOUT, Counter.move(Money(Decimal(5), "EUR"), ONE, "5.00"))


@pytest.mark.parametrize("body", ["", "<html>Forbidden", "[]", '{"error_code": {"a": 1}}', "{}"])
async def test_a_clear_no_stays_one_even_without_a_readable_error(scripted: Scripted, body: str) -> None:
    scripted.says(403, body)
    with pytest.raises(Refused) as no:
        await scripted.connector.capture(CHECKOUT, Counter.move(Money(Decimal(5), "EUR"), ONE, "5.00"))
    assert (no.value.code, no.value.reason) == ("403", "Klarna refused with 403")


# -- callbacks --------------------------------------------------------------------------------------------


def incoming(body: Any) -> Incoming:
    return Incoming(
        method="POST", headers={}, query={}, body=body.encode() if isinstance(body, str) else json.dumps(body).encode()
    )


async def test_the_documented_callbacks_name_page_or_order_and_prove_nothing(scripted: Scripted) -> None:
    page, fraud = sample("callback_status_update")["body"], sample("callback_fraud")["body"]
    assert scripted.connector.verify_event(incoming(page)) == page["event_id"]
    reading = scripted.connector.read_event(incoming(page))
    assert (reading.session, reading.payment_id, reading.report) == (page["session"]["session_id"], None, None)
    assert scripted.connector.verify_event(incoming(fraud)) is None
    reading = scripted.connector.read_event(incoming(fraud))
    assert (reading.session, reading.payment_id, reading.report) == (None, fraud["order_id"], None)


@pytest.mark.parametrize(
    "body", ["", "x", "null", "[]", "{}", '{"session": "x"}', '{"session": {"session_id": 7}}', '{"order_id": ""}']
)
async def test_a_callback_that_names_nothing_is_unreadable(scripted: Scripted, body: str) -> None:
    assert scripted.connector.verify_event(incoming(body)) is None
    with pytest.raises(ValueError):  # noqa: PT011
        scripted.connector.read_event(incoming(body))
