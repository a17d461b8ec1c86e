"""Whatever a provider answers or sends, its connector says one of the things that the contract has words for.

Each connector that the registry finds is told its own documented messages, bent: its samples, and what its simulator
said in a whole story. Only a report that the bent message bears out may come of it, or a documented fault.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paymux.connectors import contract as c
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.money import Money, is_currency, minor_units
from paymux.platform.database import to_json
from paymux.platform.http import HttpClient, NotSent, Unclear
from tests.conformance.trial import PATIENT
from tests.fuzz.bending import bends, bent, numbers_in, words_in
from tests.fuzz.conftest import TapeOf
from tests.fuzz.tape import Said, Script, Tape, bent_event, bent_query

LIMITS = PATIENT
NAMES = sorted(all_providers())
KEY = "3f0e8b0a-6a53-7c1e-9f1d-0b5c9f3f2a11"
SEARCH = settings(
    deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
STATUSES = [None, None, None, 200, 201, 204, 302, 400, 402, 403, 404, 409, 412, 422]

MOVES = {"capture": ("deferred_capture", "capture_after_authorisation"), "void": ("void",), "refund": ("refund",)}
"""The capabilities of which one makes the core call a verb."""
VERBS = {
    "create_checkout": None, "fetch": "status", "confirm": "confirm", "recover_confirm": "recover_confirm",
    "capture": None, "void": None, "refund": None, "find_move": "find_move", "cancel_checkout": "cancel",
    "set_up_events": "set_up_events", "check": "check", "charge_token": "charge_token",
}  # fmt: skip


def _verbs(able: Any) -> list[str]:
    return [
        verb for verb, needs in VERBS.items()
        if (any(getattr(able, one) for one in MOVES[verb]) if verb in MOVES else needs is None or getattr(able, needs))
    ]  # fmt: skip


async def _called(connector: c.Connector, tape: Tape, verb: str, *, paid: bool) -> Any:
    checkout = tape.checkout if paid else replace(tape.checkout, payment_id=None)
    if verb == "create_checkout":
        return await connector.create_checkout(tape.to_pay, KEY)
    if verb == "charge_token":
        return await connector.charge_token(tape.to_pay, "tok_1", KEY)
    if verb in MOVES:
        return await getattr(connector, verb)(checkout, _move(checkout.total))
    if verb == "find_move":
        return await connector.find_move(checkout, c.MoveKind.REFUND, KEY, "move_1")
    if verb == "set_up_events":
        return await connector.set_up_events(tape.to_pay.events_url)
    if verb == "check":
        return await connector.check()
    return await getattr(connector, verb)(checkout, *((KEY,) if "confirm" in verb else ()))


def _move(total: Money) -> c.Move:
    return c.Move(
        key=KEY, reference="OP-1", amount=total, open=total.amount, captured=total.amount, first=True, description="returned"
    )  # fmt: skip


OUTCOMES: dict[str, tuple[type, ...]] = {
    "create_checkout": (c.Redirect, c.Declined), "fetch": (c.Report,), "confirm": (c.Report,), "charge_token": (c.Report,),
    "recover_confirm": (c.Report, type(None)), "capture": (c.Moved, c.Underway), "void": (c.Moved, c.Underway),
    "refund": (c.Moved, c.Underway), "find_move": (c.ProviderMove, type(None)), "cancel_checkout": (type(None),),
    "set_up_events": (type(None),), "check": (str,),
}  # fmt: skip


def _holds(said: Any, told: list[Any], tape: Tape) -> None:
    """What is proposed is sound, and a payment is borne out by the messages."""
    if isinstance(said, c.Redirect):
        assert said.session
        assert isinstance(said.session, str)
        assert said.url.startswith(("https://", "http://"))
        assert said.expires_at is None or said.expires_at.tzinfo
    if isinstance(said, c.Moved):
        assert isinstance(said.provider_id, str)
    if isinstance(said, c.Report | c.Moved | c.Underway) and said.raw is not None:
        assert isinstance(said.raw, dict)
        to_json(said.raw)
    if isinstance(said, c.ProviderMove):
        _amount(said.amount)
    if isinstance(said, c.Report):
        assert said.reference is None or isinstance(said.reference, str)
        assert said.session is None or isinstance(said.session, str)
    if isinstance(said, c.Paid):
        _holds_paid(said, told, tape)


def _amount(value: Any) -> None:
    assert isinstance(value, Decimal), value
    assert value.is_finite(), value


def _holds_paid(paid: c.Paid, told: list[Any], tape: Tape) -> None:
    assert paid.payment_id
    assert isinstance(paid.payment_id, str)
    for amount in (paid.captured, paid.voided, paid.refunded, paid.expired, paid.surcharge):
        if amount is not None:
            _amount(amount)
    for move in paid.moves or ():
        _amount(move.amount)
    assert paid.authorised_until is None or paid.authorised_until.tzinfo
    if paid.session is not None:
        assert any(paid.session in word for word in words_in(told)), (paid.session, told)
    if paid.total is not None:
        _amount(paid.total.amount)
        said = numbers_in(told)
        # What is no currency is passed on, too: to the core it is a payment that is not this order's.
        decimals = minor_units(paid.total.currency) if is_currency(paid.total.currency) else 0
        assert {paid.total.amount, paid.total.amount.scaleb(decimals)} & said, (paid.total, told)
        # Where a provider names no currency, the account's own is meant.
        ours = paid.total.currency == tape.checkout.total.currency
        assert ours or any(paid.total.currency.upper() in word.upper() for word in words_in(told)), (paid.total, told)


async def _answers(tape: Tape, script: Script, data: st.DataObject) -> None:
    """One verb is called; of its answers one is bent, or replaced by a bent sample."""
    script.tape = tape
    verb = data.draw(st.sampled_from(_verbs(tape.provider.facts.capabilities)))
    paid, which, struck = data.draw(st.booleans()), data.draw(st.integers(0, 9)), data.draw(st.integers(0, 2))
    todo, status = data.draw(bends), data.draw(st.sampled_from(STATUSES))
    sample = data.draw(st.sampled_from([None, *tape.samples]))

    def plan(call: int, known: list[Said]) -> Said:
        said = known[which % len(known)]
        if call != struck:
            return said
        said = sample or said
        headers = {name: text for name, text in said.headers.items() if name.lower() == "content-type" or not todo}
        return Said(status or said.status, headers, bent(said.body, todo))

    script.plan, script.told, script.calls = plan, [], 0
    hosts = {host: url.replace(script.base, script.url) for host, url in tape.account.hosts.items()}
    client = HttpClient(connect=5.0, total=10.0)
    connector = tape.provider.connector(replace(tape.account, hosts=hosts), ProviderHttp(client))
    try:
        said = await _called(connector, tape, verb, paid=paid)
    except (c.Refused, Unclear, NotSent):
        return
    finally:
        await client.close()
    assert isinstance(said, OUTCOMES[verb]), said
    _holds(said, script.told, tape)


def _comes(tape: Tape, data: st.DataObject) -> None:
    """A return and an event come, both bent."""
    connector = tape.provider.connector(tape.account, ProviderHttp(HttpClient(connect=1.0, total=1.0)))
    todo = data.draw(bends)
    query = bent_query(data.draw(st.sampled_from(tape.returns)), todo)
    try:
        said = connector.read_return(query, tape.checkout)
        assert isinstance(said, c.Ask | c.Report), said
        _holds(said, [query], tape)
    except c.Forged:
        pass
    if tape.provider.facts.events.kind == "none" or not tape.events:
        return
    event, told = bent_event(data.draw(st.sampled_from(tape.events)), todo)
    _takes(connector, event, told, tape)


def _takes(connector: c.Connector, event: c.Incoming, told: list[Any], tape: Tape) -> None:
    parts = [event]
    try:
        number = connector.verify_event(event)
        assert number is None or isinstance(number, str), number
        parts = [part for _, part in connector.split_event(event)] or parts
    except (c.Forged, ValueError):
        # A forged one is never read; as an event that is authentic may say anything, it is read here nevertheless.
        pass
    for part in parts:
        try:
            reading = connector.read_event(part)
        except ValueError:
            continue
        assert isinstance(reading, c.EventReading), reading
        for one in (reading.session, reading.payment_id, reading.reference):
            assert one is None or isinstance(one, str), reading
        if reading.report is not None:
            _holds(reading.report, told, tape)


@pytest.mark.parametrize("name", NAMES)
@settings(SEARCH, max_examples=100)
@given(data=st.data())
async def test_whatever_a_provider_answers_its_connector_says_what_the_contract_has_a_word_for(
    name: str, tape_of: TapeOf, script: Script, data: st.DataObject
) -> None:
    await _answers(await tape_of(name), script, data)


@pytest.mark.parametrize("name", NAMES)
@settings(SEARCH, max_examples=100)
@given(data=st.data())
async def test_whatever_comes_as_an_event_or_a_return_it_is_read_or_refused(
    name: str, tape_of: TapeOf, data: st.DataObject
) -> None:
    _comes(await tape_of(name), data)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
@settings(SEARCH, max_examples=300)
@given(data=st.data())
async def test_in_a_long_search_too_a_connector_only_says_what_the_contract_has_a_word_for(
    name: str, tape_of: TapeOf, script: Script, data: st.DataObject
) -> None:
    tape = await tape_of(name)
    await _answers(tape, script, data)
    _comes(tape, data)
