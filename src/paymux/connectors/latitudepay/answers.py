"""What LatitudePay answers, read strictly: a sale, its status, a refund, an access token, an error."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import NotThere, Refused
from paymux.platform.http import Answer, Unclear


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


S = TypeVar("S", bound=_Said)


def read(model: type[S], answer: Answer) -> S:
    """An answer's body as a model. Raises Unclear for anything else."""
    try:
        return model.model_validate(answer.json())
    except ValidationError as fault:
        wrong = ", ".join(".".join(map(str, error["loc"])) or "body" for error in fault.errors()[:5])
        raise Unclear(f"answer {answer.status} can't be read: {wrong}") from fault


def raw(answer: Answer) -> dict[str, Any] | None:
    """The provider's own answer, where it is an object."""
    body = answer.json()
    return body if isinstance(body, dict) else None


def refusal(answer: Answer) -> Refused:
    """What a 4xx says."""
    try:
        said = _Error.model_validate(answer.json())
    except (Unclear, ValidationError):
        said = _Error()
    kind = NotThere if answer.status == 404 else Refused
    return kind(said.error or f"LatitudePay refused with {answer.status}", str(answer.status))
