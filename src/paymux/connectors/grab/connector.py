"""GrabPay's one-time charge, version 2: the shopper agrees on Grab's pages, and we complete the charge.

Opening is signed by the partner's secret. The shopper signs in with Grab by OAuth with PKCE; what he brings back in his
browser is never used: the state of the charge, asked for under our own signature, names the code as well, so a lost
return loses nothing. That code is exchanged for an access token once, before we confirm; the token is kept, sealed, as
completing and every later refund need it. The money is set aside until we complete, 10 minutes at most, and then goes
back by itself: nothing can be cancelled. A return URL has to be registered, so it is the same for every order, and
`state` names the order. Grab calls a charge by our id, `partnerTxID`, of which there can be only one; its state names
neither amount nor order. Sources: see provider.toml.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlencode

from paymux.connectors.contract import (
    Approved,
    Ask,
    Broken,
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
from paymux.connectors.grab import requests, signature
from paymux.connectors.grab.answers import Granted, Opened, Told, Transaction, refusal
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.signing import same
from paymux.platform.clock import Clock
from paymux.platform.database import from_json, to_json
from paymux.platform.http import Answer

_CHARGE, _JSON = "/grabpay/partner/v2", "application/json"
# Reasons of a failed charge that are no decision on the shopper.
_TECHNICAL = frozenset({"unknown", "err_capture_failed"})
# Reasons of a charge under way that show that the shopper has done his part.
_DONE_HIS_PART = frozenset({"authorising", "capturing", "pending_capture"})
_MOVED = {"success": MoveStatus.DONE, "failed": MoveStatus.FAILED}


class Grab(Connector):
    """GrabPay with refunds."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a charge. Its id can be used once, so a lost one is opened afresh."""
        merchant, brand = self.credentials["merchant_id"], self.credentials.get("brand_name", "")
        body = requests.charge_of(order, key, merchant, brand)
        opened = read(Opened, await self._signed("POST", f"{_CHARGE}/charge/init", body))
        url, state = order.registered_return
        code_verifier = signature.verifier(self.credentials["client_secret"], opened.session)
        asked: requests.SignIn = {
            "acr_values": f"consent_ctx:countryCode={self.code.countries[0]},currency={order.total.currency}",
            "client_id": self.credentials["client_id"], "code_challenge": signature.challenge(code_verifier),
            "code_challenge_method": "S256", "nonce": uuid.uuid4().hex, "redirect_uri": url,
            "request": opened.request, "response_type": "code", "scope": "openid payment.one_time_charge",
            "state": state,
        }  # fmt: skip
        address = self.url(f"/grabid/v1/oauth2/authorize?{urlencode(asked, quote_via=quote)}")
        return Redirect(url=address, session=opened.session, state={"redirect_uri": url})

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """A code or an error: both hints, and the code is not taken from a browser."""
        return Ask(left=query.get("error") == "user_canceled", completed="code" in query)

    async def fetch(self, checkout: Checkout) -> Report:
        """The state of the charge. Where the shopper has agreed, the access token comes with it, sealed."""
        asked = urlencode({"currency": checkout.total.currency})
        path = f"{_CHARGE}/one-time-charge/{quote(checkout.session, safe='')}/status?{asked}"
        answer = await self._signed("GET", path)
        seen = read(Transaction, answer)
        # The code is as good as money: it stays out of what is kept and shown.
        told = {name: value for name, value in (raw(answer) or {}).items() if name != "oAuthCode"}
        if seen.reason == "no_record_found":
            raise NotThere("Grab knows no such charge", seen.reason)
        if seen.status == "authorised":
            return await self._approved(checkout, seen, told)
        return _report(seen, told)

    async def _approved(self, checkout: Checkout, seen: Transaction, told: Mapping[str, Any]) -> Report:
        session = seen.session or None
        if self._token(checkout):
            return Approved(session=session, raw=told)
        if not seen.code:
            return Pending(session=session, raw=told, reason="authorised, and no code yet", completed=True)
        grant: requests.CodeGrant = {
            "grant_type": "authorization_code", "code": seen.code, "redirect_uri": checkout.state["redirect_uri"],
            "client_id": self.credentials["client_id"], "client_secret": self.credentials["client_secret"],
            "code_verifier": signature.verifier(self.credentials["client_secret"], checkout.session),
        }  # fmt: skip
        answer = decided(await self.http.send("POST", self.url("/grabid/v1/oauth2/token"), json=grant))
        if answer.status >= 400:
            # An event and the shopper's return come at once: whoever exchanged it first has the token stored soon.
            why = f"no token: {refusal(answer).code}"
            return Pending(session=session, raw=told, reason=why, completed=True, elsewhere=True)
        token = read(Granted, answer).access_token
        sealed = signature.seal(self.credentials["client_secret"], checkout.session, token)
        return Approved(session=session, raw=told, state={"access_token": sealed})

    def verify_event(self, event: Incoming) -> str | None:
        """Check a webhook's signature, over the path that Grab called. Webhooks have no id of their own."""
        head = event.headers
        expected = signature.of_request(
            self.credentials["partner_secret"], event.method, head.get("content-type", ""), head.get("date", ""),
            event.path, event.body,
        )  # fmt: skip
        if not same(head.get("authorization"), f"{self.credentials['partner_id']}:{expected}"):
            raise Forged("wrong signature")
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """What a webhook is about: a charge that is decided, a refund, or anything else as a reason to ask.

        Raises ValueError when it can't be read, as a refund that names no payment.
        """
        content = from_json(event.body)
        told = Told.model_validate(content)
        if told.kind == "Refund":
            if not told.origin:
                raise ValueError("a refund that names no payment")
            key = _key(told.session)
            move = ProviderMove(
                kind=MoveKind.REFUND, amount=told.money.amount, provider_id=told.tx_id, key=key,
                status=_MOVED.get(told.status, MoveStatus.UNDERWAY), reason=told.payload.reason,
            )  # fmt: skip
            paid = Paid(payment_id=told.origin, total=None, captured=None, moves=(move,), raw=content)
            return EventReading(payment_id=told.origin, report=paid)
        report: Report | None = None
        if told.kind in ("Charge", "Capture") and told.status == "success" and told.tx_id:
            total = told.money
            report = Paid(
                session=told.session, payment_id=told.tx_id, total=total, captured=total.amount, raw=content
            )  # fmt: skip
        elif told.kind in ("Charge", "Capture") and told.status == "failed":
            seen = Transaction(session=told.session, tx_id=told.tx_id, status="failed", reason=told.payload.reason)
            report = _report(seen, content)
        return EventReading(session=told.session, report=report)

    async def check(self) -> str:
        """Ask for a charge that can't be there: Grab's «no record» proves the partner's id and secret."""
        try:
            path = f"{_CHARGE}/one-time-charge/{uuid.uuid4().hex}/status?currency={self.code.currencies[0]}"
            seen = read(Transaction, await self._signed("GET", path))
            if seen.reason != "no_record_found":
                raise Refused(f"Grab answered {seen.status or seen.reason}", seen.reason)
        except NotThere:
            pass
        return (
            f"Grab knows the partner {self.credentials['partner_id']}; client and merchant show with the first charge"
        )

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Complete the charge. A charge has one id, so a repeat completes nothing twice."""
        token = self._token(checkout)
        if token is None:
            return Pending(reason="there is no access token yet", completed=True)
        body: requests.Completion = {"partnerTxID": checkout.session}
        try:
            answer = await self._bearer("POST", f"{_CHARGE}/charge/complete", token, body)
        except Refused as no:
            # It may be refused because it is complete: the charge itself tells.
            report = await self.fetch(checkout)
            if isinstance(report, Approved):
                raise no from None
            return report
        seen = read(Transaction, answer)
        if seen.status:
            return _report(seen, raw(answer))
        report = await self.fetch(checkout)
        return Pending(reason="completing", completed=True) if isinstance(report, Approved) else report

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all, under an id of its own, which is our key."""
        body = requests.refund_of(checkout, move, self.credentials["merchant_id"])
        answer = await self._bearer("POST", f"{_CHARGE}/refund", self._kept(checkout), body)
        seen = read(Transaction, answer)
        if seen.status == "failed":
            raise Refused(seen.description or f"the refund failed: {seen.reason}", seen.reason)
        if seen.status == "success" and seen.tx_id:
            return Moved(provider_id=seen.tx_id, raw=raw(answer))
        return Underway(provider_id=seen.tx_id or None, raw=raw(answer))

    async def find_move(
        self, checkout: Checkout, kind: MoveKind, key: str, provider_id: str | None
    ) -> ProviderMove | None:
        """Ask for one refund by its id. Its amount is not told, and not needed: the id is that of one request."""
        path = f"{_CHARGE}/refund/{requests.identifier(key)}/status?{urlencode({'currency': checkout.total.currency})}"
        try:
            seen = read(Transaction, await self._bearer("GET", path, self._kept(checkout)))
        except NotThere:
            return None
        if seen.reason == "no_record_found":
            return None
        return ProviderMove(
            kind=kind, amount=Decimal(0), provider_id=seen.tx_id, key=key, reason=seen.reason,
            status=_MOVED.get(seen.status, MoveStatus.UNDERWAY),
        )  # fmt: skip

    # -- HTTP ---------------------------------------------------------------------------------

    def _token(self, checkout: Checkout) -> str | None:
        sealed = checkout.state.get("access_token")
        return signature.unseal(self.credentials["client_secret"], checkout.session, sealed) if sealed else None

    def _kept(self, checkout: Checkout) -> str:
        token = self._token(checkout)
        if token is None:
            raise Refused("the payment's access token is gone: was the client secret changed?", "no_access_token")
        return token

    async def _signed(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """A request under the partner's signature. Raises Refused for 4xx."""
        content, date = b"" if body is None else to_json(body).encode(), _date()
        signed = signature.of_request(self.credentials["partner_secret"], method, _JSON, date, path, content)
        headers = {"Authorization": f"{self.credentials['partner_id']}:{signed}", "Date": date}
        return await self._send(method, path, headers, content)

    async def _bearer(self, method: str, path: str, token: str, body: Mapping[str, object] | None = None) -> Answer:
        """A request with a charge's own access token. Raises Refused for 4xx."""
        now = int(Clock.real().timestamp())
        headers = {
            "Authorization": f"Bearer {token}", "Date": _date(),
            "X-GID-AUX-POP": signature.of_possession(self.credentials["client_secret"], token, now),
        }  # fmt: skip
        return await self._send(method, path, headers, b"" if body is None else to_json(body).encode())

    async def _send(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Answer:
        answer = decided(
            await self.http.send(
                method, self.url(path), headers=headers, body=content or None, content_type=_JSON
            )
        )  # fmt: skip
        if answer.status >= 400:
            raise refusal(answer)
        return answer


def _date() -> str:
    return format_datetime(Clock.real(), usegmt=True)


def _key(identifier: str) -> str | None:
    """Our key behind an id; None for one that is not ours."""
    try:
        return str(uuid.UUID(hex=identifier))
    except ValueError:
        return None


def _report(seen: Transaction, said: Mapping[str, Any] | None) -> Report:
    about: dict[str, Any] = {"session": seen.session or None, "raw": said}
    why = seen.description or seen.reason or seen.status
    if seen.status == "success" and seen.tx_id:
        return Paid(payment_id=seen.tx_id, total=None, captured=None, **about)
    if seen.status == "failed" and seen.reason in _TECHNICAL:
        return Broken(reason=why, code=seen.reason, **about)
    if seen.status in ("failed", "authorisation_declined"):
        return Declined(reason=why, code=seen.reason or seen.status, **about)
    if seen.status == "cancelled" and seen.reason == "auth_expired":
        return Expired(reason=why, **about)
    return Pending(reason=why, completed=seen.reason in _DONE_HIS_PART, **about)
