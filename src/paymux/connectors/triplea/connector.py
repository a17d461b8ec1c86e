"""TripleA, API v1: an order in an ordinary currency, paid with bitcoin.

A payment is requested, the shopper sends coins to its address, and `payment_tier` tells what TripleA makes of them:
`hold` are seen and not settled yet, `short` are too few so far, `good` are sufficient, `invalid` came to nothing.
Sufficient is not the same as this order's amount: what counts is the value of the coins, and only if it is exactly
that. Less or more, or coins that come when the order has ended, are left to a person, for no call gives coins back.
So no payment can be closed either. The shopper's return is unsigned; webhooks are signed, and each makes us ask.
Access tokens last for years. The amount is a string in major units. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from paymux.connectors.bearer import Bearer, Granted
from paymux.connectors.contract import (
    Account,
    Ask,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Forged,
    Incoming,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Report,
)
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.signing import hmac_hex, same
from paymux.connectors.triplea import requests
from paymux.connectors.triplea.answers import AccessToken, Event, Opened, Payment, refusal
from paymux.platform.http import Answer, NotSent, Unclear


class TripleA(Connector):
    """TripleA's hosted payment form."""

    def __init__(self, account: Account, http: ProviderHttp) -> None:
        super().__init__(account, http)
        identity = (self.url(""), self.credentials["client_id"], self.credentials["client_secret"])
        self._bearer = Bearer(http, identity, self._grant)

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Request a payment, which moves nothing. It has no end that we could tell: coins can be sent at any time."""
        api_id, notify_secret = self.credentials["api_id"], self.credentials["notify_secret"]
        body = requests.payment_request(order, api_id=api_id, notify_secret=notify_secret, live=self.account.live)
        opened = read(Opened, await self._send("POST", "/api/v1/payment/request", body))
        if not opened.hosted_url.startswith(("https://", "http://")):
            raise Unclear("the payment has no form to send the shopper to")
        return Redirect(url=opened.hosted_url, session=opened.payment_reference)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Only our own hint on which way the shopper came back: nothing is signed."""
        return Ask.by_address(query)

    async def fetch(self, checkout: Checkout) -> Report:
        """The payment."""
        answer = await self._send("GET", f"/api/v1/payment/{quote(checkout.session, safe='')}")
        return _report(read(Payment, answer), answer)

    def verify_event(self, event: Incoming) -> str | None:
        """Check the signature over its time and the raw body. Webhooks have no id of their own."""
        parts = dict(part.partition("=")[::2] for part in event.headers.get("triplea-signature", "").split(","))
        signed = parts.get("t", "").encode("utf-8", "surrogateescape") + b"." + event.body
        if not same(parts.get("v1"), hmac_hex(self.credentials["notify_secret"], signed)):
            raise Forged("wrong signature")
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """The payment that a webhook is about. Raises ValueError for one that names none."""
        told = Event.model_validate_json(event.body)
        session, reference = told.payment_reference or None, told.reference or None
        if session is None and reference is None:
            raise ValueError("the webhook names no payment")
        return EventReading(session=session, reference=reference)

    async def check(self) -> str:
        """Fetch an access token, which moves nothing."""
        await self._grant()
        return "TripleA granted an access token for the client"

    # -- HTTP ---------------------------------------------------------------------------------

    async def _send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Send with an access token; return 2xx. Raises Refused for 4xx, Unclear for anything else."""
        answer = decided(await self._bearer.send(method, self.url(path), json=body))
        if answer.status >= 400:
            raise refusal(answer)
        return answer

    async def _grant(self) -> Granted:
        form: requests.Grant = {
            "client_id": self.credentials["client_id"],
            "client_secret": self.credentials["client_secret"],
            "grant_type": "client_credentials",
        }
        answer = await self.http.prepare("POST", self.url("/api/v1/oauth/token"), form=form)
        if 400 <= answer.status < 500:
            raise refusal(answer)
        try:
            granted = read(AccessToken, answer)
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault
        return Granted(granted.access_token, granted.expires_in)


# -- what is read -----------------------------------------------------------------------------


def _report(payment: Payment, answer: Answer) -> Report:
    """What a tier means for the order; a word that we don't know is asked about again."""
    name, tier = payment.payment_reference, payment.payment_tier
    said: dict[str, Any] = {"session": name, "reference": payment.reference, "raw": raw(answer)}
    if tier == "hold":
        return Paid(payment_id=name, total=None, captured=None, underway=True, **said)
    if tier == "short":
        # Never final: the rest may follow. Named, because a person has to know of money that does not pay the order.
        return Paid(payment_id=name, total=payment.received, captured=None, underway=True, **said)
    if tier == "good":
        return _sufficient(payment, said)
    if tier == "invalid":
        return Declined(reason="TripleA calls the payment failed or invalid", code=tier, **said)
    return Pending(reason=f"the payment's tier is {tier[:64]}", **said)


def _sufficient(payment: Payment, said: Mapping[str, Any]) -> Report:
    received = payment.received
    if not received.amount:
        return Pending(reason="the payment is good, and TripleA names no coins", completed=True, **said)
    return Paid(payment_id=payment.payment_reference, total=received, captured=received.amount, **said)
