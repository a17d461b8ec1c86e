"""What Spotii answers, read strictly: an access token, an opened checkout, an order, a capture or refund, a refusal."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from paymux.connectors.contract import NotThere, Refused
from paymux.money import Money
from paymux.platform.http import Answer, Unclear

DONE = "SUCCESS"
_SHOWN = 5

Amount = Annotated[Decimal | None, Field(None, ge=0, allow_inf_nan=False)]
Currency = Annotated[str | None, Field(None, min_length=3, max_length=3)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class AccessToken(_Said):
    """The temporary bearer token; for how long it is valid is not told."""

    token: str = Field(min_length=1, max_length=8192, pattern=r"^[!-~]+$")


class Opened(_Said):
    """A checkout that the shopper may agree to at `checkout_url`; `reference` names its order in every later call."""

    checkout_url: str = Field(pattern=r"^https?://\S+$")
    reference: str | None = Field(None, min_length=1, coerce_numbers_to_str=True)


class Order(_Said):
    """An order as it stands; `capture_expiration` is there once the shopper agreed: until then it can be captured."""

    total: Amount
    currency: Currency
    capture_expiration: str | None = Field(None, coerce_numbers_to_str=True)

    @property
    def money(self) -> Money | None:
        """What the order is about, where both parts of it are named."""
        return Money(self.total, self.currency) if self.total is not None and self.currency else None


class Moved(_Said):
    """A capture or refund; any status but SUCCESS says nothing that is documented."""

    status: str = Field(min_length=1)
    amount: Amount
    currency: Currency

    def of(self, asked: Money) -> Money:
        """What was moved. Raises Unclear unless it is a success, and of what was asked for where it names that."""
        if self.status != DONE:
            raise Unclear(f"status {self.status[:64]}")
        named = Money(asked.amount if self.amount is None else self.amount, self.currency or asked.currency)
        if named != asked:
            raise Unclear(f"{named.amount} {named.currency} instead of {asked.amount} {asked.currency}")
        return named


def refusal(answer: Answer) -> Refused:
    """What a 4xx says: messages by field, else its meaning by the API reference."""
    kind = NotThere if answer.status == 404 else Refused
    return kind(_messages(answer) or f"Spotii refused with {answer.status}", str(answer.status))


def _messages(answer: Answer) -> str:
    try:
        body = answer.json()
    except Unclear:
        return ""
    if not isinstance(body, dict):
        return ""
    told = [f"{field}: {text}" for field, said in body.items() for text in _texts(said)]
    return "; ".join(told[:_SHOWN])[:500]


def _texts(said: Any) -> list[str]:
    return [text for text in (said if isinstance(said, list) else [said]) if isinstance(text, str) and text]
