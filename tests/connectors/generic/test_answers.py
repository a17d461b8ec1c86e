"""What a service may say: the samples, words that nobody knows, and nonsense, which is never an answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Broken,
    Checkout,
    Connector,
    Declined,
    Expired,
    Incoming,
    MoveKind,
    MoveStatus,
    NotThere,
    Paid,
    Pending,
    Redirect,
    Refused,
    Report,
    Underway,
)
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors.generic.conftest import CODE, Canned, judge, sample, sign
from tests.connectors.scripted import changed

OPEN = sample("checkout_open")["body"]
PAID = sample("checkout_paid")["body"]
OPERATION = sample("operation")["body"]


def checkout_of(canned: Canned, **changes: Any) -> Checkout:
    return canned.counter.checkout(canned.counter.order(CODE), Redirect(url="", session="co_1"), **changes)


async def fetched(canned: Canned, body: Any, status: int = 200) -> Report:
    return await canned.says(body, status).fetch(checkout_of(canned))


@pytest.mark.parametrize("name", ["checkout_open", "checkout_paid", "event", "operation", "error"])
def test_the_samples_fit_the_document(name: str) -> None:
    judge(sample(name)["schema"], sample(name)["body"])


async def test_the_samples_are_read_as_they_mean(canned: Canned) -> None:
    assert isinstance(await fetched(canned, OPEN), Pending)
    report = await fetched(canned, PAID)
    assert isinstance(report, Paid)
    assert (report.session, report.reference, report.payment_id) == ("co_1", "R-1001", "pay_1")
    assert (report.total, report.captured, report.voided) == (Money(Decimal(100), "AUD"), 70, 20)
    assert (report.refunded, report.expired) == (Decimal("15.5"), 0)
    assert report.authorised_until == datetime(2026, 12, 1, tzinfo=UTC)
    assert report.token is not None
    assert report.token.value == "tok_secret_9876"
    assert report.raw is not None
    assert report.raw["token"]["value"] == "…9876"
    assert report.moves is not None
    assert [(m.kind, m.status, m.key) for m in report.moves] == [
        ("capture", "done", "key-1"), ("capture", "done", "key-2"), ("void", "done", "key-3"),
        ("refund", "done", "key-4"), ("refund", "done", None), ("refund", "underway", "key-5"),
        ("refund", "failed", "key-6"), ("chargeback", "done", None), ("refund", "underway", "key-7"),
    ]  # fmt: skip


def test_the_documented_signature_is_the_one_that_plain_hmac_gives() -> None:
    vector = sample("signature")
    digest = hashlib.sha256(f"{vector['method']}\n{vector['target']}\n{vector['key']}".encode()).hexdigest()
    assert vector["webhook_id"].endswith("_" + digest)
    headers = sign(vector["secret"], vector["webhook_id"], vector["timestamp"], vector["body"].encode())
    assert headers["webhook-signature"] == vector["webhook_signature"]


async def test_a_request_is_signed_over_its_body_and_its_id_names_the_call(canned: Canned) -> None:
    connector = canned.says(OPERATION, 201)
    move = canned.counter.move(Money(Decimal(40), "AUD"), "key-1", "100")
    await connector.capture(checkout_of(canned), move)
    method, path, headers, body = canned.asked[0]
    secret = connector.credentials["secret"]
    expected = sign(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == expected["webhook-signature"]
    digest = hashlib.sha256(f"{method}\n{path}\n{headers['idempotency-key']}".encode()).hexdigest()
    assert headers["webhook-id"].startswith("req_")
    assert headers["webhook-id"].endswith("_" + digest)
    assert headers["idempotency-key"] == "key-1"
    judge("NewMove", json.loads(body))
    await connector.capture(checkout_of(canned), move)
    assert canned.asked[1][2]["webhook-id"] != headers["webhook-id"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [("pending", Pending), ("declined", Declined), ("expired", Expired), ("failed", Broken), ("delighted", Pending)],
)
async def test_a_word_that_nobody_knows_is_pending(canned: Canned, status: str, kind: type) -> None:
    report = await fetched(canned, changed(OPEN, "status", status))
    assert isinstance(report, kind)
    if isinstance(report, Pending):
        assert report.completed == (status == "pending")


async def test_half_a_letter_makes_no_answer_nonsense(canned: Canned) -> None:
    report = await fetched(canned, changed(changed(OPEN, "status", "declined"), "reason", "no \ud83d"))
    assert isinstance(report, Declined)
    assert report.reason == "no \ufffd"


NONSENSE: list[Any] = [
    b"", b"<html>", b"[]", b"null", b"7", b'"x"', b"{}", b"[" * 100_000, b"\xff\xfe", b'{"id": NaN}',
    changed(OPEN, "status", "paid"), changed(PAID, "status", "open"), changed(PAID, "status", "settled"),
    changed(OPEN, "id", ...), changed(OPEN, "id", 7), changed(OPEN, "id", "../x"), changed(OPEN, "order_id", None),
    changed(OPEN, "total", "100.00"), changed(OPEN, "total.amount", 100), changed(OPEN, "total.amount", "1e2"),
    changed(OPEN, "total.amount", "-1.00"), changed(OPEN, "total.amount", "NaN"), changed(OPEN, "total.amount", "١"),
    changed(OPEN, "total.amount", "100.001"), changed(OPEN, "total.currency", "ZZZ"),
    changed(OPEN, "expires_at", "tomorrow"), changed(OPEN, "expires_at", "2026-11-25T10:00:00"),
    changed(OPEN, "expires_at", "0001-01-01T00:00:00+14:00"), changed(OPEN, "reference", ["R-1001"]),
    changed(PAID, "payment.captured", ...), changed(PAID, "payment.captured", "80.01"),
    changed(PAID, "payment.refunded", "70.01"), changed(PAID, "payment.operations", None),
    changed(PAID, "payment.operations.0.amount.currency", "USD"), changed(PAID, "payment.operations.0.key", ...),
    changed(PAID, "payment.authorised.amount", True), changed(PAID, "token.value", "short"),
    changed(PAID, "payment.authorised_until", 1795824000),
]  # fmt: skip


@pytest.mark.parametrize("body", NONSENSE, ids=range(len(NONSENSE)))
async def test_nonsense_is_unclear(canned: Canned, body: Any) -> None:
    with pytest.raises(Unclear):
        await fetched(canned, body)
    order = canned.counter.order(CODE)
    with pytest.raises(Unclear):
        await canned.says(body, 201).charge_token(order, "tok_12345678", "k-1")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>", b"{}", changed(OPERATION, "key", "key-2"), changed(OPERATION, "key", None),
        changed(OPERATION, "kind", "refund"), changed(OPERATION, "order_id", "ord_other"),
        changed(OPERATION, "checkout_id", "co_2"), changed(OPERATION, "amount.amount", "40.01"),
        changed(OPERATION, "amount.currency", "USD"), changed(OPERATION, "amount", "40.00"),
    ],
    ids=range(10),
)  # fmt: skip
async def test_an_answer_about_another_operation_is_unclear(canned: Canned, body: Any) -> None:
    connector, checkout = canned.says(body, 201), checkout_of(canned)
    with pytest.raises(Unclear):
        await connector.capture(checkout, canned.counter.move(Money(Decimal(40), "AUD"), "key-1", "100"))


async def test_an_operation_that_is_not_done_is_underway_and_a_failed_one_refused(canned: Canned) -> None:
    checkout, move = checkout_of(canned), canned.counter.move(Money(Decimal(40), "AUD"), "key-1", "100")
    for word in ("pending", "on_its_way"):
        assert isinstance(await canned.says(changed(OPERATION, "status", word)).capture(checkout, move), Underway)
    with pytest.raises(Refused):
        await canned.says(changed(OPERATION, "status", "failed")).capture(checkout, move)
    connector = canned.says(changed(OPERATION, "status", "failed"))
    found = await connector.find_move(checkout, MoveKind.CAPTURE, "key-1", None)
    assert found is not None
    assert found.status is MoveStatus.FAILED


async def test_a_find_about_something_else_is_unclear(canned: Canned) -> None:
    for path, value in (("kind", "refund"), ("key", "key-2"), ("order_id", "ord_2"), ("amount.currency", "USD")):
        connector = canned.says(changed(OPERATION, path, value))
        with pytest.raises(Unclear):
            await connector.find_move(checkout_of(canned), MoveKind.CAPTURE, "key-1", None)


@pytest.mark.parametrize(
    ("url", "order_id"),
    [
        (None, None),
        ("javascript:alert(1)", None),
        ("//pay.example.com", None),
        ("https://pay.example.com", "ord_other"),
    ],
)
async def test_a_create_that_leads_nowhere_or_is_about_another_order_is_unclear(
    canned: Canned, url: str | None, order_id: str | None
) -> None:
    body = changed(OPEN, "url", url) | ({"order_id": order_id} if order_id else {})
    with pytest.raises(Unclear):
        await canned.says(body, 201).create_checkout(canned.counter.order(CODE), "k-1")


async def test_an_answer_about_another_order_names_that_one_as_its_reference(canned: Canned) -> None:
    report = await fetched(canned, changed(PAID, "order_id", "ord_other"))
    assert report.reference == "ord_other"


Call = Callable[[Connector, Checkout, Canned], Any]
CALLS: dict[str, Call] = {
    "create": lambda c, k, n: c.create_checkout(n.counter.order(CODE), "key-1"),
    "charge": lambda c, k, n: c.charge_token(n.counter.order(CODE), "tok_12345678", "key-1"),
    "fetch": lambda c, k, n: c.fetch(k),
    "capture": lambda c, k, n: c.capture(k, n.counter.move(Money(Decimal(40), "AUD"), "key-1", "100")),
    "find": lambda c, k, n: c.find_move(k, MoveKind.CAPTURE, "key-1", None),
    "cancel": lambda c, k, n: c.cancel_checkout(k),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
async def test_who_does_not_speak_the_contract_is_not_believed_even_a_404(canned: Canned, call: Call) -> None:
    error = {"error": {"code": "not_found", "message": "No."}}
    for body, status, headers in (
        (error, 404, {"Paymux-Contract-Version": "2025-01-01"}),
        (error, 404, {"Paymux-Contract-Version": ""}),
        (error, 403, {"Paymux-Contract-Version": ""}),
        ({"detail": "Not Found"}, 404, {}),
        ({"error": {"code": "no_such_route", "message": ""}}, 404, {}),
        ({"error": {"code": "in_progress", "message": ""}}, 409, {}),
        ({"error": "no"}, 422, {}),
        (b"<html>", 400, {}),
        ({}, 302, {"Location": "https://elsewhere.example"}),
        ({"error": {"code": "moved", "message": ""}}, 302, {"Location": "https://elsewhere.example"}),
        (error, 500, {}),
        (error, 429, {}),
    ):
        connector = canned.says(body, status, **headers)
        with pytest.raises(Unclear):
            await call(connector, checkout_of(canned), canned)


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
async def test_a_no_is_refused_in_the_providers_own_words(canned: Canned, call: Call) -> None:
    connector = canned.says(sample("error")["body"], 422)
    with pytest.raises(Refused, match=r"Only 30.00 AUD is left to capture\.") as no:
        await call(connector, checkout_of(canned), canned)
    assert no.value.code == "over_limit"
    assert not isinstance(no.value, NotThere)


async def test_several_checkouts_of_one_order_are_unclear(canned: Canned) -> None:
    connector = canned.says({"checkouts": [OPEN, OPEN]})
    with pytest.raises(Unclear):
        await connector.fetch(checkout_of(canned, session=""))


async def test_a_cancel_that_leaves_it_open_is_unclear(canned: Canned) -> None:
    for body in (OPEN, PAID, changed(OPEN, "id", "co_2") | {"status": "cancelled"}):
        with pytest.raises(Unclear):
            await canned.says(body).cancel_checkout(checkout_of(canned))


async def test_texts_are_kept_short_and_printable(canned: Canned) -> None:
    report = await fetched(canned, changed(OPEN, "status", "declined") | {"reason": "no\x07\n" + "x" * 1000})
    assert isinstance(report, Declined)
    assert report.reason == "no  " + "x" * 296


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"[" * 100_000, b"{}", changed(sample("event")["body"], "type", "checkout.adored"),
     changed(sample("event")["body"], "data.payment", None)],
    ids=range(6),
)  # fmt: skip
def test_an_event_that_can_not_be_read_is_a_value_error(canned: Canned, body: Any) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ValueError):  # noqa: PT011 - the contract of read_event names no more
        canned.says({}).read_event(Incoming(method="POST", headers={}, query={}, body=content))


async def test_the_sample_event_reports_the_payment(canned: Canned) -> None:
    content = json.dumps(sample("event")["body"]).encode()
    reading = canned.says({}).read_event(Incoming(method="POST", headers={}, query={}, body=content))
    assert (reading.session, reading.payment_id, reading.reference) == ("co_1", "pay_1", "R-1001")
    assert isinstance(reading.report, Paid)


async def test_an_endpoint_that_is_no_address_was_not_called(canned: Canned) -> None:
    connector = canned.counter.connector(CODE, endpoint="http://")
    with pytest.raises(NotSent):
        await connector.fetch(checkout_of(canned))
