"""Mastercard Gateway's REST API, version 100: a payment link opens the hosted page that otherwise needs its script.

An order at the gateway has the ID that the merchant gives it, and IDs are used by every other system of the merchant,
too: so it gets our own order's ID, which is the session of T1, and the merchant's reference beside it. The order
exists once somebody has tried to pay; until then asking for it is answered with an error. A link stays payable after a
decline, so only its expiry, the order's deadline, ends it.
Every movement is a transaction under an ID that we choose, the operation's key, and the order lists them all.
What was authorised is read from the transaction, never from what the order was meant to be.
The notification proves its sender by a secret only, and not its content: it leads to asking.
Sources: see provider.toml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from paymux.connectors.contract import (
    Ask,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Forged,
    Incoming,
    Move,
    Moved,
    MoveKind,
    MoveResult,
    MoveStatus,
    NotThere,
    OrderToPay,
    Paid,
    Pending,
    ProviderMove,
    Redirect,
    Refused,
    Report,
    Underway,
)
from paymux.connectors.mpgs import requests
from paymux.connectors.mpgs.answers import FAILURE, PENDING, SUCCESS, Opened, Order, Told, Transaction, refusal
from paymux.connectors.provider_http import basic
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.signing import same
from paymux.money import Money
from paymux.platform.http import Answer, Unclear

_VERSION = 100
_GATEWAY = re.compile(r"(?:[a-z0-9-]+\.)*(?:[a-z0-9-]+-)?gateway\.mastercard\.com", re.ASCII)
_NO_ORDER = re.compile(r"unable to find order|order not found", re.IGNORECASE)
_PAYMENTS = frozenset({"AUTHORIZATION", "PAYMENT"})
_SALE = "PAYMENT"
_MOVES = {
    "CAPTURE": MoveKind.CAPTURE,
    "REFUND": MoveKind.REFUND,
    "VOID_AUTHORIZATION": MoveKind.VOID,
    # Money that was taken and then given back the same day.
    "VOID_CAPTURE": MoveKind.REFUND,
    "VOID_PAYMENT": MoveKind.REFUND,
}
_RESULTS = {SUCCESS: MoveStatus.DONE, FAILURE: MoveStatus.FAILED}


class Mpgs(Connector):
    """The gateway's hosted page by payment link: sale or authorisation, whole capture or void, refunds."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Make a payment link. A repeat makes another one for the same order."""
        merchant: requests.Merchant = {
            "name": self.credentials["merchant_name"], "url": self.credentials["merchant_url"],
        }  # fmt: skip
        answer = await self._send("POST", "/session", requests.checkout(order, merchant))
        opened = read(Opened, answer)
        if opened.result != SUCCESS:
            raise Unclear(f"the gateway made no link: {opened.result[:64]}")
        return Redirect(url=opened.payment_link.url, session=order.id, expires_at=order.expires_at)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """The return names no order and is not signed: `resultIndicator` is a hint to ask."""
        done = "resultIndicator" in query or query.get("via") == "success"
        return Ask(left=not done and query.get("via") == "cancel", completed=done)

    async def fetch(self, checkout: Checkout) -> Report:
        """The order with its transactions. One that the gateway does not know has not been tried to be paid yet."""
        try:
            answer = await self._send("GET", _order(checkout))
        except Refused as no:
            if isinstance(no, NotThere) or _NO_ORDER.search(no.reason):
                return Pending(reason="nobody has tried to pay yet")
            raise
        return _report(read(Order, answer), raw(answer))

    def verify_event(self, event: Incoming) -> str | None:
        """The header carries the profile's secret. Notifications have no ID that a source documents."""
        if not same(event.headers.get("x-notification-secret"), self.credentials["notification_secret"]):
            raise Forged("the notification secret is missing or wrong")
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """The order that a notification is about."""
        try:
            return EventReading(session=Told.model_validate_json(event.body).order.id)
        except ValidationError as fault:
            raise ValueError("the notification names no order") from fault

    # -- moving money -------------------------------------------------------------------------

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture the authorisation."""
        return await self._transact(checkout, move.key, requests.movement("CAPTURE", move))

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Void the authorisation."""
        return await self._transact(checkout, move.key, requests.void(checkout.payment, move))

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all."""
        return await self._transact(checkout, move.key, requests.movement("REFUND", move))

    async def _transact(self, checkout: Checkout, key: str, body: requests.Movement | requests.Void) -> MoveResult:
        """Make a transaction under the move's key. Raises Refused for one that failed."""
        answer = await self._send("PUT", f"{_order(checkout)}/transaction/{quote(key, safe='')}", body)
        said = read(Transaction, answer)
        if said.transaction.id != key:
            raise Unclear("the answer is about another transaction")
        if said.result == FAILURE:
            raise Refused(f"the gateway says {said.why}", said.why)
        if said.result == PENDING:
            return Underway(provider_id=key, raw=raw(answer))
        if said.result != SUCCESS:
            raise Unclear(f"the gateway says {said.result[:64]}")
        return Moved(provider_id=key, raw=raw(answer))

    # -- the rest -----------------------------------------------------------------------------

    async def check(self) -> str:
        """Ask for the profile's ways to pay."""
        await self._send("POST", "/paymentOptionsInquiry", {})
        return f"the gateway accepted the password of {self.credentials['merchant_id']}"

    async def _send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Send, and return a 2xx answer. Raises Refused for a 4xx."""
        merchant = self.credentials["merchant_id"]
        headers = {"Authorization": basic(f"merchant.{merchant}", self.credentials["api_password"])}
        url = f"{self._base()}/api/rest/version/{_VERSION}/merchant/{quote(merchant, safe='')}{path}"
        answer = decided(await self.http.send(method, url, headers=headers, json=body))
        if answer.status >= 400:
            raise refusal(answer)
        return answer

    def _base(self) -> str:
        """The gateway of the merchant's bank; a simulator stays where it is."""
        known, base = self.facts.hosts["api"], self.account.hosts["api"]
        if base not in (known.live, known.test):
            return base
        gateway = self.credentials["gateway"].strip().lower()
        if not _GATEWAY.fullmatch(gateway):
            raise Refused("the gateway's host name must end with gateway.mastercard.com", "gateway")
        return f"https://{gateway}"


