"""What Postpay answers, read strictly: a checkout, an order, a page of the list of orders, an error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer


class _Said(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True, frozen=True)


class Opened(_Said):
    """A checkout that was created."""

    token: str = Field(min_length=1)
    redirect_url: str


class Order(_Said):
    """An order. `total_amount` in hundredths of the currency."""

    order_id: str = Field(min_length=1)
    status: str
    total_amount: int = Field(ge=0)
    currency: str


class Orders(_Said):
    """One page of the list of orders; `next` is the address of the following one."""

    results: list[Order]
    next: str | None = None


class Refund(_Said):
    """A refund, of which only an amount that differs would matter."""

    amount: int | None = None


class _Error(_Said):
    code: str = ""
    message: str = ""


class _Fault(_Said):
    error: _Error = _Error()


def refusal(answer: Answer) -> Refused:
    """What a 4xx says, with Postpay's own code."""
    said = read_or_empty(_Fault, answer).error
    kind = NotThere if answer.status == 404 else Refused
    return kind(said.message or f"Postpay refused with {answer.status}", said.code or str(answer.status))
