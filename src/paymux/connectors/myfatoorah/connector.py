"""MyFatoorah's v2 API: an invoice with a page of its own, paid at once; one invoice may see several tries to pay.

An invoice stays payable after a try that failed, so only a cancelled one is over; ours ends with the order's deadline,
which is told in Kuwait's local time without a zone. Its amount is told as text with the currency's local name,
`1,200.000 KD`. Refunds are requests that people at MyFatoorah execute or cancel later: they are asked about with the
invoice, and known by the key that each was asked for with. The return names a try to pay, never the invoice; events
are signed over a few of their fields, among them no amount. Both lead to asking only.
Errors come with status 400, or with 200 and `IsSuccess` false. Amounts are numbers in major units.
Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from paymux.connectors import amounts
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
    MoveResult,
    OrderToPay,
    Paid,
    Pending,
    ProviderMove,
    Redirect,
    Refused,
    Report,
    Underway,
)
from paymux.connectors.myfatoorah import requests
from paymux.connectors.myfatoorah.answers import Invoice, InvoiceStatus, Methods, Refund, Refunds, Transaction, content
from paymux.connectors.reading import raw
from paymux.connectors.signing import hmac_base64, same
from paymux.platform.database import from_json
from paymux.platform.http import Answer, Unclear

_PAID_TWICE = "DuplicatePayment"
_PAID = frozenset({"Paid", _PAID_TWICE})
_PAYMENT_SUCCEEDED = "Succss"  # so spelt by MyFatoorah
_OVER: dict[str, type[Cancelled | Expired]] = {"Canceled": Cancelled, "Expired": Expired}
_PAYMENT, _REFUND = 1, 2
# The signed fields of each event, in the order in which they are signed.
_SIGNED = {
    _PAYMENT: (
        "Invoice.Id", "Invoice.Status", "Transaction.Status", "Transaction.PaymentId", "Invoice.ExternalIdentifier",
    ),
    _REFUND: ("Refund.Id", "Refund.Status", "Amount.ValueInBaseCurrency", "ReferencedInvoice.Id"),
}  # fmt: skip
_ABOUT = {_PAYMENT: "Invoice.Id", _REFUND: "ReferencedInvoice.Id"}


class MyFatoorah(Connector):
    """MyFatoorah's invoices: an immediate sale, refunds that are decided later."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Make an invoice. A repeat makes another one, and the first one is never handed out."""
        invoice = content(Invoice, await self._post("/v2/SendPayment", requests.invoice(order)))
        return Redirect(url=invoice.invoice_url, session=invoice.invoice_id, expires_at=order.expires_at)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """The return is not signed, and its `paymentId` is that of a try to pay."""
        via = query.get("via")
        return Ask(left=via == "failure", completed=via == "success")

    async def fetch(self, checkout: Checkout) -> Report:
        """The invoice, and once it is paid its refunds."""
        answer = await self._post("/v2/GetPaymentStatus", requests.invoice_key(checkout))
        invoice = content(InvoiceStatus, answer)
        said: dict[str, Any] = {
            "session": invoice.invoice_id, "reference": invoice.customer_reference, "raw": raw(answer),
        }  # fmt: skip
        succeeded = [one for one in invoice.tries if one.transaction_status == _PAYMENT_SUCCEEDED]
        paid = next(iter(succeeded), None)
        if invoice.invoice_status in _PAID and paid is not None:
            total, twice = invoice.total, len(succeeded) > 1 or invoice.invoice_status == _PAID_TWICE
            return Paid(
                payment_id=paid.payment_id or checkout.session, total=total, captured=total.amount,
                moves=await self._refunds(checkout), review=_duplicate(succeeded) if twice else "", **said,
            )  # fmt: skip
        over = _OVER.get(invoice.invoice_status)
        if over is not None and paid is None:
            return over(reason=f"the invoice is {invoice.invoice_status}", **said)
        return _undecided(invoice, said)

    async def _refunds(self, checkout: Checkout) -> tuple[ProviderMove, ...] | None:
        """The invoice's refunds; None where MyFatoorah does not tell them, which must not hide that it is paid."""
        try:
            answer = await self._post("/v2/GetRefundStatus", requests.invoice_key(checkout))
            return tuple(one.move for one in content(Refunds, answer).refund_status_result)
        except (Refused, Unclear):
            return None

    def verify_event(self, event: Incoming) -> str | None:
        """Check the signature of a V2 event; its own id is `Event.Reference`."""
        try:
            body = _body(event)
            code = body["Event"]["Code"]
            signed = ",".join(f"{name}={_text(_field(body['Data'], name))}" for name in _SIGNED[code])
        except (ValueError, KeyError, TypeError) as fault:
            raise Forged("no event of version V2 on a payment or a refund") from fault
        expected = hmac_base64(self.credentials["webhook_secret"], signed)
        if not self.credentials["webhook_secret"] or not same(event.headers.get("myfatoorah-signature"), expected):
            raise Forged("the signature is missing or not the event's")
        reference = body["Event"].get("Reference")
        return reference if isinstance(reference, str) and reference else None

    def read_event(self, event: Incoming) -> EventReading:
        """The invoice that an event is about. It proves no amount, so the invoice is asked for."""
        try:
            body = _body(event)
            invoice = _text(_field(body["Data"], _ABOUT[body["Event"]["Code"]]))
        except (KeyError, TypeError) as fault:
            raise ValueError("the event names no invoice") from fault
        if not invoice:
            raise ValueError("the event names no invoice")
        return EventReading(session=invoice)

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Ask for a refund of a part or all; the finance team executes it. All fees stay with the merchant."""
        body: requests.Refund = {
            "Key": checkout.payment,
            "KeyType": "InvoiceId" if checkout.payment == checkout.session else "PaymentId",
            "RefundChargeOnCustomer": False,
            "ServiceChargeOnCustomer": False,
            "Amount": Decimal(amounts.text(move.amount)),
            "CurrencyIso": move.amount.currency,
            "Comment": move.description or f"Refund {move.reference}",
            "ExternalIdentifier": move.key,
        }
        answer = await self._post("/v2/MakeRefund", body)
        return Underway(provider_id=content(Refund, answer).refund_id, raw=raw(answer))

    # -- the rest -----------------------------------------------------------------------------

    async def check(self) -> str:
        """Read the account's ways to pay."""
        currency = self.code.currencies[0]
        body: requests.MethodsInquiry = {"InvoiceAmount": 1, "CurrencyIso": currency}
        answer = await self._post("/v2/InitiatePayment", body)
        methods = content(Methods, answer).payment_methods
        named = ", ".join(method.payment_method_en for method in methods if method.payment_method_en)
        return f"read the account's ways to pay in {currency}: {named or 'none'}"

    async def _post(self, path: str, body: Mapping[str, object]) -> Answer:
        headers = {"Authorization": f"Bearer {self.credentials['api_token']}"}
        return await self.http.send("POST", self.url(path), headers=headers, json=body)


