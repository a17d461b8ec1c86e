"""Asking the provider how an order stands, and deciding on its answer: for the clock, a return, an event, or who reads it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from paymux.connectors import contract as c
from paymux.orders import calls, opening, reports, settling, store
from paymux.orders.core import Core, facts_of
from paymux.orders.decide import Decision, deciding
from paymux.orders.errors import once_claimed
from paymux.orders.model import Order
from paymux.platform.http import CallFailed

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answered:
    """What asking the provider brought: the order then, its report if it gave one, whether it answered at all."""

    order: Order
    report: c.Report | None = None
    answered: bool = False


async def ask(core: Core, order: Order, source: str) -> Decision | None:
    """Ask the provider for the state of an order and decide on it. None when it says nothing of it.

    Raises DatabaseUnavailable before it is asked, OutcomeOpen from then on: what it answers is decided on.
    """
    asked = await ask_provider(core, order, source)
    return Decision(asked.order, ()) if asked.report is not None else None


async def ask_provider(core: Core, order: Order, source: str, *, confirm: bool = True) -> Answered:
    """Ask, and decide on the answer. Without `confirm` an approval leads to nothing: the order is about to end.

    Raises as `ask`.
    """
    asked = await _asked_once(core, order, source, confirm=confirm)
    if isinstance(asked.report, c.Pending) and asked.report.elsewhere:
        with once_claimed():
            newer = await _told_elsewhere(core, order)
            if newer is not None:
                # Once more, and with what is known now: if that does not help either, the next poll comes by itself.
                return await _asked_once(core, newer, source, confirm=confirm)
    return asked


async def _asked_once(core: Core, order: Order, source: str, *, confirm: bool) -> Answered:
    if order.session is None or not facts_of(order).capabilities.status:
        return Answered(order)
    async with core.database.connection() as held:
        connector = await core.connector(held, order)
    with once_claimed():
        return await _fetched(core, order, connector, source, confirm=confirm)


async def _fetched(core: Core, order: Order, connector: c.Connector, source: str, *, confirm: bool) -> Answered:
    try:
        report = await connector.fetch(opening.checkout_of(order))
    except (c.Refused, CallFailed) as fault:
        log.info(
            "provider.no_answer",
            order=order.id,
            source=source,
            fault=fault.code if isinstance(fault, c.Refused) else str(fault),
        )
        return Answered(await _told_nothing(core, order, source), answered=isinstance(fault, c.Refused))
    except Exception:  # a connector's own mistake in reading an answer: as good as none
        log.exception("connector.failed", connector=order.connector, kind="fetch")
        return Answered(await _told_nothing(core, order, source))
    if isinstance(report, c.Approved) and not confirm:
        return Answered(await keep_given_once(core, order.id, source, report), report, True)
    decision = await deciding(core, order.id, source, lambda desk: reports.apply_report(desk, report))
    return Answered((await calls.run_all(core, decision)).order, report, True)


async def keep_given_once(core: Core, order_id: str, source: str, approval: c.Approved) -> Order:
    """Keep what an approval brought, and do nothing else on it: its provider may give it once. The order as it is then."""
    return (await deciding(core, order_id, source, lambda desk: reports.keep_state(desk, approval))).order


async def _told_nothing(core: Core, order: Order, source: str) -> Order:
    """There is nothing to decide on, but a decision writes the calls that led to it: these must not wait for the next one."""
    return (await deciding(core, order.id, source, settling.left_alone)).order


async def _told_elsewhere(core: Core, asked: Order) -> Order | None:
    """The order once somebody else has stored what he learnt of it; None if it ended without, or nobody does in time."""
    ends = asyncio.get_running_loop().time() + core.settings.race_wait
    while asyncio.get_running_loop().time() < ends:
        order = await as_it_is(core, asked.id)
        if order.connector_state != asked.connector_state:
            return order
        if order.status.final:
            break  # nothing is due on it that could not wait for whoever watches it
        await asyncio.sleep(0.1)
    return None


async def as_it_is(core: Core, order_id: str) -> Order:
    """The order as it is now."""
    async with core.database.transaction() as tx:
        return await store.order_by_id(tx, order_id)
