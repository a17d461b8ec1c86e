"""What TendoPay answers and tells: an access token, an opened order, a transaction, a cancelled one, an error."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class AccessToken(BaseModel):
    """A token of the merchant's application; lives a week."""

    access_token: str = Field(min_length=1)
    expires_in: int = Field(gt=0)


class Opened(BaseModel):
    """An order that the shopper may pay at `authorize_url`."""

    tp_order_token: str = Field(min_length=1, max_length=128)
    authorize_url: str = Field(pattern=r"^https?://\S+$")


class Told(BaseModel):
    """A transaction, as return, notification and showTransaction tell of it. A failed return names no amount."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    NAMES: ClassVar = frozenset({
        "tp_transaction_id", "tp_merchant_order_id", "tp_transaction_status", "tp_amount", "tp_currency", "tp_message",
    })  # fmt: skip

    transaction: str = Field(alias="tp_transaction_id", min_length=1, max_length=64)
    reference: str = Field(alias="tp_merchant_order_id", min_length=1)
    status: str = Field(alias="tp_transaction_status", min_length=1)
    amount: Decimal | None = Field(None, alias="tp_amount", ge=0)
    currency: str = Field("", alias="tp_currency")
    message: str = Field("", alias="tp_message")


class GivenBack(BaseModel):
    """The answer to cancelPayment: what it holds is not documented."""

    status: str = Field("", alias="tp_transaction_status")


class Error(BaseModel):
    """An error's sentence; the SDK looks for it under both names."""

    error: str = ""
    message: str = ""
