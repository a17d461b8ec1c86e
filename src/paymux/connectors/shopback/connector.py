"""ShopBack Pay and PayLater, Online Payments API 2.0; hoolah's merchants are served by the same one.

An order is initiated, the shopper agrees on ShopBack's page, and it is paid: there is nothing to confirm or to
capture. The page is opened by the public `orderContextToken`; the `orderUuid`, which only ShopBack and the merchant
know, is what everything after goes by. Notifications are not signed and the return says nothing: both make us ask,
and the order's status decides. It names our reference, but neither an amount nor refunds; only a wholly refunded
order says so. Each request is done once per `X-ShopBack-Idempotent-Id`. A new token is fetched for each call, as
ShopBack advises; one that is not valid any more is refused with 412, like much else. Amounts are JSON numbers in major
units. Tokenized payments need a page inside of an app that sends a header, so they are not for a browser, and not
here. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from paymux.connectors.contract import (
    Ask,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    EventReading,
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
    Underway,
)
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.shopback import requests
from paymux.connectors.shopback.answers import AccessToken, Opened, Order, RefundRequest, Told, refusal
from paymux.platform.database import from_json
from paymux.platform.http import Answer, NotSent, Unclear

_PAID, _REFUNDED = "APPROVED", "REFUNDED"
# With a 409 or one of these codes ShopBack knows such a request from before: what became of it, it does not say.
_KNOWN_BEFORE = frozenset({"duplicated_request", "in_process"})
_LONGEST_DESCRIPTION = 1024


class Shopback(Connector):
    """ShopBack's checkout, paid once the shopper agreed."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Initiate an order, which moves no money."""
        wanted = requests.new_order(order, self.credentials.get("store_uuid", ""))
        opened = read(Opened, await self._made("POST", "/order/initiate", wanted, key))
        page = {"ORDER_CONTEXT_TOKEN": opened.order_context_token, "platform": "bespoke", "version": "1.0.1"}
        return Redirect(url=self.url(f"/paylater?{urlencode(page)}", "checkout"), session=opened.order_uuid)

    async def check(self) -> str:
        """Log in, which moves nothing."""
        await self._login()
        return "ShopBack granted an access token for the merchant ID and its secret"

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Which of our two addresses the shopper came to, unsigned: paid, or failed for whatever reason."""
        via = query.get("via")
        return Ask(completed=via == "success", left=via == "failure")

    async def fetch(self, checkout: Checkout) -> Report:
        """How the order stands."""
        answer = await self._made("GET", _path(checkout.session))
        return _report(read(Order, answer), answer, checkout)

    def read_event(self, event: Incoming) -> EventReading:
        """The order that a notification is about: a reason to ask. Raises ValueError."""
        return EventReading(session=Told.model_validate(from_json(event.body)).order_uuid)

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Request a refund of a part or all.

        ShopBack accepts it first. Once all is refunded the order says so, and is asked; of a part nothing tells
        afterwards, so one counts as soon as it is accepted, as in ShopBack's own modules.
        """
        about = (move.description or move.reference)[:_LONGEST_DESCRIPTION]
        body: requests.Refund = {"amount": requests.number(move.amount), "description": about}
        answer = await self._made("POST", f"{_path(checkout.session)}/refund", body, move.key)
        done = read(RefundRequest, answer)
        whole = move.amount == checkout.total
        if done.status == "ACCEPTED" and whole:
            return Underway(provider_id=done.request_id, raw=raw(answer))
        if done.status in ("ACCEPTED", "DONE"):
            return Moved(provider_id=done.request_id or move.key, raw=raw(answer))
        if done.status in ("REJECTED", "FAILED") and done.code not in _KNOWN_BEFORE:
            raise Refused(done.message or f"ShopBack's answer to the refund is {done.status}", done.code or done.status)
        raise Unclear(f"ShopBack calls the refund {done.status[:32]} ({(done.code or 'no code')[:32]})")

    # -- HTTP ---------------------------------------------------------------------------------

    async def _made(
        self, method: str, path: str, body: Mapping[str, object] | None = None, key: str | None = None
    ) -> Answer:
        """Send with a new token; return 2xx. Raises Refused for a clear no."""
        headers = {"Authorization": f"Bearer {await self._login()}"}
        if key is not None:
            headers["X-ShopBack-Idempotent-Id"] = key
        answer = decided(await self.http.send(method, self.url(path), headers=headers, json=body))
        if answer.status < 300:
            return answer
        no = refusal(answer, of_an_order=path != "/order/initiate")
        if answer.status == 409 or no.code in _KNOWN_BEFORE:
            raise Unclear(f"ShopBack knows such a request from before: {no.reason}")
        raise no

    async def _login(self) -> str:
        keys: requests.Login = {
            "username": self.credentials["merchant_id"], "password": self.credentials["merchant_secret"],
        }  # fmt: skip
        answer = await self.http.prepare("POST", self.url("/auth/login"), json=keys)
        if answer.status == 401:
            raise Refused("ShopBack does not accept the merchant ID with this secret", "401")
        if 400 <= answer.status < 500:
            raise refusal(answer, of_an_order=False)
        try:
            return read(AccessToken, decided(answer)).token
        except Unclear as fault:
            raise NotSent(f"while logging in: {fault}") from fault


def _path(uuid: str) -> str:
    return f"/order/{quote(uuid, safe='')}"


# -- what is read -----------------------------------------------------------------------------


def _report(order: Order, answer: Answer, checkout: Checkout) -> Report:
    """What a status says; a word that is not documented is asked about again."""
    said: dict[str, Any] = {"session": order.uuid, "reference": order.reference, "raw": raw(answer)}
    if order.status in (_PAID, _REFUNDED):
        captured = order.total.amount if order.total else None
        # REFUNDED names no amount: nothing is left, so it is all that was paid.
        refunded = (order.total or checkout.total).amount if order.status == _REFUNDED else None
        return Paid(payment_id=order.uuid, total=order.total, captured=captured, refunded=refunded, **said)
    if order.status == "REJECTED":
        return Declined(reason="ShopBack rejected the order", code=order.status, **said)
    if order.status == "CANCELLED":
        return Cancelled(reason="the order was cancelled at ShopBack", **said)
    return Pending(reason=f"the order is {order.status[:64]}", **said)
