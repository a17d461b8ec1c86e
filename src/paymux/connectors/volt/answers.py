"""What Volt answers and tells: an access token, a payment, a requested refund, its notifications, an error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class AccessToken(BaseModel):
    """A token for one application and one customer of Volt's."""

    access_token: str = Field(min_length=1)
    expires_in: int = Field(gt=0)


class _Target(_Said):
    url: str = ""


class _Details(_Said):
    reason: str = ""
    redirect: _Target = _Target()


class _Flow(_Said):
    status: str = ""
    details: _Details = _Details()


class Payment(_Said):
    """A payment: `amount` in minor units, and while it is being initiated the page to send the shopper to."""

    id: str = Field(min_length=1, max_length=64)
    amount: int = Field(ge=0)
    currency: str = Field(min_length=3, max_length=3)
    status: str = Field(min_length=1)
    internal_reference: str | None = None
    payment_initiation_flow: _Flow = _Flow()

    @property
    def page(self) -> str:
        """Where the shopper goes on, empty when there is no such page."""
        return self.payment_initiation_flow.details.redirect.url


class Requested(_Said):
    """A refund that Volt took on."""

    id: str = Field(min_length=1, max_length=64)


class Told(_Said):
    """A notification: of a payment as the gateway words it (`payment`), as Connect does (`paymentId`), or of a refund."""

    payment: str = ""
    payment_id: str = ""
    id: str = ""
    refund: str = ""
    refund_id: str = ""
    status: str = Field(min_length=1)
    amount: int | None = Field(None, ge=0)
    currency: str | None = None
    external_reference: str | None = None
    error: str | None = None

    @property
    def about(self) -> str:
        """The id of the payment that it is about."""
        return self.payment or self.payment_id or ("" if self.of_refund else self.id)

    @property
    def of_refund(self) -> str:
        """The id of the refund that it is about, if it is about one."""
        return self.refund or self.refund_id


class _Fault(_Said):
    property: str = ""
    message: str = ""


class _Exception(_Said):
    code: int | str = ""
    message: str = ""
    error_list: tuple[_Fault, ...] = ()


class Error(_Said):
    """An error: a sentence, and the fields that are at fault. The token's is not wrapped."""

    exception: _Exception = _Exception()
    message: str = ""

    @property
    def reason(self) -> str:
        """The whole of it in one sentence."""
        faults = [f"{fault.property}: {fault.message}" for fault in self.exception.error_list]
        return "; ".join([self.exception.message or self.message, *faults]).strip("; ")
