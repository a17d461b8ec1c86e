"""Answers of the contract, read strictly: whatever does not fit its documented form is `Unclear`, never a guess."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from paymux.connectors.contract import MoveKind, MoveStatus, NotThere, ProviderMove, ProviderToken, Refused
from paymux.connectors.generic.signature import VERSION, VERSION_HEADER
from paymux.money import Money, fits, is_currency, minor_units
from paymux.platform.database import to_json
from paymux.platform.http import Answer, Unclear

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,4})?", re.ASCII)
_LONGEST_TEXT = 300


def _amount(value: object) -> Decimal:
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise ValueError("must be an amount as a decimal string")
    return Decimal(value)


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("must be a time as a string")
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError("must have a time zone")
        return at.astimezone(UTC)
    except OverflowError as fault:
        raise ValueError("must be a time") from fault


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return "".join(letter if letter.isprintable() else " " for letter in value)[:_LONGEST_TEXT].strip()


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Text = Annotated[str, BeforeValidator(_text)]


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Sum(_Answer):
    """An amount with its currency."""

    amount: Amount
    currency: str

    @model_validator(mode="after")
    def _exact(self) -> Sum:
        if not is_currency(self.currency) or not fits(self.amount, minor_units(self.currency)):
            raise ValueError("must be an amount that its currency can hold")
        return self

    @property
    def money(self) -> Money:
        """The same as money."""
        return Money(self.amount, self.currency)


class Operation(_Answer):
    """A write, as the service lists it. `key` None: paymux did not ask for it."""

    id: Id
    key: Id | None
    kind: str
    status: str
    amount: Sum
    order_id: Id
    checkout_id: Id
    reason: Text

    _STATUS = {"done": MoveStatus.DONE, "failed": MoveStatus.FAILED}

    @property
    def outcome(self) -> MoveStatus:
        """Its status; a word that we don't know is underway, like `pending`."""
        return self._STATUS.get(self.status, MoveStatus.UNDERWAY)

    @property
    def move(self) -> ProviderMove | None:
        """The same as a move; None for a kind that is none."""
        try:
            kind = MoveKind(self.kind)
        except ValueError:
            return None
        return ProviderMove(
            kind=kind, amount=self.amount.amount, provider_id=self.id, status=self.outcome,
            key=self.key, reason=self.reason,
        )  # fmt: skip


class Payment(_Answer):
    """What a paid checkout became; all amounts are totals so far."""

    id: Id
    authorised: Sum
    captured: Amount
    voided: Amount
    refunded: Amount
    expired: Amount
    authorised_until: Instant | None
    operations: list[Operation]

    @model_validator(mode="after")
    def _sound(self) -> Payment:
        if any(listed.amount.currency != self.authorised.currency for listed in self.operations):
            raise ValueError("must list its operations in its own currency")
        if self.captured + self.voided + self.expired > self.authorised.amount or self.refunded > self.captured:
            raise ValueError("must not have moved more than there was")
        return self


class Token(_Answer):
    """A token for later charges."""

    value: Annotated[str, Field(pattern=r"^[\x21-\x7E]{8,1000}$", repr=False)]
    expires_at: Instant | None


class CheckoutSeen(_Answer):
    """A checkout as the service tells it."""

    id: Id
    order_id: Id
    reference: Text
    status: str
    url: str | None
    total: Sum
    expires_at: Instant | None
    reason: Text
    code: Text
    payment: Payment | None
    token: Token | None
    token_failure: Text | None

    @model_validator(mode="after")
    def _sound(self) -> CheckoutSeen:
        if (self.status == "paid") != (self.payment is not None):
            raise ValueError("must have a payment if it is paid, and only then")
        return self

    @property
    def kept_token(self) -> ProviderToken | None:
        """The token, if there is one."""
        return ProviderToken(value=self.token.value, expires_at=self.token.expires_at) if self.token else None


class CheckoutsFound(_Answer):
    """The checkouts of an order id: none or one."""

    checkouts: list[CheckoutSeen]


class Event(_Answer):
    """A signed event; `data` is the checkout as it was when the event was made."""

    type: str
    data: CheckoutSeen


class _Fault(_Answer):
    code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
    message: Text


class _Error(_Answer):
    error: _Fault


Form = TypeVar("Form", bound=BaseModel)


def read(form: type[Form], body: object) -> Form:
    """A JSON value in its documented form. Raises Unclear that names the field, never its content."""
    try:
        return form.model_validate(body)
    except ValidationError as fault:
        first = fault.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or form.__name__
        raise Unclear(f"the answer's {field}: {first['msg']}") from None


def opened(answer: Answer) -> Any:
    """The JSON of a success. Raises NotThere, Refused, or Unclear for everything that does not speak the contract.

    An answer without the version header is some proxy's, not the service's: even its 404 proves nothing.
    """
    if answer.headers.get(VERSION_HEADER.lower()) != VERSION:
        raise Unclear(f"answer {answer.status} without {VERSION_HEADER}: {VERSION}")
    try:
        body = answer.json()
        to_json(body).encode()
    except (RecursionError, ValueError) as fault:
        raise Unclear(f"answer {answer.status} is not JSON that can be kept") from fault
    if 200 <= answer.status < 300:
        return body
    if not 400 <= answer.status < 500:
        raise Unclear(f"answer {answer.status}")
    error = read(_Error, body).error
    if error.code == "in_progress":
        raise Unclear("the first request with this key is still being worked on")
    if answer.status == 404:
        if error.code == "not_found":
            raise NotThere(error.message or "Unknown at the provider.", error.code)
        raise Unclear(f"answer 404 with {error.code}")
    raise Refused(error.message or f"The provider answered {answer.status}.", error.code)


def without_token(body: Mapping[str, Any]) -> dict[str, Any]:
    """A checkout's answer for people to read: of the token only the last four characters (K1)."""
    token = body.get("token")
    if not isinstance(token, Mapping):
        return dict(body)
    return {**body, "token": {**token, "value": f"…{str(token.get('value', ''))[-4:]}"}}
