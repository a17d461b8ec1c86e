"""What Splitit is sent: a plan to initiate, its capture, refunds, the form for an access token.

Amounts are numbers in major units.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NotRequired, TypedDict, cast

from paymux.connectors import contract
from paymux.connectors.amounts import text
from paymux.connectors.contract import OrderToPay, Refused
from paymux.money import Money


class Shopper(TypedDict):
    """Who pays; `Culture` is the language of the form, such as de-DE."""

    FullName: NotRequired[str]
    Email: str
    PhoneNumber: str
    Culture: NotRequired[str]


class Address(TypedDict):
    """Where the card's bill goes."""

    AddressLine1: str
    AddressLine2: NotRequired[str]
    City: str
    Country: str
    State: NotRequired[str]
    Zip: str


class PlanData(TypedDict):
    """What is to be paid, in major units, and in how many instalments the form shows it first."""

    TotalAmount: Decimal
    Currency: str
    TerminalId: str
    PurchaseMethod: Literal["ECommerce"]
    RefOrderNumber: str
    NumberOfInstallments: NotRequired[int]


class RedirectUrls(TypedDict):
    """Where the shopper comes back to."""

    Succeeded: str
    Failed: str
    Cancel: str


class EventsEndpoints(TypedDict):
    """What is called once the shopper has agreed."""

    CreateSucceeded: str


class UxSettings(TypedDict):
    """The numbers of instalments that the form offers."""

    DisplayedInstallmentOptions: list[int]


class NewPlan(TypedDict):
    """A plan to initiate; with `AutoCapture` it runs as soon as its card is authorised."""

    AutoCapture: bool
    Shopper: Shopper
    PlanData: PlanData
    BillingAddress: Address
    RedirectUrls: RedirectUrls
    EventsEndpoints: EventsEndpoints
    UxSettings: NotRequired[UxSettings]


class Update(TypedDict):
    """The start of an authorised plan."""

    Capture: Literal[True]


class Refund(TypedDict):
    """A part or all of a plan to be given back, in major units; all of one that does not run cancels it."""

    Amount: Decimal
    RefundStrategy: NotRequired[Literal["FutureInstallmentsFirst"]]
    ReferenceId: str


class TokenForm(TypedDict):
    """The credentials that an access token is granted for: a form."""

    grant_type: Literal["client_credentials"]
    scope: Literal["api.v3"]
    client_id: str
    client_secret: str


def plan(order: OrderToPay, terminal: str) -> NewPlan:
    """A plan at a terminal. Raises Refused for an inexact amount, and for what is no number of instalments."""
    data: PlanData = {
        "TotalAmount": number(order.total), "Currency": order.total.currency, "TerminalId": terminal,
        "PurchaseMethod": "ECommerce", "RefOrderNumber": order.reference,
    }  # fmt: skip
    body: NewPlan = {
        "AutoCapture": order.auto_capture,
        "Shopper": _shopper(order),
        "PlanData": data,
        "BillingAddress": _address(order.billing),
        "RedirectUrls": {
            "Succeeded": order.return_to("success"), "Failed": order.return_to("failure"),
            "Cancel": order.return_to("cancel"),
        },
        "EventsEndpoints": {"CreateSucceeded": order.events_url},
    }  # fmt: skip
    if (first := order.additional_data.get("numberOfInstallments")) is not None:
        data["NumberOfInstallments"] = _count(first)
    if offered := order.additional_data.get("displayedInstallmentOptions"):
        body["UxSettings"] = {"DisplayedInstallmentOptions": [_count(one) for one in offered]}
    return body


def number(money: Money) -> Decimal:
    """An exact number in major units. Raises Refused when the currency can't hold it."""
    return Decimal(text(money))


def _shopper(order: OrderToPay) -> Shopper:
    who = order.customer
    shopper: Shopper = {
        "FullName": f"{who.first_name} {who.last_name}".strip(), "Email": who.email, "PhoneNumber": who.phone,
        "Culture": _culture(order.locale),
    }  # fmt: skip
    # Mail and phone are required of an order (provider.toml), so what this leaves away is neither.
    return cast(Shopper, {name: value for name, value in shopper.items() if value})


def _address(place: contract.Address) -> Address:
    address: Address = {
        "AddressLine1": place.street, "AddressLine2": place.street2, "City": place.city, "Country": place.country,
        "State": place.state or place.region, "Zip": place.postal_code,
    }  # fmt: skip
    # The others are required of an order (provider.toml): only the second line and the state can be left away.
    return cast(Address, {name: value for name, value in address.items() if value})


def _culture(locale: str) -> str:
    """`de-DE` for `de_DE_formal`; empty where the locale names no country, as Splitit refuses unknown cultures."""
    parts = locale.replace("-", "_").split("_")
    return f"{parts[0].lower()}-{parts[1].upper()}" if len(parts) > 1 and len(parts[1]) == 2 else ""


def _count(value: object) -> int:
    """A number of instalments. Raises Refused for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value != int(value) or value < 1:
        raise Refused("a number of instalments is a whole number of at least 1", "invalid_additional_data")
    return int(value)
