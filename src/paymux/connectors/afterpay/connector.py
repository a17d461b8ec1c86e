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

from paymux.connectors.afterpay.answers import Event, Limits, OpenCheckout, Payment, refusal
from paymux.connectors.afterpay.answers import Refund as RefundAnswer
from paymux.connectors.contract import (
    Address,
    Ask,
    Checkout,
    Connector,
    Declined,
    Expired,
    Item,
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
from paymux.money import InexactAmount, Money, fits, minor_units
from paymux.platform.http import Answer, Unclear

# Every documented payment state whose amounts tell the story; any other word is asked about again.
_PAID = frozenset({"AUTH_APPROVED", "PARTIALLY_CAPTURED", "CAPTURED", "VOIDED", "EXPIRED", "CAPTURE_DECLINED"})
_DECLINED_AT_CREATE = frozenset({"unsupported_payment_type"})
_MAX_ITEMS = 100


class Afterpay(Connector):
    """Afterpay's hosted checkout with immediate or deferred capture."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a checkout. Create has no idempotency key at Afterpay; an unused checkout just expires."""
        answer = await self._send("POST", "/v2/checkouts", _checkout(order))
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
        body: dict[str, Any] = {"token": checkout.session, "merchantReference": checkout.reference}
        if checkout.auto_capture:
            answer = await self._send("POST", "/v2/payments/capture", body)
        else:
            answer = await self._send("POST", "/v2/payments/auth", {"requestId": key, **body})
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
        body = {"requestId": move.key, "amount": _money(move.amount), "paymentEventMerchantReference": move.key}
        answer = await self._move(checkout, "capture", body)
        payment = read(Payment, answer)
        ours = [e for e in payment.of("CAPTURED", "CAPTURE_DECLINED") if e.payment_event_merchant_reference == move.key]
        if ours and ours[-1].type == "CAPTURE_DECLINED":
            raise Refused("Afterpay declined the capture", "CAPTURE_DECLINED")
        return _moved(ours or payment.of("CAPTURED"), move, answer)

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Give back a part or all of what is not captured yet."""
        answer = await self._move(checkout, "void", {"requestId": move.key, "amount": _money(move.amount)})
        return _moved(read(Payment, answer).of("VOIDED"), move, answer)

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund captured money. It is idempotent only with `requestId` and `merchantReference` together."""
        body = {
            "requestId": move.key, "amount": _money(move.amount), "merchantReference": move.key,
            "refundMerchantReference": move.reference,
        }  # fmt: skip
        answer = await self._move(checkout, "refund", body)
        return Moved(provider_id=read(RefundAnswer, answer).refund_id, raw=raw(answer))

    # -- HTTP ---------------------------------------------------------------------------------

    async def _send(self, method: str, path: str, body: Any = None) -> Answer:
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

    async def _move(self, checkout: Checkout, verb: str, body: Any) -> Answer:
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


# -- what is sent -----------------------------------------------------------------------------


def _checkout(order: OrderToPay) -> dict[str, Any]:
    currency = order.total.currency
    body: dict[str, Any] = {
        "amount": _money(order.total),
        "consumer": _given(
            givenNames=order.customer.first_name[:128], surname=order.customer.last_name[:128],
            email=order.customer.email, phoneNumber=order.customer.phone[:32],
        ),
        # Afterpay says itself which way the shopper came, so both ways lead to the same plain address.
        "merchant": {"redirectConfirmUrl": order.return_url, "redirectCancelUrl": order.return_url},
        "merchantReference": order.reference,
        "purchaseCountry": order.country,
        "items": _items(order.items, currency),
        "taxAmount": _money(Money(order.tax, currency)),
        "shippingAmount": _money(Money(order.shipping, currency)),
    }  # fmt: skip
    for name, address in (("billing", order.billing), ("shipping", order.delivery)):
        contact = _contact(address) if address else None
        if contact:
            body[name] = contact
    if order.discount:
        body["discounts"] = [{"displayName": "Discount", "amount": _money(Money(order.discount, currency))}]
    if order.additional_data.get("description"):
        body["description"] = str(order.additional_data["description"])[:256]
    return body


def _contact(address: Address) -> dict[str, str] | None:
    """An address as Afterpay wants it; None when it lacks what Afterpay demands of one (an address is optional)."""
    contact = _given(
        name=f"{address.first_name} {address.last_name}".strip()[:255], line1=address.street[:128],
        line2=address.street2[:128], area1=address.city[:128], region=(address.state or address.region)[:128],
        postcode=address.postal_code[:128], countryCode=address.country, phoneNumber=address.phone[:32],
    )  # fmt: skip
    return contact if {"name", "line1", "postcode", "countryCode"} <= contact.keys() else None


def _items(items: tuple[Item, ...], currency: str) -> list[dict[str, Any]]:
    """The lines, at most 100: what is more goes together as the last one."""
    if len(items) > _MAX_ITEMS:
        shown, rest = items[: _MAX_ITEMS - 1], items[_MAX_ITEMS - 1 :]
        total = sum((item.total for item in rest), Decimal(0))
        items = (*shown, Item(name=f"{len(rest)} further lines", quantity=1, unit_price=total, total=total))
    return [_item(item, currency) for item in items]


def _item(item: Item, currency: str) -> dict[str, Any]:
    exact = fits(item.unit_price, minor_units(currency)) and item.unit_price * item.quantity == item.total
    quantity, price = (item.quantity, item.unit_price) if exact else (1, item.total)
    line: dict[str, Any] = {"name": item.name[:255], "quantity": quantity, "price": _money(Money(price, currency))}
    return {**line, "sku": item.sku[:128]} if item.sku else line


def _money(money: Money) -> dict[str, str]:
    try:
        return {"amount": money.text, "currency": money.currency}
    except InexactAmount as no:
        raise Refused(str(no), "inexact_amount") from no


def _given(**fields: str) -> dict[str, str]:
    return {name: text for name, text in fields.items() if text}


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
