"""Afterpay and Clearpay, global API v2.

Nothing is paid until we confirm: the shopper's return brings a token, `confirm` turns it into a payment,
captured at once or authorised for 13 days. Afterpay sends no payment events, and an open checkout does not
tell whether the shopper agreed; a confirm before that is answered 412 `invalid_order_transaction_status`
and does nothing, so trying it is safe. A capture in full happens once per token, everything else once per
`requestId` (24 hours), so a confirm whose answer was lost is simply sent again. The reversal by token is
not used: it would end the order, as a token that was reversed takes no further capture or auth.
Amounts are decimal strings in major units. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from paymux.connectors.afterpay import requests
from paymux.connectors.afterpay.answers import Event, Limits, OpenCheckout, Payment, refusal
from paymux.connectors.afterpay.answers import Refund as RefundAnswer
from paymux.connectors.afterpay.requests import Body, amount, checkout_of
from paymux.connectors.contract import (
    Ask,
    Checkout,
    Connector,
    Declined,
    Expired,
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
from paymux.connectors.provider_http import USER_AGENT, basic
from paymux.connectors.reading import raw, read
from paymux.money import Money
from paymux.platform.http import Answer, Unclear

# Every documented payment state whose amounts tell the story; any other word is asked about again.
_PAID = frozenset({"AUTH_APPROVED", "PARTIALLY_CAPTURED", "CAPTURED", "VOIDED", "EXPIRED", "CAPTURE_DECLINED"})
_DECLINED_AT_CREATE = frozenset({"unsupported_payment_type"})


class Afterpay(Connector):
    """Afterpay's hosted checkout with immediate or deferred capture."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a checkout. Create has no idempotency key at Afterpay; an unused checkout just expires."""
        answer = await self._send("POST", "/v2/checkouts", checkout_of(order))
        if answer.status >= 400:
            no = refusal(answer, absent=())
            if no.code in _DECLINED_AT_CREATE:
                return Declined(reason=no.reason, code=no.code, raw=raw(answer))
            raise no
        opened = read(OpenCheckout, answer)
        url = opened.redirect_checkout_url or ""
        if not url.startswith(("https://", "http://")):
            raise Unclear("the checkout has no address to send the shopper to")
        return Redirect(url=url, session=opened.token, expires_at=opened.expires)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """`status` and `orderToken` are unsigned: a hint to confirm, or that the shopper left."""
        status = query.get("status", "")
        session = query.get("orderToken") or None
        return Ask(session=session, approved=status == "SUCCESS", left=status == "CANCELLED")

    async def fetch(self, checkout: Checkout) -> Report:
        """The payment, or else whether the checkout is still open. NotThere does not mean that nothing can come:
        a checkout can be read for 60 minutes and confirmed for 180, and a new payment takes seconds to appear."""
        if checkout.payment_id:
            answer = await self._send("GET", f"/v2/payments/{quote(checkout.payment_id, safe='')}")
            if answer.status >= 400:
                raise refusal(answer, absent=(404, 412))
            return _report(answer)
        found = await self._payment_of(checkout)
        if found is not None:
            return found
        answer = await self._send("GET", f"/v2/checkouts/{quote(checkout.session, safe='')}")
        if answer.status >= 400:
            raise refusal(answer, absent=(404, 412))
        still = read(OpenCheckout, answer)
        return Pending(session=still.token, reference=still.merchant_reference, raw=raw(answer), reason="checkout open")

    async def check(self) -> str:
        """Read the account's configuration."""
        answer = await self._send("GET", "/v2/configuration")
        if answer.status >= 400:
            raise refusal(answer)
        limits = read(Limits, answer)
        bounds = [f"{m.amount} {m.currency}" if m else "?" for m in (limits.minimum_amount, limits.maximum_amount)]
        return f"read the account's configuration: payments from {bounds[0]} to {bounds[1]}"

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Capture in full or authorise. A shopper who has not agreed yet leaves it Pending, with no effect."""
        body: requests.FullCapture = {"token": checkout.session, "merchantReference": checkout.reference}
        if checkout.auto_capture:
            answer = await self._send("POST", "/v2/payments/capture", body)
        else:
            auth: requests.Auth = {"requestId": key, **body}
            answer = await self._send("POST", "/v2/payments/auth", auth)
        if answer.status < 300:
            return _report(answer)
        no = refusal(answer, absent=())
        if no.code == "402":
            # No error code: the body is the declined payment.
            return _report(answer)
        if no.code == "invalid_order_transaction_status":
            return Pending(reason=no.reason)
        if no.code == "invalid_token":
            # A token that an earlier try has used up is answered like a dead one.
            return await self._payment_of(checkout) or Expired(reason=no.reason, raw=raw(answer))
        raise no

    async def recover_confirm(self, checkout: Checkout, key: str) -> Report | None:
        """Look for the payment; if there is none, send the same confirm again, which acts once only."""
        return await self._payment_of(checkout) or await self.confirm(checkout, key)

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture a part or all. Our key goes as `paymentEventMerchantReference`, by which `fetch` finds it again."""
        body: Body = {"requestId": move.key, "amount": amount(move.amount), "paymentEventMerchantReference": move.key}
        answer = await self._move(checkout, "capture", body)
        payment = read(Payment, answer)
        ours = [e for e in payment.of("CAPTURED", "CAPTURE_DECLINED") if e.payment_event_merchant_reference == move.key]
        if ours and ours[-1].type == "CAPTURE_DECLINED":
            raise Refused("Afterpay declined the capture", "CAPTURE_DECLINED")
        return _moved(ours or payment.of("CAPTURED"), move, answer)

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Give back a part or all of what is not captured yet."""
        answer = await self._move(checkout, "void", {"requestId": move.key, "amount": amount(move.amount)})
        return _moved(read(Payment, answer).of("VOIDED"), move, answer)

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund captured money. It is idempotent only with `requestId` and `merchantReference` together."""
        body: requests.Refund = {
            "requestId": move.key, "amount": amount(move.amount), "merchantReference": move.key,
            "refundMerchantReference": move.reference,
        }  # fmt: skip
        answer = await self._move(checkout, "refund", body)
        return Moved(provider_id=read(RefundAnswer, answer).refund_id, raw=raw(answer))

    # -- HTTP ---------------------------------------------------------------------------------

    async def _send(self, method: str, path: str, body: Body = None) -> Answer:
        """Send; return 2xx and clear 4xx. Raises Unclear for 409 too: the first try of this request still runs."""
        merchant = self.credentials["merchant_id"]
        headers = {
            "Authorization": basic(merchant, self.credentials["secret_key"]),
            "User-Agent": f"{USER_AGENT} Merchant/{merchant}",
        }
        answer = await self.http.send(method, self.url(path), headers=headers, json=body)
        if answer.status == 409 or not (200 <= answer.status < 300 or 400 <= answer.status < 500):
            raise Unclear(f"answer {answer.status}")
        return answer

    async def _move(self, checkout: Checkout, verb: str, body: Body) -> Answer:
        answer = await self._send("POST", f"/v2/payments/{quote(checkout.payment, safe='')}/{verb}", body)
        if answer.status >= 400:
            raise refusal(answer)
        return answer

    async def _payment_of(self, checkout: Checkout) -> Report | None:
        """The payment that this checkout became; None while Afterpay knows none."""
        answer = await self._send("GET", f"/v2/payments/token:{quote(checkout.session, safe='')}")
        if answer.status in (404, 412):
            return None
        if answer.status >= 400:
            raise refusal(answer)
        return _report(answer)


