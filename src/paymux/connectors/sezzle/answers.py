"""What Sezzle answers, read strictly: sessions, orders with their authorisation, customers, webhooks, errors."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from paymux.connectors.contract import MoveKind, NotThere, ProviderMove, Refused
from paymux.connectors.reading import read_or_empty
from paymux.money import Money
from paymux.platform.http import Answer


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class Price(_Said):
    """An amount in minor units."""

    amount_in_cents: int = Field(ge=0)
    currency: str

    @property
    def money(self) -> Money:
        return Money.from_minor(self.amount_in_cents, self.currency)


class Part(_Said):
    """A capture, release or refund."""

    uuid: str = Field(min_length=1)
    amount: Price


class Authorization(_Said):
    """What the shopper agreed to. Its lists are None where Sezzle leaves them out."""

    approved: bool = False
    authorization_amount: Price | None = None
    expiration: datetime | None = None
    captures: list[Part] | None = None
    releases: list[Part] | None = None
    refunds: list[Part] | None = None

    @property
    def moves(self) -> tuple[ProviderMove, ...]:
        """Captures, releases and refunds one by one. Sezzle gives none of our keys back."""
        kinds = ((MoveKind.CAPTURE, self.captures), (MoveKind.VOID, self.releases), (MoveKind.REFUND, self.refunds))
        return tuple(
            ProviderMove(kind=kind, amount=part.amount.money.amount, provider_id=part.uuid)
            for kind, parts in kinds
            for part in parts or ()
        )


class Order(_Said):
    uuid: str = Field(min_length=1)
    intent: str | None = None
    reference_id: str | None = None
    checkout_status: str | None = None
    order_amount: Price | None = None
    authorization: Authorization | None = None


class _OpenedOrder(_Said):
    uuid: str = Field(min_length=1)
    checkout_url: str = Field(min_length=1)


class _Tokenize(_Said):
    token: str = Field(min_length=1)


class Session(_Said):
    """A session that was created: the order that it is for, and the token by which its customer is found."""

    order: _OpenedOrder
    tokenize: _Tokenize | None = None


class _Customer(_Said):
    uuid: str = Field(min_length=1)
    expiration: datetime | None = None


class SessionToken(_Said):
    """Whether the shopper of a session agreed to be charged later: he did once there is a customer."""

    customer: _Customer | None = None


class Moved(_Said):
    uuid: str = Field(min_length=1)


class AccessToken(_Said):
    token: str = Field(min_length=1)


class Webhook(_Said):
    uuid: str = Field(min_length=1)
    url: str = ""
    events: list[str] | None = None


class WebhookList(RootModel[list[Webhook] | None]):
    """The webhooks of a merchant."""


class _EventData(_Said):
    uuid: str = Field(min_length=1)


class Event(_Said):
    """A webhook. Only one about an order names an order's uuid in its data."""

    uuid: str = Field(min_length=1)
    event: str
    data_type: str
    data: _EventData


class _Fault(_Said):
    code: str = ""
    location: str = ""
    message: str = ""


class _Faults(RootModel[list[_Fault]]):
    root: list[_Fault] = []


def total(parts: Iterable[Part] | None) -> Decimal:
    """What these parts come to, in major units."""
    return sum((part.amount.money.amount for part in parts or ()), Decimal(0))


def refusal(answer: Answer) -> Refused:
    """What a 4xx says: Sezzle's errors are lists, of which the first names the code."""
    faults = read_or_empty(_Faults, answer).root
    told = "; ".join(fault.message for fault in faults if fault.message)
    code = next((fault.code for fault in faults if fault.code), str(answer.status))
    kind = NotThere if answer.status == 404 else Refused
    return kind(told or f"Sezzle refused with {answer.status}", code)
