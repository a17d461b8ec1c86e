"""The answers of the Merchant API as models: for its document, and for the tests that hold real answers to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Number = float | int
OrderStatus = Literal["INITIATED", "PENDING", "SUCCESSFUL", "DECLINED", "CANCELED", "ERROR"]
OperationStatus = Literal["PENDING", "SUCCESSFUL", "FAILED"]
CaptureStatus = Literal["AUTHORIZED", "PARTIALLY_CAPTURED", "CAPTURED", "VOIDED", "EXPIRED"]
Initiator = Literal["MERCHANT", "SYSTEM", "PROVIDER"]
_AMOUNT = r"^\d+(\.\d+)?$"


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class Error(_Answer):
    """Every error but those of POST /token. 401 and 500 have no `error`."""

    status_code: int
    message: str | list[str] = Field(
        description="Every fault of a body, each with its field's path; else one sentence."
    )
    error: str | None = Field(None, description="The status in words.")
    code: str = Field(description="A stable word for what is wrong.")
    request_id: str


class TokenError(_Answer):
    """An error of POST /token: RFC 6749 section 5.2, and `message`."""

    model_config = ConfigDict(alias_generator=None, extra="forbid")

    error: str = Field(description="invalid_request, invalid_client, invalid_scope, unsupported_grant_type.")
    error_description: str
    message: str
    statusCode: int  # noqa: N815
    code: str
    requestId: str  # noqa: N815


class Token(_Answer):
    model_config = ConfigDict(alias_generator=None, extra="forbid")

    access_token: str
    expires_in: int = Field(description="Seconds.")
    token_type: Literal["Bearer"]
    scope: str


class Keys(_Answer):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, Any]]


class Session(_Answer):
    token: str
    ttl: int = Field(description="Seconds.")


class Amount(_Answer):
    amount: Number
    currency: str


class Instalment(_Answer):
    rate: Amount
    term_duration: Number
    term_unit: str


class Button(_Answer):
    type: str
    text: str
    color: str
    background: str
    position: str
    size: str


class TermsCondition(_Answer):
    type: str
    content: str
    link_text: str


class CheckoutConfig(_Answer):
    content: str
    iframe_url: str
    button: Button
    terms_condition: TermsCondition


class Option(_Answer):
    """A payment method. `minAmount`, `maxAmount`, `priority` and `interestRate` are strings that hold a number."""

    name: str = Field(description="What to send as `bnplProvider`.")
    title: str
    terms: str
    image_url: str
    image: str | None = Field(None, description="The logo in base64, with isCapable=true only.")
    instalment: Instalment
    monthly_cost: Amount
    weekly_cost: Amount
    term_duration_in_months: Number
    term_duration_in_weeks: Number
    recommended: bool
    checkout_config: CheckoutConfig
    currency: str
    min_amount: str = Field(pattern=_AMOUNT)
    max_amount: str = Field(pattern=_AMOUNT)
    priority: str = Field(pattern=_AMOUNT, description="1 is shown first.")
    interest_rate: str = Field(pattern=_AMOUNT)
    late_fees_allowed: bool
    customer_fees_allowed: bool
    interest_rate_allowed: bool
    ratings: Number
    ratings_availability_status: bool
    required_fields: list[str] = Field(description="Paths into the body of POST /orders that must be filled.")
    verified: bool = Field(description="false: the connection was never verified with this provider.")


class CreatedOrder(_Answer):
    order_id: str
    order_token: str
    redirect_url: str = Field(description="Send the shopper here.")
    bnpl_provider: str
    order_reference: str
    order_amount: Number
    order_payment_option: str
    order_date: datetime
    payment_status: Literal["initiated", "pending", "successful", "declined", "canceled", "error"]
    transaction_reference: str


class OrderState(_Answer):
    merchant_reference: str
    order_reference: str
    status: OrderStatus
    amount: Number
    surcharge: Number
    currency: str
    provider: str
    updated_at: datetime
    failure_reason: str | None
    bnpl_order_id: str | None
    transaction_reference: str
    reject_reason: str | None
    partner_configuration: dict[str, Any]
    cancelled_by: Literal["USER", "MERCHANT", "SYSTEM"] | None
    capture_status: CaptureStatus | None


class HistoryRow(_Answer):
    transaction_id: str
    status: OrderStatus
    created_at: datetime


class _OperationRow(_Answer):
    amount: str = Field(pattern=_AMOUNT)
    currency: str
    status: OperationStatus
    created_at: datetime
    initiator: Initiator
    provider_id: str | None
    failure_reason: str | None
    needs_review: bool


class CaptureRow(_OperationRow):
    capture_id: str = Field(description="The captureReference.")


class VoidRow(_OperationRow):
    void_id: str = Field(description="The voidReference.")


class RefundRow(_OperationRow):
    refund_id: str = Field(description="The refundReference.")
    refund_reason: str
    refund_failure_reason: str
    kind: Literal["chargeback"] | None = None


class NextStep(_Answer):
    what: str
    due_at: datetime


class OrderDetails(OrderState):
    """Amounts are strings here."""

    amount: str = Field(pattern=_AMOUNT)  # type: ignore[assignment]
    surcharge: str = Field(pattern=_AMOUNT)  # type: ignore[assignment]
    order_id: str
    captured_amount: str = Field(pattern=_AMOUNT)
    voided_amount: str = Field(pattern=_AMOUNT)
    expired_amount: str = Field(pattern=_AMOUNT)
    refunded_amount: str = Field(pattern=_AMOUNT)
    authorized_until: datetime | None
    transaction_history: list[HistoryRow] = Field(description="Oldest first.")
    refunds: list[RefundRow]
    order_captures: list[CaptureRow]
    order_voids: list[VoidRow]
    needs_review: str | None = Field(description="Why a person has to look at it.")
    next_step: NextStep | None = Field(description="What paymux does next by itself, and when.")
    redirect_url: str | None = Field(None, description="While PENDING.")


class Captured(_Answer):
    capture_reference: str
    captured_amount: Number
    capture_id: str
    status: OperationStatus
    description: str


class Voided(_Answer):
    void_reference: str
    amount: Number
    voided_id: str
    status: OperationStatus
    description: str


class Refunded(_Answer):
    refund_reference: str
    bnpl_provider: str
    refunded_amount: Number
    refund_status: OperationStatus
    description: str
    refund_date: str = Field(description="RFC 1123: Fri, 08 Oct 2021 06:22:20 GMT.")
    bnpl_refund_id: str


class ClockState(_Answer):
    now: datetime
    offset: int = Field(description="Seconds ahead of the real time.")


class Alive(_Answer):
    status: Literal["ok"]


class Ready(_Answer):
    status: Literal["ok", "not ready"]
    database: bool
    worker: bool
    orders_to_review: int | None = Field(None, description="With ?verbose only.")
    orders_that_differ: int | None = Field(
        None, description="With ?verbose only: from what their providers said when they were last compared."
    )
    reconciliations_not_finished: int | None = Field(
        None, description="With ?verbose only: daily comparisons that did not come to their end when they were last to."
    )
    webhooks_given_up: int | None = Field(None, description="With ?verbose only: deliveries that wait for a replay.")


class EventReceived(_Answer):
    """What the provider takes for an acknowledgement: `received`, unless it wants fields of its own (`[events] answer`)."""

    model_config = ConfigDict(extra="allow")

    received: Literal[True] | None = None


# The answer of success by operation id; a list stands for an array of it.
OF: dict[str, type[BaseModel] | list[type[BaseModel]]] = {
    "create_token": Token, "get_keys": Keys, "create_customer_session": Session, "get_options": [Option],
    "create_order": CreatedOrder, "get_order": OrderState, "cancel_order": OrderState, "order_details": OrderDetails,
    "get_order_details": OrderDetails, "capture_order": Captured, "void_order": Voided, "refund_order": Refunded,
    "move_clock": ClockState, "alive": Alive, "ready": Ready, "provider_event": EventReceived,
    "provider_event_by_get": EventReceived,
}  # fmt: skip
