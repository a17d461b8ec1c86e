"""What is sent to Alipay. Amounts are texts in minor units, and so is every other number a text."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from paymux.connectors import amounts, contract
from paymux.connectors.alipay.answers import request_id
from paymux.money import Money


class Amount(TypedDict):
    """An amount of money; `value` is in minor units."""

    currency: str
    value: str


class PaymentMethod(TypedDict):
    """The wallet to pay from."""

    paymentMethodType: str


class UserName(TypedDict, total=False):
    """A name, as far as it is known."""

    firstName: str
    lastName: str


class Buyer(TypedDict, total=False):
    """The shopper, as far as he is known."""

    buyerEmail: str
    buyerPhoneNo: str
    buyerName: UserName


class Goods(TypedDict):
    """Some pieces of one kind; `goodsUnitAmount` is that of one."""

    referenceGoodsId: str
    goodsName: str
    goodsQuantity: str
    goodsUnitAmount: Amount


class Shipping(TypedDict):
    """What the shipping costs."""

    shippingFee: Amount


class Order(TypedDict):
    """What is bought, under our reference."""

    referenceOrderId: str
    orderDescription: str
    orderAmount: Amount
    buyer: Buyer
    goods: list[Goods]
    shipping: NotRequired[Shipping]


class Env(TypedDict):
    """Where the shopper is sent from."""

    terminalType: Literal["WEB"]


class SettlementStrategy(TypedDict):
    """The currency that the merchant is paid in."""

    settlementCurrency: str


class Pay(TypedDict):
    """A payment to open; `paymentRequestId` is our key."""

    productCode: Literal["CASHIER_PAYMENT"]
    paymentRequestId: str
    paymentAmount: Amount
    paymentMethod: PaymentMethod
    order: Order
    env: Env
    paymentRedirectUrl: str
    paymentNotifyUrl: str
    merchantRegion: NotRequired[str]
    settlementStrategy: NotRequired[SettlementStrategy]


class NamedPayment(TypedDict):
    """A payment to ask for, or to cancel."""

    paymentId: str


class Refund(TypedDict):
    """A part of a payment, or all of it, to give back; `refundRequestId` is our key."""

    refundRequestId: str
    paymentId: str
    refundAmount: Amount
    referenceRefundId: str
    refundReason: NotRequired[str]


class NamedRefund(TypedDict):
    """A refund to ask for."""

    refundRequestId: str


def pay(order: contract.OrderToPay, key: str, *, wallet: str, region: str | None, settled_in: str | None) -> Pay:
    """The body that opens a payment. Raises Refused for an amount that its currency can't hold."""
    about = str(order.additional_data.get("description") or f"Order {order.reference}")
    body: Pay = {
        "productCode": "CASHIER_PAYMENT",
        "paymentRequestId": request_id(key),
        "paymentAmount": _amount(order.total),
        "paymentMethod": {"paymentMethodType": wallet},
        "order": {
            "referenceOrderId": order.reference,
            "orderDescription": about[:256],
            "orderAmount": _amount(order.total),
            "buyer": _buyer(order.customer),
            "goods": [_goods(line, number) for number, line in enumerate(amounts.lines(order), 1)],
        },
        "env": {"terminalType": "WEB"},
        "paymentRedirectUrl": order.return_url,
        "paymentNotifyUrl": order.events_url,
    }
    if region:
        body["merchantRegion"] = region
    if settled_in:
        body["settlementStrategy"] = {"settlementCurrency": settled_in}
    if order.shipping:
        body["order"]["shipping"] = {"shippingFee": _amount(Money(order.shipping, order.total.currency))}
    return body


def refund(payment_id: str, move: contract.Move) -> Refund:
    """The body that refunds a part or all. Raises Refused for an amount that its currency can't hold."""
    body: Refund = {
        "refundRequestId": request_id(move.key), "paymentId": payment_id, "refundAmount": _amount(move.amount),
        "referenceRefundId": move.reference[:64],
    }  # fmt: skip
    if move.description:
        body["refundReason"] = move.description[:256]
    return body


def _amount(money: Money) -> Amount:
    return {"currency": money.currency, "value": str(amounts.minor(money))}


def _buyer(who: contract.Person) -> Buyer:
    buyer: Buyer = {}
    if who.email:
        buyer["buyerEmail"] = who.email
    if who.phone:
        buyer["buyerPhoneNo"] = who.phone
    if name := _name(who):
        buyer["buyerName"] = name
    return buyer


def _name(who: contract.Person) -> UserName:
    name: UserName = {}
    if who.first_name:
        name["firstName"] = who.first_name
    if who.last_name:
        name["lastName"] = who.last_name
    return name


def _goods(line: amounts.Line, number: int) -> Goods:
    return {
        "referenceGoodsId": (line.sku or str(number))[:64], "goodsName": line.name[:256] or "Item",
        "goodsQuantity": str(line.quantity), "goodsUnitAmount": _amount(line.unit),
    }  # fmt: skip
