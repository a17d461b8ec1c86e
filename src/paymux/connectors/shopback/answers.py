"""What ShopBack answers and tells, read strictly: a token, an order, a refund request, a notification, an error."""

from __future__ import annotations

from decimal import Decimal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.money import Money
from paymux.platform.http import Answer


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class AccessToken(_Said):
    """The merchant's token, which every call but the login carries."""

    token: str = Field(min_length=1, max_length=8192, pattern=r"^[!-~]+$")


class Opened(_Said):
    """An order that was initiated: its private id, and the public token by which the shopper's browser opens it."""

    order_uuid: str = Field(min_length=1, max_length=128)
    order_context_token: str = Field(min_length=1, max_length=512)


class Order(_Said):
    """How an order stands. ShopBack has two names for its id and for ours.

    The published answer names no amount; older clients read `totalAmount` and `currency` from it, so they count
    where they are there.
    """

    uuid: str = Field(min_length=1, validation_alias=AliasChoices("uuid", "orderUuid"))
    reference: str | None = Field(None, validation_alias=AliasChoices("merchantOrderId", "merchantRef"))
    status: str = Field(min_length=1)
    total_amount: Decimal | None = Field(None, ge=0)
    currency: str | None = None

    @property
    def total(self) -> Money | None:
        """What the order is for, where it says so."""
        if self.total_amount is None or not self.currency:
            return None
        return Money(self.total_amount, self.currency)


class RefundRequest(_Said):
    """What became of a request for a refund, in major units. `request_id` is there if it was accepted."""

    status: str = Field(min_length=1)
    request_id: str | None = None
    code: str | None = None
    message: str | None = None


class Told(BaseModel):
    """A payment notification. Nobody signs it; only `order_uuid` is known to ShopBack and the merchant alone."""

    order_uuid: str = Field(min_length=1, max_length=128)


class _Error(_Said):
    """An error. Whether its sentences are a list or a single text, and which code is there, differs by call."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    error_messages: list[str] | str | None = None
    message: str | None = None
    error_code: str | None = None
    code: str | None = None

    @property
    def reason(self) -> str:
        told = self.error_messages or ""
        return (told if isinstance(told, str) else "; ".join(told)) or self.message or ""


def refusal(answer: Answer, *, of_an_order: bool = True) -> Refused:
    """What a 4xx says, with ShopBack's own code. A 404 is an unknown order only where one was named."""
    said = read_or_empty(_Error, answer)
    kind = NotThere if answer.status == 404 and of_an_order else Refused
    reason = said.reason or f"ShopBack refused with {answer.status}"
    return kind(reason, said.code or said.error_code or str(answer.status))
