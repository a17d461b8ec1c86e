"""Tabby, checkout and payments API v2 with webhooks v1.

A session makes its payment at once: the payment's id is what the return, the status call, captures, refunds and
webhooks name, so it is the checkout's `session`; Tabby's session id is kept beside it. Before the shopper sees
anything Tabby scores him: a rejection is an ordinary answer, told as `Declined`. Paying only authorises. A capture
of all that is left closes the payment; CLOSED is also what a cancelled payment is called, so captures[] tell which.
There is no void but the close, which gives back everything that is not captured, and only a closed payment can be
refunded. `reference_id` of captures and refunds is the idempotency key and is shown back. Webhooks are not signed:
they carry a fixed header that we chose, and lower-case statuses. Live and test differ by the key, not by the host, and
each payment tells which it is.
Amounts are decimal strings in major units. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from paymux.connectors.amounts import text
from paymux.connectors.contract import (
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
    MoveResult,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Report,
    WrongCredentials,
)
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.signing import same
from paymux.connectors.tabby import requests
from paymux.connectors.tabby.answers import (
    Entry,
    Payment,
    Session,
    Webhook,
    read_event,
    read_webhooks,
    refusal,
)
from paymux.money import Money
from paymux.platform.http import Answer, Unclear

_CHECKOUT, _PAYMENTS, _WEBHOOKS = "/api/v2/checkout", "/api/v2/payments", "/api/v1/webhooks"
_TEST_KEY = "sk_test_"
_REJECTED_AT_CREATE = {
    "order_amount_too_high": "the purchase is above the shopper's current spending limit with Tabby",
    "order_amount_too_low": "the purchase is below the least amount that Tabby takes",
    "not_available": "Tabby is unable to approve this purchase",
}


class Tabby(Connector):
    """Tabby's hosted checkout."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a session. Create has no idempotency key at Tabby; an unused session just expires.

        Raises WrongCredentials in live mode for a key of test mode, by its form or by what it has made.
        """
        self._refuse_tests()
        answer = await self._send("POST", _CHECKOUT, requests.session(order, self.credentials["merchant_code"]))
        session = read(Session, _accepted(answer))
        if session.rejection:
            reason = _REJECTED_AT_CREATE.get(session.rejection, "Tabby rejected the order")
            return Declined(reason=reason, code=session.rejection, raw=raw(answer))
        if session.payment is None or not session.web_url.startswith(("https://", "http://")):
            raise Unclear(f"a session in state {session.status} without payment or address to send the shopper to")
        if self.account.live and session.payment.is_test:
            raise WrongCredentials("Tabby opened a test payment", "test_key")
        state = {"tabby_session": session.id} if session.id else {}
        return Redirect(url=session.web_url, session=session.payment.id, state=state)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """`payment_id` is unsigned, and which address the shopper was sent to is a hint only."""
        return Ask(session=query.get("payment_id") or None, left=query.get("via") == "cancel")

    async def fetch(self, checkout: Checkout) -> Report:
        """The payment, which exists from create on."""
        answer = _accepted(await self._send("GET", _payment(checkout)))
        return self._report(read(Payment, answer), raw(answer))

    def verify_event(self, event: Incoming) -> str | None:
        """The header that we registered must have the value that we registered, and the body must be a payment.

        Tabby gives its webhooks no id.
        """
        name, value = self.credentials["webhook_header"].lower(), self.credentials["webhook_secret"]
        if not same(event.headers.get(name), value):
            raise Forged("the registered header is missing or has another value")
        try:
            read_event(event.body)
        except ValueError as fault:
            raise Forged("the body is no payment") from fault
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """The whole payment is in the body, and the header vouches for it."""
        payment, body = read_event(event.body)
        report = self._report(payment, body)
        return EventReading(session=payment.id, payment_id=payment.id, reference=report.reference, report=report)

    def _report(self, payment: Payment, body: Mapping[str, Any] | None) -> Report:
        """What a payment says. A status that is not documented is asked about again, and no test is paid in live mode."""
        said: dict[str, Any] = {
            "session": payment.id, "reference": payment.order.reference_id if payment.order else None, "raw": body,
        }  # fmt: skip
        meaning = _MEANING.get(payment.status.upper())
        if meaning is None:
            return Pending(reason=f"unknown payment status {payment.status[:64]}", **said)
        report = meaning(payment, said)
        if isinstance(report, Paid) and payment.is_test and self.account.live:
            return Broken(
                reason="the payment was made in Tabby's test mode: look at secret_key", code="test_payment", **said
            )
        return report

    # -- moving money -------------------------------------------------------------------------

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture a part or all; all that is left closes the payment."""
        body: requests.Capture = {"amount": text(move.amount), "reference_id": move.key}
        answer = _accepted(await self._send("POST", f"{_payment(checkout)}/captures", body))
        return _moved(read(Payment, answer).captures, move, answer)

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Close the payment: it gives back all that is not captured and takes no amount. A second close is refused."""
        answer = _accepted(await self._send("POST", f"{_payment(checkout)}/close"))
        payment = read(Payment, answer)
        if payment.released != move.amount.amount:
            raise Unclear(f"the {payment.status} payment released {payment.released}")
        return Moved(provider_id=payment.id, raw=raw(answer))

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund captured money of a closed payment; refused while a part of it is still open, or disputed."""
        body: requests.Refund = {"amount": text(move.amount), "reference_id": move.key}
        if move.description:
            body["reason"] = move.description[: requests.MAX_TEXT]
        answer = _accepted(await self._send("POST", f"{_payment(checkout)}/refunds", body))
        return _moved(read(Payment, answer).refunds, move, answer)

    # -- the rest -----------------------------------------------------------------------------

    async def set_up_events(self, url: str) -> None:
        """Register our URL with our header for this merchant code; one that has another header is corrected."""
        header: requests.WebhookHeader = {
            "title": self.credentials["webhook_header"],
            "value": self.credentials["webhook_secret"],
        }
        ours = [hook for hook in await self._webhooks() if hook.url == url]
        if not ours:
            new: requests.WebhookRegistration = {"url": url, "header": header}
            read(Webhook, _accepted(await self._send("POST", _WEBHOOKS, new, admin=True)))
        for hook in ours:
            if hook.header is None or hook.header.model_dump() != header:
                body: requests.WebhookUpdate = {"id": hook.id, "url": url, "header": header}
                _accepted(await self._send("PUT", f"{_WEBHOOKS}/{quote(hook.id, safe='')}", body, admin=True))

    async def check(self) -> str:
        """List the webhooks, which needs the key and the merchant code.

        Raises WrongCredentials in live mode for a key of test mode.
        """
        self._refuse_tests()
        count = len(await self._webhooks())
        return f"read the webhooks of merchant code {self.credentials['merchant_code']}: {count} registered"

    def _refuse_tests(self) -> None:
        if self.account.live and self.credentials["secret_key"].strip().startswith(_TEST_KEY):
            raise WrongCredentials("the secret key is one of test mode", "test_key")

    async def _webhooks(self) -> list[Webhook]:
        return read_webhooks(_accepted(await self._send("GET", _WEBHOOKS, admin=True)))

    async def _send(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, admin: bool = False
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self.credentials['secret_key']}"}
        if admin:
            headers["X-Merchant-Code"] = self.credentials["merchant_code"]
        return await self.http.send(method, self.url(path), headers=headers, json=body)


