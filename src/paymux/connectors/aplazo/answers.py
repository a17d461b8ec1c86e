"""What Aplazo answers and tells: an access token, loans, a cancel, a refund, a notification's token, an error."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, coerce_numbers_to_str=True)


class AccessToken(BaseModel):
    """A token as it goes into the header, with its `Bearer`."""

    authorization: str = Field(alias="Authorization", min_length=1)


class Opened(_Said):
    """A loan that was opened."""

    url: str


class Loan(_Said):
    """A loan of a cart, the total in pesos."""

    loan_id: str = Field(min_length=1, max_length=64)
    status: str
    total_amount: Decimal | None = Field(None, ge=0)


class Loans(RootModel[list[Loan]]):
    """Every loan of a cart."""


class CancelledLoan(_Said):
    """What a cancel made of a loan."""

    status: str


class Refund(_Said):
    """A refund that was asked for."""

    refund_id: str = Field(min_length=1, max_length=64)
    refund_status: str
    cart_id: str | None = None


class Told(_Said):
    """What a notification's token says."""

    cart_id: str = Field(min_length=1, max_length=128)


class _Error(BaseModel):
    """An error as Aplazo's servers word it; `message` is often empty."""

    message: str | None = None
    error: str | None = None


def refusal(answer: Answer) -> Refused:
    """A 4xx as an error, in Aplazo's words."""
    said = read_or_empty(_Error, answer)
    reason = said.message or said.error or "Aplazo refused"
    return (NotThere if answer.status == 404 else Refused)(f"{reason} ({answer.status})", str(answer.status))
