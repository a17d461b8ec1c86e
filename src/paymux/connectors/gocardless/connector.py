"""GoCardless: a direct debit in the scheme of the order's currency (ACH, Bacs, BECS, BECS NZ, SEPA …).

The shopper's part is a mandate: a billing request, fulfilled in GoCardless's hosted flow. It names no amount and
moves nothing; our confirm then creates the payment against that mandate. A payment is not there until the bank
has collected it, days later, so it stays underway until GoCardless calls it confirmed (S5), and it can fail even
after that, which is then a chargeback to us, as a payment that is charged back. Returns are unsigned. A webhook
brings many signed events, of any order, and none names an amount: each makes us ask. An `Idempotency-Key` that was
used before is answered 409 with the id of what it made, which is then read. Amounts are minor units; our reference,
the billing request and an operation's key go along as metadata and come back. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from paymux.connectors.contract import (
    Approved,
    Ask,
    Cancelled,
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
)
from paymux.connectors.gocardless import requests
from paymux.connectors.gocardless.answers import (
    BillingRequest,
    BillingRequestAnswer,
    CreditorList,
    Event,
    FlowAnswer,
    Payment,
    PaymentAnswer,
    RefundAnswer,
    RefundList,
    conflicting,
    refusal,
)
from paymux.connectors.reading import raw, read
from paymux.connectors.signing import hmac_hex, same
from paymux.platform.database import from_json, to_json
from paymux.platform.http import Answer, Unclear

_OPEN = frozenset({"pending_customer_approval", "pending_submission", "submitted"})
_COLLECTED = frozenset({"confirmed", "paid_out"})
_REFUSED = {"failed": "the bank did not collect the debit", "customer_approval_denied": "the payer denied the payment"}


class GoCardless(Connector):
    """GoCardless's hosted mandate flow, and one debit against the mandate."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a billing request and a flow for it. A repeat finds the billing request again; flows may be several."""
        answer = await self._create("billing_requests", requests.billing_request_of(order), key)
        opened = read(BillingRequestAnswer, answer).billing_requests
        answer = await self._post("/billing_request_flows", requests.flow_of(order, opened.id))
        if answer.status >= 400:
            raise refusal(answer)
        flow = read(FlowAnswer, answer).billing_request_flows
        return Redirect(url=flow.authorisation_url, session=opened.id, expires_at=flow.expires_at)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Only our own hint on which way he came back: GoCardless signs nothing."""
        return Ask.by_address(query)

    async def fetch(self, checkout: Checkout) -> Report:
        """The payment with its refunds once there is one, else the billing request."""
        if checkout.payment_id:
            return await self._paid(checkout, await self._get(f"/payments/{quote(checkout.payment_id, safe='')}"))
        answer = await self._get(f"/billing_requests/{quote(checkout.session, safe='')}")
        return _asked(read(BillingRequestAnswer, answer).billing_requests, answer)

    def verify_event(self, event: Incoming) -> str | None:
        """Check the signature over the raw body. The events that it brings have ids of their own."""
        expected = hmac_hex(self.credentials["webhook_secret"], event.body)
        if not same(event.headers.get("webhook-signature"), expected):
            raise Forged("wrong signature")
        return None

    def split_event(self, event: Incoming) -> tuple[tuple[str, Incoming], ...]:
        """One request for each event of the webhook."""
        parts = []
        for single in _events(event):
            body = to_json({"events": [single]}).encode()
            part = Incoming(method=event.method, headers=event.headers, query=event.query, body=body)
            parts.append((Event.model_validate(single).id, part))
        return tuple(parts)

    def read_event(self, event: Incoming) -> EventReading:
        """What one event is about. Raises ValueError for what is about no checkout (payouts, mandates …)."""
        (single,) = _events(event)
        told = Event.model_validate(single)
        order = (told.resource_metadata or {}).get("order")
        reading = EventReading(
            session=told.links.billing_request, payment_id=told.links.payment, reference=str(order) if order else None
        )
        if reading == EventReading():
            raise ValueError(f"an event about {told.resource_type} names no checkout of ours")
        return reading

    async def check(self) -> str:
        """Read the creditors."""
        found = read(CreditorList, await self._get("/creditors")).creditors
        return f"read the creditors: {', '.join(one.name or one.id for one in found) or 'none yet'}"

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Create the payment against the mandate. Before the shopper has agreed it is Pending, with no effect."""
        headers, path = self._headers(), f"/billing_requests/{quote(checkout.session, safe='')}"
        answer = await self.http.prepare("GET", self.url(path), headers=headers)
        if answer.status >= 400:
            raise refusal(answer)
        request = read(BillingRequestAnswer, answer).billing_requests
        agreed = _asked(request, answer)
        if not isinstance(agreed, Approved) or request.mandate is None:
            return agreed
        wanted = requests.payment_of(checkout, request.mandate)
        return await self._paid(checkout, await self._create("payments", wanted, key))

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all. GoCardless wants the sum of all refunds told, and refuses one that it does not share."""
        answer = await self._create("refunds", requests.refund_of(checkout, move), move.key)
        refund = read(RefundAnswer, answer).refunds
        if refund.state is MoveStatus.FAILED:
            raise Refused(f"the refund was {refund.status.replace('_', ' ')}", refund.status)
        done = Moved if refund.state is MoveStatus.DONE else Underway
        return done(provider_id=refund.id, raw=raw(answer))

    async def cancel_checkout(self, checkout: Checkout) -> None:
        """Cancel the billing request, or the payment that it became; that is refused once the banks have it."""
        kind, name = (
            ("payments", checkout.payment_id) if checkout.payment_id else ("billing_requests", checkout.session)
        )
        action: requests.Action = {"data": {}}
        answer = await self._post(f"/{kind}/{quote(name, safe='')}/actions/cancel", action)
        if answer.status >= 400:
            raise refusal(answer)

    # -- reading a payment --------------------------------------------------------------------

    async def _paid(self, checkout: Checkout, answer: Answer) -> Report:
        """What a payment says; of one that was collected its refunds, too."""
        payment = read(PaymentAnswer, answer).payments
        session, reference = payment.note("billing_request"), payment.note("order")
        late = payment.status == "failed" and "collected" in checkout.state
        if payment.status in _COLLECTED or payment.status == "charged_back" or late:
            moves = await self._refunds(payment)
            if payment.status not in _COLLECTED:
                moves = (*moves, _taken_back(payment))
            return Paid(
                session=session, reference=reference, raw=raw(answer), payment_id=payment.id, total=payment.total,
                captured=payment.total.amount, voided=Decimal(0), moves=moves,
                refunded=sum((m.amount for m in moves if _given_back(m)), Decimal(0)),
                state={"collected": "yes"},
            )  # fmt: skip
        if payment.status in _OPEN:
            return Paid(
                session=session, reference=reference, raw=raw(answer), payment_id=payment.id, total=payment.total,
                captured=None, underway=True,
            )  # fmt: skip
        said: dict[str, Any] = {"session": session, "reference": reference, "raw": raw(answer)}
        if payment.status in _REFUSED:
            return Declined(reason=_REFUSED[payment.status], code=payment.status, **said)
        if payment.status == "cancelled":
            return Cancelled(reason="the payment was cancelled at GoCardless", **said)
        return Pending(reason=f"unknown payment status {payment.status}", completed=True, **said)

    async def _refunds(self, payment: Payment) -> tuple[ProviderMove, ...]:
        # At most five can be made, so the first page has them all.
        answer = await self._get(f"/refunds?payment={quote(payment.id, safe='')}")
        return tuple(refund.move for refund in read(RefundList, answer).refunds)

    # -- HTTP ---------------------------------------------------------------------------------

    async def _create(self, kind: requests.Created, wanted: requests.NewResource, key: str) -> Answer:
        """Create a resource once per key: a repeat is answered by what the first one made. Raises Refused."""
        answer = await self._post(f"/{kind}", {kind: wanted}, {"Idempotency-Key": key})
        if answer.status < 400:
            return answer
        made = conflicting(answer)
        if made is not None:
            return await self._get(f"/{kind}/{quote(made, safe='')}")
        if answer.status == 409:
            raise Unclear("an earlier request with this key made something that is not named")
        raise refusal(answer)

    async def _get(self, path: str) -> Answer:
        answer = await self._send("GET", path)
        if answer.status >= 400:
            raise refusal(answer)
        return answer

    async def _post(self, path: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Answer:
        return await self._send("POST", path, body, headers)

    async def _send(
        self, method: str, path: str, body: Mapping[str, object] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = {**self._headers(), **(headers or {})}
        answer = await self.http.send(method, self.url(path), headers=sent, json=body)
        if 200 <= answer.status < 300 or 400 <= answer.status < 500:
            return answer
        raise Unclear(f"answer {answer.status}")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.credentials['access_token']}", "GoCardless-Version": "2015-07-06"}


def _asked(request: BillingRequest, answer: Answer) -> Report:
    """What a billing request says: only a fulfilled one has the mandate that can be charged."""
    said: dict[str, Any] = {"session": request.id, "reference": request.note("order"), "raw": raw(answer)}
    if request.status == "cancelled":
        return Cancelled(reason="the billing request was cancelled", **said)
    if request.status == "fulfilled" and request.mandate is not None:
        return Approved(**said)
    return Pending(reason=f"the billing request is {request.status}", completed=request.status != "pending", **said)


def _taken_back(payment: Payment) -> ProviderMove:
    why = "the payer's bank took it back" if payment.status == "charged_back" else "it failed after it was confirmed"
    return ProviderMove(
        kind=MoveKind.CHARGEBACK, amount=payment.total.amount, provider_id=f"{payment.id}-{payment.status}", reason=why
    )


def _given_back(move: ProviderMove) -> bool:
    return move.kind is MoveKind.REFUND and move.status is MoveStatus.DONE


def _events(request: Incoming) -> list[Any]:
    """The events of a webhook. Raises ValueError where it is none."""
    body = from_json(request.body)
    listed = body.get("events") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise ValueError("a webhook without a list of events")
    return listed
