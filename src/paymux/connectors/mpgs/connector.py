"""Mastercard Gateway's REST API, version 100: a payment link opens the hosted page that otherwise needs its script.

An order at the gateway has the ID that the merchant gives it, and IDs are used by every other system of the merchant,
too: so it gets our own order's ID, which is the session of T1, and the merchant's reference beside it. The order
exists once somebody has tried to pay; until then asking for it is answered with an error. A link stays payable after a
decline, so only its expiry, the order's deadline, ends it.
Every movement is a transaction under an ID that we choose, the operation's key, and the order lists them all.
What was authorised is read from the transaction, never from what the order was meant to be; of a partial approval from
the order's totals. A result is no outcome yet: a SUCCESS may be partial or not final, and a FAILURE may be no answer of
the bank, so the gateway's code is read with it.
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
    Broken,
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
    WrongCredentials,
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
# Causes of an error of the gateway's own: whether the request was processed it does not say.
_OWN_FAULTS = frozenset({"SERVER_BUSY", "SERVER_FAILED"})
_FOR_TESTS = frozenset({"test", "mtf"})


class Mpgs(Connector):
    """The gateway's hosted page by payment link: sale or authorisation, whole capture or void, refunds."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Make a payment link. A repeat makes another one for the same order."""
        self._refuse_tests()
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
        report = _report(read(Order, answer), raw(answer), checkout.total.amount)
        if isinstance(report, Paid) and (fault := self._for_tests):
            return Broken(
                reason=f"the payment was made in a test: {fault}", code="test_payment", session=report.session,
                reference=report.reference, raw=report.raw,
            )  # fmt: skip
        return report

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
        """Make a transaction under the move's key. Raises Refused for one that certainly failed, Unclear where the bank
        may have done it, or only a part."""
        answer = await self._send("PUT", f"{_order(checkout)}/transaction/{quote(key, safe='')}", body)
        said = read(Transaction, answer)
        if said.transaction.id != key:
            raise Unclear("the answer is about another transaction")
        if said.status is MoveStatus.DONE:
            return Moved(provider_id=key, raw=raw(answer))
        if said.status is MoveStatus.FAILED:
            raise Refused(f"the gateway says {said.why}", said.why)
        if said.partial or said.result not in (SUCCESS, PENDING):
            raise Unclear(f"the gateway says {said.result[:64]}, {said.code[:64]}")
        return Underway(provider_id=key, raw=raw(answer))

    # -- the rest -----------------------------------------------------------------------------

    async def check(self) -> str:
        """Ask for the profile's ways to pay. Raises WrongCredentials for a profile or gateway of tests in live mode."""
        self._refuse_tests()
        await self._send("POST", "/paymentOptionsInquiry", {})
        return f"the gateway accepted the password of {self.credentials['merchant_id']}"

    def _refuse_tests(self) -> None:
        """Raises WrongCredentials where a live account's shoppers would pay nothing."""
        if self._for_tests:
            raise WrongCredentials(self._for_tests, "test_credentials")

    @property
    def _for_tests(self) -> str:
        """Why a live account takes no real money; empty where nothing says so, and for any other account."""
        merchant, gateway = self.credentials["merchant_id"].strip(), self.credentials["gateway"].strip().lower()
        if not self.account.live:
            return ""
        if merchant.upper().startswith("TEST"):
            return f"{merchant} is the merchant ID of a test profile"
        return f"{gateway} is a gateway for tests" if _FOR_TESTS & set(re.split("[.-]", gateway)) else ""

    async def _send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Send, and return a 2xx answer. Raises Refused for a 4xx, Unclear for an error of the gateway's own."""
        merchant = self.credentials["merchant_id"]
        headers = {"Authorization": basic(f"merchant.{merchant}", self.credentials["api_password"])}
        url = f"{self._base()}/api/rest/version/{_VERSION}/merchant/{quote(merchant, safe='')}{path}"
        answer = decided(await self.http.send(method, url, headers=headers, json=body))
        if answer.status >= 400:
            no = refusal(answer)
            raise Unclear(f"the gateway says {no.code}") if no.code in _OWN_FAULTS else no
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


def _report(order: Order, body: Mapping[str, Any] | None, asked: Decimal) -> Report:
    """What an order's transactions say; a failed one may be followed by another try. `asked` is what was to be paid."""
    said: dict[str, Any] = {"session": order.id, "reference": order.reference, "raw": body}
    tries = [one for one in order.transaction if one.transaction.type in _PAYMENTS]
    holding = [one for one in tries if one.status is MoveStatus.DONE] + [one for one in tries if one.partial]
    if not holding:
        waits = any(one.status is MoveStatus.UNDERWAY and one.result != FAILURE for one in tries)
        last = f", the last one {tries[-1].why[:64]}" if tries else ""
        return Pending(reason=f"{len(tries)} tries to pay{last}", completed=waits, **said)
    paid = holding[0]
    amount = order.total_authorized_amount if paid.partial else paid.transaction.amount
    if amount is None or not paid.transaction.currency:
        raise Unclear("a payment without amount or currency")
    if paid.partial and not 0 < amount < asked:
        return Pending(
            reason=f"only a part was approved, and {amount} is not what that part is", completed=True, **said
        )
    moves = [move for one in order.transaction if (move := _move(one, amount)) is not None]
    return Paid(
        payment_id=paid.transaction.id, total=Money(amount, paid.transaction.currency),
        captured=_captured(order, paid, amount, moves), moves=tuple(moves),
        review=f"the gateway holds {len(holding)} payments of this order, and one counts" if len(holding) > 1 else "",
        **said,
    )  # fmt: skip


def _captured(order: Order, paid: Transaction, amount: Decimal, moves: list[ProviderMove]) -> Decimal:
    """What was captured: a sale's amount, of a partial one the order's total; else the sum of the captures."""
    if paid.transaction.type == _SALE:
        total = order.total_captured_amount
        return amount if total is None or not paid.partial else total
    done = (one for one in moves if one.kind is MoveKind.CAPTURE and one.status is MoveStatus.DONE)
    return sum((one.amount for one in done), Decimal(0))


def _move(one: Transaction, authorised: Decimal) -> ProviderMove | None:
    """A capture, void or refund. A void names no amount of its own where it is that of the whole.

    One that was approved for a part stays under way: its amount is none that was asked for, so a person has to look.
    """
    kind = _MOVES.get(one.transaction.type)
    if kind is None:
        return None
    named = one.transaction.amount
    amount = authorised if named is None or kind is MoveKind.VOID else named
    return ProviderMove(
        kind=kind, amount=amount, provider_id=one.transaction.id, status=one.status, key=one.transaction.id,
        reason="" if one.status is MoveStatus.DONE else one.why,
    )  # fmt: skip
