"""What needs a person: the list, and the command that settles it through `decide` (U3)."""

from __future__ import annotations

from typing import Any

from paymux.orders import calls, store
from paymux.orders.core import Core
from paymux.orders.decide import Deciding, deciding
from paymux.orders.model import Kind, Order


async def listed(core: Core) -> list[dict[str, Any]]:
    """Every order to review, with the operations whose outcome nobody knows."""
    async with core.database.transaction() as tx:
        return [await _row(tx, order) for order in await store.orders_to_review(tx, None)]


async def _row(tx: Any, order: Order) -> dict[str, Any]:
    waiting = [op for op in await store.operations(tx, order.id) if op.pending]
    return {
        "merchant": order.merchant_id,
        "orderReference": order.reference,
        "orderId": order.id,
        "provider": order.code,
        "status": str(order.status),
        "reason": order.needs_review,
        "providerOrder": order.payment_id or order.session,
        "waiting": [
            {
                "kind": str(op.kind),
                "reference": op.reference,
                "amount": str(op.amount),
                "since": op.created_at.isoformat(),
            }
            for op in waiting
        ],
        "settle": f'paymux review resolve {order.reference} --as succeeded|failed --note "…"',
    }


async def resolve(core: Core, reference: str, outcome: str, note: str, merchant: str) -> dict[str, Any]:
    """Settle the waiting operation of an order, or its review. Raises ValueError that says what is wrong."""
    if outcome not in ("succeeded", "failed"):
        raise ValueError("--as must be succeeded or failed")
    async with core.database.transaction() as tx:
        found = [o for o in await store.orders_to_review(tx, None) if o.reference == reference]
        found = [o for o in found if not merchant or merchant in (o.merchant_id,)] or found
    if not found:
        raise ValueError(f"No order {reference} needs review.")
    if len(found) > 1:
        raise ValueError(f"Several merchants have an order {reference} to review: name one with --merchant.")

    async def settle(desk: Deciding) -> None:
        kinds = [Kind.CONFIRM, Kind.CHARGE_TOKEN, Kind.CAPTURE, Kind.VOID, Kind.REFUND]
        waiting = [op for op in await desk.operations(*kinds) if op.pending]
        await desk.change(needs_review=None)
        await desk.note("resolved", detail={"as": outcome, "note": note[:500]})
        for op in waiting[:1]:
            if outcome == "succeeded" and op.kind in (Kind.CONFIRM, Kind.CHARGE_TOKEN):
                await desk.change(authorised=desk.order.authorised or desk.order.amount)
                await desk.succeeded(op, op.provider_id)
                if desk.order.auto_capture:
                    await desk.moved_by(Kind.CAPTURE, desk.order.open, op.initiator, "resolved", None)
                await desk.outcome("paid", paid_seen=True)
            elif outcome == "succeeded":
                await desk.succeeded(op, op.provider_id)
            else:
                await desk.failed(op, "resolved_failed", f"settled by a person: {note[:200]}")
                if op.kind in (Kind.CONFIRM, Kind.CHARGE_TOKEN):
                    await desk.outcome("declined", reject_reason="the payment did not take place")

    decision = await calls.run_all(core, await deciding(core, found[0].id, "person", settle))
    async with core.database.transaction() as tx:
        return await _row(tx, await store.order_by_id(tx, decision.order.id))
