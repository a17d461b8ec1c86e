"""What Tamara answers and sends, read strictly: a checkout, an order with its transactions, an authorisation, an event."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from paymux.connectors.contract import MoveKind, NotThere, ProviderMove, Refused
from paymux.connectors.reading import read, read_or_empty
from paymux.money import Money
from paymux.platform.database import from_json
from paymux.platform.http import Answer


def _no_flag(amount: Any) -> Any:
    if isinstance(amount, bool):
        raise ValueError("an amount is no truth value")
    return amount


def _nothing(said: Any) -> Any:
    # An empty object comes out of PHP as an empty list.
    return None if said == [] else said


# A number in major units.
Amount = Annotated[Decimal, BeforeValidator(_no_flag), Field(ge=0, lt=Decimal(10**12))]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class Sum(_Said):
    """An amount with its currency."""

    amount: Amount
    currency: str = Field(pattern="^[A-Z]{3}$")

    @property
    def money(self) -> Money:
        """The same as Money."""
        return Money(self.amount, self.currency)


class OpenCheckout(_Said):
    """A checkout that was created, and the order that it made."""

    order_id: str = Field(min_length=1)
    checkout_id: str = ""
    checkout_url: str


class _Capture(_Said):
    capture_id: str
    total_amount: Sum


class _Cancel(_Said):
    cancel_id: str
    total_amount: Sum


class _Refund(_Said):
    refund_id: str
    total_amount: Sum


class _Transactions(_Said):
    captures: list[_Capture] | None = None
    cancels: list[_Cancel] | None = None
    refunds: list[_Refund] | None = None

    @property
    def moves(self) -> tuple[ProviderMove, ...]:
        named = [
            *((MoveKind.CAPTURE, one.capture_id, one.total_amount) for one in self.captures or ()),
            *((MoveKind.VOID, one.cancel_id, one.total_amount) for one in self.cancels or ()),
            *((MoveKind.REFUND, one.refund_id, one.total_amount) for one in self.refunds or ()),
        ]
        return tuple(ProviderMove(kind=kind, amount=total.amount, provider_id=name) for kind, name, total in named)


class Order(_Said):
    """An order, which exists from the checkout's creation on."""

    order_id: str = Field(min_length=1)
    order_reference_id: str | None = None
    status: str = Field(min_length=1)
    total_amount: Sum
    captured_amount: Sum | None = None
    refunded_amount: Sum | None = None
    canceled_amount: Sum | None = None
    transactions: Annotated[_Transactions | None, BeforeValidator(_nothing)] = None

    @property
    def moves(self) -> tuple[ProviderMove, ...] | None:
        """Captures, cancels and refunds one by one; None where the order lists none at all."""
        return self.transactions.moves if self.transactions else None


class Authorisation(_Said):
    """The answer to our authorise call; the order may have been captured with it."""

    order_id: str = Field(min_length=1)
    status: str = Field(min_length=1)
    authorized_amount: Sum
    capture_id: str | None = None


class Captured(_Said):
    """The answer to a capture."""

    order_id: str
    capture_id: str = Field(min_length=1)
    status: str


class Canceled(_Said):
    """The answer to a cancel; `updated` where it took only a part of the order."""

    order_id: str
    cancel_id: str = Field(min_length=1)
    status: str


class Refunded(_Said):
    """The answer to a refund."""

    order_id: str
    refund_id: str = Field(min_length=1)


class PaymentType(_Said):
    """A way to pay that the merchant's account offers."""

    name: str
    min_limit: Sum | None = None
    max_limit: Sum | None = None


class _PaymentTypes(RootModel[list[PaymentType]]):
    pass


class Event(_Said):
    """A notification (`order_status`) or a webhook (`event_type`)."""

    order_id: str = Field(min_length=1)
    order_reference_id: str | None = None


class _Fault(_Said):
    error_code: str = ""


class _Error(_Said):
    message: str = ""
    errors: list[_Fault] | None = None


def read_payment_types(answer: Answer) -> list[PaymentType]:
    """The account's ways to pay. Raises Unclear for anything else."""
    return read(_PaymentTypes, answer).root


def read_event(body: bytes) -> Event:
    """What an event names. Raises ValueError for anything else."""
    return Event.model_validate(from_json(body))


def refusal(answer: Answer) -> Refused:
    """What a 4xx says, with Tamara's first error code."""
    said = read_or_empty(_Error, answer)
    kind = NotThere if answer.status == 404 else Refused
    code = next((fault.error_code for fault in said.errors or () if fault.error_code), "")
    return kind(said.message or code or f"Tamara refused with {answer.status}", code or str(answer.status))
