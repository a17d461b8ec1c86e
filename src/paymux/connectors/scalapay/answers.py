"""What Scalapay answers, read strictly: an order, its capture, delay, void and refund, an error, an event."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer


def _with_point(value: Any) -> Any:
    # Two of the published examples write `40,70`.
    return value.replace(",", ".") if isinstance(value, str) and re.fullmatch(r"\d+,\d{1,2}", value) else value


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Amount(_Said):
    """A decimal string in major units with its currency."""

    amount: Annotated[Decimal, BeforeValidator(_with_point)]
    currency: str


class Opened(_Said):
    """An order that was created."""

    token: str = Field(min_length=1)
    checkout_url: str = ""
    expires: Moment | None = None


class _Details(_Said):
    merchant_reference: str | None = None
    total_amount: Amount | None = None


class Order(_Said):
    """An order as it stands. `capture_status`: pending, delayed, captured, voided."""

    token: str = Field(min_length=1)
    status: str
    capture_status: str | None = None
    total_amount: Amount | None = None
    order_details: _Details | None = None
    last_eligibility_feedback: str | None = None

    @property
    def reference(self) -> str | None:
        """The merchant's reference."""
        return self.order_details.merchant_reference if self.order_details else None

    @property
    def ordered(self) -> Amount | None:
        """What the order was created for."""
        return self.order_details.total_amount if self.order_details else None


class Settled(_Said):
    """The answer to a capture (APPROVED) or a delay (AUTHORIZED)."""

    token: str = Field(min_length=1)
    status: str
    authorization_expiry_at: Moment | None = None


class Voided(_Said):
    """The answer to a void."""

    token: str = Field(min_length=1)


class Refunded(_Said):
    """The answer to a refund; `refund_token` need not be unique."""

    token: str = Field(min_length=1)
    amount: Amount | None = None
    refund_token: str | None = None


class Event(_Said):
    """A webhook, of which only the order's token is used."""

    order_token: str = Field(min_length=1)


class _Fault(_Said):
    error_code: str = ""
    message: Any = None


def refusal(answer: Answer) -> Refused:
    """What a 4xx says, with Scalapay's own code."""
    said = read_or_empty(_Fault, answer)
    absent = answer.status == 404 or said.error_code == "invalid_token"
    reason = _sentence(said.message) or f"Scalapay refused with {answer.status}"
    return (NotThere if absent else Refused)(reason, said.error_code or str(answer.status))


def _sentence(message: Any) -> str:
    """A message is a sentence, or an object with one error for each field."""
    if isinstance(message, str):
        return message
    faults = message.get("errors") if isinstance(message, dict) else None
    if not isinstance(faults, list):
        return ""
    texts = [text for fault in faults if isinstance(fault, dict) for text in fault.get("messages") or ()]
    return "; ".join(text for text in texts if isinstance(text, str))
