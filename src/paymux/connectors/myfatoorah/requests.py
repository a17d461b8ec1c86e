"""What MyFatoorah is sent. Amounts are JSON numbers in major units."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict
from zoneinfo import ZoneInfo

from paymux.connectors import amounts, contract

_KUWAIT = ZoneInfo("Asia/Kuwait")
_KUWAITI_PHONE = re.compile(r"(?:\+|00)?965(\d{8})", re.ASCII)


class Item(TypedDict):
    """A line of an invoice; quantity times price is its part of the value."""

    ItemName: str
    Quantity: int
    UnitPrice: Decimal


class Invoice(TypedDict):
    """What makes an invoice with a page of its own. `ExpiryDate` is Kuwait's local time without a zone."""

    NotificationOption: Literal["LNK"]
    InvoiceValue: Decimal
    DisplayCurrencyIso: str
    CustomerName: str
    CustomerReference: str
    CallBackUrl: str
    ErrorUrl: str
    Language: Literal["ar", "en"]
    ExpiryDate: str
    CustomerEmail: NotRequired[str]
    MobileCountryCode: NotRequired[str]
    CustomerMobile: NotRequired[str]
    InvoiceItems: NotRequired[list[Item]]


class InvoiceKey(TypedDict):
    """Which invoice is asked about, or about the refunds of which."""

    Key: str
    KeyType: Literal["InvoiceId"]


class Refund(TypedDict):
    """What asks for a refund of a part or all. `ExternalIdentifier` is our key; both charges fall on the merchant."""

    Key: str
    KeyType: Literal["InvoiceId", "PaymentId"]
    RefundChargeOnCustomer: Literal[False]
    ServiceChargeOnCustomer: Literal[False]
    Amount: Decimal
    CurrencyIso: str
    Comment: str
    ExternalIdentifier: str


class MethodsInquiry(TypedDict):
    """For which amount and currency the ways to pay are asked."""

    InvoiceAmount: int
    CurrencyIso: str


def invoice(order: contract.OrderToPay) -> Invoice:
    """The body of a new invoice. Raises Refused for an amount that its currency can't hold."""
    who = order.customer
    name = f"{who.first_name or order.billing.first_name} {who.last_name or order.billing.last_name}"
    body: Invoice = {
        "NotificationOption": "LNK",
        "InvoiceValue": Decimal(amounts.text(order.total)),
        "DisplayCurrencyIso": order.total.currency,
        "CustomerName": re.sub(r"[\W_]+", " ", name).strip() or "Customer",
        "CustomerReference": order.reference,
        "CallBackUrl": order.return_to("success"),
        "ErrorUrl": order.return_to("failure"),
        "Language": "ar" if order.language == "ar" else "en",
        "ExpiryDate": _in_kuwait(order.expires_at),
    }
    if who.email:
        body["CustomerEmail"] = who.email
    # A number of another form is left out: MyFatoorah would refuse the whole invoice for it.
    phone = _KUWAITI_PHONE.fullmatch(re.sub(r"[\s()-]", "", who.phone))
    if phone:
        body["MobileCountryCode"], body["CustomerMobile"] = "965", phone[1]
    # Lines have to sum up to the invoice, and no source shows one below zero.
    if not order.discount:
        body["InvoiceItems"] = [
            {"ItemName": line.name, "Quantity": line.quantity, "UnitPrice": Decimal(amounts.text(line.unit))}
            for line in amounts.lines_that_sum_up(order)
        ]
    return body


def invoice_key(checkout: contract.Checkout) -> InvoiceKey:
    """The body that asks about the invoice of a checkout."""
    return {"Key": checkout.session, "KeyType": "InvoiceId"}


def _in_kuwait(moment: datetime) -> str:
    return moment.astimezone(_KUWAIT).strftime("%Y-%m-%dT%H:%M:%S")
