"""What QuadPay is sent beside what its whole family is. Prices of lines are strings, quantities are numbers."""

from __future__ import annotations

from typing import TypedDict

from paymux.connectors import amounts, contract
from paymux.connectors.partpay import OrderBasics, Street, order_basics, street
from paymux.money import Money


class Address(Street):
    """Where the invoice or the goods go."""

    city: str
    state: str


class Item(TypedDict):
    """A line, its price a decimal string in major units; a discount's is less than nothing."""

    name: str
    sku: str
    quantity: int
    price: str


class NewOrder(OrderBasics):
    """What opens an order."""

    billing: Address
    shipping: Address
    description: str
    items: list[Item]


def new_order(order: contract.OrderToPay) -> NewOrder:
    """The body of a new order. Raises Refused for an amount that its currency can't hold.

    Tax and shipping have fields of their own, a discount is a line less than nothing.
    """
    items: list[Item] = [
        {"name": line.name or "Item", "sku": line.sku, "quantity": line.quantity, "price": amounts.text(line.unit)}
        for line in amounts.lines(order)
    ]
    if order.discount:
        price = amounts.text(Money(-order.discount, order.total.currency))
        items.append({"name": "Discount", "sku": "", "quantity": 1, "price": price})
    return {
        **order_basics(order),
        "billing": _address(order.billing),
        "shipping": _address(order.delivery or order.billing),
        "description": str(order.additional_data.get("description", "") or f"Order {order.reference}"),
        "items": items,
    }


def _address(address: contract.Address) -> Address:
    return {**street(address), "city": address.city, "state": address.state or address.region}
