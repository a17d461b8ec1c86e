"""Alipay's global gateway (Antom, Alipay+): one API for Alipay, AlipayHK, GCash, Touch 'n Go, TrueMoney, DANA and bKash.

Everything is a signed POST that is answered 200, with the outcome in `result`; the answer is signed, too, and one
whose signature is missing or wrong counts as no answer, unless it says, where no money moves, that it does not know
us. A client id that begins with SANDBOX_ has other paths.
The payment is made the moment the shopper agrees: there is nothing to confirm, capture or void. An unpaid one
closes itself after 14 minutes. `cancel` would also give a paid one back, so it is asked for first.
Alipay's ids for our requests are our keys: `paymentRequestId`, `refundRequestId`; a refund with the first key again
moves nothing twice. The shopper's return says nothing. Amounts are texts in minor units. Sources: see provider.toml.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

from paymux.connectors.alipay import requests, signature
from paymux.connectors.alipay.answers import (
    Amount,
    Answered,
    Notification,
    Opened,
    Payment,
    Refund,
    refund_move,
    request_id,
)
from paymux.connectors.contract import (
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
    ProviderMove,
    Redirect,
    Refused,
    Report,
    Underway,
    WrongCredentials,
)
from paymux.connectors.reading import raw, read
from paymux.platform.clock import Clock
from paymux.platform.database import from_json, to_json
from paymux.platform.http import Answer, Unclear

_DECLINED_AT_CREATE = frozenset({"RISK_REJECT"})
_MOVES_NOTHING = frozenset({"/payments/pay", "/payments/inquiryPayment"})
# A payment that nobody made in time fails, too; this is its code.
_CLOSED = frozenset({"ORDER_IS_CLOSED"})


class Alipay(Connector):
    """Alipay's cashier payment by redirect, one wallet per code, with refunds."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a payment. Whether a repeat gets the same URL is not documented: a lost one is opened afresh."""
        if self.account.live and self._sandboxed:
            raise Refused("a SANDBOX_ client id takes no real payment", "sandbox_client_id")
        answer = await self._post("/payments/pay", self._pay(order, key))
        opened = read(Opened, answer)
        if opened.result.result_status == "F":
            if opened.result.result_code in _DECLINED_AT_CREATE:
                return Declined(reason=opened.result.reason, code=opened.result.result_code, raw=raw(answer))
            raise opened.refusal
        if not opened.payment_id or not opened.normal_url.startswith(("https://", "http://")):
            raise Unclear(f"no address to send the shopper to: {opened.result.result_code}")
        life = timedelta(seconds=self.facts.times.checkout or 0)
        return Redirect(url=opened.normal_url, session=opened.payment_id, expires_at=order.created_at + life)

    def _pay(self, order: OrderToPay, key: str) -> requests.Pay:
        return requests.pay(
            order, key, wallet=self.code.settings["wallet"],
            region=self.credentials.get("merchant_region") or self.code.settings.get("merchant_region"),
            settled_in=self.credentials.get("settlement_currency"),
        )  # fmt: skip

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """The return names nothing: ask."""
        return Ask()

    async def fetch(self, checkout: Checkout) -> Report:
        """The payment by its id, with its refunds. A cancelled one that was paid has been given back whole."""
        named: requests.NamedPayment = {"paymentId": checkout.session}
        answer = await self._post("/payments/inquiryPayment", named)
        payment = read(Payment, answer)
        payment.settled()
        said: dict[str, Any] = {"session": payment.payment_id or None, "raw": raw(answer)}
        status, code = payment.payment_status.upper(), payment.payment_result_code
        if status == "SUCCESS":
            return _paid(payment.payment_id, payment.payment_amount, moves=payment.refunds, **said)
        if status == "CANCELLED" and checkout.payment_id:
            return _paid(payment.payment_id, payment.payment_amount, given_back=True, **said)
        if status == "CANCELLED":
            return Cancelled(reason="the payment is cancelled", **said)
        if status == "FAIL" and code in _CLOSED:
            return Expired(reason=payment.payment_result_message or code, **said)
        if status == "FAIL":
            return Declined(reason=payment.payment_result_message or code or "the payment failed", code=code, **said)
        return Pending(reason=f"the payment is {status}", completed=status == "PENDING", **said)

    def verify_event(self, event: Incoming) -> str | None:
        """Check Alipay's signature over the path that it called. Notifications have no id of their own."""
        head = event.headers
        signed = signature.content(event.path, head.get("client-id", ""), head.get("request-time", ""), event.body)
        if head.get("client-id") != self.credentials["client_id"]:
            raise Forged("a notification for another client")
        if not signature.genuine(head.get("signature", ""), self.credentials["alipay_public_key"], signed):
            raise Forged("wrong signature")
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """A payment's result, or that the shopper has done his part. Raises ValueError for anything else."""
        content = from_json(event.body)
        told = Notification.model_validate(content)
        said: dict[str, Any] = {"session": told.payment_id, "raw": content}
        status, code = told.result.result_status, told.result.result_code
        report: Report | None = None
        try:
            if told.notify_type == "PAYMENT_PENDING":
                report = Pending(reason="the payment is pending", completed=True, **said)
            elif told.notify_type == "PAYMENT_RESULT" and status == "S":
                report = _paid(told.payment_id, told.payment_amount, **said)
            elif told.notify_type == "PAYMENT_RESULT" and status == "F" and code not in _CLOSED:
                report = Declined(reason=told.result.reason, code=code, **said)
        except Unclear as fault:
            raise ValueError(str(fault)) from fault
        return EventReading(session=told.payment_id, report=report)

    async def check(self) -> str:
        """Ask for a payment that can't be there: a signed «no such order» proves keys and client id."""
        nobodys: requests.NamedPayment = {"paymentId": "0"}
        with contextlib.suppress(NotThere):
            read(Payment, await self._post("/payments/inquiryPayment", nobodys)).settled()
        return f"Alipay answered the client {self.credentials['client_id']}, and its signature is right"

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all. A repeat with the same `refundRequestId` gets the first result again."""
        answer = await self._post("/payments/refund", requests.refund(checkout.payment, move))
        refund = read(Refund, answer)
        if refund.result.result_code == "REFUND_IN_PROCESS":
            return Underway(provider_id=refund.refund_id or None, raw=raw(answer))
        refund.settled()
        if not refund.refund_id:
            raise Unclear("the refund has no id")
        return Moved(provider_id=refund.refund_id, raw=raw(answer))

    async def find_move(
        self, checkout: Checkout, kind: MoveKind, key: str, provider_id: str | None
    ) -> ProviderMove | None:
        """Ask for one refund by its request's id."""
        named: requests.NamedRefund = {"refundRequestId": request_id(key)}
        refund = read(Refund, await self._post("/payments/inquiryRefund", named))
        try:
            refund.settled()
        except NotThere:
            return None
        return refund_move(refund, key)

    async def cancel_checkout(self, checkout: Checkout) -> None:
        """Close an unpaid payment; one that is paid or dead is left as it is."""
        named: requests.NamedPayment = {"paymentId": checkout.session}
        payment = read(Payment, await self._post("/payments/inquiryPayment", named))
        payment.settled()
        if payment.payment_status in ("SUCCESS", "PENDING"):
            raise Refused("the shopper has paid", payment.payment_status)
        if payment.payment_status not in ("FAIL", "CANCELLED"):
            read(Answered, await self._post("/payments/cancel", named)).settled()

    # -- HTTP ---------------------------------------------------------------------------------

    @property
    def _sandboxed(self) -> bool:
        return self.credentials["client_id"].startswith("SANDBOX_")

    async def _post(self, call: str, body: Mapping[str, object]) -> Answer:
        """Send a signed request; return its answer, whose signature is right. Raises Unclear for any other answer."""
        client, time = self.credentials["client_id"], Clock.real().astimezone(UTC).isoformat(timespec="seconds")
        path = ("/ams/sandbox/api/v1" if self._sandboxed else "/ams/api/v1") + call
        content = to_json(body).encode()
        try:
            signed = signature.sign(self.credentials["private_key"], signature.content(path, client, time, content))
        except signature.UnusableKey as fault:
            raise WrongCredentials(str(fault), "unusable_key") from fault
        host = self.credentials.get("region") or self.code.settings.get("region", "api")
        if host not in self.account.hosts:
            raise Refused(f"{host!r} is no region of the gateway", "unknown_region")
        answer = await self.http.send(
            "POST", self.url(path, host), body=content, content_type="application/json; charset=UTF-8",
            headers={"Client-Id": client, "Request-Time": time, "Signature": signed},
        )  # fmt: skip
        if answer.status != 200:
            raise Unclear(f"answer {answer.status}")
        time = answer.headers.get("response-time", "")
        told = signature.content(path, client, time, answer.body)
        if not signature.genuine(answer.headers.get("signature", ""), self.credentials["alipay_public_key"], told):
            if call in _MOVES_NOTHING:
                _check_known(answer)
            raise Unclear("the answer's signature is missing or wrong: check Alipay's public key in the account")
        return answer


def _check_known(answer: Answer) -> None:
    """Alipay can't sign for a client that it does not know, but says so. Raises WrongCredentials."""
    with contextlib.suppress(Unclear):
        said = read(Answered, answer)
        if said.result.result_status == "F" and isinstance(said.refusal, WrongCredentials):
            raise said.refusal


# -- what is read -----------------------------------------------------------------------------


def _paid(
    payment_id: str, amount: Amount | None, *, moves: tuple[ProviderMove, ...] | None = None, given_back: bool = False,
    **said: Any,
) -> Paid:  # fmt: skip
    if not payment_id or amount is None:
        raise Unclear("a payment without id or amount")
    total = amount.money
    return Paid(
        payment_id=payment_id, total=total, captured=total.amount, moves=moves,
        refunded=total.amount if given_back else None, **said,
    )  # fmt: skip
