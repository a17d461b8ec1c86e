"""What Klarna answers, read strictly: sessions, placed orders, the order at Order Management, an error."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from paymux.connectors.contract import NotThere, Refused
from paymux.money import is_currency
from paymux.platform.http import Answer, Unclear


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _currency(code: str) -> str:
    # The specification's own example is in lower case.
    code = code.upper()
    if not is_currency(code):
        raise ValueError("no currency")
    return code


Moment = Annotated[datetime, AfterValidator(_in_utc)]
Currency = Annotated[str, AfterValidator(_currency)]
Minor = Annotated[int, Field(ge=0, strict=True)]
Name = Annotated[str, Field(min_length=1)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class NewPaymentsSession(_Said):
    """A payments session that was created."""

    session_id: Name


class NewPage(_Said):
    """A hosted page's session that was created."""

    session_id: Name
    redirect_url: Annotated[str, Field(pattern="^https?://")]
    expires_at: Moment | None = None


class Page(_Said):
    """A hosted page's session as it stands."""

    status: str
    session_id: str | None = None
    order_id: str | None = None
    authorization_token: str | None = None


class PaymentsSession(_Said):
    """A payments session as it stands; `complete` once its order has been placed."""

    status: str | None = None
    order_lines: list[dict[str, Any]] = Field(default_factory=list)
    order_tax_amount: Minor = 0
    locale: str | None = None
    merchant_reference2: str | None = None
    billing_address: dict[str, Any] | None = None
    shipping_address: dict[str, Any] | None = None


class CustomerToken(_Said):
    """A reusable token of the shopper's agreement."""

    token_id: Name


class Placed(_Said):
    """An order that was placed."""

    order_id: Name


class Capture(_Said):
    """A capture; `reference` is what its maker gave it, our key if it was us."""

    capture_id: str = ""
    captured_amount: Minor
    reference: str | None = None


class Refund(_Said):
    """A refund; `reference` is what its maker gave it, our key if it was us."""

    refund_id: str = ""
    refunded_amount: Minor
    reference: str | None = None


class Order(_Said):
    """An order at Order Management, amounts in minor units."""

    order_id: Name
    status: str
    fraud_status: str | None = None
    purchase_currency: Currency
    order_amount: Minor
    original_order_amount: Minor | None = None
    captured_amount: Minor
    refunded_amount: Minor
    remaining_authorized_amount: Minor
    merchant_reference1: str | None = None
    expires_at: Moment | None = None
    captures: list[Capture] | None = None
    refunds: list[Refund] | None = None


class _Error(_Said):
    error_code: str = ""
    error_messages: list[str] = Field(default_factory=list)
    reason: str | None = None


S = TypeVar("S", bound=_Said)


def read(model: type[S], answer: Answer) -> S:
    """An answer's body as a model. Raises Unclear for anything else."""
    try:
        return model.model_validate(answer.json())
    except ValidationError as fault:
        wrong = ", ".join(".".join(map(str, error["loc"])) or "body" for error in fault.errors()[:5])
        raise Unclear(f"answer {answer.status} can't be read: {wrong}") from fault


def raw(answer: Answer) -> dict[str, Any] | None:
    """The provider's own answer, where it is an object."""
    body = answer.json()
    return body if isinstance(body, dict) else None


def refusal(answer: Answer, absent: Sequence[int] = (404,)) -> Refused:
    """What a 4xx says. `absent` are the statuses by which this call says that there is no such thing."""
    try:
        said = _Error.model_validate(answer.json())
    except (Unclear, ValidationError):
        said = _Error()
    kind = NotThere if answer.status in absent else Refused
    reason = "; ".join(said.error_messages) or said.reason or f"Klarna refused with {answer.status}"
    return kind(reason, said.error_code or str(answer.status))


def new_id(answer: Answer, header: str) -> str:
    """The id of what was made, from its own header or the address's end. Raises Unclear when neither is there."""
    id = answer.headers.get(header) or answer.headers.get("location", "").rstrip("/").rpartition("/")[2]
    if not id:
        raise Unclear(f"answer {answer.status} names no {header}")
    return id
