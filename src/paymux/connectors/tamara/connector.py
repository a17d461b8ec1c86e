"""Tamara's online checkout.

A checkout makes its order at once: the order's id is what every later call and event names, so it is the checkout's
`session`. The shopper's consent only makes the order `approved`; it is paid when we authorise it, within 72 hours,
and Tamara settles nothing that is not captured. Nothing has an idempotency key. An order is authorised once: a second
call is answered 409, and the order's status tells why. Captures and cancels are sent for the whole order, which takes
either once only. Events carry a token that proves their sender but not their body, so they lead to asking.
Amounts are JSON numbers in major units. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from paymux.connectors.contract import (
    Approved,
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
    Redirect,
    Report,
)
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.tamara import reports, requests
from paymux.connectors.tamara.answers import (
    Authorisation,
    Canceled,
    Captured,
    OpenCheckout,
    Order,
    Refunded,
    read_event,
    read_payment_types,
    refusal,
)
from paymux.connectors.tamara.requests import MAX_DESCRIPTION, Body, checkout_of, money_of
from paymux.platform.http import Answer, Unclear


class Tamara(Connector):
    """Tamara's hosted checkout with authorise, capture, cancel and refund."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a checkout. Create has no idempotency key at Tamara; an unused checkout just expires."""
        answer = _accepted(await self._send("POST", "/checkout", checkout_of(order)))
        opened = read(OpenCheckout, answer)
        if not opened.checkout_url.startswith(("https://", "http://")):
            raise Unclear("the checkout has no address to send the shopper to")
        return Redirect(url=opened.checkout_url, session=opened.order_id, state={"checkout_id": opened.checkout_id})

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """All of it is unsigned: which address he was sent to is a hint only, and the order tells whether he agreed."""
        return Ask.by_address(query, query.get("orderId") or None)

    async def fetch(self, checkout: Checkout) -> Report:
        """The order, which exists from create on."""
        answer = _accepted(await self._send("GET", f"/merchants/orders/{_id(checkout)}"))
        return reports.of_order(read(Order, answer), raw(answer), authorised=checkout.payment_id is not None)

    def verify_event(self, event: Incoming) -> str | None:
        """The token must be a JWT signed by HS256 under the notification token. Tamara gives its events no id."""
        scheme, _, token = event.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            token = event.query.get("tamaraToken", "")
        secret = self.credentials["notification_token"]
        try:
            # An empty key would sign for everybody.
            if not secret:
                raise Forged("the account has no notification token")
            jws.deserialize_compact(token.strip(), OctKey.import_key(secret.encode()), algorithms=["HS256"])
        except (JoseError, ValueError) as fault:
            raise Forged("the token is missing or not signed with the notification token") from fault
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """The token does not cover the body, so it only names the order to ask about."""
        said = read_event(event.body)
        return EventReading(session=said.order_id, payment_id=said.order_id, reference=said.order_reference_id)

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Authorise the order. One that can't be authorised (409) tells by its status what it is instead."""
        path = f"/orders/{_id(checkout)}/authorise"
        answer = decided(await self._send("POST", path, {"order_id": checkout.session}))
        if answer.status != 409:
            return reports.of_authorisation(read(Authorisation, _accepted(answer)), raw(answer))
        report = await self.fetch(checkout)
        if isinstance(report, Approved):
            raise Unclear("an approved order could not be authorised")
        return report

    async def recover_confirm(self, checkout: Checkout, key: str) -> Report | None:
        """An order that is still `approved` was not authorised; any other status settles it."""
        report = await self.fetch(checkout)
        return None if isinstance(report, Approved) else report

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture the order. The official SDK always tells when and by whom it was shipped."""
        body: requests.Capture = {
            "order_id": checkout.payment,
            "total_amount": money_of(move.amount),
            "shipping_info": {"shipped_at": datetime.now(UTC).isoformat(timespec="seconds"), "shipping_company": "N/A"},
        }
        answer = _accepted(await self._send("POST", "/payments/capture", body))
        done = read(Captured, answer)
        return _moved(done.order_id, done.capture_id, checkout, answer)

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Cancel the order, which is possible until anything of it is captured."""
        body: requests.Cancel = {"total_amount": money_of(move.amount)}
        answer = _accepted(await self._send("POST", f"/orders/{_id(checkout)}/cancel", body))
        done = read(Canceled, answer)
        if done.status != "canceled":
            raise Unclear(f"the cancelled order is {done.status[:64]}")
        return _moved(done.order_id, done.cancel_id, checkout, answer)

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund captured money, a part or all."""
        body: requests.Refund = {
            "total_amount": money_of(move.amount),
            "comment": (move.description or f"Refund {move.reference}")[:MAX_DESCRIPTION],
            "merchant_refund_id": move.key,
        }
        answer = _accepted(await self._send("POST", f"/payments/simplified-refund/{_id(checkout)}", body))
        done = read(Refunded, answer)
        return _moved(done.order_id, done.refund_id, checkout, answer)

    # -- the rest -----------------------------------------------------------------------------

    async def check(self) -> str:
        """List the ways to pay that the account offers in the code's country."""
        query = urlencode({"country": self.code.countries[0], "currency": self.code.currencies[0]})
        types = read_payment_types(_accepted(await self._send("GET", f"/checkout/payment-types?{query}")))
        names = [
            f"{one.name} from {one.min_limit.amount if one.min_limit else '?'}"
            f" to {one.max_limit.amount if one.max_limit else '?'}"
            for one in types
        ]
        return f"read the ways to pay in {self.code.countries[0]}: {', '.join(names) or 'none'}"

    async def _send(self, method: str, path: str, body: Body = None) -> Answer:
        headers = {"Authorization": f"Bearer {self.credentials['api_token']}"}
        return await self.http.send(method, self.url(path), headers=headers, json=body)


def _id(checkout: Checkout) -> str:
    return quote(checkout.payment, safe="")


def _accepted(answer: Answer) -> Answer:
    """A 2xx answer. Raises Refused for a 4xx and Unclear for what Tamara never answers."""
    if decided(answer).status >= 400:
        raise refusal(answer)
    return answer


def _moved(order_id: str, provider_id: str, checkout: Checkout, answer: Answer) -> Moved:
    if order_id != checkout.payment:
        raise Unclear("the answer names another order")
    return Moved(provider_id=provider_id, raw=raw(answer))
