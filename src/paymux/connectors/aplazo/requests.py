"""What Aplazo is sent: who asks for access, a loan for a cart, and what is wanted of a cart's loan. Amounts are pesos."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict

from paymux.connectors.amounts import text
from paymux.connectors.contract import Checkout, OrderToPay
from paymux.money import Money

PESOS = "MXN"
"""The only currency that Aplazo counts in."""


class Merchant(TypedDict):
    """Asks for an access token."""

    apiToken: str
    merchantId: int


class Buyer(TypedDict):
    """Who asks for the loan; what is not known of him is sent empty."""

    addressLine: str
    email: str
    firstName: str
    lastName: str
    phone: str
    postalCode: str


class Product(TypedDict):
    """A line of the cart: `count` of it, and `price` in pesos for all of them."""

    id: str
    title: str
    description: str
    imageUrl: str
    count: int
    price: Decimal


class Extra(TypedDict):
    """What comes to the products or off them: an amount of pesos and what it is called."""

    price: Decimal
    title: str


class NewLoan(TypedDict):
    """Opens a loan of `totalPrice` pesos: the products, shipping and taxes, less the discount."""

    totalPrice: Decimal
    shopId: str
    cartId: str
    successUrl: str
    errorUrl: str
    cartUrl: str
    webHookUrl: str
    buyer: Buyer
    products: list[Product]
    shipping: Extra
    taxes: Extra
    discount: Extra


class OfCart(TypedDict):
    """Gives back `totalAmount` pesos of a cart's loan, or closes it while it is not paid; `reason` is in free words."""

    cartId: str
    totalAmount: Decimal
    reason: str


def new_loan(order: OrderToPay, cart: str, shop: str) -> NewLoan:
    """A loan as both plugins send it: products at their line's total, and what comes to them or off them apart."""
    who = order.customer
    return {
        "totalPrice": _number(order.total.amount), "shopId": shop, "cartId": cart,
        "successUrl": order.return_to("success"), "errorUrl": order.return_to("failure"),
        "cartUrl": order.return_to("cancel"), "webHookUrl": order.events_url,
        "buyer": {
            "addressLine": " ".join(filter(None, (order.billing.street, order.billing.street2))),
            "email": who.email, "firstName": who.first_name, "lastName": who.last_name,
            "phone": who.phone or order.billing.phone, "postalCode": order.billing.postal_code,
        },
        "products": [
            {"id": item.sku or item.name, "title": item.name, "description": item.name, "imageUrl": "",
             "count": item.quantity, "price": _number(item.total)}
            for item in order.items
        ],
        "shipping": {"price": _number(order.shipping), "title": order.shipping_method or "delivery"},
        "taxes": {"price": _number(order.tax), "title": "Tax"},
        "discount": {"price": _number(order.discount), "title": "Discount"},
    }  # fmt: skip


def of_cart(checkout: Checkout, amount: Money, reason: str) -> OfCart:
    """What is wanted of the loan of a checkout's cart. Raises Refused when the amount is not exact."""
    return {"cartId": checkout.session, "totalAmount": _number(amount.amount), "reason": reason}


def _number(pesos: Decimal) -> Decimal:
    """An amount as a number with its centavos. Raises Refused when it is not exact."""
    return Decimal(text(Money(pesos, PESOS)))
