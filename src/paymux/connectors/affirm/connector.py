"""Affirm: direct checkout and Transactions API, on the global hosts.

Nothing is paid until we confirm: the shopper confirms a loan, and authorising it by the checkout's id makes a
transaction of it, which is then captured. What authorising is answered before the shopper confirmed is not documented,
so the checkout is looked at first. Every write of the Transactions API carries our key as `Idempotency-Key`, so one
whose answer was lost is sent again; it goes as `reference_id`, too, by which a transaction's events name it. Parts are
captured and voided only where Affirm has enabled Split Capture: whole amounts go without one.
Checkout events are signed; only `confirmed` counts, and leads to our confirm.
Amounts are integers in cents; every call names the account's country. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, quote

from paymux.connectors.affirm import requests
from paymux.connectors.affirm.answers import KINDS, Event, Opened, Transaction, refusal
from paymux.connectors.affirm.answers import Checkout as Standing
from paymux.connectors.affirm.requests import Body
from paymux.connectors.amounts import minor
from paymux.connectors.contract import (
    Approved,
    Ask,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Expired,
    Forged,
    Incoming,
    Move,
    Moved,
    MoveKind,
    MoveResult,
    NotThere,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Report,
)
from paymux.connectors.provider_http import basic
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.signing import hmac_hex, same
from paymux.money import Money
from paymux.platform.http import Answer, NotSent, Unclear

_NOBODY = "0000-0000"
_NOT_CONFIRMED = frozenset({"created", "sent", "opened", "approved", "not_approved", "more_information_needed"})
# Every status of a transaction that holds money, or held it; what moved is told by its events.
_HELD = frozenset({
    "authorized", "captured", "partially_captured", "voided", "partially_voided", "refunded", "partially_refunded",
    "auth_expired", "expired_authorization", "disputed", "dispute_refunded",
})  # fmt: skip
_RAN_OUT = frozenset({"auth_expired", "expired_authorization"})
_ENDED: Mapping[str, type[Expired] | type[Cancelled]] = {
    "confirmation_expired": Expired, "expired_confirmation": Expired, "canceled": Cancelled,
}  # fmt: skip


class Affirm(Connector):
    """Affirm's redirect checkout with a separate authorisation and capture."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Create a checkout, which moves no money."""
        body = requests.checkout_of(order, self.credentials["public_key"])
        opened = read(Opened, await self._made("POST", "/api/v2/checkout/direct", body))
        if not opened.redirect_url.startswith(("https://", "http://")):
            raise Unclear("the checkout has no address to send the shopper to")
        return Redirect(url=opened.redirect_url, session=opened.checkout_id)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """`checkout_token` comes with a loan that was confirmed; unsigned, so only a hint."""
        token = query.get("checkout_token") or None
        return Ask(session=token, approved=token is not None, left=token is None and query.get("via") == "cancel")

    async def fetch(self, checkout: Checkout) -> Report:
        """The transaction once it is known, else the checkout."""
        if checkout.payment_id is None:
            return _standing(await self._made("GET", _checkout_path(checkout)))
        return _report(await self._made("GET", f"{_path(checkout)}?expand=events"))

    def verify_event(self, event: Incoming) -> str | None:
        """The signature covers the timestamp and the body; events have no ids. Raises Forged."""
        parts = [part.strip().partition("=") for part in event.headers.get("x-affirm-signature", "").split(",")]
        stamps = [value for name, _, value in parts if name == "t"]
        signed = f"{stamps[0] if stamps else ''}.".encode() + event.body
        expected = hmac_hex(self.credentials["private_key"], signed, "sha512")
        if not any(same(value, expected) for name, _, value in parts if name == "v0"):
            raise Forged("the signature of the event is wrong")
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """Which checkout it is about, and whether its loan was confirmed. Raises ValueError when it can't be read."""
        said = dict(parse_qsl(event.body.decode("utf-8", "replace")))
        session, reference = said.get("checkout_token") or None, said.get("order_id") or None
        if session is None:
            raise ValueError("the event names no checkout")
        confirmed = Approved(session=session, reference=reference) if said.get("event") == "confirmed" else None
        return EventReading(session=session, reference=reference, report=confirmed)

    async def check(self) -> str:
        """Ask for a transaction that nobody has: Affirm looks at the keys first."""
        answer = await self._answered("GET", f"/api/v1/transactions/{_NOBODY}")
        if answer.status >= 400 and not isinstance(no := refusal(answer), NotThere):
            raise no
        return "Affirm took the API keys and answered a question about a transaction"

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Authorise the loan. Pending, with no effect, before the shopper has confirmed it."""
        try:
            seen = _standing(await self._made("GET", _checkout_path(checkout), first=True))
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault
        if isinstance(seen, Pending) and not seen.completed:
            return seen
        body: Body = {"transaction_id": checkout.session, "order_id": checkout.reference, "reference_id": key}
        return _report(await self._made("POST", "/api/v1/transactions", body, key), fresh=True)

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture what is authorised, or a part of it."""
        return await self._move(checkout, move, MoveKind.CAPTURE, whole=move.first and move.whole)

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Give up what is authorised, or a part of it."""
        untouched = move.first and move.whole and not move.captured
        return await self._move(checkout, move, MoveKind.VOID, whole=untouched)

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund captured money."""
        return await self._move(checkout, move, MoveKind.REFUND, whole=False)

    async def _move(self, checkout: Checkout, move: Move, kind: MoveKind, *, whole: bool) -> MoveResult:
        """Move an amount; a whole one is not named, for naming one needs Split Capture."""
        body: requests.NewEvent = {"reference_id": move.key}
        if not whole:
            body["amount"] = minor(move.amount)
        answer = await self._made("POST", f"{_path(checkout)}/{kind}", body, move.key)
        done = read(Event, answer)
        if KINDS.get(done.type) is not kind or done.amount not in (None, minor(move.amount)):
            raise Unclear(f"of {move.amount.text} Affirm did {done.type[:32]} {done.amount}")
        return Moved(provider_id=done.id, raw=raw(answer))

    # -- HTTP ---------------------------------------------------------------------------------

    async def _answered(
        self, method: str, path: str, body: Body = None, key: str = "", *, first: bool = False
    ) -> Answer:
        """Send; return 2xx and clear 4xx. `first`: a call before the one that counts, so a fault means nothing moved."""
        headers = {
            "Authorization": basic(self.credentials["public_key"], self.credentials["private_key"]),
            "country-code": self.code.settings["country"],
        }
        if key:
            headers["Idempotency-Key"] = key
        call = self.http.prepare if first else self.http.send
        return decided(await call(method, self.url(path), headers=headers, json=body))

    async def _made(self, method: str, path: str, body: Body = None, key: str = "", *, first: bool = False) -> Answer:
        answer = await self._answered(method, path, body, key, first=first)
        if answer.status >= 400:
            raise refusal(answer)
        return answer


