"""The form that PayPal demands of what merchants send, and its errors: the simulator's half that keeps nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from paymux.sandbox.simulator import reachable

# fmt: off
_CURRENCIES = frozenset({
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR", "NOK",
    "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
})
# fmt: on
_NO_DECIMALS = frozenset({"HUF", "JPY", "TWD"})
_POSTAL_CODES = frozenset({"AU", "CA", "DE", "FR", "GB", "IT", "US"})
_MOST = Decimal("999999999999999.99")
_NAMES = {
    400: ("INVALID_REQUEST", "Request is not well-formed, syntactically incorrect, or violates schema."),
    401: (
        "AUTHENTICATION_FAILURE",
        "Authentication failed due to missing authorization header, or invalid authentication credentials.",
    ),
    404: ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
    409: ("RESOURCE_CONFLICT", "The server has detected a conflict while processing this request."),
    422: (
        "UNPROCESSABLE_ENTITY",
        "The requested action could not be performed, semantically incorrect, or failed business validation.",
    ),
}
# The published sentences of the issues that are played here.
_SAID = {
    "INVALID_RESOURCE_ID": "Specified resource ID does not exist. Please check the resource ID and try again.",
    "PAYPAL_REQUEST_ID_REQUIRED": "A PayPal-Request-Id is required if you are trying to process payment for an Order. "
    "Please specify a PayPal-Request-Id or Create the Order without a 'payment_source' specified.",
    "MALFORMED_REQUEST_JSON": "The request JSON is not well formed.",
    "MISSING_REQUIRED_PARAMETER": "A required parameter is missing.",
    "INVALID_PARAMETER_VALUE": "A parameter value is not valid.",
    "INVALID_PARAMETER_SYNTAX": "The value of a field does not conform to the expected format.",
    "INVALID_STRING_LENGTH": "The value of a field is either too short or too long",
    "INVALID_ARRAY_MAX_ITEMS": "The number of items in an array parameter is too large.",
    "AMOUNT_MISMATCH": "Should equal item_total + tax_total + shipping + handling + insurance - shipping_discount - discount.",
    "ITEM_TOTAL_MISMATCH": "Should equal sum of (unit_amount * quantity) across all items for a given purchase_unit.",
    "ITEM_TOTAL_REQUIRED": "If item details are specified (items.unit_amount and items.quantity) corresponding "
    "amount.breakdown.item_total is required.",
    "MULTI_CURRENCY_ORDER": "Multiple differing values of currency_code are not supported. "
    "Entire Order request must have the same currency_code.",
    "MAX_VALUE_EXCEEDED": "Should be less than or equal to 999999999999999.99.",
    "CITY_REQUIRED": "The specified country requires a city (address.admin_area_2).",
    "POSTAL_CODE_REQUIRED": "The specified country requires a postal code.",
    "CANNOT_BE_NEGATIVE": "Must be greater than or equal to 0. If the currency supports decimals, "
    "only two decimal place precision is supported.",
    "CANNOT_BE_ZERO_OR_NEGATIVE": "Must be greater than zero. If the currency supports decimals, "
    "only two decimal place precision is supported.",
    "DECIMAL_PRECISION": "If the currency supports decimals, only two decimal place precision is supported.",
    "ORDER_NOT_APPROVED": "Payer has not yet approved the Order for payment. Please redirect the payer to the 'rel':'approve' "
    "url returned as part of the HATEOAS links within the Create Order call",
    "ORDER_ALREADY_CAPTURED": "Order already captured.If 'intent=CAPTURE' only one capture per order is allowed.",
    "ORDER_ALREADY_AUTHORIZED": "Order already authorized.If 'intent=AUTHORIZE' only one authorization per order is allowed.",
    "ACTION_DOES_NOT_MATCH_INTENT": "Order was created with an intent to 'CAPTURE'. Please use v2/checkout/orders/order_id/capture "
    "to complete the transaction or alternately Create an order with an intent of 'AUTHORIZE'.",
    "INVALID_CURRENCY_CODE": "Currency code is invalid or is not currently supported. Please refer "
    "https://developer.paypal.com/api/rest/reference/currency-codes/ for list of supported currency codes.",
    "BILLING_AGREEMENT_NOT_FOUND": "The requested Billing Agreement token was not found.",
    "INSTRUMENT_DECLINED": "The instrument presented  was either declined by the processor or bank, "
    "or it can't be used for this payment.",
    "PAYER_CANNOT_PAY": "Payer cannot pay for this transaction. Please contact the payer to find other ways to pay for this "
    "transaction.",
    "AUTHORIZATION_VOIDED": "A voided authorization cannot be captured or reauthorized. ",
    "AUTHORIZATION_ALREADY_CAPTURED": "Authorization has previously been captured.",
    "AUTHORIZATION_DENIED": "An denied authorization cannot be captured.",
    "AUTH_CAPTURE_CURRENCY_MISMATCH": "Currency of capture must be the same as currency of authorization.",
    "TRANSACTION_REFUSED": "PayPal's internal controls prevent authorization from being captured.",
    "MAX_CAPTURE_COUNT_EXCEEDED": "Maxmimum number of allowable captures has been reached. No additional captures are possible "
    "for this authorization. Contact Customer Service or your account manager to change the number of captures for a given "
    "authorization.",
    "MAX_CAPTURE_AMOUNT_EXCEEDED": "Capture amount exceeds allowable limit. Please contact customer service or your account "
    "manager to request the change to your overage limit. The default overage limit is 115%, which allows the sum of all captures "
    "to be up to 115% of the order amount. The ability to over capture is subjected to regulatory approvals.",
    "PREVIOUSLY_CAPTURED": "Authorization has been previously captured and hence cannot be voided.",
    "PREVIOUSLY_VOIDED": "Authorization has been previously voided and hence cannot be voided again.",
    "CAPTURE_FULLY_REFUNDED": "The capture has already been fully refunded",
    "REFUND_CAPTURE_CURRENCY_MISMATCH": "Refund must be in the same currency as the capture",
    "REFUND_AMOUNT_EXCEEDED": "The refund amount must be less than or equal to the capture amount that has not yet been refunded.",
    "PENDING_CAPTURE": "Cannot initiate a refund as the capture is pending. Capture is typically pending when the payer "
    "has funded the transaction using e-check/bank funded.",
}


class ApiError(Exception):
    """An error answer with PayPal's own issue."""

    def __init__(self, status: int, issue: str = "", field: str = "", more: str = "") -> None:
        super().__init__(issue)
        self.status, self.issue, self.field, self.more = status, issue, field, more

    def body(self, debug_id: str) -> dict[str, Any]:
        """The answer's body."""
        name, message = _NAMES[self.status]
        body: dict[str, Any] = {"name": name, "message": message, "debug_id": debug_id, "links": []}
        if self.issue:
            detail = {"issue": self.issue, "description": _SAID.get(self.issue, self.issue) + self.more}
            body["details"] = [{**detail, "field": self.field, "location": "body"} if self.field else detail]
        return body


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked order request: its purchase unit and its PayPal account."""

    intent: str
    unit: dict[str, Any]
    source: dict[str, Any]
    amount: Decimal
    currency: str


def check_order(body: Any) -> Asked:
    """An order's body, of one purchase unit, paid by PayPal. Raises ApiError."""
    intent = body.get("intent")
    if intent not in ("CAPTURE", "AUTHORIZE"):
        raise ApiError(400, "INVALID_PARAMETER_VALUE" if intent else "MISSING_REQUIRED_PARAMETER", "/intent")
    units = body.get("purchase_units")
    if not isinstance(units, list) or not units:
        raise ApiError(400, "MISSING_REQUIRED_PARAMETER", "/purchase_units")
    if len(units) > 1:
        raise ApiError(400, "INVALID_ARRAY_MAX_ITEMS", "/purchase_units")
    unit, source = units[0], (body.get("payment_source") or {}).get("paypal")
    if not isinstance(source, dict):
        raise ApiError(400, "MISSING_REQUIRED_PARAMETER", "/payment_source/paypal")
    amount, currency = money(unit.get("amount"), "amount")
    if amount <= 0:
        raise ApiError(422, "CANNOT_BE_ZERO_OR_NEGATIVE", "/purchase_units/@reference_id=='default'/amount/value")
    for name, length in (("custom_id", 127), ("invoice_id", 127), ("description", 127)):
        string(unit, name, length, required=False)
    _check_lines(unit, amount, currency)
    _check_shipping(unit.get("shipping"))
    if "vault_id" in source:
        if (source.get("stored_credential") or {}).get("payment_initiator", "CUSTOMER") not in ("CUSTOMER", "MERCHANT"):
            raise ApiError(400, "INVALID_PARAMETER_VALUE", "/payment_source/paypal/stored_credential/payment_initiator")
    else:
        _check_page(source.get("experience_context") or {}, unit)
    return Asked(intent, unit, source, amount, currency)


