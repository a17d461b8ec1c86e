"""Sezzle, API v2.

A session opens an order; its uuid is what everything after goes by. The intent decides what the shopper's consent
is: with CAPTURE Sezzle takes the whole amount at once, with AUTH it holds it for half an hour, or for as long as
the merchant has set, up to seven days. So nothing has to be confirmed. The shopper's return is unsigned; webhooks
are signed with the private key, and each makes us ask. Captures, releases and refunds are made once per
`Sezzle-Request-Id`, and listed by the order without it. Access tokens last for two hours. A shopper who lets the
shop charge him again becomes a customer, whose uuid pays later orders; his consent is read by the session's
token, never from the return. Errors are lists. Amounts are minor units. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
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
    Expired,
    Forged,
    Incoming,
    Move,
    Moved,
    MoveResult,
    OrderToPay,
    Paid,
    Pending,
    ProviderToken,
    Redirect,
    Refused,
    Report,
)
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.reading import raw, read
from paymux.connectors.sezzle import answers, requests
from paymux.connectors.sezzle.answers import Authorization, Order, refusal, total
from paymux.connectors.signing import hmac_base64, hmac_hex, same
from paymux.platform.database import from_json
from paymux.platform.http import Answer, CallFailed, NotSent, Unclear

_EVENTS: list[requests.EventName] = ["order.authorized", "order.captured", "order.refunded"]
_TOKEN_LIFE = 7200.0


class Sezzle(Connector):
    """Sezzle's hosted checkout, captured at once or later, and orders by a customer who agreed before."""

    def __init__(self, account: Account, http: ProviderHttp) -> None:
        super().__init__(account, http)
        identity = (self.url(""), self.credentials["public_key"], self.credentials["private_key"])
        self._bearer = Bearer(http, identity, self._grant)

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a session. It has no idempotency key; an order that nobody agreed to moves nothing."""
        answer = await self._send("POST", "/session", requests.session(order))
        opened = read(answers.Session, answer)
        state = {"tokenize": opened.tokenize.token} if opened.tokenize else {}
        return Redirect(url=opened.order.checkout_url, session=opened.order.uuid, state=state)

    async def charge_token(self, order: OrderToPay, token: str, key: str) -> Report:
        """Make an order for a customer. It is answered 200 even where Sezzle does not approve of it."""
        path = f"/customer/{quote(token, safe='')}/order"
        answer = await self._send("POST", path, requests.customer_order(order), key)
        made = read(Order, answer)
        if made.authorization is None or not made.authorization.approved:
            return Declined(
                reason="Sezzle does not approve of the order", code="not_approved", session=made.uuid,
                reference=made.reference_id, raw=raw(answer),
            )  # fmt: skip
        return _paid(made, made.authorization, answer)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Only our own hint on which way he came back: Sezzle signs nothing, and `customer-uuid` is not believed."""
        return Ask.by_address(query)

    async def fetch(self, checkout: Checkout) -> Report:
        """The order; of one that was paid, and is to bring a token, the customer, too."""
        answer = await self._send("GET", f"/order/{quote(checkout.payment, safe='')}")
        order = read(Order, answer)
        if order.authorization is None or not order.authorization.approved:
            return _unpaid(order, answer)
        consent = await self._consent(checkout) if checkout.get_token else {}
        return _paid(order, order.authorization, answer, **consent)

    async def _consent(self, checkout: Checkout) -> dict[str, Any]:
        """The customer that the shopper became, if he agreed to be charged later. A payment never waits for it."""
        token = checkout.state.get("tokenize")
        if token is None:
            return {"token_failure": "Sezzle opened the session without a token"}
        try:
            said = read(answers.SessionToken, await self._send("GET", f"/token/{quote(token, safe='')}/session"))
        except Refused as no:
            return {"token_failure": no.reason}
        except CallFailed:
            return {}
        if said.customer is None:
            return {"token_failure": "the shopper did not agree to be charged later"}
        return {"token": ProviderToken(value=said.customer.uuid, expires_at=said.customer.expiration)}

    def verify_event(self, event: Incoming) -> str | None:
        """Check the signature over the raw body, in hexadecimal or base64; the webhook's uuid."""
        key, said = self.credentials["private_key"], event.headers.get("sezzle-signature")
        if not any(same(said, expected) for expected in (hmac_hex(key, event.body), hmac_base64(key, event.body))):
            raise Forged("wrong signature")
        name = from_json(event.body).get("uuid")
        return name if isinstance(name, str) else None

    def read_event(self, event: Incoming) -> EventReading:
        """The order that a webhook is about. Raises ValueError for what is about none (a customer, a dispute)."""
        told = answers.Event.model_validate(from_json(event.body))
        if told.data_type != "order":
            raise ValueError(f"{told.event} is about no order")
        return EventReading(session=told.data.uuid)

    async def check(self) -> str:
        """List the webhooks, which needs both keys."""
        return f"read the webhooks of the account: {len(await self._webhooks())} registered"

    # -- moving money -------------------------------------------------------------------------

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture a part or all, as often as wanted."""
        body: requests.Capture = {"capture_amount": requests.price(move.amount)}
        return await self._move(checkout, "capture", body, move.key)

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Release a part or all of what is not captured yet."""
        return await self._move(checkout, "release", requests.price(move.amount), move.key)

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all of what was captured."""
        return await self._move(checkout, "refund", requests.price(move.amount), move.key)

    async def _move(
        self, checkout: Checkout, verb: str, body: requests.Capture | requests.Price, key: str
    ) -> MoveResult:
        answer = await self._send("POST", f"/order/{quote(checkout.payment, safe='')}/{verb}", body, key)
        return Moved(provider_id=read(answers.Moved, answer).uuid, raw=raw(answer))

    async def cancel_checkout(self, checkout: Checkout) -> None:
        """Delete the checkout of an order that nobody agreed to yet."""
        await self._send("DELETE", f"/order/{quote(checkout.session, safe='')}/checkout")

    # -- webhooks -----------------------------------------------------------------------------

    async def set_up_events(self, url: str) -> None:
        """Subscribe our URL to the events of orders, once."""
        ours = [hook for hook in await self._webhooks() if hook.url == url]
        wanted: requests.NewWebhook = {"url": url, "events": _EVENTS}
        if not ours:
            await self._send("POST", "/webhooks", wanted)
        elif not any(set(_EVENTS) <= set(hook.events or ()) for hook in ours):
            await self._send("PATCH", f"/webhooks/{quote(ours[0].uuid, safe='')}", wanted)

    async def _webhooks(self) -> list[answers.Webhook]:
        return read(answers.WebhookList, await self._send("GET", "/webhooks")).root or []

    # -- HTTP ---------------------------------------------------------------------------------

    async def _send(
        self, method: str, path: str, body: Mapping[str, object] | None = None, key: str | None = None
    ) -> Answer:
        """Send with an access token; return 2xx. Raises Refused for 4xx, Unclear for anything else."""
        headers = {"Sezzle-Request-Id": key} if key else {}
        answer = await self._bearer.send(method, self.url(path), headers=headers, json=body)
        if 200 <= answer.status < 300:
            return answer
        # 409 could say that the first try of this request still runs.
        if answer.status == 409 or not 400 <= answer.status < 500:
            raise Unclear(f"answer {answer.status}")
        raise refusal(answer)

    async def _grant(self) -> Granted:
        keys: requests.Authentication = {
            "public_key": self.credentials["public_key"], "private_key": self.credentials["private_key"],
        }  # fmt: skip
        answer = await self.http.prepare("POST", self.url("/authentication"), json=keys)
        if 400 <= answer.status < 500:
            raise refusal(answer)
        try:
            return Granted(read(answers.AccessToken, answer).token, _TOKEN_LIFE)
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault


# -- what is read -----------------------------------------------------------------------------


def _unpaid(order: Order, answer: Answer) -> Report:
    said: dict[str, Any] = {"session": order.uuid, "reference": order.reference_id, "raw": raw(answer)}
    if order.checkout_status == "denied":
        return Declined(reason="Sezzle denied the shopper", code="denied", **said)
    if order.checkout_status == "deleted":
        return Expired(reason="the checkout expired or was deleted", **said)
    completed = order.checkout_status != "active"
    return Pending(reason=f"the checkout is {order.checkout_status}", completed=completed, **said)


def _paid(order: Order, held: Authorization, answer: Answer, **more: Any) -> Paid:
    """An approved order. What its lists leave out is told by its intent and its checkout's end."""
    amount = held.authorization_amount
    if amount is None:
        raise Unclear("an approved order without its amount")
    at_once = held.captures is None and order.intent == "CAPTURE"
    captured, voided = total(held.captures), total(held.releases)
    gone = order.checkout_status == "deleted" and not at_once
    return Paid(
        session=order.uuid, reference=order.reference_id, raw=raw(answer), payment_id=order.uuid, total=amount.money,
        captured=None if at_once else captured, voided=voided, refunded=total(held.refunds), moves=held.moves,
        expired=max(amount.money.amount - captured - voided, Decimal(0)) if gone else Decimal(0),
        authorised_until=held.expiration, **more,
    )  # fmt: skip
