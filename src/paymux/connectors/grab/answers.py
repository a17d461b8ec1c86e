"""What Grab answers and tells, read strictly: a charge opened, a transaction's state, a token, a webhook, an error."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from paymux.connectors.contract import NotThere, Refused, WrongCredentials
from paymux.connectors.reading import read_or_empty
from paymux.money import Money, is_currency
from paymux.platform.http import Answer

Text = Annotated[str, BeforeValidator(lambda given: "" if given is None else given)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Opened(_Said):
    """The answer to `charge/init`: `request` is what the authorisation page is given."""

    session: str = Field(alias="partnerTxID", min_length=1)
    request: str = Field(min_length=1)


class Transaction(_Said):
    """A charge or a refund: its state is `status`, in Grab's words; `code` only while a charge can be completed."""

    tx_id: Text = Field("", alias="txID")
    session: Text = Field("", alias="partnerTxID")
    status: Text = Field("", alias="txStatus")
    reason: Text = ""
    description: Text = ""
    code: Text = Field("", alias="oAuthCode")


class Granted(_Said):
    """The access token for one charge and its refunds."""

    access_token: str = Field(min_length=1)


class _Payload(_Said):
    reason: Text = ""


class Told(_Said):
    """A webhook: what became of a charge or a refund. `amount` in the currency's minor unit."""

    kind: str = Field(alias="txType", min_length=1)
    status: str = Field(alias="txStatus", min_length=1)
    session: str = Field(alias="partnerTxID", min_length=1)
    tx_id: Text = Field("", alias="txID")
    origin: Text = Field("", alias="origTxID")
    amount: int = Field(ge=0)
    currency: str
    payload: _Payload = _Payload()

    @property
    def money(self) -> Money:
        """The amount in major units. Raises ValueError for a currency that is none."""
        if not is_currency(self.currency):
            raise ValueError(f"{self.currency!r} is no currency")
        return Money.from_minor(Decimal(self.amount), self.currency)


class Problem(_Said):
    """An error: Grab's word for it, and sometimes a sentence."""

    reason: Text = ""
    message: Text = ""
    error: Text = ""
    error_description: Text = ""


def refusal(answer: Answer) -> Refused:
    """A 4xx as a clear no, with Grab's own word."""
    said = read_or_empty(Problem, answer)
    code = said.reason or said.error or str(answer.status)
    kind = NotThere if answer.status == 404 or code == "no_record_found" else Refused
    if code == "invalid_merchant":
        kind = WrongCredentials
    return kind(said.message or said.error_description or f"Grab answered {code}", code)
