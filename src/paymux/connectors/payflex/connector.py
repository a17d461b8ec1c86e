"""Payflex in South Africa: PartPay's merchant API with the shopper's choice of plan.

An order is opened at `/order/productSelect` and is paid as soon as the shopper agrees: nothing is confirmed, captured or
voided. Payflex tells nothing of it that we could read, so paymux asks for the order's status.
Quantities and prices are strings, towns are suburbs. Sources: see provider.toml.
"""

from __future__ import annotations

from paymux.connectors.contract import OrderToPay, Redirect
from paymux.connectors.partpay import PartPay
from paymux.connectors.payflex.requests import new_order


class Payflex(PartPay):
    """Payflex's hosted checkout: an immediate sale with refunds."""

    grant_path = "/auth/merchant"
    create_path = "/order/productSelect"

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect:
        """Open an order."""
        return await self._open(new_order(order))
