"""Spotii in the United Arab Emirates and Saudi Arabia, which Zip bought in 2021 and wound down in 2023.

An order is named by our reference in every call: there is no other id. The shopper agrees on Spotii's page, and
nothing is paid until we capture, which is our confirm; a capture is of the whole order and names no amount, so the
order is read first and captured only if it is of this amount and currency. The order's `capture_expiration` tells
that the shopper agreed; no word for a refusal is documented, and whether it still says so once captured neither. So
a capture or refund whose answer was lost can't be looked up, and is left to a person. Access tokens are fetched for
each call, as no source tells how long they last. Amounts are strings in major units.
Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from paymux.connectors import amounts
from paymux.connectors.bearer import Bearer, Granted
from paymux.connectors.contract import (
    Account,
    Approved,
    Ask,
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
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.spotii import answers, requests
from paymux.connectors.spotii.answers import refusal
from paymux.platform.http import Answer, NotSent, Unclear

_GRANT = "/api/v1.0/merchant/authentication/"
_ONE_CALL = 0.0


class Spotii(Connector):
    """Spotii's hosted checkout: a sale that is captured whole, with refunds."""

    def __init__(self, account: Account, http: ProviderHttp) -> None:
        super().__init__(account, http)
        identity = (self.url(_GRANT, "auth"), self.credentials["public_key"], self.credentials["private_key"])
        self._bearer = Bearer(http, identity, self._grant)

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a checkout. There is no key for it: one that was not answered has no address that anybody knows."""
        opened = read(answers.Opened, await self._made("POST", "/api/v1.0/checkouts/", requests.checkout(order)))
        return Redirect(url=opened.checkout_url, session=opened.reference or order.reference)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Which of our two addresses the shopper came to, unsigned: confirmed, or rejected for whatever reason."""
        via = query.get("via")
        return Ask(approved=via == "success", left=via == "failure")

    async def fetch(self, checkout: Checkout) -> Report:
        """Whether the shopper agreed. What was captured or refunded is not told: a capture's own answer says that.

        So an order whose capture was answered is paid while Spotii has it, of the amount that it names.
        """
        order, answer = await self._order(checkout)
        if checkout.payment_id is not None:
            return Paid(payment_id=checkout.payment_id, total=order.money, captured=None, raw=raw(answer))
        if order.capture_expiration:
            return Approved(raw=raw(answer))
        return Pending(reason="the shopper has not agreed", raw=raw(answer))

    async def check(self) -> str:
        """Fetch an access token."""
        await self._grant()
        return "Spotii gave an access token for the public and the private key"

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Capture the whole order, if the shopper agreed to this amount. Until it is sent nothing has happened."""
        try:
            order, answer = await self._order(checkout)
        except NotThere as no:
            return Pending(reason=no.reason)
        except Unclear as fault:
            raise NotSent(f"before the capture: {fault}") from fault
        if not order.capture_expiration:
            return Pending(reason="the shopper has not agreed", raw=raw(answer))
        if order.money != checkout.total:
            raise Refused("Spotii's order is of another amount or currency, and was not captured", "another_amount")
        answer = await self._made("POST", _path(checkout, "capture"), {})
        total = read(answers.Moved, answer).of(checkout.total)
        return Paid(payment_id=checkout.session, total=total, captured=total.amount, raw=raw(answer))

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all. Spotii knows no key for it and gives it no id."""
        body: requests.Refund = {"total": amounts.text(move.amount), "currency": move.amount.currency}
        answer = await self._made("POST", _path(checkout, "refund"), body)
        read(answers.Moved, answer).of(move.amount)
        return Moved(provider_id=f"{checkout.session}/refund/{move.key}", raw=raw(answer))

    # -- HTTP ---------------------------------------------------------------------------------

    async def _order(self, checkout: Checkout) -> tuple[answers.Order, Answer]:
        answer = await self._made("GET", _path(checkout))
        return read(answers.Order, answer), answer

    async def _made(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        answer = decided(await self._bearer.send(method, self.url(path), json=body))
        if answer.status >= 400:
            raise refusal(answer)
        return answer

    async def _grant(self) -> Granted:
        keys: requests.Keys = {
            "public_key": self.credentials["public_key"],
            "private_key": self.credentials["private_key"],
        }
        answer = await self.http.prepare("POST", self.url(_GRANT, "auth"), json=keys)
        if 400 <= answer.status < 500:
            raise refusal(answer)
        try:
            return Granted(read(answers.AccessToken, answer).token, _ONE_CALL)
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault


def _path(checkout: Checkout, verb: str = "") -> str:
    return f"/api/v1.0/orders/{quote(checkout.session, safe='')}/" + (f"{verb}/" if verb else "")
