"""What humm in the United Kingdom answers, read strictly: a token, an opened checkout, its state, a refund, an error."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from paymux.connectors.contract import Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer, Unclear


class _Said(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True, frozen=True)


class AccessToken(_Said):
    """An access token, and the address of the instance that takes it."""

    access_token: str = Field(min_length=1)
    instance_url: str = Field(min_length=1)


class _Fault(_Said):
    id: str | None = Field(None, alias="errorId")
    code: str | None = Field(None, alias="errorCode")
    message: str | None = Field(None, alias="errorMessage")


class Said(_Said):
    """What every answer of humm's own has: whether the call was taken, and if not, why."""

    success: bool
    error: _Fault | None = None

    def refusal(self) -> Refused:
        """The clear no of an answer without success."""
        fault = self.error or _Fault()
        return Refused(fault.message or "humm refused without a reason", fault.code or fault.id or "")


class Opened(Said):
    """A checkout that was opened. humm names it by one or two ids; the partner's comes first."""

    flexi: str | None = Field(None, alias="flexiTrackingId")
    partner: str | None = Field(None, alias="partnerTrackingId")
    url: str | None = Field(None, alias="redirectURL")


class Details(Said):
    """The state of a checkout. The amount is in pounds, without saying so."""

    status: str | None = None
    amount: Decimal | None = Field(None, alias="paymentAmount")
    cancelled_because: str | None = Field(None, alias="cancellationReason")


class Refunded(Said):
    """A refund that was taken or refused."""

    message: str | None = Field(None, alias="refundMessage")

    def refusal(self) -> Refused:
        """The clear no, in the refund's own words where the error has none."""
        no = super().refusal()
        return Refused(self.message, no.code) if self.message and not (self.error and self.error.message) else no


class _OAuthError(_Said):
    error: str = ""
    error_description: str = ""


class _ApiError(_Said):
    code: str = Field("", alias="errorCode")
    message: str = ""


def refusal(answer: Answer) -> Refused:
    """What a 4xx says: a token's error, or Salesforce's list of errors."""
    try:
        body = answer.json()
    except Unclear:
        body = None
    if isinstance(body, list) and body and isinstance(body[0], dict):
        first = _ApiError.model_validate({name: text for name, text in body[0].items() if isinstance(text, str)})
        return Refused(first.message or f"humm refused with {answer.status}", first.code or str(answer.status))
    said = read_or_empty(_OAuthError, answer)
    return Refused(said.error_description or f"humm refused with {answer.status}", said.error or str(answer.status))
