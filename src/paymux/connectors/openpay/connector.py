"""Openpay in Australia and the United Kingdom, which closed in February 2023.

An order is opened by a call whose answer is a form: the shopper's browser posts it, he agrees to a plan, and the order
waits, its plan lodged, until we capture it, which is our confirm. A capture is of the whole order and names no amount,
so the order is read first and captured only if it is of our price. A capture without an answer shows in the order's
status; it is sent again only while the plan is still lodged. A refund has no key and is not listed. The order names a
price in whole cents but neither currency nor our reference; an account has one currency, that of its code.
Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from paymux.connectors import amounts
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
    NotThere,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Refused,
    Report,
)
from paymux.connectors.openpay import requests
from paymux.connectors.openpay.answers import Captured, Gone, Limits, Opened, Order, Refunded, refusal
from paymux.connectors.provider_http import basic
from paymux.connectors.reading import decided, raw, read
from paymux.money import Money
from paymux.platform.http import Answer, NotSent, Unclear

# Order and plan as they stand, by the documented words; any other pair is asked about again.
_STANDING: dict[tuple[str, str], type[Report]] = {
    ("pending", "lodged"): Approved, ("approved", "active"): Paid, ("approved", "finished"): Paid,
    ("approved", "refunded"): Paid,
}  # fmt: skip


class Openpay(Connector):
    """Openpay's online plans: a form posted by the browser, a sale that is captured whole, refunds."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open an order. There is no key for it: of one that was not answered nobody has the form."""
        opened = read(Opened, await self._made("POST", "", requests.new_order(order)))
        return Redirect(url=opened.url, session=opened.order_id, form=opened.form)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """`status` and `planid`, Openpay's id of the order, are unsigned; `orderid` is our reference."""
        status = query.get("status", "").upper()
        return Ask(session=query.get("planid") or None, approved=status == "LODGED", left=status == "CANCELLED")

    async def fetch(self, checkout: Checkout) -> Report:
        """How the order and its plan stand."""
        return (await self._standing(checkout))[0]

    async def _standing(self, checkout: Checkout) -> tuple[Report, int]:
        """How they stand, and the price in whole cents; once a payment is known its amount is not told any more."""
        try:
            answer = await self._made("GET", _path(checkout))
        except Gone as gone:
            return Cancelled(reason=gone.reason), 0
        order = read(Order, answer)
        price, plan = order.purchase_price, order.plan_status or ""
        kind = _STANDING.get((order.order_status.lower(), plan.lower()), Pending)
        said: dict[str, Any] = {"session": order.order_id, "raw": raw(answer)}
        if kind is Approved:
            return Approved(**said), price
        if kind is Pending:
            return Pending(reason=f"the order is {order.order_status[:64]}, its plan {plan[:64]}", **said), price
        total = self._money(price) if checkout.payment_id is None else None
        captured = total.amount if total else None
        return Paid(payment_id=order.order_id, total=total, captured=captured, **said), price

    async def check(self) -> str:
        """Read the account's limits."""
        limits = read(Limits, await self._made("GET", "/limits?origin=Online"))
        bounds = [
            "?" if price is None else self._money(price).text for price in (limits.min_price, limits.max_price)
        ]  # fmt: skip
        return f"read the account's limits: orders from {bounds[0]} to {bounds[1]} {self.code.currencies[0]}"

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Capture the whole order, if it waits for that and is of our price. Until it is sent nothing has happened."""
        try:
            found, price = await self._standing(checkout)
        except NotThere as no:
            return Pending(reason=no.reason)
        except Unclear as fault:
            raise NotSent(f"before the capture: {fault}") from fault
        if not isinstance(found, Approved):
            return found
        if price != amounts.minor(checkout.total):
            raise Refused("Openpay's order is of another price, and was not captured", "another_amount")
        return await self._captured(checkout)

    async def _captured(self, checkout: Checkout) -> Report:
        """Capture. A no to it may be due to an earlier capture, so the order has the last word."""
        body: requests.Capture = {"retailerOrderNo": checkout.reference}
        try:
            answer = await self._made("POST", _path(checkout, "capturepayment"), body)
        except Refused:
            found = await self.fetch(checkout)
            if isinstance(found, Paid):
                return found
            raise
        said = read(Captured, answer)
        total = None if said.purchase_price is None else self._money(said.purchase_price)
        return Paid(
            session=said.order_id, payment_id=said.order_id, total=total, captured=total.amount if total else None,
            raw=raw(answer),
        )  # fmt: skip

    async def recover_confirm(self, checkout: Checkout, key: str) -> Report | None:
        """Look at the order: while its plan is still lodged no capture has had an effect."""
        found = await self.fetch(checkout)
        return None if isinstance(found, Approved) else found

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part, by which the price is reduced, or all that is left. Openpay gives it no id."""
        part: requests.PartRefund = {"fullRefund": False, "reducePriceBy": amounts.minor(move.amount)}
        whole: requests.WholeRefund = {"fullRefund": True}
        answer = await self._made("POST", _path(checkout, "refund"), whole if move.whole else part)
        if read(Refunded, answer).order_id != checkout.payment:
            raise Unclear("the refund is of another order")
        return Moved(provider_id=f"{checkout.payment}/refund/{move.key}", raw=raw(answer))

    # -- HTTP ---------------------------------------------------------------------------------

    async def _made(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        who = basic(self.credentials["auth_user"], self.credentials["auth_token"])
        url = self.url(f"/v1/merchant/orders{path}")
        answer = decided(await self.http.send(method, url, headers={"Authorization": who}, json=body))
        if answer.status >= 400:
            raise refusal(answer)
        return answer

    def _money(self, price: int) -> Money:
        return Money.from_minor(price, self.code.currencies[0])


def _path(checkout: Checkout, verb: str = "") -> str:
    return f"/{quote(checkout.payment, safe='')}" + (f"/{verb}" if verb else "")
