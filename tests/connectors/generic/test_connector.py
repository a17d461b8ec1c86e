"""The connector against its simulator: outcomes, faults, amounts in the ledger, and what must not count as paid."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from paymux.connectors.contract import (
    Ask,
    Broken,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    Expired,
    Forged,
    Incoming,
    Moved,
    MoveKind,
    MoveStatus,
    OrderToPay,
    Paid,
    Pending,
    Person,
    Redirect,
    Refused,
    Underway,
)
from paymux.money import Money
from paymux.platform.http import CallFailed, NotSent, Unclear
from tests.connectors.conftest import Counter
from tests.connectors.generic.conftest import CODE, sign

HUNDRED = Money(Decimal(100), "AUD")
LOSING = ["timeout_before", "timeout_after", "error_before", "error_after", "reset_after", "malformed"]
HAPPENED = {"timeout_after", "error_after", "reset_after", "malformed"}


async def opened(
    counter: Counter, code: str = CODE, **changes: Any
) -> tuple[Connector, OrderToPay, Redirect, Checkout]:
    connector, order = counter.connector(code), counter.order(code, **changes)
    redirect = await connector.create_checkout(order, "k-create")
    assert isinstance(redirect, Redirect)
    return connector, order, redirect, counter.checkout(order, redirect)


async def paid(counter: Counter, **changes: Any) -> tuple[Connector, Checkout]:
    connector, _, redirect, checkout = await opened(counter, **changes)
    await counter.shopper(redirect.url, "approve")
    return connector, checkout


async def control(counter: Counter, path: str, **body: Any) -> None:
    async with aiohttp.ClientSession() as http, http.post(counter.base_url + path, json=body) as answer:
        assert answer.status < 300, await answer.text()


def shopper_named(counter: Counter, name: str) -> dict[str, Any]:
    return {"customer": Person(first_name="Ada", last_name="Byron", email=f"{name}@shop.example", phone="")}


async def event_after(counter: Counter, count: int) -> Incoming:
    async with asyncio.timeout(10):
        while len(counter.inbox.received) < count:
            await asyncio.sleep(0.02)
    method, headers, query, body = counter.inbox.received[count - 1]
    return Incoming(method=method, headers=headers, query=query, body=body)


async def test_a_sale_is_authorised_and_captured_once(counter: Counter) -> None:
    connector, order, redirect, checkout = await opened(counter)
    assert redirect.expires_at == order.expires_at
    assert counter.ledger() == []
    query = await counter.shopper(redirect.url, "approve")
    await counter.shopper(redirect.url, "approve")
    await counter.shopper(redirect.url, "decline")
    assert connector.read_return(query, checkout) == Ask(session=redirect.session)
    report = await connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert (report.total, report.captured, report.voided, report.refunded) == (HUNDRED, 100, 0, 0)
    assert report.moves is not None
    assert [(move.kind, move.amount, move.key) for move in report.moves] == [(MoveKind.CAPTURE, 100, None)]
    assert counter.ledger() == [("authorize", Decimal("100.00"), "AUD"), ("capture", Decimal("100.00"), "AUD")]


@pytest.mark.parametrize(
    ("outcome", "kind"), [("decline", Declined), ("cancel", Cancelled), ("error", Broken), ("pending", Pending)]
)
async def test_each_outcome_is_told_and_moves_nothing(counter: Counter, outcome: str, kind: type) -> None:
    connector, _, redirect, checkout = await opened(counter)
    assert isinstance(await connector.fetch(checkout), Pending)
    query = await counter.shopper(redirect.url, outcome)
    ask = connector.read_return(query, checkout)
    assert isinstance(ask, Ask)
    assert ask.left == (outcome == "cancel")
    report = await connector.fetch(checkout)
    assert isinstance(report, kind)
    assert report.session == redirect.session
    if isinstance(report, Pending):
        assert report.completed
        await control(counter, "/control/settle", reference=counter.reference, outcome="approve")
        assert isinstance(await connector.fetch(checkout), Paid)
        assert len(counter.ledger()) == 2
    else:
        assert counter.ledger() == []


async def test_a_decline_at_create_is_no_checkout(counter: Counter) -> None:
    connector, order = counter.connector(CODE), counter.order(CODE, **shopper_named(counter, "declined"))
    assert isinstance(await connector.create_checkout(order, "k-1"), Declined)
    assert isinstance(await connector.charge_token(order, "tok_12345678", "k-2"), Declined)


@pytest.mark.parametrize(
    ("code", "currency", "amount"),
    [("ATOME_VN", "VND", "1000"), ("CLEOPAY", "KWD", "10.12"), ("SMARTPAY", "JPY", "7")],
)
async def test_amounts_go_in_the_currencys_own_decimals(
    counter: Counter, code: str, currency: str, amount: str
) -> None:
    total = Money(Decimal(amount), currency)
    connector, order, redirect, checkout = await opened(counter, code, amount=amount, total=total)
    await counter.shopper(redirect.url, "approve")
    report = await connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert report.total == order.total
    moved = await connector.refund(checkout, counter.move(total, "k-1", amount))
    assert isinstance(moved, Moved)
    assert [(kind, sum) for kind, sum, _ in counter.ledger()] == [
        (kind, Decimal(amount)) for kind in ("authorize", "capture", "refund")
    ]


async def test_an_amount_that_its_currency_can_not_hold_is_refused_before_it_is_sent(counter: Counter) -> None:
    connector, checkout = await paid(counter)
    with pytest.raises(Refused, match="decimals"):
        await connector.refund(checkout, counter.move(Money(Decimal("0.001"), "AUD"), "k-1", "100"))
    order = counter.order("ATOME_VN", amount="10.50")
    with pytest.raises(Refused, match="decimals"):
        await counter.connector("ATOME_VN").create_checkout(order, "k-2")


@pytest.mark.parametrize("fault", LOSING)
async def test_a_create_whose_answer_was_lost_gives_the_same_checkout_when_repeated(
    counter: Counter, fault: str
) -> None:
    connector, order = counter.connector(CODE), counter.order(CODE)
    await counter.order_fault("create", fault)
    with pytest.raises(Unclear):
        await connector.create_checkout(order, "k-1")
    redirect = await connector.create_checkout(order, "k-1")
    again = await connector.create_checkout(order, "k-1")
    assert isinstance(redirect, Redirect)
    assert redirect == again
    assert len(counter.sandbox.store.cases(counter.reference)) == 1


@pytest.mark.parametrize("fault", LOSING)
@pytest.mark.parametrize("kind", list(MoveKind)[:3])
async def test_a_move_whose_answer_was_lost_is_found_and_repeats_without_moving_twice(
    counter: Counter, kind: MoveKind, fault: str
) -> None:
    connector, checkout = await paid(counter, auto_capture=kind is MoveKind.REFUND)
    verb, move = getattr(connector, kind), counter.move(Money(Decimal(40), "AUD"), "k-1", "100")
    before = counter.ledger()
    await counter.order_fault(kind, fault)
    with pytest.raises(Unclear):
        await verb(checkout, move)
    found = await connector.find_move(checkout, kind, "k-1", None)
    assert (found is not None) == (fault in HAPPENED)
    for _ in range(2):
        assert isinstance(await verb(checkout, move), Moved)
    assert counter.ledger() == [*before, (kind, Decimal("40.00"), "AUD")]


@pytest.mark.parametrize("fault", LOSING)
async def test_a_charge_whose_answer_was_lost_is_found_by_its_order_and_pays_once(counter: Counter, fault: str) -> None:
    connector, checkout = await paid(counter, get_token=True)
    report = await connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert report.token is not None
    assert report.raw is not None
    assert report.token.value not in json.dumps(report.raw, default=str)
    before, order = counter.ledger(), counter.order(CODE, id="ord_charge")
    await counter.order_fault("charge_token", fault)
    with pytest.raises(Unclear):
        await connector.charge_token(order, report.token.value, "k-9")
    lost = replace(checkout, session="", order_id=order.id)
    if fault in HAPPENED:
        assert isinstance(await connector.fetch(lost), Paid)
    for _ in range(2):
        assert isinstance(await connector.charge_token(order, report.token.value, "k-9"), Paid)
    assert isinstance(await connector.fetch(lost), Paid)
    assert counter.ledger() == before * 2


async def test_a_slow_answer_is_an_answer(counter: Counter) -> None:
    await counter.order_fault("create", "slow")
    await opened(counter)


async def test_nobody_there_is_not_sent(counter: Counter) -> None:
    connector = counter.connector(CODE, endpoint="http://127.0.0.1:9")
    with pytest.raises(NotSent):
        await connector.create_checkout(counter.order(CODE), "k-1")


async def test_a_charge_may_be_pending_and_an_unknown_token_is_refused(counter: Counter) -> None:
    connector, checkout = await paid(counter, get_token=True)
    token = (await connector.fetch(checkout)).token  # type: ignore[attr-defined]
    order = counter.order(CODE, id="ord_2", **shopper_named(counter, "pending"))
    assert isinstance(await connector.charge_token(order, token.value, "k-1"), Pending)
    with pytest.raises(Refused) as no:
        await connector.charge_token(replace(order, id="ord_3"), "tok_unknown", "k-2")
    assert no.value.code == "token_not_valid"


async def test_a_payment_does_not_fail_with_its_token(counter: Counter) -> None:
    connector, checkout = await paid(counter, get_token=True, **shopper_named(counter, "notoken"))
    report = await connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert (report.token, bool(report.token_failure)) == (None, True)


@pytest.mark.parametrize(("outcome", "status"), [("approve", MoveStatus.DONE), ("decline", MoveStatus.FAILED)])
async def test_a_refund_may_be_underway_and_is_settled_later(
    counter: Counter, outcome: str, status: MoveStatus
) -> None:
    connector, checkout = await paid(counter, **shopper_named(counter, "slow"))
    move = counter.move(HUNDRED, "k-1", "100")
    assert isinstance(await connector.refund(checkout, move), Underway)
    found = await connector.find_move(checkout, MoveKind.REFUND, "k-1", None)
    assert found is not None
    assert found.status is MoveStatus.UNDERWAY
    with pytest.raises(Refused):
        await connector.refund(checkout, counter.move(HUNDRED, "k-2", "100"))
    await control(counter, "/control/settle", reference=counter.reference, outcome=outcome)
    found = await connector.find_move(checkout, MoveKind.REFUND, "k-1", None)
    assert found is not None
    assert found.status is status
    assert [kind for kind, _, _ in counter.ledger()].count("refund") == (status is MoveStatus.DONE)


@pytest.mark.parametrize(
    "tampered", [{"amount": "1.00"}, {"currency": "USD"}, {"reference": "other"}, {"order_id": "ord_other"}]
)
async def test_what_the_provider_holds_is_reported_and_not_what_was_asked(
    counter: Counter, tampered: dict[str, str]
) -> None:
    connector, order, redirect, checkout = await opened(counter)
    await control(counter, "/generic/sandbox/tamper", id=redirect.session, **tampered)
    await counter.shopper(redirect.url, "approve")
    report = await connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert (report.total, report.reference) != (order.total, order.reference)
    assert report.total is not None
    asked = {"amount": str(report.total.amount), "currency": report.total.currency}
    assert {**asked, "reference": report.reference, "order_id": report.reference}.items() >= tampered.items()


async def test_a_refund_made_at_the_provider_is_listed_without_a_key(counter: Counter) -> None:
    connector, checkout = await paid(counter)
    first = await connector.fetch(checkout)
    assert isinstance(first, Paid)
    await control(counter, "/generic/sandbox/provider-refund", id=first.payment_id, amount="10.00")
    report = await connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert report.moves is not None
    assert (report.refunded, report.moves[-1].kind, report.moves[-1].key) == (10, MoveKind.REFUND, None)
    assert counter.ledger()[-1] == ("refund", Decimal("10.00"), "AUD")


async def test_cancelling_twice_does_no_harm_and_a_paid_checkout_is_not_cancelled(counter: Counter) -> None:
    connector, _, redirect, checkout = await opened(counter)
    for _ in range(2):
        await connector.cancel_checkout(checkout)
    await counter.shopper(redirect.url, "approve")
    assert isinstance(await connector.fetch(checkout), Cancelled)
    assert counter.ledger() == []
    other, _, redirect, second = await opened_again(counter)
    await counter.shopper(redirect.url, "approve")
    with pytest.raises(Refused):
        await other.cancel_checkout(second)


async def opened_again(counter: Counter) -> tuple[Connector, OrderToPay, Redirect, Checkout]:
    connector, order = counter.connector(CODE), counter.order(CODE, id="ord_2")
    redirect = await connector.create_checkout(order, "k-2")
    assert isinstance(redirect, Redirect)
    return connector, order, redirect, counter.checkout(order, redirect)


async def test_a_checkout_and_an_authorisation_expire(counter: Counter) -> None:
    connector, _, redirect, checkout = await opened(counter, auto_capture=False)
    other, _, unpaid, second = await opened_again(counter)
    await counter.shopper(redirect.url, "approve")
    await connector.capture(checkout, counter.move(Money(Decimal(40), "AUD"), "k-1", "100"))
    report = await connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert report.authorised_until is not None
    counter.sandbox.clock.offset = timedelta(days=8)
    await counter.shopper(unpaid.url, "approve")
    assert isinstance(await other.fetch(second), Expired)
    report = await connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert (report.captured, report.expired) == (40, 60)
    with pytest.raises(Refused):
        await connector.capture(checkout, counter.move(Money(Decimal(1), "AUD"), "k-2", "60"))
    assert [kind for kind, _, _ in counter.ledger()] == ["authorize", "capture"]


@pytest.mark.parametrize("secret", ["", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!", "whsec_ü"])
async def test_a_secret_that_is_none_is_refused_before_anything_is_sent(counter: Counter, secret: str) -> None:
    with pytest.raises(Refused, match="whsec_"):
        await counter.connector(CODE, secret=secret).create_checkout(counter.order(CODE), "k-1")


async def test_a_wrong_secret_is_refused_and_opens_nothing(counter: Counter) -> None:
    with pytest.raises(Refused) as no:
        await counter.connector(CODE, secret="whsec_" + "A" * 32).create_checkout(counter.order(CODE), "k-1")
    assert no.value.code == "unauthorised"
    assert counter.sandbox.store.cases(counter.reference) == []


async def test_a_live_account_without_an_endpoint_is_refused(counter: Counter) -> None:
    account = replace(counter.account(CODE), live=True)
    connector = counter.provider.connector(account, counter.connector(CODE).http)
    with pytest.raises(Refused, match="endpoint"):
        await connector.create_checkout(counter.order(CODE), "k-1")


async def test_a_signed_event_reports_by_itself_what_happened(counter: Counter) -> None:
    connector, order, redirect, checkout = await opened(counter)
    await counter.shopper(redirect.url, "approve")
    event = await event_after(counter, 1)
    id = connector.verify_event(event)
    assert id is not None
    assert id.startswith("evt_")
    reading = connector.read_event(event)
    assert (reading.session, reading.reference) == (redirect.session, order.reference)
    assert isinstance(reading.report, Paid)
    assert reading.report == await connector.fetch(checkout)


async def test_a_forged_stale_or_foreign_event_is_refused(counter: Counter) -> None:
    connector, _, redirect, _ = await opened(counter)
    await counter.shopper(redirect.url, "approve")
    event = await event_after(counter, 1)
    other = counter.connector(CODE, secret="whsec_" + "A" * 32)
    with pytest.raises(Forged):
        other.verify_event(event)
    headers = dict(event.headers)
    for forged in (
        replace(event, body=event.body.replace(b"100.00", b"900.00")),
        replace(event, body=b"\xff\xfe"),
        replace(event, headers={**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 600)}),
        replace(event, headers={**headers, "webhook-timestamp": "nan"}),
        replace(event, headers={**headers, "webhook-id": "evt_other"}),
        replace(event, headers={**headers, "webhook-signature": "v1"}),
        replace(event, headers={**headers, "webhook-signature": "v1,ü"}),
        replace(event, headers={}),
        replace(event, headers=sign(connector.credentials["secret"], "req_1", int(time.time()), event.body)),
    ):
        with pytest.raises(Forged):
            connector.verify_event(forged)
    connector.verify_event(event)


async def test_the_simulator_started_anew_still_knows_everything(counter: Counter) -> None:
    connector, checkout = await paid(counter, auto_capture=False)
    await connector.capture(checkout, counter.move(Money(Decimal(40), "AUD"), "k-1", "100"))
    before = await connector.fetch(checkout)
    simulator = counter.sandbox.simulators["generic"]
    vars(simulator).clear()
    type(simulator).__init__(simulator, counter.sandbox.desk)
    assert await connector.fetch(checkout) == before
    assert isinstance(await connector.capture(checkout, counter.move(Money(Decimal(40), "AUD"), "k-1", "60")), Moved)
    assert counter.ledger()[1:] == [("capture", Decimal("40.00"), "AUD")]


async def test_no_fault_of_the_wire_is_taken_for_an_answer(counter: Counter) -> None:
    connector, _, _, checkout = await opened(counter)
    for fault in LOSING:
        # A GET whose kept connection was reset, too: nothing repeats it behind our back.
        await counter.order_fault("status", fault)
        with pytest.raises(CallFailed):
            await connector.fetch(checkout)
        await counter.order_fault("cancel", fault)
        with pytest.raises(CallFailed):
            await connector.cancel_checkout(checkout)
