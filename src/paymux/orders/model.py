"""What an order and an operation are: their states, their amounts, and what is derived from them (S1 to S5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from paymux.money import Money, exact
from paymux.platform.database import Record


class Status(StrEnum):
    """The status of an order (S1)."""

    INITIATED = "INITIATED"
    PENDING = "PENDING"
    SUCCESSFUL = "SUCCESSFUL"
    DECLINED = "DECLINED"
    CANCELED = "CANCELED"
    ERROR = "ERROR"

    @property
    def final(self) -> bool:
        """Final is final: no outcome ever leaves it."""
        return self not in (Status.INITIATED, Status.PENDING)


class OperationStatus(StrEnum):
    """The status of a claimed operation (S5)."""

    PENDING = "PENDING"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"


class Initiator(StrEnum):
    MERCHANT = "MERCHANT"
    SYSTEM = "SYSTEM"
    PROVIDER = "PROVIDER"


class Kind(StrEnum):
    """What an operation does at the provider."""

    CREATE = "create"
    CONFIRM = "confirm"
    CHARGE_TOKEN = "charge_token"  # noqa: S105
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    CHARGEBACK = "chargeback"


ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as its row tells. Amounts in major units; `authorised` is None before authorisation.

    What may name people, in clear or sealed, is read by `given_words`.
    """

    id: str
    merchant_id: str
    account_id: str
    reference: str
    code: str
    connector: str
    provider_reference: str
    order_token: str
    transaction_reference: str
    status: Status
    amount: Decimal
    currency: str
    country: str
    locale: str
    auto_capture: bool
    get_token: bool
    surcharge: Decimal
    request_sealed: bytes
    channel: str
    session_id: str | None
    partner_reference: str | None
    partner_configuration: Mapping[str, Any] | None
    partner_configuration_sealed: bytes | None
    redirect_url: str | None
    callback_url: str | None
    cancellation_timeout: int | None
    checkout_session_timeout: int | None
    session: str | None
    payment_id: str | None
    connector_state: Mapping[str, str]
    checkout_url: str | None
    checkout_form: Mapping[str, str] | None
    checkout_form_sealed: bytes | None
    checkout_expires_at: datetime | None
    completed_at: datetime | None
    approval_seen: bool
    authorised: Decimal | None
    captured: Decimal
    voided: Decimal
    expired: Decimal
    refunded: Decimal
    authorised_until: datetime | None
    paid_seen: bool
    failure_reason: str | None
    reject_reason: str | None
    cancelled_by: str | None
    needs_review: str | None
    token_id: str | None
    token_failure: str | None
    raw_sealed: bytes | None
    sequence: int
    polls: int
    created_at: datetime
    updated_at: datetime
    erased_at: datetime | None
    """When the customer was erased first; nothing of him that comes in later is kept."""
    erased_as: Sequence[str] | None
    """Keyed digests of the addresses by which he is found again."""

    @classmethod
    def of(cls, row: Record) -> Order:
        """The order of a row of `orders`."""
        values = {name: row[name] for name in _ORDER_FIELDS}
        for name, value in values.items():
            if isinstance(value, Decimal):
                values[name] = exact(value)
        values["status"] = Status(values["status"])
        return cls(**values)

    def with_changes(self, changes: Mapping[str, Any]) -> Order:
        """The order as its row will tell once these changes are written."""
        values = dict(changes)
        for name, value in values.items():
            if isinstance(value, Decimal):
                values[name] = exact(value)
            elif isinstance(value, datetime):
                values[name] = value.astimezone(UTC)
        if "status" in values:
            values["status"] = Status(values["status"])
        return replace(self, **values)

    @property
    def total(self) -> Money:
        """What the shopper owes."""
        return Money(self.amount, self.currency)

    @property
    def totals(self) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal]:
        """Authorised, captured, voided, expired, refunded."""
        return self.authorised or ZERO, self.captured, self.voided, self.expired, self.refunded

    @property
    def by_form(self) -> bool:
        """The shopper gets to the provider by a form that our page posts: `given_words.form_of` has it."""
        return self.checkout_form is not None or self.checkout_form_sealed is not None

    @property
    def underway(self) -> bool:
        """The provider holds a payment on which a fraud check or debit is still open (S5)."""
        return self.payment_id is not None and self.authorised is None and not self.paid_seen

    @property
    def reviews(self) -> list[str]:
        """Why a person has to look at it, a sentence each (U3)."""
        return self.needs_review.split("\n") if self.needs_review else []

    @property
    def open(self) -> Decimal:
        """What is still authorised and neither captured, voided nor expired."""
        return (self.authorised or ZERO) - self.captured - self.voided - self.expired

    @property
    def capture_status(self) -> str | None:
        """`captureStatus`, derived (S3)."""
        if self.authorised is None:
            return None
        if self.open > 0:
            return "PARTIALLY_CAPTURED" if self.captured else "AUTHORIZED"
        if self.captured:
            return "CAPTURED"
        return "EXPIRED" if self.expired else "VOIDED"


_ORDER_FIELDS = tuple(field.name for field in fields(Order))
ORDER_COLUMNS = ", ".join(_ORDER_FIELDS)
"""What a statement reads of `orders`, by name: one that read all there are would fail once in every process that goes on
while a later version adds a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A claim on a provider call. `calls` counts those that may have left; `key` goes along in every one.

    `called_at` is when the first of them was made, None where none was, or where it was made with the claim.
    """

    id: str
    order_id: str
    kind: Kind
    reference: str
    request_hash: str
    key: str
    amount: Decimal | None
    currency: str | None
    description: str
    description_sealed: bytes | None
    status: OperationStatus
    initiator: Initiator
    provider_id: str | None
    failure_code: str | None
    failure_reason: str | None
    failure_status: int | None
    calls: int
    asks: int
    holder: str | None
    lease_until_real: datetime | None
    needs_review: bool
    created_at: datetime
    updated_at: datetime
    called_at: datetime | None

    @classmethod
    def of(cls, row: Record) -> Operation:
        """The operation of a row of `operations`."""
        values = {name: row[name] for name in _OPERATION_FIELDS}
        if values["amount"] is not None:
            values["amount"] = exact(values["amount"])
        values["kind"], values["status"] = Kind(values["kind"]), OperationStatus(values["status"])
        values["initiator"] = Initiator(values["initiator"])
        return cls(**values)

    @property
    def pending(self) -> bool:
        return self.status is OperationStatus.PENDING

    def key_age(self, now: datetime) -> timedelta:
        """How long ago the provider may have seen its key first."""
        return now - (self.called_at or self.created_at)


_OPERATION_FIELDS = tuple(field.name for field in fields(Operation))
OPERATION_COLUMNS = ", ".join(_OPERATION_FIELDS)