# -- what is read -----------------------------------------------------------------------------


def _report(answer: Answer) -> Report:
    """What a payment says: its status decides, its events tell the amounts."""
    payment = read(Payment, answer)
    said: dict[str, Any] = {"session": payment.token, "reference": payment.merchant_reference, "raw": raw(answer)}
    if payment.status == "DECLINED":
        return Declined(reason="Afterpay declined the payment", code=payment.payment_state or "DECLINED", **said)
    if payment.status != "APPROVED" or payment.payment_state not in _PAID:
        word = f"{payment.status} {payment.payment_state}"
        return Pending(reason=f"unknown payment state {word}", completed=True, **said)
    original = payment.original_amount
    if original is None or not payment.events:
        raise Unclear("an approved payment without its amount or its events")
    captured, voided = payment.sum_of("CAPTURED"), payment.sum_of("VOIDED")
    gone = payment.payment_state == "EXPIRED" or payment.of("EXPIRED")
    until = [event.expires for event in payment.of("AUTH_APPROVED") if event.expires]
    return Paid(
        payment_id=payment.id,
        total=Money(original.amount, original.currency),
        captured=captured,
        voided=voided,
        refunded=sum((refund.amount.amount for refund in payment.true_refunds), Decimal(0)),
        expired=max(original.amount - captured - voided, Decimal(0)) if gone else Decimal(0),
        moves=payment.moves,
        authorised_until=until[-1] if until else None,
        **said,
    )


def _moved(events: list[Event], move: Move, answer: Answer) -> Moved:
    """The event that tells of this move: the latest of its amount."""
    ours = [event for event in events if event.id and event.value == move.amount.amount]
    if not ours:
        raise Unclear("the payment does not list what was asked for")
    return Moved(provider_id=ours[-1].id, raw=raw(answer))
