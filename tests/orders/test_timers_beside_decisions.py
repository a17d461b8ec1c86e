"""A timer that runs while somebody else decides on its order: found by stories of tests/properties."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from paymux.orders import ending, store
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import GateAt


async def test_a_deadline_that_comes_while_the_order_is_cancelled_does_not_come_for_ever(
    installation: Installation, merchant: Merchant, gate_at: GateAt, blocked: Callable[[], Awaitable[bool]],
    eventually: Eventually,
) -> None:  # fmt: skip
    opened = await merchant.creates("KEEPTILL", cancellationTimeout=600)
    reference = opened["orderReference"]

    def about_it(tx: object, order_id: str, what: str, *_: object) -> bool:
        return (order_id, what) == (opened["orderId"], "deadline")

    gate = gate_at(store, "set_timer", when=about_it)
    await installation.advance(601)
    await asyncio.wait_for(gate.reached.wait(), 10)
    cancelling = asyncio.create_task(merchant.post(f"/orders/{reference}/cancel", {}))

    async def ended_or_waits() -> bool:
        return cancelling.done() or await blocked()

    await eventually(ended_or_waits)
    gate.open()
    assert (await cancelling).status == 201

    async def over() -> bool:
        if await _jobs(installation, f"{opened['orderId']}|deadline|"):
            return False
        async with installation.database.connection() as held:
            return await store.timer_due(held, opened["orderId"], "deadline", "") is None

    await eventually(over)


async def _jobs(installation: Installation, payload: str) -> int:
    async with installation.database.connection() as held:
        count: int = await held.fetchval(
            "SELECT count(*) FROM pgqueuer WHERE starts_with(convert_from(payload, 'UTF8'), $1)"
            " AND (status = 'picked' OR execute_after <= now())",
            payload,
        )
    return count


async def test_an_order_that_the_shopper_cancels_while_its_deadline_asks_was_cancelled_by_him(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt, eventually: Eventually
) -> None:
    opened = await merchant.creates("KEEPTILL", cancellationTimeout=600)
    reference = opened["orderReference"]
    gate = gate_at(ending, "_put_off", when=lambda core, asked, by: asked.order.reference == reference)
    await installation.advance(601)
    await asyncio.wait_for(gate.reached.wait(), 10)
    assert (await shopper.pays(opened["redirectUrl"], "cancel"))["status"] == "CANCELLED"
    gate.open()

    async def over() -> bool:
        return not await _jobs(installation, f"{opened['orderId']}|deadline|")

    await eventually(over)
    assert (await merchant.status(reference))["cancelledBy"] == "USER"
