"""PayTabs' PT2 API: a hosted page that pays at once or authorises, and follow-ups that name a `tran_ref`.

Two requests with the same cart_id, currency and amount within two minutes are one to PayTabs, the second is refused
(code 4). So a follow-up has a cart_id of its own, our reference with a part of its key behind `~`, by which it can be
asked for; all captures of an order share one, for a refund has to name the capture that it gives back. Our key stands
in each follow-up's description, which PayTabs echoes.
The return is signed, but names no amount: what went well is asked for. The callback is signed over its whole body.
A server key works at the host of its profile's region only. Amounts are numbers in major units.
Sources: see provider.toml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

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
from paymux.connectors.paytabs import requests
from paymux.connectors.paytabs.answers import Page, Result, Transaction, failure, transactions
from paymux.connectors.paytabs.reports import (
    MOVED,
    MOVES,
    OWN,
    PAYMENT,
    base,
    ended,
    followed,
    movement,
    payment,
    signed_forms,
    told,
)
from paymux.connectors.reading import raw, read
from paymux.connectors.signing import hmac_hex, same
from paymux.platform.database import from_json
from paymux.platform.http import Answer, Unclear

_HOSTS = {"ARE": "api"} | {
    name: name.lower() for name in ("SAU", "EGY", "OMN", "JOR", "KWT", "IRQ", "QAT", "MAR", "GLOBAL")
}
_DUPLICATE = "4"
_TEMPORARY = "400"
# Codes of requests that are refused for who sends them, and a transaction that nobody has.
_TURNED_AWAY = ("1", "401", "403")
_NOBODY = "TST0000000000000"
# A live transaction's tran_ref begins with PT and a letter for the region.
_TEST = "TST"
_CAPTURE = "capture"
# PayTabs' words where the profile and the key do not belong together: "No merchant information found in the request".
_OF_THE_PROFILE = re.compile("profile|merchant", re.IGNORECASE)


class PayTabs(Connector):
    """PayTabs' hosted page: sale or authorisation, captures, voids, refunds."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a payment page; one that was asked for less than two minutes ago, under a cart_id of its own.

        Raises WrongCredentials in live mode for a page of a test profile.
        """
        body = requests.page(order, self.code.settings["method"])
        try:
            answer = await self._post("/payment/request", body)
        except Refused as no:
            if no.code != _DUPLICATE:
                raise
            answer = await self._post("/payment/request", body | {"cart_id": _own(order.reference, _part(key))})
        page = read(Page, answer)
        if self._is_test(page.tran_ref):
            raise WrongCredentials("PayTabs opened a test payment: the profile is one for tests", "test_profile")
        return Redirect(url=page.redirect_url, session=page.tran_ref)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """How the shopper left, signed. What was paid is asked for: the return names no amount."""
        session = query.get("tranRef") or None
        if "signature" not in query:
            return Ask(session=session)
        if not any(same(query["signature"].lower(), self._signature(form)) for form in signed_forms(query)):
            raise Forged("wrong signature")
        result = Result(
            response_status=query.get("respStatus") or "?", response_code=query.get("respCode", ""),
            response_message=query.get("respMessage", ""),
        )  # fmt: skip
        said: dict[str, Any] = {
            "session": session, "reference": base(query.get("cartId", "")) or None, "raw": dict(query),
        }  # fmt: skip
        end = ended(result, said)
        return Ask(session=session, completed=True) if end is None or session is None else end

    async def fetch(self, checkout: Checkout) -> Report:
        """The payment by its tran_ref; once it is paid, also what followed it under the same cart_id."""
        answer = await self._query({"tran_ref": checkout.session})
        if answer is None:
            return Pending(reason="PayTabs does not tell of the payment")
        said = read(Transaction, answer)
        report = self._payment(said, raw(answer))
        if said.kind == "payment request" and said.status in ("A", "P"):
            return await self._completed(said, report)
        if not isinstance(report, Paid) or report.underway:
            return report
        rows = await self._cart(said.cart_id)
        return replace(report, moves=followed(rows, report.payment_id))

    async def _completed(self, request: Transaction, report: Report) -> Report:
        """The payment that completed a payment request later, under the same cart_id; else what the request itself says."""
        rows = await self._cart(request.cart_id)
        found = [row for row in rows if row.kind in ("sale", "auth") and row.previous == request.tran_ref]
        return self._payment(found[-1], None) if found else report

    def _payment(self, said: Transaction, content: Mapping[str, Any] | None) -> Report:
        """What a payment's own transaction says; in live mode one of a test profile pays nothing."""
        report = payment(said, content)
        if isinstance(report, Paid) and self._is_test(said.tran_ref):
            return Broken(
                reason="the payment was made in a test profile: look at profile_id", code="test_payment",
                session=report.session, reference=report.reference, raw=report.raw,
            )  # fmt: skip
        return report

    def _is_test(self, tran_ref: str) -> bool:
        """Whether a live account is told of a transaction that is a test."""
        return self.account.live and tran_ref.upper().startswith(_TEST)

    def verify_event(self, event: Incoming) -> str | None:
        """Check the signature over the body. A transaction is told once for each status."""
        if not same(event.headers.get("signature", "").lower(), self._signature(event.body)):
            raise Forged("wrong signature")
        try:
            said = told(event)
        except ValueError:
            return None
        return f"{said.tran_ref}/{said.status}"

    def read_event(self, event: Incoming) -> EventReading:
        """The payment that an event tells of; of a capture, void or refund the payment is asked about."""
        said = told(event)
        if said.kind not in PAYMENT:
            return EventReading(session=said.previous or None, payment_id=said.previous or None,
                                reference=base(said.cart_id) or None)  # fmt: skip
        report = self._payment(said, from_json(event.body))
        return EventReading(session=report.session, payment_id=said.tran_ref, reference=report.reference, report=report)

    async def find_move(
        self, checkout: Checkout, kind: MoveKind, key: str, provider_id: str | None
    ) -> ProviderMove | None:
        """A follow-up by its own cart_id, among several by the key in its description."""
        rows = await self._cart(_cart_of(kind, checkout.reference, key))
        found = [row for row in rows if MOVES.get(row.kind) is kind and key in row.cart_description]
        return movement(found[-1]) if found else None

    async def check(self) -> str:
        """Ask for a transaction that nobody has: a key or profile that is wrong is refused before it is looked for."""
        try:
            await self._post("/payment/query", {"tran_ref": _NOBODY})
        except Refused as no:
            if no.code in _TURNED_AWAY:
                raise
            if no.code == "credentials" or _OF_THE_PROFILE.search(no.reason):
                raise WrongCredentials(no.reason, no.code) from no
        unseen = "; whether the profile is one for tests, which takes no real money, only its first payment page tells"
        return (
            "PayTabs took the server key and the profile ID, and answered a question about a transaction"
            f"{unseen if self.account.live else ''}"
        )

    # -- moving money -------------------------------------------------------------------------

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture a part or all of an authorisation."""
        return await self._move(checkout, MoveKind.CAPTURE, "capture", checkout.payment, move)

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Void a whole authorisation, or release the part of it that is to be given back."""
        whole = move.whole and not move.captured
        return await self._move(checkout, MoveKind.VOID, "void" if whole else "release", checkout.payment, move)

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a sale; of an authorised payment the capture whose turn it is."""
        target = checkout.payment if checkout.auto_capture else await self._capture_to_refund(checkout, move)
        return await self._move(checkout, MoveKind.REFUND, "refund", target, move)

    async def _capture_to_refund(self, checkout: Checkout, move: Move) -> str:
        """The capture that holds what comes after all that was refunded before. Raises Refused where one is not enough."""
        ours = await self._cart(_own(checkout.reference, _CAPTURE))
        others = await self._cart(checkout.reference)
        done = [
            row for row in (*ours, *others) if row.kind == "capture" and row.status == "A" and row.total is not None
        ]
        before, want = move.captured - move.open, move.amount.amount
        for row in sorted(done, key=lambda row: (row.result.time if row.result else "", row.tran_ref)):
            held = row.total.amount if row.total else Decimal(0)
            if before < held:
                if want > held - before:
                    raise Refused(f"PayTabs refunds one capture at a time: at most {held - before} now", "one_capture")
                return row.tran_ref
            before -= held
        raise Refused("PayTabs shows no capture to refund", "no_capture")

    async def _move(
        self, checkout: Checkout, kind: MoveKind, word: requests.FollowUpType, target: str, move: Move
    ) -> MoveResult:
        cart_id = _cart_of(kind, checkout.reference, move.key)
        answer = await self._post("/payment/request", requests.follow_up(word, target, cart_id, move))
        said = read(Transaction, answer)
        if said.result is None or MOVES.get(said.kind, kind) is not kind:
            raise Unclear("the answer is not that of the follow-up")
        status = MOVED.get(said.status, MoveStatus.UNDERWAY)
        if status is MoveStatus.DONE:
            return Moved(provider_id=said.tran_ref, raw=raw(answer))
        if status is MoveStatus.UNDERWAY:
            return Underway(provider_id=said.tran_ref, raw=raw(answer))
        if said.result.code == _TEMPORARY:
            raise Unclear(f"PayTabs' own error: {said.result.message}")
        raise Refused(said.result.message or f"PayTabs refused with {said.status}", said.result.code or said.status)

    # -- HTTP ---------------------------------------------------------------------------------

    async def _cart(self, cart_id: str) -> list[Transaction]:
        answer = await self._query({"cart_id": cart_id})
        return transactions(answer) if answer is not None else []

    async def _query(self, asked: requests.Query) -> Answer | None:
        """Ask by tran_ref or cart_id; None where PayTabs refuses to tell. Raises Refused for credentials that are wrong."""
        try:
            return await self._post("/payment/query", asked)
        except Refused as no:
            if no.code in _TURNED_AWAY:
                raise
            return None

    async def _post(self, path: str, body: requests.Request) -> Answer:
        """Send with key and profile; return what is no failure. Raises Refused, Unclear for PayTabs' own error."""
        region = self.code.settings.get("region") or self.credentials["region"].upper()
        if region not in _HOSTS or not self.credentials["profile_id"].isdecimal():
            raise Refused("region or profile ID is none that PayTabs has", "credentials")
        answer = await self.http.send(
            "POST", self.url(path, host=_HOSTS[region]), headers={"Authorization": self.credentials["server_key"]},
            json={"profile_id": int(self.credentials["profile_id"]), **body},
        )  # fmt: skip
        if not 200 <= answer.status < 300 and not 400 <= answer.status < 500:
            raise Unclear(f"answer {answer.status}")
        no = failure(answer)
        if no is not None and no.code == _TEMPORARY and answer.status < 400:
            raise Unclear(f"PayTabs' own error: {no.reason}")
        if no is not None:
            raise no
        return answer

    def _signature(self, content: str | bytes) -> str:
        return hmac_hex(self.credentials["server_key"], content)


# -- how follow-ups are named -----------------------------------------------------------------


def _own(reference: str, part: str) -> str:
    return f"{reference}{OWN}{part}"


def _part(key: str) -> str:
    return key.replace("-", "")[:12]


def _cart_of(kind: MoveKind, reference: str, key: str) -> str:
    return _own(reference, _CAPTURE if kind is MoveKind.CAPTURE else _part(key))
