"""A call that takes long while its caller lives is nobody else's: it is never made twice, however often its time comes (U4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from paymux.orders import calls
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.resilience.conftest import Held

LEASE = 1.5
LIMITS = {"lease": LEASE, "provider_timeout": 60.0}


async def test_a_slow_capture_outlives_many_leases_and_is_made_once(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually,
    hold: Callable[[], Held],
) -> None:  # fmt: skip
    opened = await merchant.creates("AFTERPAY_AU", autoCapture=False)
    reference = opened["orderReference"]
    await installation.call("GET", await shopper.decides(opened["redirectUrl"], "approve"))
    await installation.quiet()
    held = hold()
    asked = asyncio.create_task(merchant.captures(reference, "40", "C-1"))
    await held.reached(1)

    async def renewed_and_tried() -> bool:
        async with installation.database.connection() as connection:
            row = await connection.fetchrow(
                "SELECT o.id, o.lease_until_real - o.created_at AS held,"
                " (SELECT count(*) FROM pgqueuer_log l WHERE l.entrypoint = 'order_timer' AND l.status = 'successful') AS tried"
                " FROM operations o JOIN orders ON orders.id = o.order_id WHERE o.reference = 'C-1' AND orders.reference = $1",
                reference,
            )
        # Another process that is told to do it finds it taken, too.
        assert await calls.run_operation(replace(installation.core, holder="proc_other"), row["id"]) is None
        return bool(row["held"] > timedelta(seconds=3 * LEASE) and row["tried"] >= 2)

    await eventually(renewed_and_tried)
    again = await merchant.captures(reference, "40", "C-1")
    assert (again.status, again.body["code"]) == (409, "in_progress")
    assert held.calls == 1
    held.open()
    answer = await asked
    assert (answer.status, answer.body["status"]) == (201, "SUCCESSFUL")
    await installation.quiet()
    assert [amount for kind, amount in installation.ledger(reference) if kind == "capture"] == [40]
    assert held.calls == 1


async def test_the_step_after_a_dead_callers_lease_is_due_when_it_lapses_and_not_a_round_later(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually,
    hold: Callable[[], Held],
) -> None:  # fmt: skip
    opened = await merchant.creates("AFTERPAY_AU", autoCapture=False)
    reference = opened["orderReference"]
    await installation.call("GET", await shopper.decides(opened["redirectUrl"], "approve"))
    await installation.quiet()
    held = hold()
    asked = asyncio.create_task(merchant.captures(reference, "40", "C-1"))
    await held.reached(1)

    async def looked() -> Any:
        """When the next step is due after the lease as it stands now, and how often it has been taken so far."""
        async with installation.database.connection() as connection:
            return await connection.fetchrow(
                "SELECT t.due_at - o.lease_until_real AS late,"
                " (SELECT count(*) FROM pgqueuer_log l WHERE l.entrypoint = 'order_timer' AND l.status = 'successful') AS taken"
                " FROM timers t JOIN operations o ON o.id = t.subject JOIN orders ON orders.id = o.order_id"
                " WHERE orders.reference = $1",
                reference,
            )

    # The offset is zero here, so that both times are on the same clock. The holder lives, and its lease only grows.
    first = await looked()
    assert first["late"] <= timedelta(seconds=0.5)

    async def taken_again() -> Any:
        row = await looked()
        return row if row is not None and row["taken"] > first["taken"] else None

    again = await eventually(taken_again)
    assert again["late"] <= timedelta(seconds=0.5)
    held.open()
    assert (await asked).status == 201
