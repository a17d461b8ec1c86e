"""What Tabby answers and sends, read strictly: a session, a payment with its captures and refunds, a webhook, an error."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from paymux.connectors.contract import MoveKind, NotThere, ProviderMove, Refused
from paymux.connectors.reading import read, read_or_empty
from paymux.platform.database import from_json
from paymux.platform.http import Answer


def _no_flag(amount: Any) -> Any:
    if isinstance(amount, bool):
        raise ValueError("an amount is no truth value")
    return amount


# A decimal string in major units, with up to the currency's decimals.
Amount = Annotated[Decimal, BeforeValidator(_no_flag), Field(ge=0, lt=Decimal(10**12))]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class Entry(_Said):
    """One capture or refund; `reference_id` is the idempotency key that it was asked for with."""

    id: str | None = None
    amount: Amount
    reference_id: str | None = None

    @property
    def provider_id(self) -> str:
        """Tabby's id of it."""
        return self.id or self.reference_id or ""


class Order(_Said):
    """The merchant's order as Tabby keeps it."""

    reference_id: str | None = None


class Payment(_Said):
    """A payment, as the API shows it and as a webhook brings it (there with a lower-case status)."""

    id: str = Field(min_length=1)
    status: str = Field(min_length=1)
    amount: Amount
    currency: str = Field(pattern="^[A-Z]{3}$")
    is_test: bool | None = None
    order: Order | None = None
    captures: list[Entry] | None = None
    refunds: list[Entry] | None = None

    @property
    def captured(self) -> Decimal:
        """What was captured so far."""
        return sum((entry.amount for entry in self.captures or ()), Decimal(0))

    @property
    def refunded(self) -> Decimal:
        """What was refunded so far."""
        return sum((entry.amount for entry in self.refunds or ()), Decimal(0))

    @property
    def released(self) -> Decimal:
        """What the close gave back: everything that was not captured by then. Nothing while it is not closed."""
        return max(self.amount - self.captured, Decimal(0)) if self.status.upper() == "CLOSED" else Decimal(0)

    @property
    def moves(self) -> tuple[ProviderMove, ...]:
        """Captures and refunds one by one. A close is no entry of its own, so no void is listed."""
        return tuple(
            ProviderMove(kind=kind, amount=entry.amount, provider_id=entry.provider_id, key=entry.reference_id)
            for kind, entries in ((MoveKind.CAPTURE, self.captures), (MoveKind.REFUND, self.refunds))
            for entry in entries or ()
        )


class _Link(_Said):
    web_url: str | None = None


class _Links(_Said):
    installments: list[_Link] | None = None


class _Product(_Said):
    is_available: bool = True
    rejection_reason: str | None = None


class _Products(_Said):
    installments: _Product | None = None


class _Configuration(_Said):
    available_products: _Links | None = None
    products: _Products | None = None


class Session(_Said):
    """A checkout session: the result of the pre-scoring, the payment it made, and where the shopper goes."""

    id: str | None = None
    status: str
    payment: Payment | None = None
    configuration: _Configuration | None = None

    @property
    def web_url(self) -> str:
        """Where to send the shopper; empty when no product is offered."""
        offered = self.configuration.available_products if self.configuration else None
        links = offered.installments if offered else None
        return next((link.web_url for link in links or () if link.web_url), "")

    @property
    def rejection(self) -> str | None:
        """Why Tabby does not serve this shopper or order, in its own word; None when it does."""
        products = self.configuration.products if self.configuration else None
        product = products.installments if products else None
        if self.status != "rejected" and (product is None or product.is_available):
            return None
        return (product.rejection_reason if product else None) or "rejected"


class _Header(_Said):
    title: str | None = None
    value: str | None = None


class Webhook(_Said):
    """A registered webhook."""

    id: str = ""
    url: str
    header: _Header | None = None


class _FieldFault(_Said):
    field: str = ""
    code: str = ""
    message: str = ""


class _Error(_Said):
    errorType: str = ""  # noqa: N815
    error: str = ""
    errors: list[_FieldFault] = Field(default_factory=list)

    @property
    def sentence(self) -> str:
        """The text, or the faulty fields one by one."""
        return self.error or "; ".join(f"{fault.field} {fault.message or fault.code}".strip() for fault in self.errors)


def _listed(said: Any) -> Any:
    return [] if said is None else [said] if isinstance(said, dict) else said


class _Webhooks(RootModel[Annotated[list[Webhook], BeforeValidator(_listed)]]):
    """Tabby answers `null` for none, and its specification shows a single one bare."""


def read_webhooks(answer: Answer) -> list[Webhook]:
    """The registered webhooks. Raises Unclear for anything else."""
    return read(_Webhooks, answer).root


def read_event(body: bytes) -> tuple[Payment, dict[str, Any]]:
    """The payment that a webhook brings, and the whole body. Raises ValueError for anything else."""
    content = from_json(body)
    return Payment.model_validate(content), content


def refusal(answer: Answer) -> Refused:
    """What a 4xx says; a 404 may have a bare string as its body. `error` is for logs, `errorType` is the code."""
    said = read_or_empty(_Error, answer)
    kind = NotThere if answer.status == 404 else Refused
    return kind(said.sentence or f"Tabby refused with {answer.status}", said.errorType or str(answer.status))