# -- what is read -----------------------------------------------------------------------------


def _duplicate(succeeded: Sequence[Transaction]) -> str:
    """What a person has to do about an invoice that was paid more than once: one payment of them is the order's."""
    ids = ", ".join(one.payment_id for one in succeeded[1:] if one.payment_id)
    named = f" (payment {ids})" if ids else ""
    return f"MyFatoorah took more than one payment for the invoice{named}: give what is too much back in its portal"


def _undecided(invoice: InvoiceStatus, said: Mapping[str, Any]) -> Pending:
    """An invoice that may still be paid, with what its last try came to. One that is being paid is the shopper's part done."""
    last = invoice.tries[-1] if invoice.tries else None
    if last is None:
        return Pending(reason=f"the invoice is {invoice.invoice_status[:64]}", **said)
    why = f": {last.error}" if last.error else ""
    return Pending(
        reason=f"the invoice is {invoice.invoice_status[:64]}, its last payment {last.transaction_status[:64]}{why}"[:300],
        completed=last.transaction_status == "InProgress", **said,
    )  # fmt: skip


def _body(event: Incoming) -> dict[str, Any]:
    """The event as an object. Raises ValueError."""
    body = from_json(event.body)
    if not isinstance(body, dict):
        raise ValueError("the event is no object")
    return body


def _field(data: Mapping[str, Any], path: str) -> Any:
    """A field by its path. Raises KeyError and TypeError where there is none."""
    part, name = path.split(".")
    return data[part][name]


def _text(value: Any) -> str:
    """A value as it is signed: null is nothing."""
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        return str(value)
    if value is None:
        return ""
    raise TypeError("a signed field is no text")
