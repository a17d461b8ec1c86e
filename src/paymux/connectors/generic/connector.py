"""paymux's own open contract, version 2026-11-01: a provider is a small web service of anybody's.

Odd about it: one connector serves every code that has no connector of its own; where to call is a credential
(`endpoint`); our requests are signed as the service's events are; answers are not, so each must name our order id, and
one that names another is never about our order. Amounts are decimal strings with all the currency's decimals.
Source: docs/generic-contract.md and docs/generic-contract.openapi.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paymux.connectors.contract import (
    Ask,
    Broken,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Expired,
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
from paymux.connectors.generic.answers import (
    CheckoutSeen,
    CheckoutsFound,
    Event,
    Operation,
    Payment,
    opened,
    read,
    without_token,
)
from paymux.connectors.generic.contract_check import check_contract
from paymux.connectors.generic.requests import charge_body, checkout_body, move_body
from paymux.connectors.generic.signature import VERSION, VERSION_HEADER, open_secret, signed_headers, verified_event
from paymux.platform.clock import Clock
from paymux.platform.database import from_json, to_json
from paymux.platform.http import Unclear

_PATHS = {MoveKind.CAPTURE: "captures", MoveKind.VOID: "voids", MoveKind.REFUND: "refunds"}


class Generic(Connector):
    """A provider that speaks docs/generic-contract.md."""

    @property
    def endpoint(self) -> str:
        """Where the service is: the account's own `endpoint`, in the sandbox else the simulator."""
        named = self.credentials.get("endpoint", "").rstrip("/")
        if not named and self.account.live:
            raise Refused("The provider account has no endpoint.", "no_endpoint")
        return named or self.account.hosts["api"]

    async def call(self, method: str, target: str, *, key: str = "", body: Mapping[str, object] | None = None) -> Any:
        """One signed call; return the JSON of its success. Raises NotThere, Refused, NotSent or Unclear."""
        content = b"" if body is None else to_json(body).encode()
        # Real time, not the installation's clock: the service compares it with its own (C1).
        headers = signed_headers(
            open_secret(self.credentials.get("secret", "")), method, target, key, content, Clock.real()
        )
        headers[VERSION_HEADER] = VERSION
        if key:
            headers["Idempotency-Key"] = key
        answer = await self.http.send(
            method, self.endpoint + target, headers=headers, body=content or None,
            content_type="application/json" if content else None,
        )  # fmt: skip
        return opened(answer)

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        try:
            answer = await self.call("POST", "/checkouts", key=key, body=checkout_body(order, self.code.code))
        except Refused as no:
            if no.code == "declined":
                return Declined(reason=no.reason, code=no.code)
            raise
        seen = read(CheckoutSeen, answer)
        if seen.order_id != order.id:
            raise Unclear("the answer is about another order")
        if seen.status == "declined":
            return Declined(session=seen.id, reference=seen.reference, reason=seen.reason, code=seen.code)
        if seen.url is None or not self._may_send_to(seen.url):
            raise Unclear("the answer has no usable url")
        return Redirect(url=seen.url, session=seen.id, expires_at=seen.expires_at)

    async def charge_token(self, order: OrderToPay, token: str, key: str) -> Report:
        try:
            answer = await self.call("POST", "/charges", key=key, body=charge_body(order, self.code.code, token))
        except Refused as no:
            if no.code == "declined":
                return Declined(reason=no.reason, code=no.code)
            raise
        return _report(read(CheckoutSeen, answer), answer, order.id)

    def _may_send_to(self, url: str) -> bool:
        return url.startswith("https://") or (url.startswith("http://") and self.endpoint.startswith("http://"))

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        return Ask(session=query.get("checkout_id"), left=query.get("via") == "cancel")

    async def fetch(self, checkout: Checkout) -> Report:
        if checkout.session:
            answer = await self.call("GET", f"/checkouts/{checkout.session}")
            return _report(read(CheckoutSeen, answer), answer, checkout.order_id)
        answer = await self.call("GET", f"/checkouts?order_id={checkout.order_id}")
        found = read(CheckoutsFound, answer).checkouts
        if not found:
            raise NotThere("The provider knows no checkout of this order.", "not_found")
        if len(found) > 1:
            raise Unclear("the answer lists several checkouts of one order")
        return _report(found[0], answer["checkouts"][0], checkout.order_id)

    def verify_event(self, event: Incoming) -> str | None:
        return verified_event(open_secret(self.credentials.get("secret", "")), event.headers, event.body)

    def read_event(self, event: Incoming) -> EventReading:
        try:
            body = from_json(event.body)
            seen = read(Event, body)
        except (RecursionError, Unclear) as fault:
            raise ValueError(str(fault)) from fault
        if seen.type != "checkout.updated":
            raise ValueError("not an event of this contract's version")
        about = seen.data
        return EventReading(
            session=about.id, payment_id=about.payment.id if about.payment else None, reference=about.reference,
            report=_report(about, body["data"], about.order_id),
        )  # fmt: skip

    # -- moving money ---------------------------------------------------------------------------

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        return await self._move(checkout, MoveKind.CAPTURE, move)

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        return await self._move(checkout, MoveKind.VOID, move)

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        return await self._move(checkout, MoveKind.REFUND, move)

    async def _move(self, checkout: Checkout, kind: MoveKind, move: Move) -> MoveResult:
        target = f"/checkouts/{checkout.session}/{_PATHS[kind]}"
        answer = await self.call("POST", target, key=move.key, body=move_body(move))
        seen = _about(read(Operation, answer), checkout, kind, move.key)
        if seen.amount.money != move.amount:
            raise Unclear("the answer names another amount")
        if seen.outcome is MoveStatus.FAILED:
            raise Refused(seen.reason or f"The provider refused the {kind}.", "failed")
        if seen.outcome is MoveStatus.UNDERWAY:
            return Underway(provider_id=seen.id, raw=answer)
        return Moved(provider_id=seen.id, raw=answer)

    async def find_move(
        self, checkout: Checkout, kind: MoveKind, key: str, provider_id: str | None
    ) -> ProviderMove | None:
        try:
            answer = await self.call("GET", f"/operations/{key}")
        except NotThere:
            return None
        seen = _about(read(Operation, answer), checkout, kind, key)
        if seen.amount.currency != checkout.total.currency:
            raise Unclear("the answer names another currency")
        return seen.move

    # -- the rest -------------------------------------------------------------------------------

    async def cancel_checkout(self, checkout: Checkout) -> None:
        # There is one cancel per checkout, so its key needs no operation of its own.
        key = f"cancel_{checkout.order_id}"
        answer = await self.call("POST", f"/checkouts/{checkout.session}/cancel", key=key, body={})
        seen = read(CheckoutSeen, answer)
        if seen.id != checkout.session or seen.status in ("open", "pending", "paid"):
            raise Unclear("the answer does not say that the checkout is closed")

    async def check(self) -> str:
        return await check_contract(self)


