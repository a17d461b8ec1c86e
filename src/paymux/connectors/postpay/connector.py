"""Postpay, API v1.

Nothing is paid until we confirm: the shopper comes back with APPROVED, and capturing the order, whole, makes a payment
of it. The return is not signed, and no single order can be read: the list of orders is looked at instead, its first
pages when asking, the captured ones after a capture whose answer was lost. A clear no to a capture leaves the order
open. A checkout is named by `order_id`: our reference with a suffix, for each needs one of its own.
A refund is named by our key; nothing documents what a repeat does, so a lost one is left to a person.
Amounts are integers in hundredths. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from paymux.connectors.amounts import minor
from paymux.connectors.contract import (
    Approved,
    Ask,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    Move,
    Moved,
    MoveResult,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Report,
)
from paymux.connectors.postpay import requests
from paymux.connectors.postpay.answers import Opened, Order, Orders, Refund, refusal
from paymux.connectors.provider_http import basic
from paymux.connectors.reading import decided, raw, read
from paymux.money import Money
from paymux.platform.http import Answer, Unclear

_ACCEPT = "application/vnd.postpay+json; version=v1"
_SUFFIX = 13
_PAGE_SIZE = 50
_MOST_PAGES = 20
_PAGES_TO_LOOK_AT = 4
_GAVE_UP = frozenset({"DENIED", "CANCELLED"})
# These say nothing of the order: our credentials, or its name, are wrong.
_NOT_OF_THE_ORDER = frozenset({401, 403, 404})


class Postpay(Connector):
    """Postpay's redirect checkout; what the shopper agreed to is captured whole."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Create a checkout, which moves no money."""
        name = f"{order.reference}-{key[:_SUFFIX]}"
        opened = read(Opened, await self._made("POST", "/checkouts", requests.checkout(order, name)))
        if not opened.redirect_url.startswith(("https://", "http://")):
            raise Unclear("the checkout has no address to send the shopper to")
        return Redirect(url=opened.redirect_url, session=name, state={"token": opened.token})

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """`status` and `order_id` are unsigned: a hint to capture, or that the shopper left."""
        status, via = query.get("status", ""), query.get("via")
        left = status in _GAVE_UP or via == "cancel"
        approved = not left and (status == "APPROVED" or via == "success")
        return Ask(session=query.get("order_id") or None, approved=approved, left=left)

    async def fetch(self, checkout: Checkout) -> Report:
        """The order as the list shows it, if it is among the first ones; that it is not there says nothing."""
        found, _ = await self._listed(checkout, "", _PAGES_TO_LOOK_AT)
        return found or Pending(reason="the order is not among the first ones of the list")

    async def _listed(self, checkout: Checkout, only: str, pages: int) -> tuple[Report | None, bool]:
        """What the list of orders says of this one, and whether the list was read to its end."""
        for page in range(1, pages + 1):
            answer = await self._made("GET", f"/orders?{only}page={page}&page_size={_PAGE_SIZE}")
            orders = read(Orders, answer)
            for order in orders.results:
                if order.order_id == checkout.session:
                    return _report(order), True
            if orders.next is None:
                return None, True
        return None, False

    async def check(self) -> str:
        """Read the list of orders."""
        await self._made("GET", "/orders?page=1&page_size=1")
        return "read the list of orders"

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Capture the order. A clear no has no effect: the shopper may still agree."""
        answer = await self._answered("POST", f"{_path(checkout)}/capture")
        if answer.status < 300:
            return _report(read(Order, answer))
        no = refusal(answer)
        if answer.status in _NOT_OF_THE_ORDER:
            raise no
        return Pending(reason=f"{no.code}: {no.reason}", raw=raw(answer))

    async def recover_confirm(self, checkout: Checkout, key: str) -> Report | None:
        """Look for the order among the captured ones; if it surely is not there, the capture had no effect."""
        found, all_seen = await self._listed(checkout, "status=captured&", _MOST_PAGES)
        if found is None and not all_seen:
            raise Unclear(f"the order is not among the first {_MOST_PAGES * _PAGE_SIZE} captured ones")
        return found

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund captured money."""
        body: requests.Refund = {
            "refund_id": move.key, "amount": minor(move.amount), "description": move.description or move.reference,
        }  # fmt: skip
        answer = await self._made("POST", f"{_path(checkout)}/refunds", body)
        if read(Refund, answer).amount not in (None, minor(move.amount)):
            raise Unclear(f"Postpay refunded another amount than {move.amount.text}")
        return Moved(provider_id=move.key, raw=raw(answer))

    # -- HTTP ---------------------------------------------------------------------------------

    async def _answered(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Send; return 2xx and clear 4xx."""
        headers = {
            "Authorization": basic(self.credentials["merchant_id"], self.credentials["secret_key"]),
            "Accept": _ACCEPT,
        }
        return decided(await self.http.send(method, self.url(path), headers=headers, json=body))

    async def _made(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        answer = await self._answered(method, path, body)
        if answer.status >= 400:
            raise refusal(answer)
        return answer


def _path(checkout: Checkout) -> str:
    return f"/orders/{quote(checkout.session, safe='')}"


# -- what is read -----------------------------------------------------------------------------


def _report(order: Order) -> Report:
    """What an order says; a word that we don't know is asked about again."""
    said: dict[str, Any] = {"session": order.order_id, "raw": order.model_dump()}
    status = order.status.lower()
    if status == "captured":
        total = Money.from_minor(order.total_amount, order.currency)
        return Paid(payment_id=order.order_id, total=total, captured=total.amount, **said)
    if status == "approved":
        return Approved(**said)
    if status == "denied":
        return Declined(reason="Postpay denied the order", code=order.status, **said)
    if status == "cancelled":
        return Cancelled(reason="the shopper cancelled the order", **said)
    return Pending(reason=f"the order is {status[:64]}", **said)