def _order(checkout: Checkout) -> str:
    return f"/order/{quote(checkout.session, safe='')}"


def _report(order: Order, body: Mapping[str, Any] | None) -> Report:
    """What an order's transactions say; a failed one may be followed by another try."""
    said: dict[str, Any] = {"session": order.id, "reference": order.reference, "raw": body}
    tries = [one for one in order.transaction if one.transaction.type in _PAYMENTS]
    paid = next((one for one in tries if one.result == SUCCESS), None)
    if paid is None:
        waits = any(one.result not in (SUCCESS, FAILURE) for one in tries)
        last = f", the last one {tries[-1].why[:64]}" if tries else ""
        return Pending(reason=f"{len(tries)} tries to pay{last}", completed=waits, **said)
    amount = paid.transaction.amount
    if amount is None or not paid.transaction.currency:
        raise Unclear("a payment without amount or currency")
    moves = [move for one in order.transaction if (move := _move(one, amount)) is not None]
    captured = amount
    if paid.transaction.type != _SALE:
        done = (one for one in moves if one.kind is MoveKind.CAPTURE and one.status is MoveStatus.DONE)
        captured = sum((one.amount for one in done), Decimal(0))
    return Paid(
        payment_id=paid.transaction.id, total=Money(amount, paid.transaction.currency), captured=captured,
        moves=tuple(moves), **said,
    )  # fmt: skip


def _move(one: Transaction, authorised: Decimal) -> ProviderMove | None:
    """A capture, void or refund. A void names no amount of its own where it is that of the whole."""
    kind = _MOVES.get(one.transaction.type)
    if kind is None:
        return None
    status = _RESULTS.get(one.result, MoveStatus.UNDERWAY)
    named = one.transaction.amount
    amount = authorised if named is None or kind is MoveKind.VOID else named
    return ProviderMove(
        kind=kind, amount=amount, provider_id=one.transaction.id, status=status, key=one.transaction.id,
        reason="" if status is MoveStatus.DONE else one.why,
    )  # fmt: skip
