"""PayJustNow, online checkout API v2.

A checkout can be paid for an hour, and is paid whole as soon as the shopper has agreed. One that he cancelled is not
over: it can be updated and paid until its hour has passed, or until we cancel it. The browser comes back with nothing
that proves anything, so the status is asked for; a signed callback brings the same. Statuses and callbacks name cents
and no currency: PayJustNow is paid in rand and nothing else. Every request and callback is signed over its body
without white space. A refund that is sent again with its requestId gets its first answer.
Version 1, which PayJustNow's own plugins still use, tells of a payment only by the browser's return: it is not used.
Sources: see provider.toml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors.amounts import minor
from paymux.connectors.contract import (
    Ask,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Forged,
    Incoming,
    Move,
    Moved,
    MoveResult,
    NotThere,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Refused,
    Report,
)
from paymux.connectors.payjustnow import requests
from paymux.connectors.reading import decided, raw, read, read_or_empty
from paymux.connectors.signing import hmac_base64, same
from paymux.money import Money
from paymux.platform.database import from_json, to_json
from paymux.platform.http import Answer, Unclear

_RAND = "ZAR"
_NOBODY = "v2.0.00000000-0000-0000-0000-000000000000"
# What JavaScript's \s matches, for that is what PayJustNow takes out of a body before it signs.
_WHITE = re.compile("[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]")
_PAID = frozenset({"PAID", "PAID_PENDING_CALLBACK", "PARTIALLY_REFUNDED"})
_CANCELLED = "CANCELLED_BY_MERCHANT"
_REFUNDED = "SUCCESS"


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Standing(_Said):
    """A checkout as PayJustNow answers it and tells it in callbacks; the total in cents."""

    checkout_token: str = Field(min_length=1, max_length=128)
    checkout_payment_status: str = Field(min_length=1)
    checkout_total_cents: int = Field(ge=0)
    merchant_order_reference: str | None = None


class Opened(_Said):
    """What a checkout that was opened is called, where it is paid, and until when."""

    checkout_token: str = Field(min_length=1, max_length=128)
    payment_url: str
    expires_at: datetime | None = None


class Refund(_Said):
    """What became of a refund."""

    refund_status: str
    refunded_amount_cents: int | None = None


class Error(BaseModel):
    """An error; its sentence is not documented, and shown where there is one."""

    message: str = ""


class PayJustNow(Connector):
    """PayJustNow's hosted checkout: a sale with refunds."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a checkout. What a second one with the same requestId is answered is not documented."""
        opened = read(Opened, await self._made("create", requests.new_checkout(order, key)))
        if not opened.payment_url.startswith(("https://", "http://")):
            raise Unclear("the checkout has no address to send the shopper to")
        until = opened.expires_at if opened.expires_at and opened.expires_at.tzinfo else None
        return Redirect(url=opened.payment_url, session=opened.checkout_token, expires_at=until)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Only by which of our two addresses the shopper came back: a hint."""
        return Ask.by_address(query)

    async def fetch(self, checkout: Checkout) -> Report:
        """The checkout by its token."""
        answer = await self._made("getstatus", _named(checkout.session))
        return _report(read(Standing, answer), raw(answer))

    def verify_event(self, event: Incoming) -> str | None:
        """Check the signature over the callback's body. Callbacks have no id of their own."""
        if not same(event.headers.get("x-signature"), self._signature(event.body.decode("utf-8", "replace"))):
            raise Forged("the signature of the callback is wrong")
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """The checkout that a callback brings, as a status would. Raises ValueError."""
        content = from_json(event.body)
        told = Standing.model_validate(content)
        report = _report(told, content)
        return EventReading(session=told.checkout_token, reference=told.merchant_order_reference, report=report)

    async def check(self) -> str:
        """Ask for a checkout that nobody has: a wrong account or signing key is answered 401."""
        answer = await self._answered("getstatus", _named(_NOBODY))
        if answer.status in (401, 403):
            raise _refusal(answer)
        return "PayJustNow took the signature and answered a question about a checkout"

    # -- moving money and the rest ------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all, decided at once. A repeat with the same requestId gets the first answer."""
        asked = minor(move.amount)
        body: requests.Refund = {
            "requestId": move.key, "checkoutToken": checkout.session, "merchantRefundReference": move.key,
            "refundAmountCents": asked, "refundDescription": move.description or f"Refund {move.reference}",
        }  # fmt: skip
        answer = await self._made("refund", body)
        done = read(Refund, answer)
        if done.refund_status.upper() != _REFUNDED or done.refunded_amount_cents != asked:
            said = f"{done.refund_status[:64]}, {done.refunded_amount_cents} cents"
            raise Unclear(f"PayJustNow answered a refund of {asked} cents with {said}")
        return Moved(provider_id=move.key, raw=raw(answer))

    async def cancel_checkout(self, checkout: Checkout) -> None:
        """Close an unpaid checkout. One that is cancelled already refuses another cancel, and is looked at."""
        answer = await self._answered("cancel", _named(checkout.session))
        if answer.status < 400:
            word = read(Standing, answer).checkout_payment_status
            if word.upper() != _CANCELLED:
                raise Unclear(f"PayJustNow answered a cancel with {word[:64]}")
        elif not isinstance(await self.fetch(checkout), Cancelled):
            raise _refusal(answer)

    # -- HTTP ---------------------------------------------------------------------------------

    def _signature(self, body: str) -> str:
        return hmac_base64(self.credentials["signing_key"], _WHITE.sub("", body))

    async def _answered(self, call: str, body: Mapping[str, object]) -> Answer:
        """Send, signed; return 2xx and clear 4xx."""
        text = to_json(body)
        headers = {
            "X-Merchant-Account-ID": self.credentials["merchant_account_id"], "X-Signature": self._signature(text),
        }  # fmt: skip
        url = self.url(f"/v2/{call}")
        sent = text.encode()
        return decided(await self.http.send("POST", url, headers=headers, body=sent, content_type="application/json"))

    async def _made(self, call: str, body: Mapping[str, object]) -> Answer:
        answer = await self._answered(call, body)
        if answer.status >= 400:
            raise _refusal(answer)
        return answer


def _named(token: str) -> requests.NamedCheckout:
    return {"checkoutToken": token}


def _refusal(answer: Answer) -> Refused:
    reason = read_or_empty(Error, answer).message or f"PayJustNow refused with {answer.status}"
    if answer.status == 401:
        reason = f"PayJustNow does not accept the Merchant Account ID with this signing key: {reason}"
    return (NotThere if answer.status == 404 else Refused)(reason, str(answer.status))


# -- what is read -----------------------------------------------------------------------------


def _report(standing: Standing, answer: Mapping[str, Any] | None) -> Report:
    """What a checkout says; one that the shopper cancelled, or a word that no source shows, is asked about again."""
    word, reference = standing.checkout_payment_status.upper(), standing.merchant_order_reference
    said: dict[str, Any] = {"session": standing.checkout_token, "reference": reference, "raw": answer}
    if word in _PAID:
        total = Money.from_minor(standing.checkout_total_cents, _RAND)
        return Paid(payment_id=standing.checkout_token, total=total, captured=total.amount, **said)
    if word == _CANCELLED:
        return Cancelled(reason="the checkout was cancelled", **said)
    return Pending(reason=f"the checkout is {word[:64]}", **said)
