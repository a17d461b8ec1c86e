"""Payflex in South Africa: PartPay's merchant API with the shopper's choice of plan.

An order is opened at `/order/productSelect` and is paid as soon as the shopper agrees: nothing is confirmed, captured or
voided. Payflex tells nothing of it that we could read, so paymux asks for the order's status.
Quantities and prices are strings, towns are suburbs. Sources: see provider.toml.
"""

from __future__ import annotations

from typing import Any

from paymux.connectors import amounts
from paymux.connectors.contract import OrderToPay, Redirect
from paymux.connectors.partpay import PartPay, order_body, street


class Payflex(PartPay):
    """Payflex's hosted checkout: an immediate sale with refunds."""

    grant_path = "/auth/merchant"
    create_path = "/order/productSelect"

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect:
        """Open an order."""
        return await self._open(_order(order))


def _order(order: OrderToPay) -> dict[str, Any]:
    """The order. Its items are for information: they need not sum up, and a discount is only in the amount."""
    shipping = order.delivery or order.billing
    description = str(order.additional_data.get("description", "") or f"Order {order.reference}")
    return {
        **order_body(order),
        "billing": {**street(order.billing), "suburb": order.billing.city},
        "shipping": {**street(shipping), "suburb": shipping.city},
        "description": description,
        "items": [
            {
                "name": line.name or "Item",
                "sku": line.sku,
                "quantity": str(line.quantity),
                "price": amounts.text(line.unit),
            }
            for line in amounts.lines(order)
        ],
    }
