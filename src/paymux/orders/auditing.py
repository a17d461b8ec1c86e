"""What the audit trail says of an order: each decision that changed it, and what the merchant asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from paymux.audit import trail
from paymux.audit.calls import ProviderCall
from paymux.orders.model import Order
from paymux.platform.database import Connection

if TYPE_CHECKING:
    from paymux.orders.decide import Deciding

# How often it was asked about is no change that anybody is answerable for.
_COUNTERS = {"polls", "updated_at"}


async def decided(desk: Deciding, before: Order, calls: Sequence[ProviderCall]) -> None:
    """Write a decision's entry, if it changed anything, and the calls to the provider that led to it."""
    changed = sorted(set(desk.changed) - _COUNTERS)
    if not (changed or desk.happened or desk.said):
        await trail.record_calls(desk.tx, calls)
        return
    detail: dict[str, Any] = {"source": desk.source, "events": desk.happened, "changed": changed}
    if desk.order.status is not before.status:
        detail |= {"from": str(before.status), "to": str(desk.order.status)}
    await about(desk.tx, desk.order, desk.action, calls, **detail, **desk.said)


async def about(tx: Connection, order: Order, action: str, calls: Sequence[ProviderCall] = (), **detail: Any) -> None:
    """Append what whoever acts now did to an order."""
    await trail.record(tx, action, order.id, merchant_id=order.merchant_id, order_id=order.id, calls=calls, **detail)
