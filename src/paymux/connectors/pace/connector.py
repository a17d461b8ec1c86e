"""Pace, API v1.

A transaction is opened, the shopper agrees on Pace's page, and its status tells the end: `approved` is paid whole, and
there is nothing to confirm or to capture. The return and the webhook are unsigned; each makes us ask. No call refunds.
An error may come with any HTTP status, in a body that has `error`. The total is a number in major units, the price of
a line an integer in minor ones. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from paymux.connectors.contract import (
    Ask,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Expired,
    Incoming,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Refused,
    Report,
)
from paymux.connectors.pace import requests
from paymux.connectors.pace.answers import Event, Opened, Plans, Transaction, refusal
from paymux.connectors.provider_http import basic
from paymux.connectors.reading import decided, raw, read
from paymux.money import Money
from paymux.platform.http import Answer, Unclear


class Pace(Connector):
    """Pace's redirect checkout, paid once the shopper agreed."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a transaction, which moves no money. One reference may have several."""
        opened = read(Opened, await self._send("POST", "/v1/checkouts", requests.new_transaction(order)))
        if not opened.payment_link.startswith(("https://", "http://")):
            raise Unclear("the transaction has no page to send the shopper to")
        return Redirect(url=opened.payment_link, session=opened.transaction_id, expires_at=opened.expires_at)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Unsigned: a hint that the shopper is back from the transaction that it names."""
        via = query.get("via")
        return Ask(session=query.get("transactionId") or None, completed=via == "success", left=via == "failure")

    async def fetch(self, checkout: Checkout) -> Report:
        """The transaction."""
        answer = await self._send("GET", _path(checkout))
        return _report(read(Transaction, answer), answer)

    def read_event(self, event: Incoming) -> EventReading:
        """The transaction that a webhook is about. Raises ValueError for one that names none."""
        told = Event.model_validate_json(event.body)
        if not told.transaction_id and not told.reference_id:
            raise ValueError("the webhook names no transaction")
        return EventReading(session=told.transaction_id or None, reference=told.reference_id or None)

    async def check(self) -> str:
        """Read the merchant's payment plans."""
        plans = read(Plans, await self._send("GET", "/v1/checkouts/plans")).list
        offered = ", ".join(
            f"{plan.currency_code} {plan.min_amount.actual_value} to {plan.max_amount.actual_value}" for plan in plans
        )
        return f"read the payment plans: {offered or 'none'}"

    # -- cancelling ---------------------------------------------------------------------------

    async def cancel_checkout(self, checkout: Checkout) -> None:
        """Cancel the transaction. One that has ended already needs no cancelling."""
        try:
            await self._send("POST", f"{_path(checkout)}/cancel", {})
        except Refused:
            if not isinstance(await self.fetch(checkout), Cancelled | Expired):
                raise

    # -- HTTP ---------------------------------------------------------------------------------

    async def _send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Send; return an answer that is no error. Raises Refused for an error, Unclear for what is neither."""
        headers = {"Authorization": basic(self.credentials["client_id"], self.credentials["client_secret"])}
        answer = decided(await self.http.send(method, self.url(path), headers=headers, json=body))
        no = refusal(answer)
        if no is not None:
            raise no
        return answer


def _path(checkout: Checkout) -> str:
    return f"/v1/checkouts/{quote(checkout.session, safe='')}"


# -- what is read -----------------------------------------------------------------------------


def _report(transaction: Transaction, answer: Answer) -> Report:
    """What a transaction says; a word that we don't know is asked about again."""
    said: dict[str, Any] = {
        "session": transaction.transaction_id, "reference": transaction.reference_id, "raw": raw(answer)
    }  # fmt: skip
    word = transaction.status
    if word == "approved":
        told = transaction.amount
        total = Money(told.actual_value, told.currency) if told else None
        captured = total.amount if total else None
        return Paid(payment_id=transaction.transaction_id, total=total, captured=captured, **said)
    if word == "cancelled":
        return Cancelled(reason="the transaction was cancelled at Pace", **said)
    if word == "expired":
        return Expired(reason="the transaction expired at Pace", **said)
    return Pending(reason=f"the transaction is {word[:64]} at Pace", completed=word == "processing", **said)
