"""Customer tokens: the confirm that makes one and places the order, and charging it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Approved,
    Cancelled,
    Declined,
    Expired,
    Paid,
    Pending,
    Refused,
)
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors.klarna.conftest import Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, LOST, NEVER_CAME, ONE, TWO

ZERO = Decimal(0)
HELD = [("authorize", Decimal("100.00"))]


async def charges(till: Till, token: str, key: str = ONE, **changes: Any) -> Any:
    """Pay a further order with a token."""
    return await till.connector.charge_token(till.counter.order(till.code, **changes), token, key)


# -- the confirm ------------------------------------------------------------------------------------


async def test_the_confirm_makes_the_token_and_places_the_order(till: Till) -> None:
    checkout = await till.decided(get_token=True)
    assert till.sent("/payments/v1/sessions")["intent"] == "buy_and_tokenize"
    assert till.sent("/hpp/v1/sessions")["options"] == {"place_order_mode": "NONE"}
    assert isinstance(await till.connector.fetch(checkout), Approved)
    assert till.rows() == []
    paid = await till.connector.confirm(checkout, KEY)
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference, paid.total) == (checkout.session, "R-1001", Money(Decimal("100.00"), "EUR"))
    assert paid.token is not None
    assert paid.token_failure is None
    assert till.rows() == HELD
    again = await till.connector.fetch(till.with_payment(checkout, paid))
    assert isinstance(again, Paid)
    assert again.token_failure is None


@pytest.mark.parametrize(
    ("outcome", "kind"), [(None, Pending), ("decline", Pending), ("error", Pending), ("cancel", Cancelled)]
)
async def test_a_confirm_before_the_shopper_agreed_has_no_effect(till: Till, outcome: str | None, kind: type) -> None:
    opened, checkout = await till.opens(get_token=True)
    if outcome:
        await till.counter.shopper(opened.url, outcome)
    report = await till.connector.confirm(checkout, KEY)
    assert isinstance(report, kind)
    assert not getattr(report, "completed", False)
    assert [e.method for e in till.exchanges[2:]] == ["GET"]
    assert till.rows() == []


async def test_an_order_that_is_held_for_a_check_is_underway_after_the_confirm(till: Till) -> None:
    checkout = await till.decided("pending", get_token=True)
    paid = await till.connector.confirm(checkout, KEY)
    assert isinstance(paid, Paid)
    assert paid.underway
    assert paid.token is not None
    assert await till.settles("approve") == 200
    accepted = await till.connector.fetch(till.with_payment(checkout, paid))
    assert isinstance(accepted, Paid)
    assert not accepted.underway


async def test_an_order_that_klarna_rejects_is_declined_at_the_confirm(till: Till) -> None:
    checkout = await till.decided("pending", get_token=True)
    assert await till.settles("decline") == 200
    report = await till.connector.confirm(checkout, KEY)
    assert isinstance(report, Declined)
    assert (report.code, report.session) == ("REJECTED", checkout.session)
    assert till.rows() == []


async def test_a_confirm_more_than_an_hour_after_the_agreement_finds_it_expired(till: Till) -> None:
    checkout = await till.decided(get_token=True)
    till.passes(minutes=61)
    assert isinstance(await till.connector.confirm(checkout, KEY), Expired)
    assert till.rows() == []


async def test_a_confirm_after_the_checkouts_end_finds_it_expired(till: Till) -> None:
    checkout = await till.decided(get_token=True)
    till.passes(hours=47)
    assert isinstance(await till.connector.confirm(checkout, KEY), Expired)
    assert till.rows() == []


async def test_a_confirm_of_a_placed_order_reports_it_and_places_no_second(till: Till) -> None:
    checkout, first = await till.confirmed(get_token=True)
    for key in (KEY, ONE):
        again = await till.connector.confirm(checkout, key)
        assert isinstance(again, Paid)
        assert again.payment_id == first.payment_id
    assert till.rows() == HELD


async def test_a_poll_while_the_confirm_runs_does_not_report_the_order_without_its_token(till: Till) -> None:
    checkout = await till.decided(get_token=True)
    paid = await till.connector.confirm(checkout, KEY)
    assert isinstance(paid, Paid)
    assert isinstance(await till.connector.fetch(checkout), Approved)
    assert isinstance(await till.connector.fetch(till.with_payment(checkout, paid)), Paid)


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_lost_confirm_is_unclear_and_recovered_without_a_second_order(till: Till, fault: str) -> None:
    checkout = await till.decided(get_token=True)
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, KEY)
    found = await till.connector.recover_confirm(checkout, KEY)
    if fault in LOST:
        assert isinstance(found, Paid)
        assert found.token_failure == "the answer that named the customer token was lost"
    else:
        assert found is None
        paid = await till.connector.confirm(checkout, ONE)
        assert isinstance(paid, Paid)
        assert paid.token is not None
    assert till.rows() == HELD


async def test_a_slow_confirm_is_waited_for(till: Till) -> None:
    checkout = await till.decided(get_token=True)
    await till.counter.order_fault("confirm", "slow")
    assert isinstance(await till.connector.confirm(checkout, KEY), Paid)


@pytest.mark.parametrize("fault", ["timeout_before", "error_before", "reset_after", "malformed"])
async def test_a_confirm_that_could_not_even_look_at_the_page_never_left(till: Till, fault: str) -> None:
    checkout = await till.decided(get_token=True)
    await till.counter.order_fault("status", fault)
    with pytest.raises(NotSent):
        await till.connector.confirm(checkout, KEY)
    assert till.rows() == []


async def test_the_confirm_sends_our_own_amount_whatever_the_session_has(till: Till) -> None:
    checkout = await till.decided(get_token=True)
    assert await till.post("/sandbox/tamper", id=checkout.session, amount="1.00") == 200
    with pytest.raises(Refused, match="Not matching fields"):
        await till.connector.confirm(checkout, KEY)
    assert till.rows() == []


async def test_an_agreement_that_nobody_will_use_is_given_back(till: Till) -> None:
    checkout = await till.decided(get_token=True)
    await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.confirm(checkout, KEY), Expired)
    assert till.rows() == []


async def test_the_documented_confirm_is_sent_and_read(scripted: Scripted, till: Till) -> None:
    page, session = sample("page_to_confirm"), sample("payments_session_read")
    token, placed, order = sample("customer_token_created"), sample("order_placed"), sample("order_authorized")
    _, checkout = await till.opens(get_token=True)
    checkout = replace(
        checkout, session=page["answer"]["session_id"], state={"payments_session": session["path"].rpartition("/")[2]}
    )
    for documented in (page, session, token, placed, order):
        scripted.says(documented["status"], documented["answer"])
    paid = await scripted.connector.confirm(checkout, KEY)
    assert [(m, p) for m, p, _ in scripted.asked] == [
        (d["method"], d["path"]) for d in (page, session, token, placed, order)
    ]
    assert [body for _, _, body in scripted.asked[2:4]] == [token["request"], placed["request"]]
    assert isinstance(paid, Paid)
    assert paid.token is not None
    assert (paid.token.value, paid.payment_id) == (token["answer"]["token_id"], placed["answer"]["order_id"])


@pytest.mark.parametrize(
    ("status", "answer"), [(400, "error_bad_value"), (403, "error_rejected"), (500, ""), (200, "{}")]
)
async def test_a_payment_does_not_wait_for_its_token(scripted: Scripted, till: Till, status: int, answer: str) -> None:
    _, checkout = await till.opens(get_token=True)
    scripted.says(200, sample("page_to_confirm")["answer"])
    scripted.says(200, sample("payments_session_read")["answer"])
    scripted.says(status, sample(answer)["answer"] if answer.startswith("error") else answer)
    scripted.says(200, sample("order_placed")["answer"])
    scripted.says(200, sample("order_authorized")["answer"])
    paid = await scripted.connector.confirm(checkout, KEY)
    assert isinstance(paid, Paid)
    assert paid.token is None
    assert paid.token_failure is not None


@pytest.mark.parametrize(("status", "body"), [(404, "error_no_such_order"), (500, None), (200, "{}")])
async def test_an_order_that_was_placed_but_can_not_be_read_yet_is_underway(
    scripted: Scripted, till: Till, status: int, body: str | None
) -> None:
    _, checkout = await till.opens(get_token=True)
    for name in ("page_to_confirm", "payments_session_read", "customer_token_created", "order_placed"):
        scripted.says(200, sample(name)["answer"])
    scripted.says(status, sample(body)["answer"] if body and body.startswith("error") else body or "")
    paid = await scripted.connector.confirm(checkout, KEY)
    assert isinstance(paid, Paid)
    assert (paid.underway, paid.total, paid.captured) == (True, None, None)
    assert paid.token is not None


@pytest.mark.parametrize("told", [{"status": "complete"}, None])
async def test_a_session_that_is_complete_without_naming_its_order_stays_unclear(
    scripted: Scripted, till: Till, told: dict[str, Any] | None
) -> None:
    _, checkout = await till.opens(get_token=True)
    completed = {"error_code": "SESSION_COMPLETED", "error_messages": []}
    for ask in (scripted.connector.confirm, scripted.connector.recover_confirm):
        scripted.says(200, sample("page_to_confirm")["answer"])
        scripted.says(200 if told else 404, told or completed)
        with pytest.raises(Unclear):
            await ask(checkout, KEY)
    assert {method for method, _, _ in scripted.asked} == {"GET"}


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"order_id": 7}', '{"order_id": ""}'])
async def test_a_confirm_answered_with_nonsense_is_unclear(scripted: Scripted, till: Till, body: str) -> None:
    _, checkout = await till.opens(get_token=True)
    for name in ("page_to_confirm", "payments_session_read", "customer_token_created"):
        scripted.says(200, sample(name)["answer"])
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.confirm(checkout, KEY)


# -- charging a token -----------------------------------------------------------------------------------


async def test_a_token_pays_a_further_order_at_once_and_with_its_own_reference(till: Till) -> None:
    _, first = await till.confirmed(get_token=True)
    assert first.token is not None
    paid = await charges(till, first.token.value, reference="R-1002", customer_present=True)
    assert isinstance(paid, Paid)
    assert paid.payment_id == paid.session != first.payment_id
    assert (paid.reference, paid.total, paid.captured) == ("R-1002", Money(Decimal("100.00"), "EUR"), ZERO)
    assert not paid.underway
    assert till.rows() == [*HELD, *HELD]


async def test_the_documented_charge_is_sent_and_read(scripted: Scripted, till: Till) -> None:
    documented, order = sample("order_by_token"), sample("order_authorized")
    scripted.says(documented["status"], documented["answer"])
    scripted.says(order["status"], order["answer"])
    token = documented["path"].split("/")[4]
    paid = await scripted.connector.charge_token(till.counter.order("KLARNA"), token, ONE)
    assert scripted.asked[0] == (documented["method"], documented["path"], documented["request"])
    assert scripted.headers[0]["Klarna-Idempotency-Key"] == ONE
    assert isinstance(paid, Paid)
    assert paid.payment_id == documented["answer"]["order_id"]


async def test_a_charge_repeated_with_its_key_charges_once(till: Till) -> None:
    _, first = await till.confirmed(get_token=True)
    assert first.token is not None
    one, again = await charges(till, first.token.value, ONE), await charges(till, first.token.value, ONE)
    other = await charges(till, first.token.value, TWO)
    assert one.payment_id == again.payment_id != other.payment_id
    assert till.rows() == HELD * 3


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_lost_charge_is_unclear_and_repeated_with_its_key_without_charging_twice(
    till: Till, fault: str
) -> None:
    _, first = await till.confirmed(get_token=True)
    assert first.token is not None
    await till.counter.order_fault("charge_token", fault)
    with pytest.raises(Unclear):
        await charges(till, first.token.value)
    assert len(till.rows()) == (2 if fault in LOST else 1)
    assert isinstance(await charges(till, first.token.value), Paid)
    assert till.rows() == HELD * 2


async def test_a_slow_charge_is_waited_for(till: Till) -> None:
    _, first = await till.confirmed(get_token=True)
    assert first.token is not None
    await till.counter.order_fault("charge_token", "slow")
    assert isinstance(await charges(till, first.token.value), Paid)


async def test_an_unknown_token_is_refused_with_klarnas_own_word(till: Till) -> None:
    with pytest.raises(Refused) as no:
        await charges(till, "0b1d9815-165e-42e2-8867-35bc03789e00")
    assert no.value.code == sample("error_token_not_found")["answer"]["error_code"]


async def test_a_cancelled_token_and_one_of_another_currency_are_declined(till: Till) -> None:
    _, first = await till.confirmed(get_token=True)
    assert first.token is not None
    swedish = await charges(till, first.token.value, total=Money(Decimal("100.00"), "SEK"))
    assert isinstance(swedish, Declined)
    assert swedish.code == "PAYMENT_METHOD_CURRENCY_MISMATCH"
    simulator = till.counter.sandbox.simulators["klarna"]
    kept = simulator.desk.store.note("klarna", f"token:{first.token.value}")
    simulator.desk.store.keep_note("klarna", f"token:{first.token.value}", {**kept, "status": "CANCELLED"})
    cancelled = await charges(till, first.token.value)
    assert isinstance(cancelled, Declined)
    assert cancelled.code == "TOKEN_CANCELLED"
    assert till.rows() == HELD
