"""What Afterpay answers, read strictly: a payment with its events and refunds, a checkout, an error."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import MoveKind, MoveStatus, NotThere, ProviderMove, Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, coerce_numbers_to_str=True, frozen=True)


class Amount(_Said):
    """A Money object: a decimal string in major units."""

    amount: Decimal = Field(ge=0)
    currency: str


class Event(_Said):
    """One step of a payment. Only AUTH_APPROVED has `expires`; only a capture can carry a reference of ours."""

    id: str = ""
    type: str
    amount: Amount | None = None
    created: Moment | None = None
    expires: Moment | None = None
    payment_event_merchant_reference: str | None = None

    @property
    def value(self) -> Decimal:
        """The event's amount in major units."""
        return self.amount.amount if self.amount else Decimal(0)


class Refund(_Said):
    """A refund, and also what every void adds beside its event."""

    refund_id: str
    amount: Amount
    request_id: str | None = None
    refund_merchant_reference: str | None = None
    refunded_at: Moment | None = None


class Payment(_Said):
    """A payment: Afterpay's order, made by our confirm."""

    id: str = Field(min_length=1)
    token: str | None = None
    status: str
    payment_state: str | None = None
    merchant_reference: str | None = None
    original_amount: Amount | None = None
    events: list[Event] | None = None
    refunds: list[Refund] | None = None

    def of(self, *types: str) -> list[Event]:
        """The events of some types, oldest first."""
        return [event for event in self.events or () if event.type in types]

    def sum_of(self, type: str) -> Decimal:
        """What the events of a type come to."""
        return sum((event.value for event in self.of(type)), Decimal(0))

    @property
    def true_refunds(self) -> list[Refund]:
        """The refunds of captured money.

        A void puts a refund object beside its event, too; the one of the same amount and nearest in time is
        its. One with a `refundMerchantReference` never is, for a void can't be given any.
        """
        left = list(self.refunds or ())
        for event in self.of("VOIDED", "EXPIRED"):
            same = [r for r in left if not r.refund_merchant_reference and r.amount.amount == event.value]
            if same:
                left.remove(min(same, key=lambda refund: _apart(refund.refunded_at, event.created)))
        return left

    @property
    def moves(self) -> tuple[ProviderMove, ...]:
        """Captures, voids and refunds one by one, with our key where Afterpay echoes it."""
        listed = [
            ProviderMove(
                kind=MoveKind.CAPTURE, amount=e.value, provider_id=e.id, key=e.payment_event_merchant_reference
            )
            for e in self.of("CAPTURED")
        ]
        listed += [
            ProviderMove(
                kind=MoveKind.CAPTURE, amount=e.value, provider_id=e.id, status=MoveStatus.FAILED,
                key=e.payment_event_merchant_reference, reason="the capture was declined",
            )
            for e in self.of("CAPTURE_DECLINED") if e.payment_event_merchant_reference
        ]  # fmt: skip
        listed += [ProviderMove(kind=MoveKind.VOID, amount=e.value, provider_id=e.id) for e in self.of("VOIDED")]
        listed += [
            ProviderMove(kind=MoveKind.REFUND, amount=r.amount.amount, provider_id=r.refund_id, key=r.request_id)
            for r in self.true_refunds
        ]
        return tuple(listed)


class OpenCheckout(_Said):
    """A checkout that was created or that is still open."""

    token: str = Field(min_length=1)
    expires: Moment | None = None
    redirect_checkout_url: str | None = None
    merchant_reference: str | None = None


class Limits(_Said):
    """The account's configuration."""

    minimum_amount: Amount | None = None
    maximum_amount: Amount | None = None


class _Error(_Said):
    error_code: str = ""
    message: str = ""


def _apart(one: datetime | None, other: datetime | None) -> timedelta:
    return abs(one - other) if one and other else timedelta.max


def refusal(answer: Answer, absent: Sequence[int] = (404,)) -> Refused:
    """What a 4xx says. `absent` are the statuses by which this call says that there is no such thing."""
    said = read_or_empty(_Error, answer)
    kind = NotThere if answer.status in absent else Refused
    return kind(said.message or f"Afterpay refused with {answer.status}", said.error_code or str(answer.status))
