"""Documented answers replayed, unknown words, and nonsense."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Checkout, Declined, Moved, MoveKind, MoveStatus, Paid, Pending, Refused
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.afterpay.conftest import sample
from tests.connectors.conftest import Counter
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY

NOW = datetime(2024, 3, 11, tzinfo=UTC)
ONE = {
    "id": "1",
    "status": "APPROVED",
    "paymentState": "CAPTURED",
    "originalAmount": {"amount": "1.00", "currency": "AUD"},
}
NONSENSE = [
    *(
        "",
        "<html><body>Bad gateway",
        "null",
        "[]",
        "7",
        '"x"',
        "{}",
        '{"id": 7}',
        '{"id": "1", "status": ["APPROVED"]}',
    ),
    *(
        json.dumps({**ONE, "events": events})
        for events in ("x", [None], [], None, [{"type": "CAPTURED", "amount": "1"}])
    ),
    json.dumps({**ONE, "originalAmount": None, "events": [{"type": "CAPTURED"}]}),
    json.dumps({**ONE, "originalAmount": {"amount": "NaN", "currency": "AUD"}, "events": [{"type": "CAPTURED"}]}),
]


def checkout_for(answer: Mapping[str, Any], *, auto_capture: bool = True, **changes: Any) -> Checkout:
    money = answer["originalAmount"]
    known = {
        "session": answer["token"], "reference": answer["merchantReference"], "auto_capture": auto_capture,
        "total": Money(Decimal(money["amount"]), money["currency"]), "get_token": False, "country": "AU",
        "locale": "en_AU", "expires_at": NOW, "order_id": "ord_1",
    }  # fmt: skip
    return Checkout(**{**known, **changes})


def payment(**changes: Any) -> dict[str, Any]:
    return {**sample("payment_authorised")["answer"], **changes}


def event(type: str, amount: str, id: str = "e1", **more: Any) -> dict[str, Any]:
    return {"id": id, "type": type, "amount": {"amount": amount, "currency": "AUD"}, **more}


async def test_the_documented_capture_in_full_is_a_sale(scripted: Scripted) -> None:
    documented = scripted.replays("payment_captured")
    paid = await scripted.connector.confirm(checkout_for(documented["answer"]), KEY)
    assert scripted.asked == [("POST", "/v2/payments/capture", documented["request"])]
    assert isinstance(paid, Paid)
    assert (paid.payment_id, paid.total, paid.captured) == ("300000016189", Money(Decimal(37), "USD"), Decimal(37))
    assert paid.raw == documented["answer"]


async def test_the_documented_auth_is_open_until_its_event_expires(scripted: Scripted) -> None:
    documented = scripted.replays("payment_authorised")
    paid = await scripted.connector.confirm(checkout_for(documented["answer"], auto_capture=False), KEY)
    assert scripted.asked == [("POST", "/v2/payments/auth", {"requestId": KEY, **documented["request"]})]
    assert isinstance(paid, Paid)
    assert (paid.captured, paid.authorised_until) == (Decimal(0), datetime(2019, 1, 14, tzinfo=UTC))


async def test_the_documented_decline_and_the_unconfirmed_shopper(scripted: Scripted) -> None:
    checkout = checkout_for(payment(), auto_capture=False)
    scripted.says(402, sample("payment_declined")["answer"])
    declined = await scripted.connector.confirm(checkout, KEY)
    assert isinstance(declined, Declined)
    assert (declined.code, declined.session) == ("AUTH_DECLINED", checkout.session)
    scripted.says(412, sample("error_not_confirmed")["answer"])
    assert isinstance(await scripted.connector.confirm(checkout, KEY), Pending)


async def test_the_documented_refund_names_its_id(scripted: Scripted) -> None:
    documented = scripted.replays("refund_created")
    move = Counter.move(Money(Decimal(10), "USD"), documented["request"]["requestId"], "37.00")
    done = await scripted.connector.refund(checkout_for(payment(), payment_id="300000016189"), move)
    assert scripted.asked == [("POST", "/v2/payments/300000016189/refund", documented["request"])]
    assert isinstance(done, Moved)
    assert done.provider_id == "67890123"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "REVERSED"},
        {"paymentState": "REVERSED"},
        {"paymentState": None},
        {"paymentState": "captured"},
        {"status": ""},
    ],
)
async def test_an_unknown_word_is_asked_about_again_and_never_a_failure(
    scripted: Scripted, changes: dict[str, Any]
) -> None:
    scripted.says(200, payment(**changes))
    report = await scripted.connector.fetch(checkout_for(payment()))
    assert isinstance(report, Pending)
    assert report.completed


@pytest.mark.parametrize(
    ("state", "events", "captured", "voided", "expired"),
    [
        ("AUTH_APPROVED", [event("AUTH_APPROVED", "100.00")], "0", "0", "0"),
        ("PARTIALLY_CAPTURED", [event("CAPTURED", "30.00"), event("CAPTURED", "20.00")], "50", "0", "0"),
        ("CAPTURED", [event("CAPTURED", "30.00"), event("VOIDED", "70.00")], "30", "70", "0"),
        ("VOIDED", [event("VOIDED", "100.00")], "0", "100", "0"),
        ("EXPIRED", [event("AUTH_APPROVED", "100.00")], "0", "0", "100"),
        ("EXPIRED", [event("AUTH_APPROVED", "100.00"), event("EXPIRED", "100.00")], "0", "0", "100"),
        ("CAPTURED", [event("CAPTURED", "30.00"), event("EXPIRED", "70.00")], "30", "0", "70"),
        ("CAPTURE_DECLINED", [event("AUTH_APPROVED", "100.00"), event("CAPTURE_DECLINED", "5.00")], "0", "0", "0"),
    ],
)
async def test_every_documented_state_tells_its_amounts(
    scripted: Scripted, state: str, events: list[Any], captured: str, voided: str, expired: str
) -> None:
    scripted.says(200, payment(paymentState=state, events=events))
    paid = await scripted.connector.fetch(checkout_for(payment()))
    assert isinstance(paid, Paid)
    assert (paid.captured, paid.voided, paid.expired) == (Decimal(captured), Decimal(voided), Decimal(expired))


async def test_a_refund_with_a_reference_is_never_taken_for_a_voids_shadow(scripted: Scripted) -> None:
    money, at, later = {"amount": "50.00", "currency": "AUD"}, "2024-01-01T10:00:00Z", "2024-01-01T10:00:05Z"
    ours = {"refundId": "1", "amount": money, "refundedAt": at, "requestId": KEY, "refundMerchantReference": "R"}
    shadow = {"refundId": "2", "amount": money, "refundedAt": later}
    events = [event("CAPTURED", "50.00"), event("VOIDED", "50.00", id="e2", created=at)]
    scripted.says(200, payment(paymentState="CAPTURED", events=events, refunds=[ours, shadow]))
    paid = await scripted.connector.fetch(checkout_for(payment()))
    assert isinstance(paid, Paid)
    assert [m.key for m in paid.moves or () if m.kind is MoveKind.REFUND] == [KEY]


async def test_a_declined_capture_of_ours_is_listed_as_failed(scripted: Scripted) -> None:
    events = [event("AUTH_APPROVED", "100.00"), event("CAPTURE_DECLINED", "5.00", paymentEventMerchantReference=KEY)]
    scripted.says(200, payment(events=events))
    paid = await scripted.connector.fetch(checkout_for(payment()))
    assert isinstance(paid, Paid)
    assert [(m.kind, m.status, m.key) for m in paid.moves or ()] == [(MoveKind.CAPTURE, MoveStatus.FAILED, KEY)]


async def test_a_capture_that_afterpay_declines_is_a_clear_no(scripted: Scripted) -> None:
    scripted.says(201, payment(events=[event("CAPTURE_DECLINED", "5.00", paymentEventMerchantReference=KEY)]))
    with pytest.raises(Refused):
        await scripted.connector.capture(checkout_for(payment()), Counter.move(Money(Decimal(5), "AUD"), KEY, "100"))


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
@pytest.mark.parametrize("body", [*NONSENSE, json.dumps(payment())])
async def test_a_move_whose_answer_does_not_show_it_is_unclear(scripted: Scripted, verb: str, body: str) -> None:
    scripted.says(201, body)
    with pytest.raises(Unclear):
        await getattr(scripted.connector, verb)(
            checkout_for(payment()), Counter.move(Money(Decimal(5), "AUD"), KEY, "100")
        )


@pytest.mark.parametrize("body", NONSENSE)
async def test_a_confirm_answered_with_nonsense_is_unclear(scripted: Scripted, body: str) -> None:
    for status in (201, 402):
        scripted.says(status, body)
        with pytest.raises(Unclear):
            await scripted.connector.confirm(checkout_for(payment()), KEY)


@pytest.mark.parametrize("body", NONSENSE)
async def test_a_poll_answered_with_nonsense_is_unclear(scripted: Scripted, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(checkout_for(payment(), payment_id="1"))


@pytest.mark.parametrize("status", [302, 408, 409, 425, 429, 500, 503])
async def test_answers_after_which_nobody_knows_are_unclear(scripted: Scripted, status: int) -> None:
    scripted.says(status, {"errorCode": "error", "message": "?"})
    with pytest.raises(Unclear):
        await scripted.connector.confirm(checkout_for(payment()), KEY)


@pytest.mark.parametrize("body", ["", "<html>Forbidden", "[]", '{"errorCode": {"a": 1}}', "{}"])
async def test_a_clear_no_stays_one_even_without_a_readable_error(scripted: Scripted, body: str) -> None:
    scripted.says(403, body)
    with pytest.raises(Refused) as no:
        await scripted.connector.confirm(checkout_for(payment()), KEY)
    assert no.value.code == "403"
