"""PayPal: orders v2 behind PayPal's page, payments v2, accounts saved with a purchase.

Nothing is paid until we confirm: the shopper agrees on PayPal's page, and `confirm` captures the order or authorises
it (`intent`). Only one capture or authorisation comes of an order, so a repeated confirm finds ORDER_ALREADY_…; before
the shopper agreed it is answered ORDER_NOT_APPROVED. Every call that moves money carries our key as
`PayPal-Request-Id`, kept for 6 hours for orders and 45 days for payments. An authorisation is captured in parts, each
a capture of its own, and a refund belongs to one capture: what no single capture holds is refunded from several, all
marked with the operation's key. Amounts are decimal strings, without decimals for HUF, JPY and TWD. Events are signed
by a certificate that only a call can check, so each leads to asking.
Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from urllib.parse import quote

from pydantic import ValidationError

from paymux.connectors.bearer import Bearer, Granted
from paymux.connectors.contract import (
    Account,
    Ask,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Expired,
    Incoming,
    Move,
    Moved,
    MoveResult,
    MoveStatus,
    NotThere,
    OrderToPay,
    Pending,
    Redirect,
    Refused,
    Report,
    Underway,
)
from paymux.connectors.paypal import requests
from paymux.connectors.paypal.answers import (
    AccessToken,
    Authorization,
    Capture,
    Event,
    Order,
    Refund,
    Webhook,
    Webhooks,
    capture_named,
    mark_of,
    refusal,
)
from paymux.connectors.paypal.reports import move_of_capture, refundable, report_of, spread
from paymux.connectors.paypal.requests import Body, EventType
from paymux.connectors.provider_http import ProviderHttp, basic
from paymux.connectors.reading import decided, raw, read
from paymux.platform.http import Answer, NotSent, Unclear

_ORDERS, _WEBHOOKS = "/v2/checkout/orders", "/v1/notifications/webhooks"
_NOT_YET = frozenset({"ORDER_NOT_APPROVED", "PAYER_ACTION_REQUIRED"})
_DONE_BEFORE = frozenset({"ORDER_ALREADY_CAPTURED", "ORDER_ALREADY_AUTHORIZED"})
_WAITS_FOR_THE_SHOPPER = frozenset({"CREATED", "PAYER_ACTION_REQUIRED"})
# The payer or his means of payment won't do: a decline, not an error of the account or of what we sent.
_DECLINES = frozenset({
    "AGREEMENT_ALREADY_CANCELLED", "BILLING_AGREEMENT_NOT_FOUND", "COMPLIANCE_VIOLATION",
    "DECLINED_DUE_TO_RELATED_TXN", "DOMESTIC_TRANSACTION_REQUIRED", "INSTRUMENT_DECLINED",
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED", "PAYEE_BLOCKED_TRANSACTION", "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "PAYER_ACCOUNT_RESTRICTED", "PAYER_CANNOT_PAY", "PAYPAL_TRANSACTION_ID_EXPIRED",
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING", "TOKEN_EXPIRED", "TOKEN_ID_NOT_FOUND", "TRANSACTION_BLOCKED_BY_PAYEE",
    "TRANSACTION_LIMIT_EXCEEDED", "TRANSACTION_REFUSED",
})  # fmt: skip
_EVENTS = (
    "CHECKOUT.ORDER.APPROVED", "PAYMENT.AUTHORIZATION.CREATED", "PAYMENT.AUTHORIZATION.VOIDED",
    "PAYMENT.CAPTURE.COMPLETED", "PAYMENT.CAPTURE.DENIED", "PAYMENT.CAPTURE.PENDING", "PAYMENT.CAPTURE.REFUNDED",
    "PAYMENT.CAPTURE.REVERSED",
)  # fmt: skip


class PayPal(Connector):
    """PayPal's checkout with immediate or deferred capture."""

    def __init__(self, account: Account, http: ProviderHttp) -> None:
        super().__init__(account, http)
        identity = (self.url("/v1/oauth2/token"), self.credentials["client_id"], self.credentials["client_secret"])
        self._bearer = Bearer(http, identity, self._grant)

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open an order that the shopper has to agree to; the same key opens the same one for 6 hours."""
        body = requests.order_body(order, requests.wallet(order))
        opened = read(Order, await self._made("POST", _ORDERS, body, key))
        if not opened.page.startswith(("https://", "http://")):
            raise Unclear("the order has no page to send the shopper to")
        return Redirect(url=opened.page, session=opened.id)

    async def charge_token(self, order: OrderToPay, token: str, key: str) -> Report:
        """An order that a saved account pays: PayPal completes it in the answer."""
        answer = await self._answered("POST", _ORDERS, requests.order_body(order, requests.saved(order, token)), key)
        if answer.status >= 400:
            return _declined(answer)
        made = read(Order, answer)
        if made.status in _WAITS_FOR_THE_SHOPPER:
            return Declined(session=made.id, reason="PayPal wants the shopper to agree again", code=made.status)
        return report_of(made, answer, _checkout_of(order, made.id))

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """PayPal adds `token` (the order) and `PayerID` to our addresses, unsigned."""
        via = query.get("via")
        agreed = via == "success" and bool(query.get("PayerID"))
        return Ask(session=query.get("token") or None, approved=agreed, left=via == "cancel")

    async def fetch(self, checkout: Checkout) -> Report:
        """The order with all its payments."""
        answer = await self._made("GET", _order(checkout))
        return report_of(read(Order, answer), answer, checkout)

    def verify_event(self, event: Incoming) -> str | None:
        """The event's id, by which a repeat is known. PayPal's signature is not looked at: only a call could check it."""
        try:
            return Event.model_validate_json(event.body).id
        except ValidationError:
            return None

    def read_event(self, event: Incoming) -> EventReading:
        """Which order an event is about: by its order id, by the payment, or by our own mark."""
        told = Event.model_validate_json(event.body)
        resource, kind = told.resource, told.resource_type.lower()
        session = resource.supplementary_data.related_ids.order_id
        if kind == "checkout-order":
            session = resource.id or session
        payment, reference = resource.id or None, resource.custom_id
        if kind == "refund":
            payment = capture_named(resource.links)
            mark = mark_of(reference)
            reference = mark["reference"] if mark else reference
        if not (session or payment or reference):
            raise ValueError("the event names no order")
        return EventReading(session=session, payment_id=payment, reference=reference)

    async def check(self) -> str:
        """List the app's webhooks, which needs an access token for the credentials."""
        hooks = read(Webhooks, await self._made("GET", _WEBHOOKS))
        return f"PayPal granted an access token; the app has {len(hooks.webhooks)} webhooks"

    async def set_up_events(self, url: str) -> None:
        """Register our address for the events of orders and payments; one with other events is corrected."""
        names: list[EventType] = [{"name": name} for name in _EVENTS]
        hooks = read(Webhooks, await self._made("GET", _WEBHOOKS)).webhooks
        ours = next((hook for hook in hooks if hook.url == url), None)
        told = {kind.name for kind in ours.event_types} if ours else set()
        if ours is None:
            read(Webhook, await self._made("POST", _WEBHOOKS, {"url": url, "event_types": names}))
        elif "*" not in told and not told.issuperset(_EVENTS):
            change: Body = [{"op": "replace", "path": "/event_types", "value": names}]
            await self._made("PATCH", f"{_WEBHOOKS}/{quote(ours.id, safe='')}", change)

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Capture or authorise the order. A shopper who has not agreed yet leaves it Pending, with no effect."""
        verb = "capture" if checkout.auto_capture else "authorize"
        answer = await self._answered("POST", f"{_order(checkout)}/{verb}", {}, key)
        if answer.status < 300:
            return report_of(read(Order, answer), answer, checkout)
        no = refusal(answer)
        if no.code in _NOT_YET:
            return Pending(reason=no.reason)
        if no.code in _DONE_BEFORE:
            return await self.fetch(checkout)
        if isinstance(no, NotThere) or no.code == "ORDER_EXPIRED":
            return Expired(reason=no.reason, raw=raw(answer))
        return _declined(answer)

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture a part or all of what is authorised."""
        path = f"/v2/payments/authorizations/{quote(checkout.payment, safe='')}/capture"
        answer = await self._made("POST", path, requests.capture_body(move), move.key)
        capture = move_of_capture(read(Capture, answer))
        if capture.status is MoveStatus.FAILED:
            raise Refused(capture.reason, "DECLINED")
        result = Moved if capture.status is MoveStatus.DONE else Underway
        return result(provider_id=capture.provider_id, raw=raw(answer))

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Void the authorisation with all that is left of it. A second void is refused as PREVIOUSLY_VOIDED."""
        path = f"/v2/payments/authorizations/{quote(checkout.payment, safe='')}/void"
        answer = await self._made("POST", path, None, move.key)
        if answer.status != 204 and read(Authorization, answer).status != "VOIDED":
            raise Unclear("the authorization is not voided")
        return Moved(provider_id=f"{checkout.payment}/void")

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund captured money: from the sale's one capture, else from as many as it takes."""
        if checkout.auto_capture:
            return _refunded([await self._refund(checkout.payment, checkout, move, move.amount.amount, move.key)], move)
        payments = (await self._before(checkout)).unit.payments
        done = [refund for refund in payments.refunds if refund.key == move.key and not refund.refused]
        rest = move.amount.amount - sum((refund.amount.value for refund in done), Decimal(0))
        parts = spread(replace(move.amount, amount=rest), refundable(payments))
        if rest > 0 and not parts:
            raise Refused("no capture holds that much any more", "REFUND_AMOUNT_EXCEEDED")
        for capture, part in parts.items():
            key = move.key if len(parts) == 1 and not done else f"{move.key}.{capture}"
            try:
                done.append(await self._refund(capture, checkout, move, part, key))
            except (Refused, NotSent) as no:
                if not done:
                    raise
                # A first part has moved: neither a refusal nor a call that never left is true of the whole.
                raise Unclear(f"refunded in part, then not: {no}") from no
        return _refunded(done, move)

    async def _refund(self, capture: str, checkout: Checkout, move: Move, part: Decimal, key: str) -> Refund:
        path = f"/v2/payments/captures/{quote(capture, safe='')}/refund"
        refund = read(Refund, await self._made("POST", path, requests.refund_body(move, part, checkout.reference), key))
        if refund.refused:
            raise Refused("PayPal refused the refund", refund.status)
        return refund

    async def _before(self, checkout: Checkout) -> Order:
        """The order, read before the call that counts. Raises NotSent for a fault: that call never left."""
        try:
            return read(Order, await self._made("GET", _order(checkout)))
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault

    # -- HTTP ---------------------------------------------------------------------------------

    async def _grant(self) -> Granted:
        headers = {"Authorization": basic(self.credentials["client_id"], self.credentials["client_secret"])}
        form: requests.TokenRequest = {"grant_type": "client_credentials"}
        answer = decided(await self.http.prepare("POST", self.url("/v1/oauth2/token"), headers=headers, form=form))
        if answer.status >= 400:
            raise refusal(answer)
        try:
            granted = read(AccessToken, answer)
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault
        return Granted(granted.access_token, granted.expires_in)

    async def _answered(self, method: str, path: str, body: Body = None, key: str = "") -> Answer:
        """Send; return 2xx and clear 4xx. Raises Unclear for 409: a first try of the same still runs."""
        headers = {"Prefer": "return=representation", "PayPal-Request-Id": key} if key else {}
        if body is None and method == "POST":
            headers["Content-Type"] = "application/json"
        answer = decided(await self._bearer.send(method, self.url(path), headers=headers, json=body))
        if answer.status == 409:
            raise Unclear("answer 409")
        return answer

    async def _made(self, method: str, path: str, body: Body = None, key: str = "") -> Answer:
        answer = await self._answered(method, path, body, key)
        if answer.status >= 400:
            raise refusal(answer)
        return answer


def _order(checkout: Checkout) -> str:
    return f"{_ORDERS}/{quote(checkout.session, safe='')}"


def _checkout_of(order: OrderToPay, session: str) -> Checkout:
    """What a charged order is read against: it was its own checkout."""
    return Checkout(
        session=session, reference=order.reference, total=order.total, auto_capture=order.auto_capture,
        get_token=order.get_token, country=order.country, locale=order.locale, expires_at=order.expires_at,
        order_id=order.id,
    )  # fmt: skip


def _declined(answer: Answer) -> Declined:
    """The payer was refused. Raises Refused for any other no."""
    no = refusal(answer)
    if no.code not in _DECLINES:
        raise no
    return Declined(reason=no.reason, code=no.code, raw=raw(answer))


def _refunded(refunds: list[Refund], move: Move) -> MoveResult:
    if sum((refund.amount.value for refund in refunds), Decimal(0)) != move.amount.amount:
        raise Unclear("the refunds do not come to what was asked for")
    done = all(refund.status == "COMPLETED" for refund in refunds)
    return (Moved if done else Underway)(provider_id=refunds[0].id)
