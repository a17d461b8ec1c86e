"""The form that Splitit demands of what merchants send, its instalments and its errors: what the simulator keeps nothing of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from paymux.sandbox.simulator import reachable

_ADDRESS = ("AddressLine1", "City", "Country", "Zip")
_STRATEGIES = frozenset(
    {"FutureInstallmentsFirst", "FutureInstallmentsLast", "FutureInstallmentsNotAllowed", "ReduceFromLastInstallment"}
)
_MONTH = timedelta(days=30)


class ApiError(Exception):
    """An error answer: Splitit's word for it, and what it says more."""

    def __init__(self, status: int, word: str, more: str = "", code: str = "") -> None:
        super().__init__(word)
        self.status, self.word, self.more, self.code = status, word, more, code or str(status)

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body."""
        error = {"Code": self.code, "Message": self.word, "AdditionalInfo": self.more or self.word}
        return {"TraceId": "00-sandbox-00", "Error": error}


def check_plan(body: Any) -> tuple[Decimal, str]:
    """What a plan to be initiated must have: its amount and currency. Raises ApiError."""
    plan, shopper, address = (_object(body, name) for name in ("PlanData", "Shopper", "BillingAddress"))
    if type(body.get("AutoCapture", True)) is not bool:
        raise ApiError(400, "General Error", "AutoCapture must be a boolean")
    if not _text(plan, "TerminalId"):
        raise ApiError(400, "TerminalApiKeyMissing", "Terminal ID not found.")
    currency = _text(plan, "Currency")
    if len(currency) != 3:
        raise ApiError(400, "CurrencyMustBeDefinedOnTransaction", "Please select the currency you wish to use.")
    if plan.get("PurchaseMethod") not in ("InStore", "PhoneOrder", "ECommerce"):
        raise ApiError(400, "General Error", "PurchaseMethod is required")
    if "@" not in _text(shopper, "Email"):
        raise ApiError(400, "InvalidEmailFormat", "Invalid email.")
    if not _text(shopper, "PhoneNumber"):
        raise ApiError(400, "PhoneIsMissing", "Please enter your phone number.")
    if not all(_text(address, name) for name in _ADDRESS):
        raise ApiError(400, "AddressDataIsMissingOrPartiallyInitiated", "Please enter the complete address.")
    if len(_text(address, "Zip")) < 3:
        raise ApiError(400, "InvalidZIPCode", "The ZIP code must include at least 3 characters.")
    count = plan.get("NumberOfInstallments", 3)
    if type(count) is not int or not 1 <= count <= 36:
        raise ApiError(400, "InvalidNumberOfInstallments", "The number of installments is not available.")
    for name in ("Succeeded", "Failed", "Cancel"):
        check_address(_text(_object(body, "RedirectUrls"), name))
    return amount_of(plan, "TotalAmount"), currency


def check_address(url: str) -> None:
    """An address that Splitit sends a browser or an event to. Raises ApiError."""
    if not reachable(url):
        raise ApiError(400, "General Error", "an absolute https address is required")


def check_strategy(body: Any) -> None:
    """How a refund is to be spread. Raises ApiError."""
    if body.get("RefundStrategy", "FutureInstallmentsFirst") not in _STRATEGIES:
        raise ApiError(400, "General Error", "unknown RefundStrategy")


def amount_of(body: Mapping[str, Any], name: str) -> Decimal:
    """A positive number in major units. Raises ApiError."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or Decimal(value) <= 0:
        raise ApiError(400, "InvalidAmount", "Invalid amount sent.")
    return Decimal(value)


def installments(total: Decimal, count: int, now: datetime) -> list[dict[str, Any]]:
    """A plan's instalments, none collected yet: equal ones, the first takes what can't be divided."""
    part = (total / count).quantize(Decimal("0.01"), ROUND_DOWN)
    amounts = [total - part * (count - 1), *[part] * (count - 1)]
    return [
        {
            "InstallmentNumber": n + 1, "Amount": str(amount), "ProcessDateTime": text_of(now + n * _MONTH),
            "Status": "Pending",
        }
        for n, amount in enumerate(amounts)
    ]  # fmt: skip


def lessen(parts: list[dict[str, Any]], amount: Decimal) -> Decimal:
    """Take a refund off the instalments to come, the next one first; what was more than those and goes back to the card."""
    for part in (part for part in parts if part["Status"] == "Pending"):
        taken = min(amount, Decimal(part["Amount"]))
        amount -= taken
        part["Amount"] = str(Decimal(part["Amount"]) - taken)
        if not Decimal(part["Amount"]):
            part["Status"] = "Canceled"
    return amount


def outstanding(parts: list[dict[str, Any]]) -> Decimal:
    """What is to be collected yet."""
    return sum((Decimal(part["Amount"]) for part in parts if part["Status"] == "Pending"), Decimal(0))


def text_of(moment: datetime) -> str:
    """A moment in Splitit's form."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _object(body: Any, name: str) -> dict[str, Any]:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, dict):
        raise ApiError(400, "General Error", f"{name} is required")
    return value


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""
