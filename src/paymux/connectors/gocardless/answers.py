"""What GoCardless answers, read strictly: billing requests, flows, payments, refunds, events, errors."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from paymux.connectors.contract import MoveKind, MoveStatus, NotThere, ProviderMove, Refused
from paymux.connectors.reading import read_or_empty
from paymux.money import Money
from paymux.platform.http import Answer

_REFUND = {
    "created": MoveStatus.UNDERWAY, "pending_submission": MoveStatus.UNDERWAY, "submitted": MoveStatus.UNDERWAY,
    "paid": MoveStatus.DONE,
    "cancelled": MoveStatus.FAILED, "bounced": MoveStatus.FAILED, "funds_returned": MoveStatus.FAILED,
}  # fmt: skip


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Links(_Said):
    """The ids of what a resource belongs to. Each kind of resource has some of them."""

    mandate_request_mandate: str | None = None
    billing_request: str | None = None
    payment: str | None = None


class _Noted(_Said):
    """A resource that carries our metadata back."""

    metadata: dict[str, str] | None = None

    def note(self, name: str) -> str | None:
        """What we noted on it under this name."""
        return (self.metadata or {}).get(name)


class BillingRequest(_Noted):
    id: str = Field(min_length=1)
    status: str
    links: _Links = _Links()

    @property
    def mandate(self) -> str | None:
        """The mandate that it has become, once it is fulfilled."""
        return self.links.mandate_request_mandate


class Flow(_Said):
    authorisation_url: str = Field(min_length=1)
    expires_at: datetime | None = None


class Payment(_Noted):
    id: str = Field(min_length=1)
    status: str
    amount: int = Field(ge=0)
    currency: str

    @property
    def total(self) -> Money:
        """Its amount in major units."""
        return Money.from_minor(self.amount, self.currency)


class Refund(_Noted):
    id: str = Field(min_length=1)
    status: str
    amount: int = Field(ge=0)
    currency: str

    @property
    def state(self) -> MoveStatus:
        """What its status means; one that we don't know is not decided."""
        return _REFUND.get(self.status, MoveStatus.UNDERWAY)

    @property
    def value(self) -> Decimal:
        """Its amount in major units."""
        return Money.from_minor(self.amount, self.currency).amount

    @property
    def move(self) -> ProviderMove:
        """The refund as a movement, with our key where it is one of ours."""
        return ProviderMove(
            kind=MoveKind.REFUND, amount=self.value, provider_id=self.id, status=self.state, key=self.note("key"),
            reason=f"the refund was {self.status.replace('_', ' ')}" if self.state is MoveStatus.FAILED else "",
        )  # fmt: skip


class BillingRequestAnswer(_Said):
    billing_requests: BillingRequest


class FlowAnswer(_Said):
    billing_request_flows: Flow


class PaymentAnswer(_Said):
    payments: Payment


class RefundAnswer(_Said):
    refunds: Refund


class RefundList(_Said):
    refunds: list[Refund]


class Creditor(_Said):
    id: str
    name: str | None = None


class CreditorList(_Said):
    creditors: list[Creditor]


class Event(_Said):
    """One event of a webhook. `resource_metadata` is the metadata of what it is about."""

    id: str = Field(min_length=1)
    resource_type: str = ""
    links: _Links = _Links()
    resource_metadata: dict[str, Any] | None = None


class _Fault(_Said):
    reason: str | None = None
    message: str | None = None
    field: str | None = None
    links: dict[str, Any] | None = None


class _Error(_Said):
    message: str = ""
    type: str = ""
    errors: list[_Fault] | None = None


class _ErrorAnswer(_Said):
    error: _Error = _Error()


def conflicting(answer: Answer) -> str | None:
    """The resource that an earlier request with the same idempotency key made; None where that is not the answer."""
    for fault in read_or_empty(_ErrorAnswer, answer).error.errors or ():
        if fault.reason == "idempotent_creation_conflict":
            return str((fault.links or {}).get("conflicting_resource_id") or "") or None
    return None


def refusal(answer: Answer) -> Refused:
    """What a 4xx says, with the most exact of GoCardless's own words as its code."""
    said = read_or_empty(_ErrorAnswer, answer).error
    faults = said.errors or []
    told = "; ".join(f"{fault.field} {fault.message}" for fault in faults if fault.field and fault.message)
    code = next((fault.reason for fault in faults if fault.reason), None) or said.type or str(answer.status)
    kind = NotThere if answer.status == 404 else Refused
    reason = said.message or f"GoCardless refused with {answer.status}"
    return kind(f"{reason}: {told}" if told else reason, code)