def _check_lines(unit: Any, amount: Decimal, currency: str) -> None:
    breakdown, items = unit["amount"].get("breakdown"), unit.get("items") or []
    named = {name: money(part, name) for name, part in (breakdown or {}).items()}
    prices = [(money(item.get("unit_amount"), "unit_amount"), item) for item in items]
    if {currency} != {currency, *(c for _, c in named.values()), *(c for (_, c), _ in prices)}:
        raise ApiError(422, "MULTI_CURRENCY_ORDER")
    total = Decimal(0)
    for (price, _), item in prices:
        string(item, "name", 127)
        string(item, "sku", 127, required=False)
        if not re.fullmatch(r"[1-9][0-9]{0,9}", str(item.get("quantity"))) or not isinstance(item["quantity"], str):
            raise ApiError(400, "INVALID_PARAMETER_SYNTAX", "/purchase_units/items/quantity")
        total += price * int(item["quantity"])
    if items and "item_total" not in named:
        raise ApiError(422, "ITEM_TOTAL_REQUIRED")
    if items and named["item_total"][0] != total:
        raise ApiError(422, "ITEM_TOTAL_MISMATCH")
    if any(value < 0 for value, _ in named.values()):
        raise ApiError(422, "CANNOT_BE_NEGATIVE")
    signs = {"discount": -1, "shipping_discount": -1}
    if named and sum((value * signs.get(name, 1) for name, (value, _) in named.items()), Decimal(0)) != amount:
        raise ApiError(422, "AMOUNT_MISMATCH")


