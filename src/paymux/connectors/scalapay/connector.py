"""Scalapay, API v2.

Nothing is paid until we confirm: the shopper authorises the order, and `confirm` captures it or, for a deferred
order, asks for the delay that keeps the authorisation for five days. Both work on an authorised order only, and what
they are answered before that is not documented, so the order is looked at first. A delayed order is captured whole or
voided. What was refunded is not told by the order. Every write carries our key as `Idempotency-Key`: a repeat gets
the first answer. Webhooks are signed with the API key, come in any order, and only lead to asking.
Amounts are decimal strings in major units. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from paymux.connectors.contract import (
    Approved,
    Ask,
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
    NotThere,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Report,
)
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.scalapay import answers, requests
from paymux.connectors.scalapay.answers import Amount, Order, refusal
from paymux.connectors.signing import hmac_hex, same
from paymux.money import Money
from paymux.platform.http import Answer, NotSent, Unclear

_KEPT_FOR = 432_000_000  # milliseconds: the documented default of a delay
_NOBODY = "0000000000"


class Scalapay(Connector):
    """Scalapay's checkout with immediate or delayed capture."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Create an order, which moves no money."""
        opened = read(answers.Opened, await self._made("POST", "/v2/orders", requests.new_order(order), key))
        if not opened.checkout_url.startswith(("https://", "http://")):
            raise Unclear("the order has no address to send the shopper to")
        return Redirect(url=opened.checkout_url, session=opened.token, expires_at=opened.expires)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """`status` and `orderToken` are unsigned: a hint to confirm, or that the shopper left."""
        approved = query.get("status", "").lower() == "success"
        left = not approved and ("status" in query or query.get("via") == "cancel")
        return Ask(session=query.get("orderToken") or None, approved=approved, left=left)

    async def fetch(self, checkout: Checkout) -> Report:
        """The order as it stands."""
        answer = await self._made("GET", _path(checkout))
        return _report(read(Order, answer), answer, checkout)

    def verify_event(self, event: Incoming) -> str | None:
        """The signature covers the timestamp and the body; events have no ids. Raises Forged."""
        signed = f"V1:{event.headers.get('x-scalapay-timestamp', '')}:".encode() + event.body
        if not same(event.headers.get("x-scalapay-hmac-v1"), hmac_hex(self.credentials["api_key"], signed)):
            raise Forged("the signature of the event is wrong")
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """Which order it is about. Raises ValueError when it can't be read."""
        try:
            return EventReading(session=answers.Event.model_validate_json(event.body).order_token)
        except ValidationError as fault:
            raise ValueError("the event names no order") from fault

    async def check(self) -> str:
        """Ask for an order that nobody has: Scalapay looks at the API key first."""
        answer = await self._answered("GET", f"/v2/payments/{_NOBODY}")
        if answer.status >= 400 and not isinstance(no := refusal(answer), NotThere):
            raise no
        return "Scalapay took the API key and answered a question about an order"

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Capture or delay the authorised order. Pending, with no effect, before the shopper has agreed."""
        try:
            answer = await self._made("GET", _path(checkout), first=True)
            order = read(Order, answer)
        except NotThere as gone:
            return Expired(reason=gone.reason)
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault
        seen = _report(order, answer, checkout)
        if not isinstance(seen, Approved):
            return seen
        total = _held(order)
        if checkout.auto_capture:
            take: requests.Capture = {"token": checkout.session, "merchantReference": checkout.reference}
            answer = await self._made("POST", "/v2/payments/capture", take, key)
        else:
            hold: requests.Delay = {
                "merchantReference": checkout.reference, "authorizationExpiryMilliseconds": _KEPT_FOR,
            }  # fmt: skip
            answer = await self._made("POST", f"{_path(checkout)}/delay", hold, key)
        settled = _settled(answer, "APPROVED" if checkout.auto_capture else "AUTHORIZED")
        return Paid(
            session=settled.token,
            reference=seen.reference,
            raw=raw(answer),
            payment_id=settled.token,
            total=total,
            captured=total.amount if checkout.auto_capture else Decimal(0),
            authorised_until=settled.authorization_expiry_at,
        )

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture the delayed order, named by its whole amount."""
        body: requests.Capture = {
            "token": checkout.session, "merchantReference": checkout.reference, "amount": requests.amount(move.amount),
        }  # fmt: skip
        answer = await self._made("POST", "/v2/payments/capture", body, move.key)
        return Moved(provider_id=f"{_settled(answer, 'APPROVED').token}/capture", raw=raw(answer))

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Give the authorised order up; Scalapay tells the shopper."""
        body: requests.Void = {"merchantReference": checkout.reference}
        answer = await self._made("POST", f"{_path(checkout)}/void", body, move.key)
        return Moved(provider_id=f"{read(answers.Voided, answer).token}/void", raw=raw(answer))

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund captured money."""
        body: requests.Refund = {
            "refundAmount": requests.amount(move.amount), "merchantRefundReference": move.reference,
        }  # fmt: skip
        answer = await self._made("POST", f"{_path(checkout)}/refund", body, move.key)
        said = read(answers.Refunded, answer)
        if said.amount is not None and _as_money(said.amount) != move.amount:
            raise Unclear(f"of {move.amount.text} Scalapay refunded {said.amount.amount}")
        return Moved(provider_id=f"{said.refund_token or said.token}/{move.key}", raw=raw(answer))

    # -- HTTP ---------------------------------------------------------------------------------

    async def _answered(
        self, method: str, path: str, body: Mapping[str, object] | None = None, key: str = "", *, first: bool = False
    ) -> Answer:
        """Send; return 2xx and clear 4xx. Raises Unclear for 409: another operation on the order still runs.

        `first`: a call before the one that counts, so a fault means that nothing was moved.
        """
        headers = {"Authorization": f"Bearer {self.credentials['api_key']}"}
        if key:
            headers["Idempotency-Key"] = key
        call = self.http.prepare if first else self.http.send
        answer = decided(await call(method, self.url(path), headers=headers, json=body))
        if answer.status == 409:
            raise Unclear("answer 409")
        return answer

    async def _made(
        self, method: str, path: str, body: Mapping[str, object] | None = None, key: str = "", *, first: bool = False
    ) -> Answer:
        answer = await self._answered(method, path, body, key, first=first)
        if answer.status >= 400:
            raise refusal(answer)
        return answer


