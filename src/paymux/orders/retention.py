"""What is kept for a time only, and goes by its age: calls to providers, events that fit no order, kept answers.

Orders, their events, the audit trail and what a provider has proven to have sent about an order are kept for good.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from paymux.audit import store as audit_store
from paymux.audit import trail
from paymux.connectors.registry import all_codes
from paymux.orders import event_store, provider_events, refused_events, store
from paymux.orders.core import Core
from paymux.orders.create import KEY_LIFE
from paymux.platform.acting import Actor, acting_as
from paymux.platform.database import Connection

log = structlog.get_logger()
EVERY = 3600.0
"""Seconds between two looks, by every worker."""
BATCH = 2_000


async def forget(core: Core) -> None:
    """Delete what is older than it is kept, in batches so that no transaction is long, and tell the audit trail."""
    acting_as(Actor("system", "retention"))
    calls_kept, events_kept = timedelta(days=core.settings.call_log_days), refused_events.REFUSED_KEPT
    proven = {code: provider_events.proven(provider.facts) for code, (provider, _) in all_codes().items()}

    async def calls(tx: Connection) -> int:
        return await audit_store.forget_calls(tx, calls_kept, BATCH)

    async def refused(tx: Connection) -> int:
        return await event_store.forget_refused(tx, await core.clock.refresh(tx) - events_kept, BATCH)

    def orderless(*, are_proven: bool, kept: timedelta) -> Callable[[Connection], Awaitable[int]]:
        codes = [code for code, is_proven in proven.items() if is_proven == are_proven]

        async def some(tx: Connection) -> int:
            return await event_store.forget_orderless(tx, codes, await core.clock.refresh(tx) - kept, BATCH)

        return some

    async def keys(tx: Connection) -> int:
        return await store.forget_old_keys(tx, await core.clock.refresh(tx) - KEY_LIFE, BATCH)

    await _forget(core, "provider_calls", calls_kept, calls)
    await _forget(core, "provider_events", events_kept, refused)
    for are_proven, kept in ((False, events_kept), (True, provider_events.PROVEN_KEPT)):
        await _forget(core, "provider_events", kept, orderless(are_proven=are_proven, kept=kept))
    await _forget(core, "idempotency_keys", KEY_LIFE, keys)


async def _forget(core: Core, what: str, kept: timedelta, some: Callable[[Connection], Awaitable[int]]) -> None:
    gone = BATCH
    while gone == BATCH:
        async with core.database.transaction() as tx:
            gone = await some(tx)
            if gone:
                await trail.record(tx, f"{what}.forgotten", "installation", rows=gone, older_than_days=kept.days)
                log.info("retention.forgotten", what=what, rows=gone)
