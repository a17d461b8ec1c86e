"""What Laybuy answers, read strictly: an opened and a confirmed order, an order with its refunds, a status, a refund."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read, read_or_empty
from paymux.platform.http import Answer

_ABSENT = frozenset({"order not found", "invalid payment token specified."})

# A number in the older examples, a UUID in the newer ones.
Id = Annotated[str, Field(min_length=1, max_length=128, coerce_numbers_to_str=True)]


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Result(_Said):
    """Every answer's `result`: SUCCESS, or ERROR with its reason. Both come with HTTP status 200."""

    result: str = Field(min_length=1)
    error: str | None = None

    @property
    def refused(self) -> bool:
        """A clear no: nothing happened."""
        return self.result == "ERROR"


class Opened(_Said):
    """An order that the shopper may agree to at `payment_url`."""

    token: str = Field(min_length=1, max_length=256)
    payment_url: str = Field(pattern=r"^https?://\S+$")


class Confirmed(_Said):
    """An order that was confirmed."""

    order_id: Id


class Refund(_Said):
    """A refund as an order lists it; `refund_reference` is ours where we made it."""

    refund_id: Id
    amount: Decimal = Field(gt=0)
    refund_reference: str | None = None


class Order(_Said):
    """An order in full; `processed` is empty until it is confirmed."""

    order_id: Id
    token: str = Field(min_length=1)
    amount: Decimal = Field(ge=0)
    currency: str = Field(min_length=3, max_length=3)
    merchant_reference: str
    processed: str | None = None
    refunds: tuple[Refund, ...] = ()


class Standing(_Said):
    """How an order stands, confirmed or not."""

    status: str = Field(min_length=1)


class Refunded(_Said):
    """A refund that was made; one of the two examples has no id."""

    refund_id: str = Field("", coerce_numbers_to_str=True)


def result_of(answer: Answer) -> Result:
    """The result of an answer. Raises Refused for a 4xx, which is about the credentials or the form of the request."""
    if answer.status >= 400:
        said = read_or_empty(_Error, answer)
        raise Refused(said.error or f"Laybuy refused with {answer.status}", str(answer.status))
    return read(Result, answer)


def refusal(said: Result) -> Refused:
    """What an ERROR says: Laybuy has words for it, and no codes."""
    reason = said.error or "Laybuy gave no reason"
    kind = NotThere if reason.lower() in _ABSENT else Refused
    return kind(reason, said.result)


class _Error(_Said):
    error: str = ""