def _payment(checkout: Checkout) -> str:
    return f"{_PAYMENTS}/{quote(checkout.payment, safe='')}"


# -- what is read -----------------------------------------------------------------------------


def _accepted(answer: Answer) -> Answer:
    """A 2xx answer. Raises Refused for a 4xx and Unclear for what Tabby never answers."""
    if decided(answer).status >= 400:
        raise refusal(answer)
    return answer


def _pending(payment: Payment, said: Mapping[str, Any]) -> Report:
    return Pending(reason="the shopper has not finished", **said)


def _rejected(payment: Payment, said: Mapping[str, Any]) -> Report:
    return Declined(reason="Tabby rejected the payment", code="REJECTED", **said)


def _expired(payment: Payment, said: Mapping[str, Any]) -> Report:
    return Expired(reason="the shopper cancelled at Tabby, or did not pay in time", **said)


def _paid(payment: Payment, said: Mapping[str, Any]) -> Report:
    return Paid(
        payment_id=payment.id, total=Money(payment.amount, payment.currency), captured=payment.captured,
        voided=payment.released, refunded=payment.refunded, moves=payment.moves, **said,
    )  # fmt: skip


_MEANING = {
    "CREATED": _pending,
    "AUTHORIZED": _paid,
    "CLOSED": _paid,
    "REJECTED": _rejected,
    "EXPIRED": _expired,
}


def _moved(entries: list[Entry] | None, move: Move, answer: Answer) -> Moved:
    """The entry with our key. Raises Unclear where Tabby's answer does not show it with our amount."""
    ours = [entry for entry in entries or () if entry.reference_id == move.key]
    if not ours or ours[-1].amount != move.amount.amount:
        raise Unclear("the payment does not list what was asked for")
    return Moved(provider_id=ours[-1].provider_id, raw=raw(answer))
