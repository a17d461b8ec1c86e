"""Opening a checkout, the shopper's return, and what the poll reads of each outcome."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from paymux.accounts.model import ProviderAccount
from paymux.accounts.service import connector_account
from paymux.connectors.contract import (
    Ask,
    Cancelled,
    Checkout,
    Declined,
    NotThere,
    Paid,
    Pending,
    Redirect,
    Refused,
)
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import Unclear
from paymux.platform.settings import Settings
from tests.connectors.klarna.conftest import Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, LOST, NEVER_CAME

ZERO = Decimal(0)
CODES = ["KLARNA", "KLARNA_3_INSTALMENTS", "KLARNA_US", "KLARNA_AU", "KLARNA_NZ"]
HOSTS = {
    "KLARNA": ("https://api.klarna.com", "https://api.playground.klarna.com"),
    "KLARNA_3_INSTALMENTS": ("https://api.klarna.com", "https://api.playground.klarna.com"),
    "KLARNA_US": ("https://api-na.klarna.com", "https://api-na.playground.klarna.com"),
    "KLARNA_AU": ("https://api-oc.klarna.com", "https://api-oc.playground.klarna.com"),
    "KLARNA_NZ": ("https://api-oc.klarna.com", "https://api-oc.playground.klarna.com"),
}


def test_the_facts_name_all_five_codes() -> None:
    assert list(all_providers()["klarna"].facts.codes) == CODES


@pytest.mark.parametrize("code", CODES)
def test_each_code_is_served_by_the_host_of_its_region(code: str) -> None:
    for environment, host in zip(("live", "test"), HOSTS[code], strict=True):
        account = ProviderAccount(
            id="pac_1", merchant_id="mer_1", channel="", code=code, environment=environment, credentials={},
            event_key="k", active=True, min_amount=None, max_amount=None, priority=0,
        )  # fmt: skip
        assert connector_account(Settings(), account).hosts == {"api": host}


@pytest.mark.parametrize("code", CODES)
async def test_every_code_is_paid_in_its_currency_at_the_host_it_was_given(till: Till, code: str) -> None:
    till.code = code
    currency = till.counter.provider.facts.codes[code].currencies[0]
    await till.pays("64.10")
    assert till.counter.ledger() == [("authorize", Decimal("64.10"), currency)]
    assert {e.url.split("/klarna/")[0] for e in till.exchanges} == {till.counter.base_url}


async def test_opening_moves_nothing_and_tells_when_the_checkout_ends(till: Till) -> None:
    opened, checkout = await till.opens()
    assert opened.expires_at is not None
    assert timedelta(hours=46, minutes=59) < opened.expires_at - datetime.now(UTC) < timedelta(hours=47, minutes=1)
    assert opened.session != checkout.state["payments_session"]
    assert till.counter.ledger() == []


async def test_the_requests_and_the_answers_are_the_documented_ones(scripted: Scripted, till: Till) -> None:
    session, page = sample("payments_session_created"), sample("page_created")
    scripted.says(session["status"], session["answer"])
    scripted.says(page["status"], page["answer"])
    events = session["request"]["merchant_urls"]["notification"]
    opened = await scripted.connector.create_checkout(till.counter.order("KLARNA", events_url=events), KEY)
    assert isinstance(opened, Redirect)
    asked = [(method, path, body) for method, path, body in scripted.asked]
    here = scripted.connector.account.hosts["api"]
    asked[1][2]["payment_session_url"] = asked[1][2]["payment_session_url"].replace(here, "https://api.klarna.com")
    assert asked == [(s["method"], s["path"], s["request"]) for s in (session, page)]
    assert (opened.session, opened.url) == (page["answer"]["session_id"], page["answer"]["redirect_url"])
    assert opened.state == {"payments_session": session["answer"]["session_id"]}
    assert opened.expires_at == datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC)
    assert scripted.headers[0]["Authorization"] == "Basic UEsxOnM="


async def test_wrong_credentials_are_refused_and_the_right_ones_pass_the_check(till: Till) -> None:
    wrong = till.counter.connector("KLARNA", password="other")
    with pytest.raises(Refused) as no:
        await wrong.create_checkout(till.counter.order("KLARNA"), KEY)
    assert no.value.code == "UNAUTHORIZED"
    with pytest.raises(Refused):
        await wrong.check()
    assert "took the credentials" in await till.connector.check()


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_lost_create_answer_is_unclear_and_moves_nothing(till: Till, fault: str) -> None:
    await till.counter.order_fault("create", fault)
    with pytest.raises(Unclear):
        await till.connector.create_checkout(till.counter.order("KLARNA"), KEY)
    assert till.counter.ledger() == []
    await till.pays()


async def test_a_slow_create_is_waited_for(till: Till) -> None:
    await till.counter.order_fault("create", "slow")
    await till.opens()


@pytest.mark.parametrize("which", ["session", "page"])
@pytest.mark.parametrize("nonsense", ["", "null", "[]", '"x"', "{}", '{"session_id": 7}', '{"session_id": ""}',
    '{"session_id": "s", "redirect_url": "javascript:alert(1)"}', '{"session_id": "s", "redirect_url": ["a"]}',
    '{"session_id": "s", "redirect_url": "https://a.example", "expires_at": "soon"}'])  # fmt: skip
async def test_a_created_answer_that_lacks_what_it_must_have_is_unclear(
    scripted: Scripted, till: Till, which: str, nonsense: str
) -> None:
    if which == "session" and '"s"' in nonsense:
        nonsense = "<html>"
    if which == "page":
        scripted.says(200, sample("payments_session_created")["answer"])
    scripted.says(201, nonsense)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("KLARNA"), KEY)


@pytest.mark.parametrize("name", ["error_bad_value", "error_rejected"])
async def test_a_documented_error_at_creation_is_a_clear_no_with_klarnas_own_word(
    scripted: Scripted, till: Till, name: str
) -> None:
    documented = scripted.replays(name)
    with pytest.raises(Refused) as no:
        await scripted.connector.create_checkout(till.counter.order("KLARNA"), KEY)
    assert no.value.code == documented["answer"]["error_code"]
    assert no.value.reason == documented["answer"]["error_messages"][0]


# -- the return ----------------------------------------------------------------------------------


async def test_the_documented_returns_are_hints_only(till: Till) -> None:
    _, checkout = await till.opens()
    page = sample("return_success")["query"]["hpp"]
    read = till.connector.read_return
    assert read(sample("return_success")["query"], checkout) == Ask(session=page)
    assert read(sample("return_success")["query"], replace(checkout, get_token=True)) == Ask(
        session=page, approved=True
    )
    assert read(sample("return_cancelled")["query"], checkout) == Ask(session=page, left=True)
    for query in ({}, {"via": "failure"}, {"via": "SUCCESS"}, {"hpp": ""}):
        assert read(query, checkout) == Ask()


@pytest.mark.parametrize(
    ("outcome", "via", "kind", "completed"),
    [
        ("approve", "success", Paid, None),
        ("pending", "success", Paid, None),
        ("decline", "failure", Pending, False),
        ("error", "failure", Pending, False),
        ("cancel", "cancel", Cancelled, None),
    ],
)
async def test_the_shopper_comes_back_with_the_pages_id_and_only_asking_tells_the_outcome(
    till: Till, outcome: str, via: str, kind: type, completed: bool | None
) -> None:
    opened, checkout = await till.opens()
    query = await till.counter.shopper(opened.url, outcome)
    assert query == {"via": via, "hpp": checkout.session}
    hint = till.connector.read_return(query, checkout)
    assert hint == Ask(session=checkout.session, left=via == "cancel")
    report = await till.connector.fetch(checkout)
    assert isinstance(report, kind)
    assert report.session == checkout.session
    assert getattr(report, "completed", None) == completed
    assert till.rows() == ([("authorize", Decimal("100.00"))] if outcome == "approve" else [])


async def test_a_shopper_who_was_declined_tries_again_in_the_same_checkout_and_pays(till: Till) -> None:
    opened, checkout = await till.opens()
    for outcome in ("decline", "error", "approve"):
        await till.counter.shopper(opened.url, outcome)
    assert isinstance(await till.connector.fetch(checkout), Paid)


async def test_a_shopper_who_cancelled_can_not_come_back(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.counter.shopper(opened.url, "cancel")
    assert (await till.counter.shopper(opened.url, "approve"))["via"] == "cancel"
    assert isinstance(await till.connector.fetch(checkout), Cancelled)


# -- the poll -------------------------------------------------------------------------------------------


async def test_an_open_checkout_is_pending(till: Till) -> None:
    _, checkout = await till.opens()
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Pending)
    assert (report.session, report.completed) == (checkout.session, False)


async def test_an_order_that_klarna_placed_is_open_for_28_days_and_names_our_reference(till: Till) -> None:
    checkout = await till.decided()
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference) == (checkout.session, "R-1001")
    assert paid.total == Money(Decimal("100.00"), "EUR")
    assert (paid.captured, paid.voided, paid.refunded, paid.expired, paid.underway) == (ZERO, ZERO, ZERO, ZERO, False)
    assert paid.authorised_until is not None
    assert timedelta(days=27, hours=23) < paid.authorised_until - datetime.now(UTC) < timedelta(days=28, hours=1)
    again = await till.connector.fetch(till.with_payment(checkout, paid))
    assert replace(again, raw=None, session=checkout.session) == replace(paid, raw=None)


async def test_an_order_held_for_a_fraud_check_is_underway_and_then_accepted(till: Till) -> None:
    checkout = await till.decided("pending")
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert paid.underway
    assert await till.settles("approve") == 200
    paid = await till.connector.fetch(till.with_payment(checkout, paid))
    assert isinstance(paid, Paid)
    assert not paid.underway


async def test_an_order_held_for_a_fraud_check_and_rejected_is_declined(till: Till) -> None:
    checkout = await till.decided("pending")
    assert await till.settles("decline") == 200
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Declined)
    assert (report.code, report.session, report.reference) == ("REJECTED", checkout.session, "R-1001")
    assert till.rows() == []


async def test_a_page_that_has_expired_and_ids_that_nobody_knows_are_not_there(till: Till) -> None:
    _, checkout = await till.opens()
    for unknown in (replace(checkout, session="other"), replace(checkout, payment_id=checkout.session)):
        with pytest.raises(NotThere):
            await till.connector.fetch(unknown)
    till.passes(hours=47)
    with pytest.raises(NotThere):
        await till.connector.fetch(checkout)


@pytest.mark.parametrize("fault", ["timeout_before", "error_before", "reset_after", "malformed"])
async def test_a_poll_that_gets_no_answer_is_unclear(till: Till, fault: str) -> None:
    _, checkout = await till.opens()
    await till.counter.order_fault("status", fault)
    with pytest.raises(Unclear):
        await till.connector.fetch(checkout)


async def test_a_poll_with_wrong_credentials_is_refused_and_not_taken_for_not_there(till: Till) -> None:
    _, checkout = await till.opens()
    wrong: Any = till.counter.connector("KLARNA", username="1")
    with pytest.raises(Refused) as no:
        await wrong.fetch(checkout)
    assert not isinstance(no.value, NotThere)


# -- closing a checkout -----------------------------------------------------------------------------------


async def test_a_closed_checkout_can_not_be_paid_any_more_and_closing_it_again_does_no_harm(till: Till) -> None:
    opened, checkout = await till.opens()
    for _ in range(2):
        await till.connector.cancel_checkout(checkout)
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.fetch(checkout), Cancelled)
    assert till.rows() == []


async def test_a_checkout_that_is_gone_counts_as_closed(till: Till) -> None:
    _, checkout = await till.opens()
    till.passes(hours=47)
    await till.connector.cancel_checkout(checkout)


async def test_a_paid_checkout_can_not_be_closed(till: Till) -> None:
    checkout = await till.decided()
    with pytest.raises(Refused):
        await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.fetch(checkout), Paid)


@pytest.mark.parametrize("fault", ["error_before", "reset_after"])
async def test_a_lost_close_is_unclear_and_may_be_repeated(till: Till, fault: str) -> None:
    _, checkout = await till.opens()
    await till.counter.order_fault("cancel", fault)
    with pytest.raises(Unclear):
        await till.connector.cancel_checkout(checkout)
    await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.fetch(checkout), Cancelled)


# -- whose payment it is (T1) -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tampered", "reference", "total"),
    [
        ({"amount": "1.00"}, "R-1001", Money(Decimal("1.00"), "EUR")),
        ({"currency": "SEK"}, "R-1001", Money(Decimal("100.00"), "SEK")),
        ({"reference": "other"}, "other", Money(Decimal("100.00"), "EUR")),
    ],
)
async def test_what_is_reported_is_what_klarna_says_and_never_ours(
    till: Till, tampered: dict[str, str], reference: str, total: Money
) -> None:
    checkout = await till.decided()
    assert await till.post("/sandbox/tamper", id=checkout.session, **tampered) == 200
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference, paid.total) == (checkout.session, reference, total)


async def test_another_pages_session_is_reported_under_its_own_id(scripted: Scripted) -> None:
    checkout = Checkout(
        session="mine", reference="R-1001", total=Money(Decimal(100), "EUR"), auto_capture=True, get_token=False,
        country="DE", locale="de_DE", expires_at=datetime.now(UTC), order_id="ord_1",
    )  # fmt: skip
    scripted.says(200, sample("page_completed")["answer"])
    scripted.says(200, sample("order_authorized")["answer"])
    report = await scripted.connector.fetch(checkout)
    assert report.session == sample("page_completed")["answer"]["session_id"] != checkout.session


# -- callbacks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, "duplicate_event"])
async def test_the_page_calls_back_and_its_repeat_carries_the_same_id(till: Till, fault: str | None) -> None:
    if fault:
        await till.counter.order_fault("events", fault)
    checkout = await till.decided()
    events = await till.events(2 if fault else 1)
    assert len(events) == (2 if fault else 1)
    ids = {till.connector.verify_event(event) for event in events}
    assert len(ids) == 1
    assert re.fullmatch("[0-9a-f-]{36}", ids.pop() or "")
    reading = till.connector.read_event(events[0])
    assert (reading.session, reading.payment_id, reading.report) == (checkout.session, None, None)
