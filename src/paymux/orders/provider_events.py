"""Provider events: verified, stored, answered; decided by job (P1)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from paymux.accounts import service as accounts
from paymux.accounts.model import ProviderAccount
from paymux.audit import trail
from paymux.connectors import contract as c
from paymux.connectors.facts import EventKind, ProviderFacts
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import provider_of
from paymux.orders import asking, calls, event_names, event_store, refused_events, reports, store
from paymux.orders.core import Core, facts_of
from paymux.orders.decide import deciding
from paymux.orders.errors import Unavailable
from paymux.orders.model import Order
from paymux.orders.refused_events import as_kept, emptied, event_digest
from paymux.platform import jobs
from paymux.platform.database import Connection, Record, from_json, to_json
from paymux.platform.identifiers import new_id

log = structlog.get_logger()
_PROVEN = (EventKind.SIGNED, EventKind.HEADER)
UNMATCHED_LIFE = timedelta(hours=24)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
PROVEN_KEPT = timedelta(days=90)
"""A proven event that fits no order may be one of another shop's, with its customer in it. So long somebody who misses a
payment finds it, which he needs most after a restored backup: then it goes."""
LONGEST_ID = 200
WAITING_AT_MOST = 1_000
"""So many events of an account that prove nothing, and fit no order, are taken in a day; the next is told to come again."""


class TooManyWait(Unavailable):
    """Events that prove nothing, and fit no order, come faster than they can be looked at: nothing was stored."""

    headers: Mapping[str, str] = {"Retry-After": "600"}


def proven(facts: ProviderFacts) -> bool:
    """Whether nobody but the provider can send an event that is accepted."""
    return facts.events.kind in _PROVEN


def _connector(core: Core, account: ProviderAccount) -> c.Connector:
    provider, _ = provider_of(account.code)
    return provider.connector(accounts.connector_account(core.settings, account), ProviderHttp(core.client))


class NotAuthentic(Exception):
    """An event that is forged, or that its connector can't even look at: kept for a look, never acted on."""


async def receive(core: Core, event_key: str, event: c.Incoming) -> Mapping[str, Any] | None:
    """Store an event and queue it; what its provider wants to be answered. None: no such account.

    Raises NotAuthentic, TooManyWait, DatabaseUnavailable.
    """
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        account = await accounts.account_by_event_key(tx, core.keyring, event_key)
        if account is None or provider_of(account.code)[0].facts.events.kind is EventKind.NONE:
            # A provider that sends none has no address either: nobody would ever read what came there.
            return None
        connector = _connector(core, account)
        verdict, parts = _looked_at(connector, event)
        if verdict == "forged":
            await refused_events.keep(core, tx, account, event, "not authentic", len(event.body), now)
        else:
            await _keep_all(core, tx, account, parts, now)
    if verdict == "forged":
        raise NotAuthentic  # only now: what was refused is stored, too
    return connector.facts.events.answer


async def receive_beginning(core: Core, event_key: str, event: c.Incoming, size: int | None) -> None:
    """Store what identifies an event that is larger than any event: its beginning, its digest, and its `size`.

    `size` is what its sender said, in bytes; None when he did not. Raises DatabaseUnavailable.
    """
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        account = await accounts.account_by_event_key(tx, core.keyring, event_key)
        if account is None or provider_of(account.code)[0].facts.events.kind is EventKind.NONE:
            return
        await refused_events.keep(core, tx, account, event, "too large", size, now)


def _looked_at(connector: c.Connector, event: c.Incoming) -> tuple[str, list[tuple[str | None, c.Incoming]]]:
    """Whether an event is authentic, and the single events that it brings, each with its name."""
    try:
        name = connector.verify_event(event)
        return "accepted", list(connector.split_event(event)) or [(name, event)]
    except c.Forged:
        return "forged", [(None, event)]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as fault:
        # What its own connector can't even look at is not authentic.
        log.warning("event.unreadable", connector=connector.name, fault=type(fault).__name__)
        return "forged", [(None, event)]


async def _keep_all(
    core: Core, tx: Connection, account: ProviderAccount, parts: list[tuple[str | None, c.Incoming]], now: datetime
) -> None:
    """Store the events that one authentic request brought. Raises TooManyWait."""
    if not proven(provider_of(account.code)[0].facts):
        since = now - UNMATCHED_LIFE
        if await event_store.orderless_since(tx, account.id, since, WAITING_AT_MOST) == WAITING_AT_MOST:
            log.warning("event.too_many_wait", account=account.id)
            raise TooManyWait("Too many events fit no order; send it again later")
    for name, part in parts:
        await _keep(core, tx, account, name, part, now)


async def _keep(
    core: Core, tx: Connection, account: ProviderAccount, name: str | None, event: c.Incoming, now: datetime
) -> None:
    """Store an authentic event, and queue it where it is new."""
    named = name and len(name) <= LONGEST_ID and "\0" not in name
    number, event_id = new_id("pev"), name if named and name else f"accepted:{event_digest(event)}"
    sealed = core.keyring.seal(to_json(as_kept(event)), "provider-event")
    if await event_store.insert(tx, number, account.id, event_id, event.method, sealed, "accepted", None, now):
        await jobs.enqueue(tx, "provider_event", number)
    elif not named and (known := await event_store.keep_again(tx, account.id, event_id, sealed)):
        # Some say no more than "look at this payment", each time in the same words: there is something new to see.
        await jobs.enqueue(tx, "provider_event", f"{known}|again")


