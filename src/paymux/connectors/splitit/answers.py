"""What Splitit answers, read strictly: an access token, a plan, its authorization, a refund, an error."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from paymux.connectors.contract import MoveKind, MoveStatus, NotThere, ProviderMove, Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer

_REFUND = {"Succeeded": MoveStatus.DONE, "Failed": MoveStatus.FAILED}  # any other word: still under way


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True, frozen=True)


class AccessToken(BaseModel):
    """A bearer token; `expires_in` in seconds."""

    access_token: str = Field(min_length=1)
    expires_in: float = 0


class Opened(_Said):
    """A plan that was initiated."""

    installment_plan_number: str = Field(min_length=1)
    checkout_url: str = ""


class Authorization(_Said):
    """What the card's issuer said."""

    status: str


class Authorized(_Said):
    """The answer of VerifyAuthorization."""

    is_authorized: bool


class Installment(_Said):
    """One instalment of a plan."""

    status: str
    amount: Decimal


class Refund(_Said):
    """One refund as a plan lists it; `reference_id` is what we gave with it."""

    refund_id: str | None = None
    total_amount: Decimal
    status: str
    reference_id: str | None = None


class Plan(_Said):
    """An instalment plan. `original_amount` is what was ordered, `amount` what it has become."""

    installment_plan_number: str = Field(min_length=1)
    status: str
    ref_order_number: str | None = None
    currency: str | None = None
    original_amount: Decimal | None = None
    amount: Decimal | None = None
    authorization: Authorization | None = None
    installments: tuple[Installment, ...] | None = None
    refunds: tuple[Refund, ...] | None = None

    @property
    def total(self) -> Decimal | None:
        """What was ordered, in major units."""
        return self.original_amount if self.original_amount is not None else self.amount

    @property
    def was_captured(self) -> bool:
        """Whether any instalment was ever collected."""
        return any(part.status == "Processed" for part in self.installments or ())

    @property
    def was_authorized(self) -> bool:
        """Whether the card was ever authorised, be it voided since."""
        return self.authorization is not None and self.authorization.status in ("Succeeded", "Voided", "Canceled")

    @property
    def moves(self) -> tuple[ProviderMove, ...]:
        """The refunds, one by one."""
        return tuple(
            ProviderMove(
                kind=MoveKind.REFUND, amount=refund.total_amount, provider_id=refund.refund_id or "",
                status=_REFUND.get(refund.status, MoveStatus.UNDERWAY), key=refund.reference_id or None,
                reason="Splitit could not refund it" if refund.status == "Failed" else "",
            )
            for refund in self.refunds or ()
        )  # fmt: skip


class Updated(_Said):
    """The answer to a capture."""

    status: str
    installment_plan_number: str | None = None


class Summary(_Said):
    """What became of a refund's amount."""

    failed_amount: Decimal = Decimal(0)
    succeeded_amount: Decimal = Decimal(0)
    pending_amount: Decimal = Decimal(0)


class Refunded(_Said):
    """The answer to a refund."""

    refund_id: str = Field(min_length=1)
    summary: Summary | None = None


class _Fault(_Said):
    code: str = ""
    message: str = ""
    additional_info: str | None = None


class _Failed(_Said):
    error: _Fault | None = None


def refusal(answer: Answer) -> Refused:
    """What a 4xx says, with Splitit's own code."""
    said = read_or_empty(_Failed, answer).error or _Fault()
    kind = NotThere if answer.status == 404 else Refused
    reason = said.additional_info or said.message or f"Splitit refused with {answer.status}"
    return kind(reason, said.code or str(answer.status))
