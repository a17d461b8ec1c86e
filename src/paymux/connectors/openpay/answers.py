"""What Openpay answers, read strictly: an opened order with its form, an order as it stands, a capture, a refund, limits, errors."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer

_CANCELLED = "12704"

Id = Annotated[str, Field(min_length=1, max_length=128, coerce_numbers_to_str=True)]


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class _Field(_Said):
    field_name: str = Field(min_length=1)
    field_value: str = ""


class _FormPost(_Said):
    form_post_url: str = Field(pattern=r"^https?://\S+$")
    form_fields: tuple[_Field, ...] = Field(min_length=1)


class _NextAction(_Said):
    form_post: _FormPost


class Opened(_Said):
    """An order that the shopper may agree to where his browser posts the form."""

    order_id: Id
    next_action: _NextAction

    @property
    def url(self) -> str:
        """Where the form is posted to."""
        return self.next_action.form_post.form_post_url

    @property
    def form(self) -> dict[str, str]:
        """The form's fields."""
        return {field.field_name: field.field_value for field in self.next_action.form_post.form_fields}


class Order(_Said):
    """An order as it stands. The price is in whole cents or pence."""

    order_id: Id
    order_status: str = Field(min_length=1)
    plan_status: str | None = None
    purchase_price: int = Field(ge=0)


class Captured(_Said):
    """An order that was captured, and its price in whole cents or pence where that is told."""

    order_id: Id
    purchase_price: int | None = Field(None, ge=0)


class Refunded(_Said):
    """An order of which a part or all was refunded."""

    order_id: Id


class Limits(_Said):
    """The least and the greatest price of an account, in whole cents or pence."""

    min_price: int | None = None
    max_price: int | None = None


class _Problem(_Said):
    title: str | None = None
    detail: str | None = None


class Gone(Refused):
    """The order was cancelled, as Openpay says with an error of its own when it is asked for."""


def refusal(answer: Answer) -> Refused:
    """What a 4xx says."""
    said = read_or_empty(_Problem, answer)
    reason = " ".join(text for text in (said.title, said.detail) if text)[:500]
    if _CANCELLED in reason:
        return Gone(reason, _CANCELLED)
    kind = NotThere if answer.status == 404 else Refused
    return kind(reason or f"Openpay refused with {answer.status}", str(answer.status))
