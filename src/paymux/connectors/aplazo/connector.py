"""Aplazo: a loan for a cart, agreed to on Aplazo's page.

A loan is opened with an access token of its own, everything after that with merchant ID and API token. Calls name the
cart, so each checkout has a cart of its own: two loans of one cart could not be told apart in a refund. A loan is paid
once its first instalment is; a notification says so under a signature, and names no amount, so it leads to asking.
A refund counts once it is taken on, as Aplazo's guide says; after a lost answer a person has to look, for nothing tells
one refund of a cart from another. DEVUELTO is what becomes of a loan that was cancelled and of one that was given back.
Aplazo counts in pesos and ignores any currency; amounts are numbers in major units. It cancels no loan by itself.
Sources: see provider.toml.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from paymux.connectors.aplazo import requests
from paymux.connectors.aplazo.answers import AccessToken, CancelledLoan, Loan, Loans, Opened, Refund, Told, refusal
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
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Refused,
    Report,
)
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.signing import hmac_bytes, same
from paymux.money import Money
from paymux.platform.http import Answer, NotSent, Unclear

_PAID = frozenset({"OUTSTANDING", "ACTIVO"})
_CANCELLED = frozenset({"CANCELLED", "CANCELADO"})
_RETURNED = "DEVUELTO"
# A refund counts as soon as it is taken on ("you can consider the refund as successful"); the other two may come of it.
_TAKEN_ON = frozenset({"REQUESTED", "APPROVED", "REFUNDED"})
_REJECTED = "REJECTED"


class Aplazo(Connector):
    """Aplazo's hosted checkout: a sale with refunds."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a loan for a cart of its own."""
        cart = f"{order.reference}-{key[:13]}"
        headers = {"Authorization": await self._access()}
        body = requests.new_loan(order, cart, self.credentials["merchant_id"])
        opened = read(Opened, await self._made("POST", "/api/loan", body, headers))
        if not opened.url.startswith(("https://", "http://")):
            raise Unclear("the loan has no address to send the shopper to")
        return Redirect(url=opened.url, session=cart)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Only by which of our addresses the shopper came back: a hint."""
        return Ask.by_address(query)

    async def fetch(self, checkout: Checkout) -> Report:
        """The loans of the cart, which is this checkout's alone: any that is paid pays it, as in both plugins."""
        path = f"/api/pos/loan/{quote(checkout.session, safe='')}"
        answer = await self._made("GET", path, headers=self._keys())
        loans = read(Loans, answer).root
        if not loans:
            return Pending(reason="Aplazo lists no loan of this checkout")
        loan = min(loans, key=lambda one: _how_far_from_paid(one, checkout))
        return _report(loan, checkout, {"loans": answer.json()})

    def verify_event(self, event: Incoming) -> str | None:
        """Check the token of the notification. Its life is not looked at, for it leads to nothing but asking."""
        signed, _, signature = _bearer(event).rpartition(".")
        expected = base64.urlsafe_b64encode(hmac_bytes(self.credentials["api_token"], signed, "sha512"))
        if not same(signature, expected.decode().rstrip("=")):
            raise Forged("the token of the notification is not signed with the API token")
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """The cart that the token names; the body is not signed, and not read. Raises ValueError."""
        parts = _bearer(event).split(".")
        if len(parts) != 3:
            raise ValueError("the notification has no token")
        try:
            claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        except binascii.Error as fault:
            raise ValueError("the token of the notification can't be read") from fault
        return EventReading(session=Told.model_validate_json(claims).cart_id)

    async def check(self) -> str:
        """Fetch an access token, which moves nothing."""
        await self._access()
        return "Aplazo gave an access token for the merchant ID and the API token"

    # -- moving money and the rest ------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all. The key goes along, as in the Magento module; no page says that it is heeded."""
        body = requests.of_cart(checkout, move.amount, move.description or f"Refund {move.reference}")
        headers = {**self._keys(), "X-Idempotency-Key": move.key}
        answer = await self._made("POST", "/api/pos/loan/refund", body, headers)
        done = read(Refund, answer)
        word = done.refund_status.upper()
        if word == _REJECTED:
            raise Refused("Aplazo rejected the refund", done.refund_status)
        if word not in _TAKEN_ON or done.cart_id not in (None, checkout.session):
            raise Unclear(f"Aplazo answered a refund of {checkout.session} with {word[:64]} of {done.cart_id}")
        return Moved(provider_id=done.refund_id, raw=raw(answer))

    async def cancel_checkout(self, checkout: Checkout) -> None:
        """Close an unpaid loan. A refusal leaves the question whether it is cancelled already, so it is looked at."""
        body = requests.of_cart(checkout, checkout.total, "The order was cancelled")
        answer = await self._answered("POST", "/api/pos/loan/cancel", body, self._keys())
        if answer.status < 400:
            word = read(CancelledLoan, answer).status
            if word.upper() not in (*_CANCELLED, _RETURNED):
                raise Unclear(f"Aplazo answered a cancel with {word[:64]}")
        elif not isinstance(await self.fetch(checkout), Cancelled):
            raise refusal(answer)

    # -- HTTP ---------------------------------------------------------------------------------

    def _keys(self) -> dict[str, str]:
        return {"merchant_id": self.credentials["merchant_id"], "api_token": self.credentials["api_token"]}

    async def _access(self) -> str:
        """A new access token: Aplazo wants one for each request."""
        merchant = self.credentials["merchant_id"]
        if not (merchant.isascii() and merchant.isdigit()):
            raise Refused("Aplazo's merchant ID is a number: correct the credential merchant_id", "merchant_id")
        body: requests.Merchant = {"apiToken": self.credentials["api_token"], "merchantId": int(merchant)}
        answer = await self.http.prepare("POST", self.url("/api/auth"), json=body)
        if answer.status >= 400:
            no = refusal(answer)
            raise Refused(f"Aplazo gives no access to this merchant ID with this API token: {no.reason}", no.code)
        try:
            return read(AccessToken, answer).authorization
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault

    async def _answered(
        self, method: str, path: str, body: Mapping[str, object] | None, headers: Mapping[str, str]
    ) -> Answer:
        """Send; return 2xx and clear 4xx."""
        return decided(await self.http.send(method, self.url(path), headers=headers, json=body))

    async def _made(
        self, method: str, path: str, body: Mapping[str, object] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        answer = await self._answered(method, path, body, headers or {})
        if answer.status >= 400:
            raise refusal(answer)
        return answer


def _bearer(event: Incoming) -> str:
    return event.headers.get("authorization", "").removeprefix("Bearer ").strip()


# -- what is read -----------------------------------------------------------------------------


def _how_far_from_paid(loan: Loan, checkout: Checkout) -> int:
    """Of several loans of a cart one that is paid tells how it stands, then the one that was, then one that may be yet."""
    word = loan.status.upper()
    if word in _PAID:
        return 0
    if word == _RETURNED:
        return 1 if loan.loan_id == checkout.payment_id else 3
    return 3 if word in _CANCELLED else 2


def _report(loan: Loan, checkout: Checkout, answer: Mapping[str, Any]) -> Report:
    """What a loan says; a word that we don't know is asked about again. Answers name neither cart nor reference."""
    word = loan.status.upper()
    if word in _PAID:
        return _paid(loan, answer)
    if word == _RETURNED and loan.loan_id == checkout.payment_id:
        whole = checkout.total.amount if loan.total_amount is None else loan.total_amount
        return replace(_paid(loan, answer), refunded=whole)
    if word in (*_CANCELLED, _RETURNED):
        # Never seen as paid: an unpaid loan that was cancelled is called returned, too.
        return Cancelled(reason=f"the loan is {word}", raw=answer)
    return Pending(reason=f"the loan is {word[:64]}", raw=answer)


def _paid(loan: Loan, answer: Mapping[str, Any]) -> Paid:
    captured = loan.total_amount
    total = None if captured is None else Money(captured, requests.PESOS)
    return Paid(payment_id=loan.loan_id, total=total, captured=captured, raw=answer)
