"""What the gateway answers, read strictly: a payment link, an order with its transactions, an error."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import MoveStatus, NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.platform.http import Answer

SUCCESS, FAILURE, PENDING = "SUCCESS", "FAILURE", "PENDING"
# Codes of a SUCCESS: approved, by one of them before the bank's batch is settled, which no later code has to confirm; and
# approved for less than was asked for.
_APPROVED = frozenset({"APPROVED", "APPROVED_AUTO", "APPROVED_PENDING_SETTLEMENT"})
_IN_PART = "PARTIALLY_APPROVED"
# Codes of a FAILURE with which certainly nothing moved, beside those that begin with DECLINED. With TIMED_OUT, UNKNOWN,
# ACQUIRER_SYSTEM_ERROR, SYSTEM_ERROR and UNSPECIFIED_FAILURE the bank may have done it, and so with a code that is new.
_REFUSED = frozenset({
    "ABORTED", "AUTHENTICATION_FAILED", "BLOCKED", "CANCELLED", "DUPLICATE_BATCH", "EXCEEDED_RETRY_LIMIT", "EXPIRED_CARD",
    "INSUFFICIENT_FUNDS", "INVALID_CSC", "LOCK_FAILURE", "NO_BALANCE", "NOT_ENROLLED_3D_SECURE", "NOT_SUPPORTED", "REFERRED",
})  # fmt: skip


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class _Link(_Said):
    url: str = Field(pattern=r"^https?://\S+$")


class Opened(_Said):
    """A checkout that was initiated in the mode of a payment link."""

    result: str
    payment_link: _Link


class TransactionData(_Said):
    """A transaction's own data; amounts in major units."""

    id: str = Field(min_length=1, coerce_numbers_to_str=True)
    type: str = ""
    amount: Decimal | None = None
    currency: str = ""


class _Response(_Said):
    gateway_code: str = ""


class Transaction(_Said):
    """One movement or try of an order. What came of it stands in the result and the gateway's code together."""

    result: str
    transaction: TransactionData
    response: _Response = _Response()

    @property
    def code(self) -> str:
        return self.response.gateway_code

    @property
    def why(self) -> str:
        return self.code or self.result

    @property
    def partial(self) -> bool:
        """Approved for less than was asked for."""
        return self.result == SUCCESS and self.code == _IN_PART

    @property
    def status(self) -> MoveStatus:
        """Done as asked; failed, so that certainly nothing moved; underway where it is neither, or not known."""
        if self.result == SUCCESS and self.code in _APPROVED:
            return MoveStatus.DONE
        if self.result == FAILURE and (self.code in _REFUSED or self.code.startswith("DECLINED")):
            return MoveStatus.FAILED
        return MoveStatus.UNDERWAY


class Order(_Said):
    """An order that somebody has tried to pay, with every transaction; amounts in major units."""

    id: str = Field(min_length=1, coerce_numbers_to_str=True)
    reference: str | None = None
    total_authorized_amount: Decimal | None = None
    total_captured_amount: Decimal | None = None
    transaction: list[Transaction] = []


class OrderNamed(_Said):
    """An order by its ID."""

    id: str = Field(min_length=1)


class Told(_Said):
    """The part of a notification that names the order."""

    order: OrderNamed


class _Error(_Said):
    cause: str = ""
    explanation: str = ""
    field: str = ""


class _Failure(_Said):
    error: _Error = _Error()


def refusal(answer: Answer) -> Refused:
    """What an error says."""
    said = read_or_empty(_Failure, answer).error
    reason = said.explanation or (f"{said.field} is not valid" if said.field else "")
    kind = NotThere if answer.status == 404 else Refused
    return kind(reason or f"the gateway refused with {answer.status}", said.cause or str(answer.status))
