"""What Affirm answers, read strictly: a checkout, a transaction with its events, an error, a checkout event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from paymux.connectors.contract import MoveKind, NotThere, ProviderMove, Refused
from paymux.connectors.reading import read_or_empty
from paymux.money import Money
from paymux.platform.http import Answer, Unclear


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Said(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True, frozen=True)


class Opened(_Said):
    """A checkout that was created."""

    checkout_id: str = Field(min_length=1)
    redirect_url: str


class Checkout(_Said):
    """A checkout as it stands before it is authorised."""

    checkout_status: str = ""
    order_id: str | None = None


KINDS = {
    "capture": MoveKind.CAPTURE, "split_capture": MoveKind.CAPTURE, "void": MoveKind.VOID, "refund": MoveKind.REFUND,
}  # fmt: skip


class Event(_Said):
    """One step of a transaction, also the answer to a capture, void or refund. `amount` in cents; a void may name none."""

    id: str = Field(min_length=1)
    type: str
    amount: int | None = Field(None, ge=0)
    reference_id: str | None = None


class Transaction(_Said):
    """A loan that was authorised. Amounts in cents."""

    id: str = Field(min_length=1)
    status: str
    amount: int = Field(ge=0)
    currency: str
    checkout_id: str | None = None
    order_id: str | None = None
    amount_refunded: int | None = Field(None, ge=0)
    authorization_expiration: Annotated[datetime, AfterValidator(_in_utc)] | None = None
    events: list[Event] | None = None

    @property
    def total(self) -> Money:
        """What was authorised."""
        return Money.from_minor(self.amount, self.currency)

    def cents(self, kind: MoveKind) -> int:
        """What the events of a kind come to. Raises Unclear where a capture or refund names no amount."""
        found = [event for event in self.events or () if KINDS.get(event.type) is kind]
        if any(event.amount is None for event in found):
            if kind is not MoveKind.VOID:
                raise Unclear(f"a {kind} without its amount")
            return self.amount - self.cents(MoveKind.CAPTURE)
        return sum(event.amount or 0 for event in found)

    @property
    def moves(self) -> tuple[ProviderMove, ...]:
        """Captures, voids and refunds one by one, with our key where Affirm echoes it."""
        return tuple(
            ProviderMove(
                kind=KINDS[event.type],
                amount=Money.from_minor(self._cents(event), self.currency).amount,
                provider_id=event.id,
                key=event.reference_id,
            )
            for event in self.events or ()
            if event.type in KINDS
        )

    def _cents(self, event: Event) -> int:
        return event.amount if event.amount is not None else self.cents(KINDS[event.type])


class _Fault(_Said):
    message: str = ""
    code: str = ""
    type: str = ""


def refusal(answer: Answer) -> Refused:
    """What a 4xx says, with Affirm's own code.

    Raises Unclear for a 409 about the idempotency key, whose first request may still run. Any other conflict is a no, such as
    one about an amount that can't be captured; whether the no to a repeat counts is the core's to decide.
    """
    said = read_or_empty(_Fault, answer)
    if answer.status == 409 and "idempotency" in f"{said.message} {said.code} {said.type}".casefold():
        raise Unclear(f"answer 409: {said.message[:200]}")
    kind = NotThere if answer.status == 404 else Refused
    return kind(said.message or f"Affirm refused with {answer.status}", said.code or said.type or str(answer.status))
