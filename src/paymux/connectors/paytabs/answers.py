"""What PayTabs answers and tells, read strictly: a payment page, a transaction, a list of them, a failure."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.money import Money
from paymux.platform.http import Answer, Unclear

Text = Annotated[str, BeforeValidator(lambda given: "" if given is None else given)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)


class Result(_Said):
    """How a transaction went: `status` is PayTabs' letter, as it stands there."""

    status: str = Field(alias="response_status", min_length=1)
    code: Text = Field("", alias="response_code")
    message: Text = Field("", alias="response_message")
    time: Text = Field("", alias="transaction_time")

    @property
    def letter(self) -> str:
        return self.status.upper()


class Transaction(_Said):
    """A payment, or what followed one; `result` is None as long as there is none."""

    tran_ref: str = Field(min_length=1, max_length=128)
    previous: Text = Field("", alias="previous_tran_ref")
    type: Text = Field("", alias="tran_type")
    cart_id: Text = ""
    cart_description: Text = ""
    cart_currency: Text = ""
    cart_amount: Decimal | None = Field(None, ge=0)
    tran_currency: Text = ""
    tran_total: Decimal | None = Field(None, ge=0)
    result: Result | None = Field(None, alias="payment_result")

    @property
    def kind(self) -> str:
        """The type in small letters: sale, auth, capture, void, release, refund, `payment request`."""
        return self.type.lower()

    @property
    def status(self) -> str:
        return self.result.letter if self.result else ""

    @property
    def total(self) -> Money | None:
        """What was charged: `tran_total`, else the cart's amount; None where neither is named whole."""
        if self.tran_total is not None and self.tran_currency:
            return Money(self.tran_total, self.tran_currency)
        return (
            Money(self.cart_amount, self.cart_currency) if self.cart_amount is not None and self.cart_currency else None
        )


class Page(_Said):
    """A payment page that was opened."""

    tran_ref: str = Field(min_length=1, max_length=128)
    redirect_url: str = Field(pattern=r"^https?://\S+$")


class Failure(_Said):
    """Why a request was not taken."""

    code: Text = ""
    message: Text = ""


_LIST = TypeAdapter(list[Transaction])


def transactions(answer: Answer) -> list[Transaction]:
    """The transactions of a cart: a list, or the single one. Raises Unclear."""
    body: Any = answer.json()
    try:
        return _LIST.validate_python(body if isinstance(body, list) else [body])
    except ValidationError as fault:
        raise Unclear(f"answer {answer.status} is no list of transactions") from fault


def failure(answer: Answer) -> Refused | None:
    """The refusal that an answer is, by its status or by a code above 0 in its body; None when it is none."""
    said = read_or_empty(Failure, answer)
    named = said.code.isdecimal() and int(said.code) > 0
    if answer.status < 400 and not named:
        return None
    kind = NotThere if answer.status == 404 else Refused
    return kind(said.message or f"PayTabs refused with {answer.status}", said.code or str(answer.status))