def _checkout_path(checkout: Checkout) -> str:
    return f"/api/v2/checkout/{quote(checkout.session, safe='')}"


def _path(checkout: Checkout) -> str:
    return f"/api/v1/transactions/{quote(checkout.payment, safe='')}"


# -- what is read -----------------------------------------------------------------------------


def _standing(answer: Answer) -> Report:
    """What a checkout says that is not known to be authorised. A word that we don't know may come after the approval."""
    standing = read(Standing, answer)
    said: dict[str, Any] = {"reference": standing.order_id, "raw": raw(answer)}
    word = standing.checkout_status
    if word == "confirmed":
        return Approved(**said)
    return Pending(reason=f"the checkout is {word[:64]}", completed=word not in _NOT_CONFIRMED, **said)


def _report(answer: Answer, *, fresh: bool = False) -> Report:
    """What a transaction says. `fresh`: it was authorised by this very call, and nothing was moved since."""
    loan = read(Transaction, answer)
    said: dict[str, Any] = {"session": loan.checkout_id, "reference": loan.order_id, "raw": raw(answer)}
    if loan.status == "declined":
        return Declined(reason="Affirm declined the loan", code=loan.status, **said)
    if loan.status in _ENDED:
        return _ENDED[loan.status](reason=f"the loan is {loan.status}", **said)
    if loan.status not in _HELD:
        return Pending(reason=f"the transaction is {loan.status[:64]}", completed=True, **said)
    if loan.events is None and not (fresh and loan.status == "authorized"):
        raise Unclear("a transaction without its events")
    captured, voided = (_major(loan, loan.cents(kind)) for kind in (MoveKind.CAPTURE, MoveKind.VOID))
    refunded = loan.cents(MoveKind.REFUND) if loan.amount_refunded is None else loan.amount_refunded
    open = loan.total.amount - captured - voided
    return Paid(
        payment_id=loan.id,
        total=loan.total,
        captured=captured,
        voided=voided,
        refunded=_major(loan, refunded),
        expired=max(open, Decimal(0)) if loan.status in _RAN_OUT else Decimal(0),
        moves=loan.moves,
        authorised_until=loan.authorization_expiration,
        **said,
    )


def _major(loan: Transaction, cents: int) -> Decimal:
    return Money.from_minor(cents, loan.currency).amount