def _path(checkout: Checkout) -> str:
    return f"/v2/payments/{quote(checkout.session, safe='')}"


# -- what is read -----------------------------------------------------------------------------


def _report(order: Order, answer: Answer, checkout: Checkout) -> Report:
    """What an order says; a payment of it is known once we confirmed it."""
    said: dict[str, Any] = {"session": order.token, "reference": order.reference, "raw": raw(answer)}
    status, capture = order.status.lower(), (order.capture_status or "").lower()
    known = checkout.payment_id is not None
    if status == "created":
        return Pending(reason="the shopper has not agreed", **said)
    if status == "authorized":
        if not known and capture != "delayed":
            return Approved(**said)
        return Paid(payment_id=order.token, total=_held(order), captured=Decimal(0), **said)
    if status == "charged":
        total = _held(order)
        return Paid(payment_id=order.token, total=total, captured=total.amount, voided=Decimal(0), **said)
    if status == "refunded":
        ordered = _as_money(order.ordered) if order.ordered else checkout.total
        return Paid(payment_id=order.token, total=ordered, captured=ordered.amount, voided=Decimal(0), **said)
    if status == "expired" and known:
        total = _held(order)
        return Paid(payment_id=order.token, total=total, captured=Decimal(0), voided=total.amount, **said)
    if status == "expired":
        feedback = order.last_eligibility_feedback or ""
        if feedback.startswith("DECLINED"):
            return Declined(reason="Scalapay declined the shopper", code=feedback, **said)
        return Expired(reason="the order expired at Scalapay", **said)
    return Pending(reason=f"unknown order status {status[:64]}", completed=True, **said)


def _held(order: Order) -> Money:
    if order.total_amount is None:
        raise Unclear("an authorised order without its amount")
    return _as_money(order.total_amount)


def _as_money(amount: Amount) -> Money:
    return Money(amount.amount, amount.currency)


def _settled(answer: Answer, expected: str) -> answers.Settled:
    """A capture or delay that was done. Raises Unclear for any other word: asking tells what it came to."""
    settled = read(answers.Settled, answer)
    if settled.status.upper() != expected:
        raise Unclear(f"the order is {settled.status[:64]}")
    return settled
