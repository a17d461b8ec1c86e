"""What Zip answers, read strictly: a checkout, a charge, a refund, an account token, an error."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer


class _Said(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True, frozen=True)


class _Order(_Said):
    reference: str | None = None


class Checkout(_Said):
    """A checkout. `completed` says that it was charged, but not by which charge."""

    id: str = Field(min_length=1)
    state: str
    uri: str = ""
    order: _Order = _Order()


class Charge(_Said):
    """A charge: what became of a checkout or an account token. Amounts in major units."""

    id: str = Field(min_length=1)
    state: str
    amount: Decimal = Field(ge=0)
    currency: str
    captured_amount: Decimal = Field(Decimal(0), ge=0)
    refunded_amount: Decimal = Field(Decimal(0), ge=0)
    reference: str | None = None


class Refund(_Said):
    """A refund of a charge."""

    id: str = Field(min_length=1)
    amount: Decimal


class Token(_Said):
    """A customer's account, to be charged later."""

    value: str = Field(min_length=1)
    active: bool = True


class Merchant(_Said):
    """Whose key it is, and the regions that it serves: `au`, `nz`, `uk`, ..."""

    name: str = ""
    regions: tuple[str, ...] = ()


class _Detail(_Said):
    name: str | None = None
    message: str | None = None


class _Fault(_Said):
    code: str = ""
    message: str = ""
    details: list[_Detail] | None = None


class _Error(_Said):
    error: _Fault = _Fault()


def refusal(answer: Answer) -> Refused:
    """What a 4xx says: Zip's own code and message, and the fields that it names."""
    said = read_or_empty(_Error, answer).error
    named = ", ".join(" ".join(filter(None, (detail.name, detail.message))) for detail in said.details or ())
    kind = NotThere if answer.status == 404 else Refused
    reason = said.message or f"Zip refused with {answer.status}"
    if named and not named.endswith(reason):
        named = f"{reason}: {named}"
    return kind(named or reason, said.code or str(answer.status))
