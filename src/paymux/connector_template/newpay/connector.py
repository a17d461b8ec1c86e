"""New Pay, API v1.

A sale is paid when the shopper agrees: there is no authorisation, and nothing for us to confirm. The return is not
signed and there are no events, so both lead to the status. Amounts are whole numbers in minor units.
Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError

from paymux.connectors.contract import (
    Ask,
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
    Refused,
    Report,
)
from paymux.money import Money
from paymux.platform.http import Answer, Unclear

# -- what is sent: mypy refuses any other field, a missing one and one of another type -------


class NewCheckout(TypedDict):
    """A checkout to open; `amount` is in minor units."""

    amount: int
    currency: str
    reference: str
    email: str
    return_url: str
    cancel_url: str


class NewRefund(TypedDict):
    """A part of a payment, or all of it, to give back; `amount` is in minor units."""

    amount: int


# -- what is read: what arrives is checked against these -------------------------------------


class Refund(BaseModel):
    """A refund as New Pay lists it; `key` is the Idempotency-Key that asked for it."""

    id: str
    amount: int
    key: str | None = None


class Seen(BaseModel):
    """A checkout as New Pay shows it."""

    id: str = Field(min_length=1)
    status: str
    reference: str
    amount: int
    currency: str
    url: str = ""
    reason: str = ""
    refunds: list[Refund] = []


class NewPay(Connector):
    """New Pay's hosted checkout."""

    # The provider's words for an unpaid end. Any word that is not known is pending, and is asked about again.
    ENDED: Mapping[str, type[Declined] | type[Cancelled] | type[Expired]] = {
        "declined": Declined, "cancelled": Cancelled, "expired": Expired,
    }  # fmt: skip

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        body: NewCheckout = {
            "amount": order.total.minor, "currency": order.total.currency, "reference": order.reference,
            "email": order.customer.email, "return_url": order.return_to("success"), "cancel_url": order.return_to("cancel"),
        }  # fmt: skip
        seen = read(await self._send("POST", "/v1/checkouts", body, key))
        if not seen.url.startswith(("https://", "http://")):
            raise Unclear("the checkout has no address to send the shopper to")
        return Redirect(url=seen.url, session=seen.id)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        return Ask(session=query.get("checkout"), left=query.get("via") == "cancel")

    async def fetch(self, checkout: Checkout) -> Report:
        answer = await self._send("GET", f"/v1/checkouts/{quote(checkout.session, safe='')}")
        return self._report(read(answer), answer)

    def _report(self, seen: Seen, answer: Answer) -> Report:
        said: dict[str, Any] = {"session": seen.id, "reference": seen.reference, "raw": answer.json()}
        if seen.status in self.ENDED:
            return self.ENDED[seen.status](reason=seen.reason, **said)
        if seen.status != "paid":
            return Pending(reason=seen.status, completed=seen.status == "in_review", **said)
        total = Money.from_minor(seen.amount, seen.currency)
        refunds = [(one, Money.from_minor(one.amount, seen.currency).amount) for one in seen.refunds]
        moves = [
            ProviderMove(kind=MoveKind.REFUND, amount=amount, provider_id=one.id, key=one.key)
            for one, amount in refunds
        ]
        return Paid(
            payment_id=seen.id, total=total, captured=total.amount, refunded=sum((a for _, a in refunds), total.amount * 0),
            moves=tuple(moves), **said,
        )  # fmt: skip

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        path = f"/v1/checkouts/{quote(checkout.payment, safe='')}/refunds"
        body: NewRefund = {"amount": move.amount.minor}
        answer = await self._send("POST", path, body, move.key)
        try:
            done = Refund.model_validate(answer.json())
        except ValidationError as fault:
            raise Unclear("the refund's answer can't be read") from fault
        return Moved(provider_id=done.id, raw=answer.json())

    # -- the rest -----------------------------------------------------------------------------

    async def cancel_checkout(self, checkout: Checkout) -> None:
        await self._send("POST", f"/v1/checkouts/{quote(checkout.session, safe='')}/cancel", {})

    async def check(self) -> str:
        answer = await self._send("GET", "/v1/account")
        return f"read the account {answer.json().get('name', '')}"

    async def _send(self, method: str, path: str, body: Mapping[str, object] | None = None, key: str = "") -> Answer:
        """Send; return a success. Raises NotThere and Refused for a clear no, NotSent and Unclear as the client does."""
        headers = {"Authorization": f"Bearer {self.credentials['api_key']}"}
        if key:
            headers["Idempotency-Key"] = key
        answer = await self.http.send(method, self.url(path), headers=headers, json=body)
        if answer.status < 300:
            return answer
        if answer.status not in (400, 401, 403, 404, 409, 422):
            raise Unclear(f"answer {answer.status}")
        said = answer.json()
        said = said if isinstance(said, dict) else {}
        no = NotThere if answer.status == 404 else Refused
        raise no(str(said.get("message", "New Pay refused")), str(said.get("code", answer.status)))


def read(answer: Answer) -> Seen:
    """A checkout. Raises Unclear for anything else: after money may have moved, nonsense is no answer."""
    try:
        return Seen.model_validate(answer.json())
    except ValidationError as fault:
        raise Unclear(f"answer {answer.status} is no checkout") from fault
