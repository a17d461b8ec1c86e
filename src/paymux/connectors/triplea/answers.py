"""What TripleA answers and tells: an access token, a payment and its tier, a webhook, an error."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from paymux.connectors.contract import NotThere, Refused
from paymux.connectors.reading import read_or_empty
from paymux.money import Money, is_currency
from paymux.platform.http import Answer, Unclear

# Above any payment, and small enough to be rounded exactly.
_MOST = 10**15


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class AccessToken(_Said):
    """A token for the account; `expires_in` in seconds, some ten years."""

    access_token: str = Field(min_length=1)
    expires_in: int = Field(gt=0)


class Opened(_Said):
    """A requested payment and its form."""

    payment_reference: str = Field(min_length=1)
    hosted_url: str


class WebhookData(_Said):
    """What we gave the payment, told back by webhooks."""

    order_txid: str | None = None


class Payment(_Said):
    """How a payment stands. The amounts are the values of the coins that came, in `order_currency`, major units."""

    payment_reference: str = Field(min_length=1)
    payment_tier: str
    order_currency: str
    confirmed_order_amt: Decimal | None = Field(None, ge=0, lt=_MOST)
    unconfirmed_order_amt: Decimal | None = Field(None, ge=0, lt=_MOST)
    webhook_data: WebhookData | None = None

    @property
    def reference(self) -> str | None:
        """Our reference, where the answer names it."""
        return self.webhook_data.order_txid if self.webhook_data else None

    @property
    def received(self) -> Money:
        """The value of all coins that were seen, rounded to the currency. Raises Unclear for an unknown currency."""
        currency = self.order_currency.upper()
        if not is_currency(currency):
            raise Unclear(f"the payment is in {currency[:16]}, which is no currency")
        seen = (self.confirmed_order_amt or Decimal(0)) + (self.unconfirmed_order_amt or Decimal(0))
        return Money(Money(seen, currency).rounded(), currency)


class Event(_Said):
    """A webhook: the payment that it is about, by TripleA's name or by ours."""

    payment_reference: str | None = None
    webhook_data: WebhookData | None = None

    @property
    def reference(self) -> str | None:
        """Our reference, where the webhook names it."""
        return self.webhook_data.order_txid if self.webhook_data else None


class _Error(_Said):
    error: str = ""
    message: str = ""


def refusal(answer: Answer) -> Refused:
    """What a 4xx says, as far as it can be read."""
    said = read_or_empty(_Error, answer)
    reason = said.message or said.error or f"TripleA refused with {answer.status}"
    if answer.status == 401:
        reason = f"{reason}: check client_id and client_secret"
    kind = NotThere if answer.status == 404 else Refused
    return kind(reason, str(answer.status))
