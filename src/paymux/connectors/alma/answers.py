"""What Alma answers, read strictly: a payment with its refunds, the merchant's account, an error."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from paymux.connectors.contract import MoveKind, NotThere, ProviderMove, Refused
from paymux.connectors.reading import read_or_empty
from paymux.money import Money
from paymux.platform.http import Answer

# Alma names no currency anywhere: it knows euros only.
_CURRENCY = "EUR"
REFERENCE = "order_reference"
"""The field of `custom_data` that holds our reference."""


def _nothing(said: Any) -> Any:
    # An empty object comes as an empty list from some of Alma's own clients.
    return None if said == [] else said


Cents = Annotated[int, Field(ge=0, lt=10**14, strict=True)]


def _euros(cents: int) -> Decimal:
    return Money.from_minor(cents, _CURRENCY).amount


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class RefundEntry(_Said):
    """One refund; `merchant_reference` is the key that we asked for it with."""

    id: str | None = None
    created: int | None = None
    amount: Cents
    merchant_reference: str | None = None

    @property
    def value(self) -> Decimal:
        """The amount in euros."""
        return _euros(self.amount)

    @property
    def provider_id(self) -> str:
        """Alma's id of it, or what else tells it from others."""
        return self.id or self.merchant_reference or f"{self.created or ''}-{self.amount}"


class _Order(_Said):
    merchant_reference: str | None = None


class Payment(_Said):
    """A payment, which exists from create on."""

    id: str = Field(min_length=1)
    url: str = ""
    state: str = Field(min_length=1)
    processing_status: str | None = None
    cancelation_reason: str | None = None
    purchase_amount: Cents
    expired_at: int | None = None
    custom_data: Annotated[dict[str, Any] | None, BeforeValidator(_nothing)] = None
    orders: list[_Order] | None = None
    refunds: list[RefundEntry] | None = None
    amount_already_refunded: Cents | None = None

    @property
    def total(self) -> Money:
        """What the shopper buys for, without Alma's fees."""
        return Money.from_minor(self.purchase_amount, _CURRENCY)

    @property
    def reference(self) -> str | None:
        """Our reference, as Alma keeps it: in the custom data, else in its order."""
        said = (self.custom_data or {}).get(REFERENCE)
        named = [order.merchant_reference for order in self.orders or () if order.merchant_reference]
        return said if isinstance(said, str) else named[0] if named else None

    @property
    def refunded(self) -> Decimal:
        """What was refunded so far, in euros."""
        if self.refunds is None:
            return _euros(self.amount_already_refunded or 0)
        return sum((refund.value for refund in self.refunds), Decimal(0))

    @property
    def moves(self) -> tuple[ProviderMove, ...] | None:
        """The refunds one by one; a sale's capture is no entry of its own."""
        if self.refunds is None:
            return None
        return tuple(
            ProviderMove(
                kind=MoveKind.REFUND, amount=one.value, provider_id=one.provider_id, key=one.merchant_reference or None
            )
            for one in self.refunds
        )


class Merchant(_Said):
    """The merchant's account."""

    name: str = ""
    can_create_payments: bool = True
    minimum_purchase_amount: Cents | None = None
    maximum_purchase_amount: Cents | None = None

    @property
    def limits(self) -> str:
        """From how much to how much, for people."""
        bounds = (self.minimum_purchase_amount, self.maximum_purchase_amount)
        return " to ".join("?" if cents is None else f"{_euros(cents)} {_CURRENCY}" for cents in bounds)


class _Fault(_Said):
    message: str = ""


class _Error(_Said):
    message: str = ""
    error_code: str = ""
    errors: list[_Fault] | None = None


def refusal(answer: Answer) -> Refused:
    """What a 4xx says."""
    said = read_or_empty(_Error, answer)
    kind = NotThere if answer.status == 404 else Refused
    reason = said.message or next((fault.message for fault in said.errors or () if fault.message), "")
    return kind(reason or f"Alma refused with {answer.status}", said.error_code or str(answer.status))
