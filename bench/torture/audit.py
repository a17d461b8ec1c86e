"""The audit: lets everything settle, gathers every order from all sides, and has it judged (`judgement`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from typing import Any

from bench.torture.endpoint import Endpoint
from bench.torture.installation import Answer, Installation
from bench.torture.judgement import SIGNED, TOTALS, Findings, judge, waits
from bench.torture.seen import Seen
from bench.torture.story import Order

# The clock goes on in these steps until nothing changes any more; deliveries are tried for three days.
STEPS = (30, 60, 120, 300, 600, 600, 1200, 3600, 3600, 7200, 14_400, 43_200, 86_400, 86_400, 86_400, 86_400)
AT_ONCE = 8
TRIES = 30
LOOKS = 30
CENT = Decimal("0.01")


async def settle(at: Installation, endpoint: Endpoint, orders: list[Order]) -> None:
    """Let time go by, without trouble, until every order is decided and everything is told."""
    for order in (order for order in orders if order.outcome == "pending"):
        # What a provider left undecided it decides now, one way or the other.
        outcome = "approve" if order.amount * 100 % 2 else "decline"
        await at.ask("POST", at.sandbox + "/control/settle", json={"reference": order.reference, "outcome": outcome})
    for seconds in STEPS:
        await asyncio.sleep(1.0)
        waiting = await _waiting(at, endpoint, orders)
        if not waiting:
            return
        await at.must("GET", at.base + "/readyz")
        await at.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(1.0)
            if len(now := await _waiting(at, endpoint, waiting)) in (0, len(waiting)):
                break
            waiting = now


async def _waiting(at: Installation, endpoint: Endpoint, orders: list[Order]) -> list[Order]:
    now = await at.now()

    async def seen(order: Order) -> Seen:
        shown = await details(at, order)
        return Seen(order, (), shown, tuple(endpoint.of(order.reference)), now)

    return [seen.order for seen in await _each(orders, seen) if waits(seen)]


async def _each(orders: Iterable[Order], look: Callable[[Order], Awaitable[Seen]]) -> list[Seen]:
    at_once = asyncio.Semaphore(AT_ONCE)

    async def looked(order: Order) -> Seen:
        async with at_once:
            return await look(order)

    return list(await asyncio.gather(*map(looked, orders)))


async def details(at: Installation, order: Order) -> dict[str, Any] | None:
    """What paymux reports of an order; None when it does not know it."""
    answer = await _answered(lambda: at.api("GET", f"/orders/{order.reference}/details"), order)
    return answer.body if answer.status == 200 else None


async def _answered(call: Callable[[], Awaitable[Answer]], order: Order) -> Answer:
    for _ in range(TRIES):
        answer = await call()
        if not answer.open:
            return answer
        await asyncio.sleep(0.3)
    raise RuntimeError(f"no answer about {order.reference}: {answer.status}")


async def audit(at: Installation, endpoint: Endpoint, orders: list[Order]) -> Findings:
    """Look at every order from all sides."""

    async def gathered(order: Order) -> Seen:
        beyond = await _beyond(at, order)
        # The time first: what is due by then has had the more time to be done.
        now, rows = await at.now(), tuple(await at.ledger(order.reference))
        shown = await details(at, order)
        return Seen(order, rows, shown, tuple(endpoint.of(order.reference)), now, beyond)

    seen = {one.order.reference: one for one in await _each(orders, gathered)}
    for _ in range(LOOKS):
        late = [one.order for one in seen.values() if one.overdue]
        if not late:
            break
        # Of many things that are due at once the last ones take their time; what is lost stays overdue.
        await asyncio.sleep(2.0)
        seen |= {one.order.reference: one for one in await _each(late, gathered)}
    found = Findings()
    for one in seen.values():
        judge(found, one)
    if endpoint.forged:
        found.breach(SIGNED, f"{endpoint.forged} were not")
    return found


async def _beyond(at: Installation, order: Order) -> Answer | None:
    """Try to refund a cent more than is left beside what waits for a person; None: nothing does."""
    shown = await details(at, order)
    unknown = Seen(order, (), shown, (), await at.now()).unknown_moves
    if shown is None or not unknown:
        return None
    blocked = sum(Decimal(move["amount"]) for kind, move in unknown if kind == "refund")
    left = Decimal(shown[TOTALS["capture"]]) - Decimal(shown[TOTALS["refund"]]) - blocked
    body = {"refundReference": "BEYOND", "refundAmount": {"amount": left + CENT}}
    return await _answered(lambda: at.api("POST", f"/orders/{order.reference}/refund", body), order)
