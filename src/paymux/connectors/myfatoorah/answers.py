"""What MyFatoorah answers, read strictly: an envelope around an invoice, its payments, its refunds."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from paymux.connectors.contract import MoveKind, MoveStatus, NotThere, ProviderMove, Refused
from paymux.connectors.reading import read, read_or_empty
from paymux.money import Money
from paymux.platform.http import Answer, Unclear

# Kuwait's currency as MyFatoorah shows it.
_CURRENCIES = {"KD": "KWD"}
_DISPLAYED = re.compile(r"(\d{1,3}(?:,\d{3})*|\d+)(\.\d+)? ([A-Z]{2,3})", re.ASCII)
_REFUNDS = {"Refunded": MoveStatus.DONE, "Canceled": MoveStatus.FAILED}


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=lambda name: "".join(map(str.title, name.split("_"))), frozen=True)


D = TypeVar("D", bound=BaseModel)


class _Envelope(_Said, Generic[D]):
    data: D


class Invoice(_Said):
    """An invoice that was made; the shopper pays it at `invoice_url`."""

    invoice_id: str = Field(min_length=1, coerce_numbers_to_str=True)
    invoice_url: str = Field(alias="InvoiceURL", pattern=r"^https?://\S+$")


class Transaction(_Said):
    """One try to pay an invoice."""

    payment_id: str | None = Field(None, coerce_numbers_to_str=True)
    transaction_status: str = ""
    error: str | None = None
    error_code: str | None = None


class InvoiceStatus(_Said):
    """An invoice and every try to pay it."""

    invoice_id: str = Field(min_length=1, coerce_numbers_to_str=True)
    invoice_status: str = Field(min_length=1)
    customer_reference: str | None = None
    invoice_display_value: str
    invoice_transactions: list[Transaction] | None = None

    @property
    def total(self) -> Money:
        """What the invoice asks for. Raises Unclear when it is not written as `1,200.000 KD`."""
        written = _DISPLAYED.fullmatch(self.invoice_display_value.strip())
        if written is None:
            raise Unclear("an invoice whose amount can't be read")
        whole, decimals, currency = written.groups()
        return Money(Decimal(whole.replace(",", "") + (decimals or "")), _CURRENCIES.get(currency, currency))

    @property
    def tries(self) -> list[Transaction]:
        return self.invoice_transactions or []


class Refund(_Said):
    """A refund that was asked for."""

    refund_id: str = Field(min_length=1, coerce_numbers_to_str=True)


class RefundStatus(_Said):
    """How a refund of an invoice stands. `amount` is what was asked for, `external_identifier` our key."""

    refund_id: str = Field(min_length=1, coerce_numbers_to_str=True)
    refund_status: str
    amount: Decimal
    external_identifier: str | None = None

    @property
    def move(self) -> ProviderMove:
        """The refund as a movement; a word that is not documented is still under way."""
        status = _REFUNDS.get(self.refund_status, MoveStatus.UNDERWAY)
        return ProviderMove(
            kind=MoveKind.REFUND, amount=self.amount, provider_id=self.refund_id, status=status,
            key=self.external_identifier or None, reason="" if status is MoveStatus.DONE else self.refund_status,
        )  # fmt: skip


class Refunds(_Said):
    """The refunds of an invoice."""

    refund_status_result: list[RefundStatus]


class Method(_Said):
    """A way to pay that the account offers."""

    payment_method_en: str = ""


class Methods(_Said):
    """The account's ways to pay."""

    payment_methods: list[Method]


class _Fault(_Said):
    name: str | None = None
    error: str | None = None


class _Failure(_Said):
    is_success: bool | None = None
    message: str | None = None
    validation_errors: list[_Fault] | None = None
    fields_errors: list[_Fault] | None = None
    data: Any = None

    @property
    def words(self) -> str:
        """All faults with their fields, else the message of the data, else the envelope's."""
        faults = self.validation_errors or self.fields_errors or []
        named = ", ".join(f"{fault.name}: {fault.error}" for fault in faults if fault.name or fault.error)
        inner = self.data.get("ErrorMessage") if isinstance(self.data, dict) else None
        return named or (inner if isinstance(inner, str) else "") or self.message or ""


def content(model: type[D], answer: Answer) -> D:
    """The data of an answer that says yes. Raises Refused for one that says no and Unclear for anything else."""
    failure = read_or_empty(_Failure, answer)
    if 400 <= answer.status < 500 or (answer.status < 300 and failure.is_success is False):
        kind = NotThere if answer.status == 404 else Refused
        raise kind(failure.words or f"MyFatoorah refused with {answer.status}", str(answer.status))
    if answer.status >= 300 or failure.is_success is not True:
        raise Unclear(f"answer {answer.status} says neither yes nor no")
    return read(_Envelope[model], answer).data  # type: ignore[valid-type]
