"""What LatitudePay answers, read strictly: a sale, its status, a refund, an access token, an error."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer


def _moment(given: Any) -> datetime | None:
    """A moment in ISO 8601; None for anything else, as no source shows the form for online sales."""
    try:
        moment = datetime.fromisoformat(given)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class AccessToken(_Said):
    """The bearer token of `POST /v3/token`."""

    auth_token: str = Field(min_length=1, max_length=8192, pattern=r"^[!-~]+$")


class Sale(_Said):
    """A sale that was opened; the shopper agrees to it at `payment_url`."""

    token: str = Field(min_length=1, max_length=256)
    payment_url: str = Field(pattern=r"^https?://\S+$")
    expiry_date: Annotated[datetime | None, BeforeValidator(_moment)] = None


class SaleStatus(_Said):
    """How a sale stands. `token` names it."""

    status: str = Field(min_length=1)
    token: str | None = None
    message: str | None = None


class Refunded(_Said):
    """A refund that was made."""

    refund_id: str = Field(min_length=1, coerce_numbers_to_str=True)


class Limits(_Said):
    """The merchant account's configuration."""

    name: str
    minimum_amount: Decimal | None = None
    maximum_amount: Decimal | None = None


class _Error(_Said):
    error: str = ""


def refusal(answer: Answer) -> Refused:
    """What a 4xx says."""
    said = read_or_empty(_Error, answer)
    kind = NotThere if answer.status == 404 else Refused
    return kind(said.error or f"LatitudePay refused with {answer.status}", str(answer.status))
