"""What Paymob answers and tells, read strictly: an access token, an intention, a transaction, a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from paymux.connectors.contract import NotThere, Refused
from paymux.money import Money, minor_units
from paymux.platform.http import Answer, Unclear

_LONGEST_REASON = 300


def _in_use(currency: str) -> str:
    minor_units(currency)
    return currency


def _id_or_none(given: Any) -> Any:
    """An id; what says that there is none (null, and `false` in older documents) is None."""
    return given if isinstance(given, int | str) and not isinstance(given, bool) and str(given).isdecimal() else None


Text = Annotated[str, BeforeValidator(lambda given: "" if given is None else given)]
Id = Annotated[str, Field(pattern=r"^[0-9]{1,32}$")]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)


class AccessToken(_Said):
    """What an API key is exchanged for."""

    token: str = Field(min_length=1)


class Intention(_Said):
    """An intention that was created. Its order is what transactions name."""

    client_secret: str = Field(min_length=1)
    intention_order_id: Id


class PaidOrder(_Said):
    """The order of a transaction: Paymob's id, our special_reference, and what was paid of it by any try."""

    id: Id
    merchant_order_id: Text = ""
    paid_amount_cents: int | None = None


class Details(_Said):
    """What the gateway said of a transaction."""

    message: Text = ""
    txn_response_code: Text = ""


class Transaction(_Said):
    """A try to pay, or what followed a payment: a refund, a void, a capture. Amounts in hundredths."""

    id: Id
    integration_id: Annotated[Id | None, BeforeValidator(_id_or_none)] = None
    amount_cents: int = Field(ge=0)
    currency: Annotated[str, AfterValidator(_in_use)]
    success: bool
    pending: bool
    error_occured: bool = False
    is_auth: bool = False
    is_voided: bool = False
    is_refunded: bool = False
    is_live: bool | None = None
    has_parent_transaction: bool = False
    parent_transaction: Annotated[Id | None, BeforeValidator(_id_or_none)] = None
    refunded_amount_cents: int | None = Field(None, ge=0)
    order: PaidOrder
    data: Annotated[Details, BeforeValidator(lambda given: given if isinstance(given, dict) else {})] = Details()

    @property
    def total(self) -> Money:
        return Money.from_minor(self.amount_cents, self.currency)

    @property
    def refunded(self) -> Money | None:
        """What was given back so far, a void being all of it; None where that is not told."""
        if self.is_voided:
            return self.total
        if self.is_refunded and not self.refunded_amount_cents:
            return None
        return Money.from_minor(self.refunded_amount_cents or 0, self.currency)


class Refund(_Said):
    """The transaction that a refund is."""

    id: Id
    success: bool
    pending: bool = False
    error_occured: bool = False
    amount_cents: int | None = None
    data: Annotated[Details, BeforeValidator(lambda given: given if isinstance(given, dict) else {})] = Details()


def refusal(answer: Answer, look_at: str) -> Refused:
    """What a 4xx says, in Paymob's words, with its code; `look_at` names the credential to look at first."""
    try:
        body = answer.json()
    except Unclear:
        body = None
    code = body.get("code") if isinstance(body, dict) else None
    words = "; ".join(_words(body))[:_LONGEST_REASON] or f"Paymob refused with {answer.status}"
    if answer.status in (401, 403):
        words += f" (look at {look_at})"
    kind = NotThere if answer.status == 404 else Refused
    return kind(words, code if isinstance(code, str) and code else str(answer.status))


def _words(said: Any, path: str = "") -> Iterator[str]:
    """The sentences of an error with the paths of the fields that they are about: `billing_data.email: …`."""
    if isinstance(said, str) and said:
        yield f"{path}: {said}" if path else said
    elif isinstance(said, list):
        for one in said:
            yield from _words(one, path)
    elif isinstance(said, dict):
        for name, one in said.items():
            inner = "" if not path and name in ("detail", "message", "code") else f"{path}.{name}".lstrip(".")
            yield from _words(one, inner)
