"""Documented answers replayed, unknown words, and nonsense."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paymux.connectors.contract import (
    Checkout,
    Declined,
    Expired,
    Moved,
    MoveKind,
    NotThere,
    Paid,
    Pending,
    Refused,
    Report,
)
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.conftest import Counter
from tests.connectors.scripted import CONNECTORS, Scripted
from tests.connectors.tabby.conftest import Till, sample
from tests.connectors.till import KEY, ONE, TWO

NOW = datetime(2026, 11, 24, tzinfo=UTC)
BARE = {"id": "1", "status": "CLOSED", "amount": "100", "currency": "AED"}
NONSENSE = [
    *("", "<html><body>Bad gateway", "null", "[]", "7", '"x"', "{}", '{"id": 7}'),
    *(
        json.dumps({**BARE, name: value})
        for name, value in (
            ("status", ["CLOSED"]),
            ("status", ""),
            ("status", None),
            ("amount", None),
            ("amount", "NaN"),
            ("amount", "-1"),
            ("amount", "1e400"),
            ("amount", True),
            ("currency", "dirham"),
            ("captures", "x"),
            ("captures", [None]),
            ("captures", [{"amount": "Infinity"}]),
            ("refunds", [{}]),
            ("order", "R-1001"),
            ("is_test", "perhaps"),
        )
    ),
]


def payment(name: str = "payment_authorized", **changes: Any) -> dict[str, Any]:
    return {**sample(name)["answer"], **changes}


def checkout_for(answer: Mapping[str, Any]) -> Checkout:
    total = Money(Decimal(answer["amount"]), answer["currency"])
    return Checkout(
        session=answer["id"], reference="R-1001", total=total, auto_capture=False, get_token=False, country="AE",
        locale="en_AU", expires_at=NOW, order_id="ord_1",
    )  # fmt: skip


def entry(amount: str, key: str | None = None, id: str | None = "e-1") -> dict[str, Any]:
    return {"id": id, "amount": amount, "reference_id": key, "created_at": "2026-11-24T09:05:00Z"}


async def fetched(scripted: Scripted, answer: Any) -> Report:
    scripted.says(200, answer)
    return await scripted.connector.fetch(checkout_for(payment()))


# -- the documented answers ------------------------------------------------------------------------


def test_every_sample_is_replayed_by_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    unused = [path.stem for path in (CONNECTORS / "tabby" / "samples").iterdir() if f'"{path.stem}"' not in tests]
    assert unused == []


async def test_the_documented_authorisation(scripted: Scripted) -> None:
    documented = scripted.replays("payment_authorized")
    paid = await scripted.connector.fetch(checkout_for(payment()))
    assert scripted.asked == [("GET", f"/api/v2/payments/{documented['answer']['id']}", None)]
    assert isinstance(paid, Paid)
    assert (paid.payment_id, paid.session) == (documented["answer"]["id"], documented["answer"]["id"])
    assert (paid.total, paid.captured, paid.voided, paid.refunded) == (
        Money(Decimal(100), "AED"), Decimal(0), Decimal(0), Decimal(0),
    )  # fmt: skip
    assert (paid.reference, paid.raw) == ("R-1001", documented["answer"])


async def test_the_documented_capture(scripted: Scripted) -> None:
    documented = scripted.replays("payment_captured")
    request, (listed,) = documented["request"], documented["answer"]["captures"]
    move = Counter.move(Money(Decimal(100), "AED"), request["reference_id"], "100")
    done = await scripted.connector.capture(checkout_for(payment()), move)
    assert scripted.asked == [("POST", f"/api/v2/payments/{payment()['id']}/captures", request)]
    assert isinstance(done, Moved)
    assert done.provider_id == listed["id"]


async def test_the_documented_close(scripted: Scripted) -> None:
    documented = scripted.replays("payment_closed")
    move = Counter.move(Money(Decimal(70), "AED"), ONE, "70", "30")
    done = await scripted.connector.void(checkout_for(payment()), move)
    assert scripted.asked == [("POST", f"/api/v2/payments/{payment()['id']}/close", None)]
    assert isinstance(done, Moved)
    assert done.provider_id == documented["answer"]["id"]


async def test_the_documented_refund(scripted: Scripted) -> None:
    documented = scripted.replays("payment_refunded")
    request, (listed,) = documented["request"], documented["answer"]["refunds"]
    move = Counter.move(
        Money(Decimal(10), "AED"), request["reference_id"], "100", description=request["reason"]
    )  # fmt: skip
    done = await scripted.connector.refund(checkout_for(payment()), move)
    assert scripted.asked == [("POST", f"/api/v2/payments/{payment()['id']}/refunds", request)]
    assert isinstance(done, Moved)
    assert done.provider_id == listed["id"]


async def test_the_documented_rejection(scripted: Scripted, till: Till) -> None:
    documented = scripted.replays("checkout_rejected")
    declined = await scripted.connector.create_checkout(till.counter.order("TABBY_AE"), KEY)
    assert isinstance(declined, Declined)
    assert (declined.code, declined.raw) == ("order_amount_too_high", documented["answer"])


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("error_currency", "bad_data", "could not create payment: only 'AED' is supported, but got 'SAR'"),
        ("error_fields", "bad_data", "$.payment.currency invalid_value"),
        ("error_already_closed", "bad_data", "already closed"),
        ("error_refund_disputed", "conflict", "payment is disputed"),
    ],
)
async def test_the_documented_errors_are_a_clear_no(scripted: Scripted, name: str, code: str, reason: str) -> None:
    scripted.replays(name)
    with pytest.raises(Refused) as no:
        await scripted.connector.refund(checkout_for(payment()), Counter.move(Money(Decimal(1), "AED"), ONE, "100"))
    assert (no.value.code, no.value.reason) == (code, reason)
    assert not isinstance(no.value, NotThere)


async def test_the_documented_404_is_a_bare_string(scripted: Scripted) -> None:
    scripted.replays("error_not_found")
    with pytest.raises(NotThere) as no:
        await scripted.connector.fetch(checkout_for(payment()))
    assert no.value.code == "404"


# -- words and amounts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [("CREATED", Pending), ("AUTHORIZED", Paid), ("CLOSED", Paid), ("REJECTED", Declined), ("EXPIRED", Expired),
     ("authorized", Paid), ("closed", Paid), ("rejected", Declined), ("expired", Expired),
     ("FROZEN", Pending), ("NEW", Pending), ("CANCELLED", Pending)],
)  # fmt: skip
async def test_every_documented_status_has_its_meaning_and_an_unknown_one_is_pending(
    scripted: Scripted, status: str, kind: type
) -> None:
    report = await fetched(scripted, payment(status=status))
    assert type(report) is kind
    assert (report.session, report.reference) == (payment()["id"], "R-1001")


@pytest.mark.parametrize(
    ("status", "captures", "refunds", "captured", "voided", "refunded"),
    [
        ("AUTHORIZED", None, None, "0", "0", "0"),
        ("AUTHORIZED", [entry("30.00")], [], "30", "0", "0"),
        ("CLOSED", [entry("30.00"), entry("70.00")], [], "100", "0", "0"),
        ("CLOSED", [entry("30.00")], [entry("5.00"), entry("2.50")], "30", "70", "7.5"),
        ("CLOSED", [], None, "0", "100", "0"),
        ("CLOSED", [entry("120.00")], [], "120", "0", "0"),
    ],
)
async def test_what_was_given_back_is_what_a_closed_payment_has_not_captured(
    scripted: Scripted, status: str, captures: Any, refunds: Any, captured: str, voided: str, refunded: str
) -> None:
    paid = await fetched(scripted, payment(status=status, captures=captures, refunds=refunds))
    assert isinstance(paid, Paid)
    assert (paid.captured, paid.voided, paid.refunded) == (Decimal(captured), Decimal(voided), Decimal(refunded))
    assert not any(move.kind is MoveKind.VOID for move in paid.moves or ())


async def test_what_tabby_does_not_say_is_not_filled_in(scripted: Scripted) -> None:
    report = await fetched(scripted, {name: part for name, part in payment().items() if name != "order"})
    assert (report.session, report.reference) == (payment()["id"], None)


async def test_an_entry_without_an_id_goes_by_its_key(scripted: Scripted) -> None:
    paid = await fetched(scripted, payment(captures=[entry("30.00", ONE, id=None)]))
    assert isinstance(paid, Paid)
    assert [(move.provider_id, move.key) for move in paid.moves or ()] == [(ONE, ONE)]


# -- nonsense --------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", NONSENSE)
async def test_a_poll_answered_with_nonsense_is_unclear(scripted: Scripted, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(checkout_for(payment()))


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
@pytest.mark.parametrize(
    "body",
    [
        *NONSENSE,
        json.dumps(payment()),
        json.dumps(payment(captures=[entry("5.00", TWO)], refunds=[entry("5.00", TWO)])),
        json.dumps(payment(captures=[entry("4.99", ONE)], refunds=[entry("4.99", ONE)])),
    ],
)
async def test_a_move_whose_answer_does_not_show_it_is_unclear(scripted: Scripted, verb: str, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        move = Counter.move(Money(Decimal(5), "AED"), ONE, "100")
        await getattr(scripted.connector, verb)(checkout_for(payment()), move)


def session(**changes: Any) -> dict[str, Any]:
    return {**sample("checkout_created")["answer"], **changes}


@pytest.mark.parametrize(
    "answer",
    [
        *("", "null", "[]", '"x"', "{}"),
        session(status=None),
        session(payment=None),
        session(payment={"id": "1"}),
        session(configuration=None),
        session(configuration={"available_products": {}}),
        session(configuration={"available_products": {"installments": [{"web_url": "javascript:alert(1)"}]}}),
        session(configuration={"available_products": {"installments": "x"}}),
        session(status="expired", configuration={}),
    ],
)
async def test_a_session_that_lacks_what_it_must_have_is_unclear(scripted: Scripted, till: Till, answer: Any) -> None:
    scripted.says(200, answer)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("TABBY_AE"), KEY)


@pytest.mark.parametrize("status", [302, 408, 425, 429, 500, 503])
async def test_answers_after_which_nobody_knows_are_unclear(scripted: Scripted, status: int) -> None:
    scripted.says(status, {"status": "error", "errorType": "?", "error": "?"})
    with pytest.raises(Unclear):
        await scripted.connector.capture(checkout_for(payment()), Counter.move(Money(Decimal(5), "AED"), ONE, "100"))


@pytest.mark.parametrize("body", ["", "<html>Forbidden", "[]", '{"errorType": {"a": 1}}', "{}"])
async def test_a_clear_no_stays_one_even_without_a_readable_error(scripted: Scripted, body: str) -> None:
    scripted.says(403, body)
    with pytest.raises(Refused) as no:
        await scripted.connector.capture(checkout_for(payment()), Counter.move(Money(Decimal(5), "AED"), ONE, "100"))
    assert (no.value.code, no.value.reason) == ("403", "Tabby refused with 403")