async def run_event(core: Core, payload: str) -> None:
    """Decide on a stored event: the job behind `receive`.

    `payload` is the event's number; with `|early` behind it, it is tried once more because an order that it names was
    decided, beside the tries that go on; with `|again`, because it came once more in the same words. Raises NotYet where
    its account has all the places of events that it gets; and where its provider has to be called, and has all the places
    of jobs that it gets: what it says itself was decided on.
    """
    number, _, why = payload.partition("|")
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        row = await event_store.event(tx, number)
        if row is None or row["state"] not in ("stored", "unmatched", *(("decided",) if why == "again" else ())):
            return
        account = await accounts.account_by_id(tx, core.keyring, row["account_id"])
    # For the look alone, which is short: what follows for an order has the places of its provider.
    with core.event_places.place(account.id):
        found = await _look(core, row, account, now, again=not why)
    if found is None:
        return
    order, reading = found
    report = reading.report
    if report is None or not proven(facts_of(order)):
        await _ask(core, order, now)
    elif row["state"] != "decided":  # else what it says was decided on, and it says nothing else
        said = report
        decision = await deciding(core, order.id, "event", lambda desk: reports.apply_report(desk, said))
        if decision.run:
            with core.place_for(order):
                await calls.run_all(core, decision)
    async with core.database.transaction() as tx:
        nothing = emptied(core.keyring, row["method"]) if await store.erased(tx, order.id) else None
        await event_store.settle(tx, number, "decided", order.id, None, nothing_sealed=nothing)


async def _ask(core: Core, order: Order, now: datetime) -> None:
    """There is news of an order: ask its provider, now or, where it does not answer, soon."""
    with core.place_for(order):
        told = await asking.ask(core, order, "event")
    if told is None:
        async with core.database.transaction() as tx:
            await store.lock_order(tx, order.id)
            await trail.record_calls(tx, core.calls.take(order.id))
            if facts_of(order).capabilities.status:
                await store.set_timer(tx, order.id, "poll", now + timedelta(seconds=5), now)


async def _look(
    core: Core, row: Record, account: ProviderAccount, now: datetime, *, again: bool
) -> tuple[Order, c.EventReading] | None:  # fmt: skip
    """Read a stored event, and find its order; None where it has none, noted.

    `again`: it is to be looked at once more, later and later, for UNMATCHED_LIFE.
    """
    kept = from_json(core.keyring.unseal(row["request_sealed"], "provider-event"))
    if kept.get("erased"):
        # An erasure came first: that there is news of this order is all that is left of it.
        if row["order_id"] is None:
            return None
        async with core.database.connection() as held:
            return await store.order_by_id(held, row["order_id"]), c.EventReading()
    event = c.Incoming(
        method=kept["method"], headers=kept["headers"], query=kept["query"], body=base64.b64decode(kept["body"]),
        path=kept.get("path", ""),
    )  # fmt: skip
    try:
        reading = _connector(core, account).read_event(event)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as fault:
        async with core.database.transaction() as tx:
            await event_store.settle(tx, row["id"], "ignored", None, f"unreadable: {type(fault).__name__}")
        return None
    async with core.database.transaction() as tx:
        named = (reading.session, reading.payment_id, reading.reference)
        # What PostgreSQL can't hold as text names no order.
        session, payment_id, reference = (one if one and "\0" not in one else None for one in named)
        order = await store.find_order(tx, account.id, session, payment_id, reference)
        if order is None:
            names = event_names.digests(core.keyring, session=session, payment_id=payment_id, reference=reference)
            await event_store.settle(tx, row["id"], "unmatched", None, "no order yet", named=names)
            age = now - row["received_at"]
            if again and age < UNMATCHED_LIFE:
                await jobs.enqueue(tx, "provider_event", row["id"], pause_at(age))
            return None
    return order, reading


def pause_at(age: timedelta) -> timedelta:
    """How long an event of this age that fits no order waits for its next look: as long as it has waited, an hour at most.

    An account that serves another shop, too, has as many of them as that shop sells; and the order that such an event
    names wakes it.
    """
    return min(max(age, FIRST_PAUSE), LONGEST_PAUSE)


async def given_up(core: Core) -> list[dict[str, str]]:
    """Events that fitted no order for a day, and are tried no more: the operator's list (P1)."""
    async with core.database.transaction() as tx:
        rows = await event_store.given_up(tx, await core.clock.refresh(tx) - UNMATCHED_LIFE)
    return [
        {"event": row["id"], "merchant": row["merchant_id"], "provider": row["code"], "providerEvent": row["event_id"],
         "receivedAt": row["received_at"].isoformat()}
        for row in rows
    ]  # fmt: skip
