"""What Payflex is sent beside what its whole family is. Quantities and prices of lines are strings, towns are suburbs."""

from __future__ import annotations

from typing import TypedDict

from paymux.connectors import amounts, contract
from paymux.connectors.partpay import OrderBasics, Street, order_basics, street


class Address(Street):
    """Where the invoice or the goods go."""

    suburb: str


class Item(TypedDict):
    """A line, its price a decimal string in major units."""

    name: str
    sku: str
    quantity: str
    price: str


class NewOrder(OrderBasics):
    """What opens an order. Its items are for information: they need not sum up, and a discount is only in the amount."""

    billing: Address
    shipping: Address
    description: str
    items: list[Item]


def new_order(order: contract.OrderToPay) -> NewOrder:
    """The body of a new order. Raises Refused for an amount that its currency can't hold."""
    description = str(order.additional_data.get("description", "") or f"Order {order.reference}")
    return {
        **order_basics(order),
        "billing": _address(order.billing),
        "shipping": _address(order.delivery or order.billing),
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


def _address(address: contract.Address) -> Address:
    return {**street(address), "suburb": address.city}
