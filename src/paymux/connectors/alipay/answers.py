"""What Alipay answers and tells, read strictly: a payment, its transactions, a refund, a notification."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors.contract import MoveKind, MoveStatus, NotThere, ProviderMove, Refused, WrongCredentials
from paymux.money import Money, is_currency
from paymux.platform.http import Unclear

Text = Annotated[str, BeforeValidator(lambda given: "" if given is None else given)]
_ABSENT = frozenset({"ORDER_NOT_EXIST", "REFUND_NOT_EXIST"})
_UNKNOWN = frozenset({"INVALID_SIGNATURE", "KEY_NOT_FOUND"})
_REFUNDED = {"SUCCESS": MoveStatus.DONE, "FAIL": MoveStatus.FAILED, "CANCELLED": MoveStatus.FAILED}


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Result(_Said):
    """How a call went: `S` done, `F` failed, `U` not known yet."""

    result_status: str
    result_code: str
    result_message: Text = ""

    @property
    def reason(self) -> str:
        """A sentence, or at least Alipay's word."""
        return self.result_message or self.result_code


class Answered(_Said):
    """Any answer: what became of the call."""

    result: Result

    def settled(self) -> None:
        """Return when the call is done. Raises Refused for a clear no, Unclear while nobody knows."""
        if self.result.result_status == "F":
            raise self.refusal
        if self.result.result_status != "S":
            raise Unclear(f"result {self.result.result_code}")

    @property
    def refusal(self) -> Refused:
        """The clear no that a result `F` is."""
        code = self.result.result_code
        kind = NotThere if code in _ABSENT else WrongCredentials if code in _UNKNOWN else Refused
        return kind(self.result.reason, code)


class Amount(_Said):
    """An amount: `value` in the currency's smallest unit, a whole number written as text."""

    currency: str
    value: str = Field(pattern=r"^\d{1,18}$")

    @property
    def money(self) -> Money:
        """The amount in major units. Raises Unclear for a currency that is none."""
        if not is_currency(self.currency):
            raise Unclear(f"{self.currency!r} is no currency")
        return Money.from_minor(Decimal(self.value), self.currency)


class Opened(Answered):
    """The answer to `pay`: where to send the shopper."""

    payment_id: Text = ""
    normal_url: Text = ""


class Transaction(_Said):
    """One movement of a payment: a refund, or the payment itself."""

    transaction_type: str
    transaction_id: Text = ""
    transaction_status: Text = ""
    transaction_request_id: Text = ""
    transaction_amount: Amount | None = None


class Payment(Answered):
    """The answer to `inquiryPayment`. The payment's own fields come with result `S` only."""

    payment_id: str = ""
    payment_status: str = ""
    payment_result_code: Text = ""
    payment_result_message: Text = ""
    payment_amount: Amount | None = None
    transactions: tuple[Transaction, ...] | None = None

    @property
    def refunds(self) -> tuple[ProviderMove, ...] | None:
        """The refunds among the listed movements; None where the payment lists none at all."""
        if self.transactions is None:
            return None
        return tuple(_move(row) for row in self.transactions if row.transaction_type == "REFUND")


class Refund(Answered):
    """The answer to `refund` and to `inquiryRefund`."""

    refund_id: Text = ""
    refund_status: Text = ""
    refund_amount: Amount | None = None


class Notification(_Said):
    """What Alipay tells of a payment: `PAYMENT_RESULT`, or `PAYMENT_PENDING` for a shopper who has done his part."""

    notify_type: str
    result: Result
    payment_id: str = Field(min_length=1)
    payment_amount: Amount


def request_id(key: str) -> str:
    """Our key as an id of Alipay's, which takes no special characters."""
    return key.replace("-", "")


def refund_move(answer: Refund, key: str) -> ProviderMove:
    """A refund that was asked for by its key."""
    if answer.refund_amount is None:
        raise Unclear("the refund has no amount")
    return ProviderMove(
        kind=MoveKind.REFUND, amount=answer.refund_amount.money.amount, provider_id=answer.refund_id, key=key,
        status=_REFUNDED.get(answer.refund_status, MoveStatus.UNDERWAY),
    )  # fmt: skip


def _move(row: Transaction) -> ProviderMove:
    if row.transaction_amount is None:
        raise Unclear("a refund has no amount")
    return ProviderMove(
        kind=MoveKind.REFUND, amount=row.transaction_amount.money.amount, provider_id=row.transaction_id,
        status=_REFUNDED.get(row.transaction_status, MoveStatus.UNDERWAY), key=_key(row.transaction_request_id),
    )  # fmt: skip


def _key(request_id: str) -> str | None:
    """Our key behind a request's id; None for one that is not ours."""
    try:
        return str(uuid.UUID(hex=request_id))
    except ValueError:
        return None
