"""Alma's payments API v1.

A payment exists from create on and its id names it everywhere: in the return and the IPN it comes as `pid`, unsigned
in the one, signed with the API key in the other, and in both it only leads to asking. Alma pays the merchant at once,
so a payment whose first instalment is paid (`in_progress`) is a sale in full, and stays one however late the shopper
is later on. A shopper who is scored negatively may still pay the whole on the same page, so that is no decline.
An open payment can be cancelled. Refunds carry our key as `merchant_reference` and show it back, but no source
calls it an idempotency key. Amounts are whole cents of euros, the only currency. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from paymux.connectors.alma import requests
from paymux.connectors.alma.answers import Merchant, Payment, refusal
from paymux.connectors.contract import (
    Ask,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Expired,
    Forged,
    Incoming,
    Move,
    Moved,
    MoveResult,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Report,
)
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.signing import hmac_hex, same
from paymux.platform.http import Answer, Unclear

_PAYMENTS = "/v1/payments"
# Paid, and what can only become of a paid one.
_PAID = frozenset({"in_progress", "paid", "late_dunning", "late_contact_customer", "default", "collection_done"})
_OPEN = frozenset({"not_ready", "not_started", "scored_no", "scored_maybe", "scored_yes"})
_BY_SOMEBODY = frozenset({"requested_by_merchant", "requested_by_customer"})


class Alma(Connector):
    """Alma's hosted payment page."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Create a payment. Alma names no idempotency key for it; an unused one just expires."""
        opened = read(Payment, _accepted(await self._send("POST", _PAYMENTS, requests.new_payment(order))))
        if not opened.url.startswith(("https://", "http://")):
            raise Unclear(f"a payment in state {opened.state[:64]} without an address to send the shopper to")
        return Redirect(url=opened.url, session=opened.id)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """`pid` is unsigned, and which address the shopper was sent to is a hint only."""
        via = query.get("via")
        return Ask(session=query.get("pid") or None, left=via in ("cancel", "failure"), completed=via == "success")

    async def fetch(self, checkout: Checkout) -> Report:
        """The payment."""
        answer = _accepted(await self._send("GET", _path(checkout)))
        return _report(read(Payment, answer), raw(answer))

    def verify_event(self, event: Incoming) -> str | None:
        """The header is the HMAC of the payment's id under the API key. Alma gives its IPNs no id."""
        named, key = event.query.get("pid", ""), self.credentials["api_key"]
        if not named or not key or not same(event.headers.get("x-alma-signature"), hmac_hex(key, named)):
            raise Forged("the signature is missing or not the payment id's")
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """It names the payment and says nothing of it."""
        named = event.query.get("pid")
        if not named:
            raise ValueError("an IPN without pid")
        return EventReading(session=named, payment_id=named)

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all. The amount is always named: without it Alma gives its own fees back, too."""
        answer = _accepted(await self._send("POST", f"{_path(checkout)}/refund", requests.refund_of(move)))
        payment = read(Payment, answer)
        ours = [one for one in payment.refunds or () if one.merchant_reference == move.key]
        if payment.id != checkout.payment or not ours or ours[-1].value != move.amount.amount:
            raise Unclear("the payment does not list what was asked for")
        return Moved(provider_id=ours[-1].provider_id, raw=raw(answer))

    # -- the rest -----------------------------------------------------------------------------

    async def cancel_checkout(self, checkout: Checkout) -> None:
        """Cancel the payment. One that Alma won't cancel may be dead already: then all is well."""
        answer = decided(await self._send("PUT", f"{_path(checkout)}/cancel"))
        if answer.status < 300:
            return
        no = refusal(answer)
        if not isinstance(await self.fetch(checkout), Cancelled | Expired):
            raise no

    async def check(self) -> str:
        """Read the merchant's account."""
        merchant = read(Merchant, _accepted(await self._send("GET", "/v1/me")))
        able = "" if merchant.can_create_payments else ", which may not create payments"
        return f"read the account of {merchant.name or 'the merchant'}{able}: payments from {merchant.limits}"

    async def _send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        headers = {"Authorization": f"Alma-Auth {self.credentials['api_key']}"}
        return await self.http.send(method, self.url(path), headers=headers, json=body)


def _path(checkout: Checkout) -> str:
    return f"{_PAYMENTS}/{quote(checkout.payment, safe='')}"


# -- what is read -----------------------------------------------------------------------------


def _accepted(answer: Answer) -> Answer:
    """A 2xx answer. Raises Refused for a 4xx and Unclear for what Alma never answers."""
    if decided(answer).status >= 400:
        raise refusal(answer)
    return answer


def _report(payment: Payment, body: Mapping[str, Any] | None) -> Report:
    """What a payment says; a state that is not documented is asked about again."""
    said: dict[str, Any] = {"session": payment.id, "reference": payment.reference, "raw": body}
    if payment.state in _PAID:
        total = payment.total
        return Paid(
            payment_id=payment.id, total=total, captured=total.amount, refunded=payment.refunded, moves=payment.moves,
            **said,
        )  # fmt: skip
    if payment.state not in _OPEN or payment.processing_status in ("authorized", "captured"):
        word = f"{payment.state[:64]} {(payment.processing_status or '')[:64]}".strip()
        return Pending(reason=f"undecided payment state {word}", completed=True, **said)
    if payment.cancelation_reason in _BY_SOMEBODY:
        return Cancelled(reason=f"cancelled: {payment.cancelation_reason}", **said)
    if payment.expired_at or payment.processing_status == "canceled":
        return Expired(reason="the payment was not made in time", **said)
    return Pending(reason=f"the shopper has not finished: {payment.state}", **said)