def _about(seen: Operation, checkout: Checkout, kind: MoveKind, key: str) -> Operation:
    if (seen.order_id, seen.checkout_id, seen.kind, seen.key) != (checkout.order_id, checkout.session, kind, key):
        raise Unclear("the answer is about another operation")
    return seen


def _report(seen: CheckoutSeen, raw: Mapping[str, Any], order_id: str) -> Report:
    """What a checkout's answer says. One that names another order's id reports that id as its reference (T1)."""
    about: dict[str, Any] = {
        "session": seen.id,
        "reference": seen.reference if seen.order_id == order_id else seen.order_id,
        "raw": without_token(raw),
    }
    if seen.payment is not None:
        return _paid(seen, seen.payment, about)
    reason = seen.reason
    match seen.status:
        case "declined":
            return Declined(**about, reason=reason or "Declined by the provider.", code=seen.code)
        case "failed":
            return Broken(**about, reason=reason or "The provider failed.", code=seen.code)
        case "cancelled":
            return Cancelled(**about, reason=reason)
        case "expired":
            return Expired(**about, reason=reason)
        case _:
            return Pending(**about, reason=reason, completed=seen.status == "pending")


def _paid(seen: CheckoutSeen, payment: Payment, about: Mapping[str, Any]) -> Paid:
    moves = tuple(move for listed in payment.operations if (move := listed.move) is not None)
    return Paid(
        **about, payment_id=payment.id, total=payment.authorised.money, captured=payment.captured,
        voided=payment.voided, refunded=payment.refunded, expired=payment.expired, moves=moves,
        authorised_until=payment.authorised_until, token=seen.kept_token, token_failure=seen.token_failure,
    )  # fmt: skip


__all__ = ["Generic"]
