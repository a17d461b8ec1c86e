"""Laybuy in New Zealand, Australia and the United Kingdom, which closed in June 2024.

Nothing is paid until we confirm: the shopper agrees on Laybuy's page, and `confirm` turns his token into an order, with
amount and currency so that Laybuy checks them. A token is confirmed once; a repeat gets the same answer for a time and
an error thereafter, so after a lost answer the order is looked up first, by our reference, and only then sent again.
Every no is HTTP 200 with `result` ERROR and a sentence. An order can be read once it is confirmed; before that only
its status tells how it stands. Refunds are made once per refundReference and are listed by it.
Items have to sum up to the amount. A new order cancels the open ones of the same e-mail address at the same merchant.
Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import quote

from paymux.connectors.contract import (
    Approved,
    Ask,
    Broken,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    Expired,
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
    Report,
)
from paymux.connectors.laybuy import requests
from paymux.connectors.laybuy.answers import (
    Confirmed,
    Opened,
    Order,
    Refunded,
    Result,
    Standing,
    refusal,
    result_of,
)
from paymux.connectors.provider_http import basic
from paymux.connectors.reading import decided, raw, read
from paymux.money import Money
from paymux.platform.http import Answer

# Every documented word of the status; any other is asked about again. COMPLETED is read from the order itself.
_STANDING: dict[str, type[Report]] = {
    "WAITING": Pending, "PROCESSING": Approved, "COMPLETED": Pending, "CANCELLED": Cancelled, "DECLINED": Declined,
    "EXPIRED": Expired, "ERROR": Broken,
}  # fmt: skip
_OVER = (Cancelled, Declined, Expired, Broken)
_NOBODY = "paymux-credentials-check"


class Laybuy(Connector):
    """Laybuy's hosted checkout: a sale that is confirmed, with refunds."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open an order. There is no key for it: the token that was not answered is never confirmed."""
        opened = read(Opened, await self._made("POST", "/order/create", requests.new_order(order)))
        return Redirect(url=opened.payment_url, session=opened.token)

    async def cancel_checkout(self, checkout: Checkout) -> None:
        """End the payment process. Any call for a cancelled order is an error, so a no is looked into."""
        said, _ = await self._said("GET", f"/order/cancel/{_part(checkout.session)}")
        if said.refused and not isinstance(await self._standing(checkout), _OVER):
            raise refusal(said)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """`status` and `token` are unsigned: a hint to confirm, or that the shopper left."""
        status = query.get("status", "").upper()
        return Ask(session=query.get("token") or None, approved=status == "SUCCESS", left=status == "CANCELLED")

    async def fetch(self, checkout: Checkout) -> Report:
        """The order once it is confirmed, else how it stands."""
        return await self._order(checkout) or await self._standing(checkout)

    async def check(self) -> str:
        """Ask for an order that nobody has: Laybuy looks at the credentials first."""
        await self._said("GET", f"/order/merchant/{_NOBODY}")
        return "Laybuy took the merchant id and the API key and answered a question about an order"

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Confirm the shopper's token. An error had no effect: where it leaves the order is looked up."""
        body: requests.Confirmation = {
            "token": checkout.session, "amount": requests.number(checkout.total), "currency": checkout.total.currency,
        }  # fmt: skip
        said, answer = await self._said("POST", "/order/confirm", body)
        if not said.refused:
            return Paid(payment_id=read(Confirmed, answer).order_id, total=None, captured=None, raw=raw(answer))
        found = await self._order(checkout) or await self._standing(checkout)
        if isinstance(found, Paid | Cancelled | Declined | Expired | Broken):
            return found
        return Pending(reason=refusal(said).reason, raw=raw(answer))

    async def recover_confirm(self, checkout: Checkout, key: str) -> Report | None:
        """Look for the order; if there is none, send the same confirm again, which acts once only."""
        return await self._order(checkout) or await self.confirm(checkout, key)

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all. The same refundReference gets the first answer again."""
        order = checkout.payment
        body: requests.Refund = {
            "orderId": int(order) if order.isdecimal() else order,
            "amount": requests.number(move.amount),
            "refundReference": move.key,
            "note": move.description or move.reference,
        }
        answer = await self._made("POST", "/order/refund", body)
        return Moved(provider_id=read(Refunded, answer).refund_id or move.key, raw=raw(answer))

    # -- HTTP ---------------------------------------------------------------------------------

    async def _said(self, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[Result, Answer]:
        who = basic(self.credentials["merchant_id"], self.credentials["api_key"])
        answer = await self.http.send(method, self.url(path), headers={"Authorization": who}, json=body)
        return result_of(decided(answer)), answer

    async def _made(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        said, answer = await self._said(method, path, body)
        if said.refused:
            raise refusal(said)
        return answer

    async def _order(self, checkout: Checkout) -> Paid | None:
        """The confirmed order, by its id or by our reference; None when there is none."""
        known = checkout.payment_id
        path = f"/order/{_part(known)}" if known else f"/order/merchant/{_part(checkout.reference)}"
        try:
            answer = await self._made("GET", path)
        except NotThere:
            if known:
                raise
            return None
        if not answer.json().get("processed"):
            return None
        return _paid(read(Order, answer), answer)

    async def _standing(self, checkout: Checkout) -> Report:
        """How an order that is not confirmed stands. The status names nothing but itself."""
        answer = await self._made("GET", f"/order/status/{_part(checkout.reference)}")
        word = read(Standing, answer).status.upper()
        kind = _STANDING.get(word, Pending)
        if kind is Approved:
            return Approved(raw=raw(answer))
        if kind is Pending:
            return Pending(reason=f"the order is {word[:64]}", completed=word == "COMPLETED", raw=raw(answer))
        reason = f"the order is {word} at Laybuy"
        if kind is Declined:
            return Declined(reason=reason, code=word, raw=raw(answer))
        if kind is Broken:
            return Broken(reason=reason, code=word, raw=raw(answer))
        return (
            Cancelled(reason=reason, raw=raw(answer)) if kind is Cancelled else Expired(reason=reason, raw=raw(answer))
        )


def _part(text: str) -> str:
    return quote(text, safe="")


def _paid(order: Order, answer: Answer) -> Paid:
    """A confirmed order, with the refunds that it lists."""
    moves = tuple(
        ProviderMove(
            kind=MoveKind.REFUND, amount=refund.amount, provider_id=refund.refund_id, key=refund.refund_reference
        )
        for refund in order.refunds
    )
    return Paid(
        session=order.token, reference=order.merchant_reference, payment_id=order.order_id,
        total=Money(order.amount, order.currency), captured=order.amount,
        refunded=sum((refund.amount for refund in order.refunds), Decimal(0)), moves=moves, raw=raw(answer),
    )  # fmt: skip
