"""What Pace answers and tells: a transaction, the payment plans, a webhook, an error."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Amount(_Said):
    """An amount in major units; Pace tells it in minor ones, too."""

    actual_value: Decimal = Field(ge=0, allow_inf_nan=False)
    currency: str


class Transaction(_Said):
    """How a transaction stands."""

    transaction_id: str = Field(min_length=1, alias="transactionID")
    status: str
    reference_id: str | None = Field(None, alias="referenceID")
    amount: Amount | None = None


class Opened(_Said):
    """A new transaction and its page."""

    transaction_id: str = Field(min_length=1, alias="transactionID")
    payment_link: str
    expiry_date: Any = None

    @property
    def expires_at(self) -> datetime | None:
        """Until when it can be agreed to, where that names its zone: what another form means nobody documents."""
        try:
            when = datetime.fromisoformat(self.expiry_date)
        except (TypeError, ValueError):
            return None
        return when if when.tzinfo else None


class Limit(_Said):
    """One end of a plan, in major units."""

    actual_value: Decimal


class Plan(_Said):
    """A payment plan of the merchant: its currency and between which totals it is offered."""

    currency_code: str
    min_amount: Limit
    max_amount: Limit


class Plans(_Said):
    """The payment plans of the merchant."""

    list: list[Plan]


class Event(_Said):
    """A webhook: which transaction something happened to."""

    event: str
    transaction_id: str | None = Field(None, alias="transactionID")
    reference_id: str | None = Field(None, alias="referenceID")


class _Fault(BaseModel):
    message: str = ""


class _Error(BaseModel):
    error: _Fault | None = None
    correlation_id: str = ""


def refusal(answer: Answer) -> Refused | None:
    """What an error says, whichever status it has; None when the answer is none."""
    said = read_or_empty(_Error, answer)
    if answer.status < 400 and said.error is None:
        return None
    reason = (said.error.message if said.error else "") or f"Pace refused with {answer.status}"
    if answer.status == 401:
        reason = f"{reason}: check client_id and client_secret, and whether they are of this environment"
    if said.correlation_id:
        reason = f"{reason} (correlation id {said.correlation_id})"
    return (NotThere if answer.status == 404 else Refused)(reason, str(answer.status))
