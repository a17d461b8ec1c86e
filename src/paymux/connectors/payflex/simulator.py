"""Payflex's merchant API as its plugins and its documentation show it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.simulated_partpay import ApiError, PartPaySimulator, money


class PayflexSimulator(PartPaySimulator):
    """A merchant in South Africa: every order in rand, taken at once."""

    credentials: ClassVar[Mapping[str, str]] = {
        "client_id": "sandbox-payflex-client",
        "client_secret": "sandbox-payflex-secret",
    }
    grant_path = "/auth/merchant"
    order_path = "/order/productSelect"
    audience = "https://auth-dev.payflex.co.za"

    def currency(self, request: web.Request) -> str:
        """Rand."""
        return "ZAR"

    def configuration(self) -> dict[str, Any]:
        """Limits, and whether refunds by the API are on."""
        return {**super().configuration(), "enabledForRefunds": True}

    def check_order(self, body: Mapping[str, Any]) -> None:
        """Quantities and prices are strings; a price may be nothing, as the WooCommerce plugin sends it."""
        for item in body.get("items") or ():
            if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                raise ApiError(400, "INVALID", "an item needs a name")
            quantity, price = item.get("quantity"), item.get("price")
            if not isinstance(quantity, str) or not quantity.isdecimal() or not isinstance(price, str):
                raise ApiError(400, "INVALID", "quantity and price of an item are strings")
            money(item, "price", least=Decimal(0), text=True)

    def refund_key(self, body: Mapping[str, Any]) -> str:
        """The requestId; refunds may be off for a merchant."""
        if not self.setting("enabledForRefunds"):
            raise ApiError(400, "MRM007", "Refunds are not enabled for this merchant.")
        return super().refund_key(body)