def _check_shipping(shipping: Any) -> None:
    if shipping is None:
        return
    address = shipping.get("address") or {}
    if not re.fullmatch("[A-Z]{2}", str(address.get("country_code"))):
        raise ApiError(400, "MISSING_REQUIRED_PARAMETER", "/purchase_units/shipping/address/country_code")
    if not address.get("admin_area_2"):
        raise ApiError(422, "CITY_REQUIRED")
    if address["country_code"] in _POSTAL_CODES and not address.get("postal_code"):
        raise ApiError(422, "POSTAL_CODE_REQUIRED")


def _check_page(context: Any, unit: Any) -> None:
    for name in ("return_url", "cancel_url"):
        check_url(string(context, name, 4000), name)
    if context.get("shipping_preference") == "SET_PROVIDED_ADDRESS" and "shipping" not in unit:
        raise ApiError(400, "MISSING_REQUIRED_PARAMETER", "/purchase_units/shipping")
    string(context, "brand_name", 127, required=False)
    locale = string(context, "locale", 10, required=False)
    if locale and not re.fullmatch(r"[a-z]{2}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?", locale):
        raise ApiError(400, "INVALID_PARAMETER_SYNTAX", "/payment_source/paypal/experience_context/locale")


def check_url(url: str, field: str) -> str:
    """An address that PayPal can reach: https; in the sandbox of paymux http on loopback too. Raises ApiError."""
    if not reachable(url):
        raise ApiError(400, "INVALID_PARAMETER_SYNTAX", f"/{field}")
    return url


def check_webhook(body: Any) -> dict[str, Any]:
    """A webhook to register. Raises ApiError."""
    return {"url": check_url(string(body, "url"), "url"), "event_types": check_event_types(body.get("event_types"))}


def check_event_types(said: Any) -> list[dict[str, str]]:
    """The kinds of events of a webhook. Raises ApiError."""
    if not isinstance(said, list) or not said:
        raise ApiError(400, "MISSING_REQUIRED_PARAMETER", "/event_types")
    return [{"name": string(kind, "name", 100)} for kind in said]


def money(said: Any, field: str) -> tuple[Decimal, str]:
    """A money object: major units and currency. Raises ApiError."""
    value, currency = (said.get("value"), said.get("currency_code")) if isinstance(said, dict) else (None, None)
    if not isinstance(value, str) or not isinstance(currency, str):
        raise ApiError(400, "MISSING_REQUIRED_PARAMETER", f"/{field}")
    if not re.fullmatch(r"(-?[0-9]+)|(-?([0-9]+)?[.][0-9]+)", value) or len(value) > 32:
        raise ApiError(400, "INVALID_PARAMETER_SYNTAX", f"/{field}/value")
    if currency not in _CURRENCIES:
        raise ApiError(422, "INVALID_CURRENCY_CODE", f"/{field}/currency_code")
    decimals = len(value.partition(".")[2])
    if decimals > (0 if currency in _NO_DECIMALS else 2):
        raise ApiError(
            422, "DECIMALS_NOT_SUPPORTED" if currency in _NO_DECIMALS else "DECIMAL_PRECISION", f"/{field}/value"
        )
    if Decimal(value) > _MOST:
        raise ApiError(422, "MAX_VALUE_EXCEEDED", f"/{field}/value")
    return Decimal(value), currency


def told(amount: Decimal, currency: str) -> dict[str, str]:
    """An amount in PayPal's form."""
    return {"currency_code": currency, "value": f"{amount:.{0 if currency in _NO_DECIMALS else 2}f}"}


def string(body: Any, name: str, length: int = 2048, *, required: bool = True) -> str:
    """A text field of a body; empty where it is absent and may be. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    if value is None and not required:
        return ""
    if value is None:
        raise ApiError(400, "MISSING_REQUIRED_PARAMETER", f"/{name}")
    if not isinstance(value, str):
        raise ApiError(400, "INVALID_PARAMETER_SYNTAX", f"/{name}")
    if not 1 <= len(value) <= length:
        raise ApiError(400, "INVALID_STRING_LENGTH", f"/{name}")
    return value
