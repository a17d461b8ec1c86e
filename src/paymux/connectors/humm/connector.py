"""humm in Australia and New Zealand (formerly Oxipay): the shopper's browser opens the checkout, by posting a signed form.

No call of ours opens anything, so humm has no id for a checkout: our reference is its session, too. The return (GET) and
the callback (POST) carry the same fields under the same signature; there is nothing to ask. A shopper who cancels comes
back unsigned, which decides nothing: the order ends at its deadline.
A signature covers names and values glued together, without separators. The form is signed with the same key and passes
through the shopper's hands, with texts of his own in it: whatever could be that form again is no answer of humm's.
Refunds have neither id nor key. Amounts are decimal strings in major units.
Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paymux.connectors.contract import (
    Ask,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Forged,
    Incoming,
    Move,
    Moved,
    MoveResult,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Refused,
    Report,
)
from paymux.connectors.humm import requests
from paymux.connectors.reading import decided, read_or_empty
from paymux.connectors.signing import hmac_hex, same
from paymux.money import Money
from paymux.platform.http import Unclear

_CHECKOUT = "/Checkout?platform=Default"
_REFUND = "/api/ExternalRefund/v1/processrefund"
# The results that decide. Any other one: pending.
_RESULT: dict[str, type[Report]] = {"completed": Paid, "failed": Declined}
_OURS_ALONE = "x_url_callback"


class Told(BaseModel):
    """What a return or a callback says, once its signature is checked."""

    model_config = ConfigDict(frozen=True)

    account: str = Field(alias="x_account_id")
    reference: str = Field(alias="x_reference", min_length=1)
    result: str = Field(alias="x_result", min_length=1)
    purchase: str = Field("", alias="x_gateway_reference", max_length=128)
    amount: Decimal | None = Field(None, alias="x_amount", ge=0)
    currency: str = Field("", alias="x_currency")
    test: str = Field("", alias="x_test")


class _No(BaseModel):
    message: str = Field("", alias="Message")


class Humm(Connector):
    """humm's checkout: a form posted by the browser, an immediate sale, refunds."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Sign the form that the shopper's browser posts. Nothing is sent, so nothing can be lost or done twice."""
        live, country = self.account.live, self.code.countries[0]
        form = requests.form_of(order, self.credentials, country, live=live)
        signed: requests.SignedForm = {**form, "x_signature": self._signature(_glued(form))}
        url = self.http.for_browser(self.url(_CHECKOUT, host="checkout"))
        # Every field is a text; taken as a mapping, its type only says object.
        return Redirect(url=url, session=order.reference, form=cast(Mapping[str, str], signed))

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """The signed result. Without a signature: a hint, that the shopper cancelled where he came by that address."""
        if "x_signature" not in query:
            return Ask(session=query.get("x_reference") or None, left=query.get("via") == "cancel")
        told = self._checked(query)
        return self._report(told, query)

    def verify_event(self, event: Incoming) -> str | None:
        """Check the callback's signature. Callbacks have no id of their own."""
        self._checked(_fields(event))
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """The order that a callback is about, and its result. Raises ValueError."""
        fields = _fields(event)
        try:
            told = self._checked(fields)
        except Forged as no:
            raise ValueError(str(no)) from no
        return EventReading(session=told.reference, reference=told.reference, report=self._report(told, fields))

    def _report(self, told: Told, fields: Mapping[str, str]) -> Report:
        said: dict[str, Any] = {
            "session": told.reference, "reference": told.reference, "raw": _signed_fields(fields),
        }  # fmt: skip
        kind = _RESULT.get(told.result.lower())
        if kind is Declined:
            return Declined(reason="humm declined the purchase", code=told.result, **said)
        if kind is not Paid:
            return Pending(reason=f"humm answers with result {told.result}", completed=True, **said)
        if self.account.live and told.test.lower() == "true":
            return Pending(reason="humm tells of a test transaction", completed=True, **said)
        if not (told.purchase and told.currency) or told.amount is None:
            return Pending(reason="humm tells of a purchase without its number or amount", completed=True, **said)
        total = Money(told.amount, told.currency)
        return Paid(payment_id=told.purchase, total=total, captured=total.amount, **said)

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all of a purchase. Answered without a body: a refund has no id at humm."""
        body = requests.refund_of(checkout, move, self.credentials["merchant_id"])
        signed: requests.SignedRefund = {**body, "signature": self._signature(_glued(body))}
        answer = decided(await self.http.send("POST", self.url(_REFUND), json=signed))
        if answer.status >= 400:
            code = read_or_empty(_No, answer).message or str(answer.status)
            raise Refused(f"humm refused the refund: {code}", code)
        if answer.status != 204:
            raise Unclear(f"answer {answer.status}")
        return Moved(provider_id=f"{checkout.payment}/refund/{move.key}")

    # -- signatures ---------------------------------------------------------------------------

    def _signature(self, glued: str) -> str:
        return hmac_hex(self.credentials["api_key"], glued.encode("utf-8", "replace"))

    def _checked(self, fields: Mapping[str, str]) -> Told:
        """What signed fields say. Raises Forged."""
        signed = _signed_fields(fields)
        forms = (_glued(signed), _glued({name: value for name, value in signed.items() if value}))
        given = fields.get("x_signature", "").lower()
        if not any(same(given, self._signature(form)) for form in forms):
            raise Forged("wrong signature")
        if _OURS_ALONE in forms[0]:
            raise Forged("this is what was signed for the checkout, cut up anew")
        try:
            told = Told.model_validate(signed)
        except ValidationError as fault:
            raise Forged("the signed fields are not those of an answer") from fault
        if told.account != self.credentials["merchant_id"]:
            raise Forged("another merchant's")
        return told


def _signed_fields(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name.startswith("x_") and name != "x_signature"}


def _glued(fields: Mapping[str, object]) -> str:
    return "".join(f"{name}{fields[name]}" for name in sorted(fields))


def _fields(event: Incoming) -> dict[str, str]:
    return dict(parse_qsl(event.body.decode("utf-8", "replace"), keep_blank_values=True))
