"""What the gateway answers, read strictly: a payment link, an order with its transactions, an error."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer

SUCCESS, FAILURE, PENDING = "SUCCESS", "FAILURE", "PENDING"


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class _Link(_Said):
    url: str = Field(pattern=r"^https?://\S+$")


class Opened(_Said):
    """A checkout that was initiated in the mode of a payment link."""

    result: str
    payment_link: _Link


class TransactionData(_Said):
    """A transaction's own data; amounts in major units."""

    id: str = Field(min_length=1, coerce_numbers_to_str=True)
    type: str = ""
    amount: Decimal | None = None
    currency: str = ""


class _Response(_Said):
    gateway_code: str = ""


class Transaction(_Said):
    """One movement or try of an order and what came of it."""

    result: str
    transaction: TransactionData
    response: _Response = _Response()

    @property
    def why(self) -> str:
        return self.response.gateway_code or self.result


class Order(_Said):
    """An order that somebody has tried to pay, with every transaction."""

    id: str = Field(min_length=1, coerce_numbers_to_str=True)
    reference: str | None = None
    transaction: list[Transaction] = []


class OrderNamed(_Said):
    """An order by its ID."""

    id: str = Field(min_length=1)


class Told(_Said):
    """The part of a notification that names the order."""

    order: OrderNamed


class _Error(_Said):
    cause: str = ""
    explanation: str = ""
    field: str = ""


class _Failure(_Said):
    error: _Error = _Error()


def refusal(answer: Answer) -> Refused:
    """What an error says."""
    said = read_or_empty(_Failure, answer).error
    reason = said.explanation or (f"{said.field} is not valid" if said.field else "")
    kind = NotThere if answer.status == 404 else Refused
    return kind(reason or f"the gateway refused with {answer.status}", said.cause or str(answer.status))
