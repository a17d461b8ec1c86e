"""The books of a whole installation: orders beside the events that they derive from, and beside what moved at the provider."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.processes import call
from tests.resilience.servers import Server

_TOTALS = """
SELECT o.reference, o.status, o.captured, o.refunded,
  (SELECT coalesce(sum(amount), 0) FROM order_events WHERE order_id = o.id AND kind = 'capture') AS events_captured,
  (SELECT coalesce(sum(amount), 0) FROM order_events WHERE order_id = o.id AND kind IN ('refund', 'chargeback')) AS events_refunded
FROM orders o
"""


@dataclass(frozen=True, slots=True)
class Books:
    """By reference: what paymux says of each order, and what really moved."""

    orders: dict[str, Any]
    moved: dict[str, Decimal]

    @property
    def not_derived(self) -> list[str]:
        """Orders whose totals are not what their events add up to."""
        return [
            name
            for name, row in self.orders.items()
            if (row["captured"], row["refunded"]) != (row["events_captured"], row["events_refunded"])
        ]

    @property
    def off(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Orders whose money differs from the provider's: ours, theirs."""
        return {
            name: (row["captured"] - row["refunded"], self.moved.get(name, Decimal(0)))
            for name, row in self.orders.items()
            if row["captured"] - row["refunded"] != self.moved.get(name, Decimal(0))
        }


async def opened(server: Server, sandbox_port: int) -> Books:
    """The books as they are now."""
    orders = {row["reference"]: row for row in await server.rows(_TOTALS)}
    moved: dict[str, Decimal] = {}
    for row in (await call("GET", f"http://127.0.0.1:{sandbox_port}/control/ledger")).body:
        sign = {"capture": 1, "refund": -1}.get(row["kind"], 0)
        moved[row["reference"]] = moved.get(row["reference"], Decimal(0)) + sign * Decimal(row["amount"])
    return Books(orders, moved)
