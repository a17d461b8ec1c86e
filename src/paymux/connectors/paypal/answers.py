"""What PayPal answers, read strictly: an order with its payments, a capture, a refund, an error."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.money import Money
from paymux.platform.http import Answer

# How a refund of ours names itself: our order's reference, the operation's key, and the whole amount if it takes several.
_OURS = re.compile(r"(?P<reference>.+)\.(?P<key>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:_(?P<whole>[0-9.]+))?")


class _Said(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True, frozen=True)


class Amount(_Said):
    """Money: a decimal string in major units."""

    currency_code: str
    value: Decimal

    @property
    def money(self) -> Money:
        """The same as the core's money."""
        return Money(self.value, self.currency_code)


class Link(_Said):
    """A link to a related call or page."""

    href: str
    rel: str


class Authorization(_Said):
    """An authorised payment. `expiration_time` is when it can be captured no more."""

    id: str = Field(min_length=1)
    status: str
    amount: Amount
    expiration_time: AwareDatetime | None = None
    update_time: AwareDatetime | None = None

    @property
    def expired(self) -> bool:
        """PayPal voids an authorisation that nobody captured: its last change is then its expiry, or later."""
        return bool(self.expiration_time and self.update_time and self.update_time >= self.expiration_time)


class Capture(_Said):
    """A captured payment."""

    id: str = Field(min_length=1)
    status: str
    amount: Amount

    @property
    def done(self) -> bool:
        """Whether the money was taken, given back since or not."""
        return self.status in ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")

    @property
    def refused(self) -> bool:
        """Whether it certainly came to nothing."""
        return self.status in ("DECLINED", "FAILED")


class Refund(_Said):
    """A refund of one capture, which its `up` link names."""

    id: str = Field(min_length=1)
    status: str
    amount: Amount
    custom_id: str | None = None
    links: list[Link] = []

    @property
    def refused(self) -> bool:
        """Whether it certainly came to nothing."""
        return self.status in ("CANCELLED", "FAILED")

    @property
    def key(self) -> str | None:
        """Our operation's key, None for a refund that we did not make."""
        mark = mark_of(self.custom_id)
        return mark["key"] if mark else None

    @property
    def whole(self) -> Decimal:
        """What the operation gives back in all, where this refund is only a part of it; else its own amount."""
        mark = mark_of(self.custom_id)
        return Decimal(mark["whole"]) if mark and mark["whole"] else self.amount.value

    @property
    def capture_id(self) -> str | None:
        """The capture that it gives back."""
        return capture_named(self.links)


class Payments(_Said):
    """Everything that became of a purchase unit."""

    authorizations: list[Authorization] = []
    captures: list[Capture] = []
    refunds: list[Refund] = []


class Unit(_Said):
    """What is bought; our orders have one each. `custom_id` is our reference."""

    amount: Amount | None = None
    custom_id: str | None = None
    payments: Payments = Payments()


class Vault(_Said):
    """The saved agreement of a PayPal account; `id` once it can be charged."""

    id: str | None = None
    status: str | None = None


class _Attributes(_Said):
    vault: Vault | None = None


class _Wallet(_Said):
    attributes: _Attributes | None = None


class _Source(_Said):
    paypal: _Wallet | None = None


class Order(_Said):
    """A PayPal order: a checkout, and later the payments that it became."""

    id: str = Field(min_length=1)
    status: str
    intent: str | None = None
    purchase_units: list[Unit] = []
    payment_source: _Source | None = None
    links: list[Link] = []

    @property
    def unit(self) -> Unit:
        """The one purchase unit."""
        return self.purchase_units[0] if self.purchase_units else Unit()

    @property
    def page(self) -> str:
        """Where the shopper agrees; empty when the order names no page."""
        return next((link.href for link in self.links if link.rel in ("payer-action", "approve")), "")

    @property
    def vault(self) -> Vault | None:
        """The agreement that was saved with this order."""
        wallet = self.payment_source.paypal if self.payment_source else None
        return wallet.attributes.vault if wallet and wallet.attributes else None


class AccessToken(_Said):
    """The answer of the token call; `expires_in` in seconds."""

    access_token: str = Field(min_length=1)
    expires_in: float


class EventType(_Said):
    """One kind of event, by its name."""

    name: str


class Webhook(_Said):
    """A registered address."""

    id: str = Field(min_length=1)
    url: str
    event_types: list[EventType] = []


class Webhooks(_Said):
    """All registered addresses of the app."""

    webhooks: list[Webhook] = []


class _Related(_Said):
    order_id: str | None = None


class _Supplement(_Said):
    related_ids: _Related = _Related()


class Resource(_Said):
    """What an event is about: an order, an authorisation, a capture or a refund."""

    id: str = ""
    custom_id: str | None = None
    supplementary_data: _Supplement = _Supplement()
    links: list[Link] = []
    create_time: datetime | None = None


class Event(_Said):
    """An event, as far as it is believed: which resource it names."""

    id: str | None = None
    resource_type: str = ""
    resource: Resource = Resource()


class _Detail(_Said):
    issue: str = ""
    description: str = ""


class _Error(_Said):
    name: str = ""
    message: str = ""
    details: list[_Detail] = []
    error: str = ""
    error_description: str = ""


def refusal(answer: Answer) -> Refused:
    """What a 4xx says: the issue of its first detail, else its name."""
    said = read_or_empty(_Error, answer)
    detail = said.details[0] if said.details else _Detail()
    kind = NotThere if answer.status == 404 else Refused
    reason = detail.description or said.message or said.error_description
    return kind(
        reason or f"PayPal refused with {answer.status}", detail.issue or said.name or said.error or str(answer.status)
    )


def mark_of(custom_id: str | None) -> re.Match[str] | None:
    """Our own mark on a refund: `reference`, `key` and, where one operation took several refunds, the `whole`."""
    return _OURS.fullmatch(custom_id or "")


def capture_named(links: list[Link]) -> str | None:
    """The capture that a refund's `up` link names."""
    up = next((link.href for link in links if link.rel == "up"), "")
    return up.rpartition("/")[2] if "/captures/" in up else None
