"""TendoPay in the Philippines (REST V2).

An order is opened under an order token. The transaction that the shopper makes of it has an id of its own, which only the
signed return and the signed notification tell, and neither names the token: our reference is the session, too. Before
the id is known there is nothing to ask for. Giving back is all or nothing: the transaction is cancelled, and shows it.
A signature covers names and values glued together, without separators; what could be another answer cut up anew is
refused. Amounts are whole pesos. Sources: see provider.toml.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from paymux.connectors.bearer import Bearer, Granted
from paymux.connectors.contract import (
    Account,
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
    NotThere,
    OrderToPay,
    Paid,
    Pending,
    ProviderMove,
    Redirect,
    Refused,
    Report,
    Underway,
)
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.reading import decided, raw, read, read_or_empty
from paymux.connectors.signing import hmac_hex, same
from paymux.connectors.tendopay import requests
from paymux.connectors.tendopay.answers import AccessToken, Error, GivenBack, Opened, Told
from paymux.money import Money
from paymux.platform.http import Answer, Unclear

_TOKEN, _ORDER = "/oauth/token", "/payments/api/v2/order"
_SHOW, _CANCEL = "/payments/api/v2/showTransaction", "/payments/api/v2/cancelPayment"
_CURRENCY = "PHP"
# Every documented status; the SDK's guide writes CANCELED with two l. Any other one: pending.
_STATUS: dict[str, type[Report]] = {
    "PAID": Paid, "FAILED": Declined, "CANCELED": Cancelled, "CANCELLED": Cancelled,
}  # fmt: skip
_GAVE_UP = "user cancelled"


class TendoPay(Connector):
    """TendoPay's checkout: an immediate sale, given back whole."""

    def __init__(self, account: Account, http: ProviderHttp) -> None:
        super().__init__(account, http)
        identity = (self.url(_TOKEN), self.credentials["client_id"], self.credentials["client_secret"])
        self._bearer = Bearer(http, identity, self._grant)

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open an order. There is no key for it: a token whose answer was lost is never shown to anybody."""
        opened = read(Opened, await self._made(_ORDER, requests.new_order(order)))
        return Redirect(url=opened.authorize_url, session=order.reference, state={"order_token": opened.tp_order_token})

    async def check(self) -> str:
        """Fetch an access token, which moves nothing."""
        await self._grant()
        return "TendoPay granted an access token for the client ID and secret"

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """The signed result. A return without a signature proves nothing, and nothing can be asked."""
        if "x_signature" not in query:
            return Ask()
        return _report(self._checked(query), query)

    def verify_event(self, event: Incoming) -> str | None:
        """Check the notification's signature. Notifications have no id of their own."""
        self._checked(_fields(event))
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """The order that a notification is about, and its result. Raises ValueError."""
        try:
            fields = _fields(event)
            told = self._checked(fields)
        except Forged as no:
            raise ValueError(str(no)) from no
        return EventReading(session=told.reference, reference=told.reference, report=_report(told, fields))

    async def find_move(
        self, checkout: Checkout, kind: MoveKind, key: str, provider_id: str | None
    ) -> ProviderMove | None:
        """Whether the transaction was cancelled, which is the only way to give it back."""
        named: requests.Transaction = {"tp_transaction_id": checkout.payment}
        answer = await self._made(_SHOW, named)
        shown = read(Told, answer)
        if shown.transaction != checkout.payment or shown.reference != checkout.reference:
            raise Unclear("TendoPay shows another transaction")
        if _STATUS.get(shown.status.upper()) is not Cancelled:
            return None
        amount = checkout.total.amount if shown.amount is None else shown.amount
        return ProviderMove(kind=MoveKind.REFUND, amount=amount, provider_id=shown.transaction)

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Cancel the transaction. There is no key for it: after a lost answer it is looked at, never cancelled again."""
        named: requests.Transaction = {"tp_transaction_id": checkout.payment}
        answer = await self._made(_CANCEL, named)
        word = read(GivenBack, answer).status.upper()
        if word and _STATUS.get(word) is not Cancelled:
            return Underway(provider_id=checkout.payment, raw=raw(answer))
        return Moved(provider_id=checkout.payment, raw=raw(answer))

    # -- HTTP and signatures ------------------------------------------------------------------

    async def _grant(self) -> Granted:
        body: requests.Grant = {
            "grant_type": "client_credentials",
            "client_id": self.credentials["client_id"],
            "client_secret": self.credentials["client_secret"],
        }
        answer = _accepted(decided(await self.http.prepare("POST", self.url(_TOKEN), json=body)))
        granted = read(AccessToken, answer)
        return Granted(granted.access_token, granted.expires_in)

    async def _made(self, path: str, fields: Mapping[str, object]) -> Answer:
        signed = {**fields, "x_signature": self._signature({name: str(value) for name, value in fields.items()})}
        return _accepted(decided(await self._bearer.send("POST", self.url(path), json=signed)))

    def _signature(self, fields: Mapping[str, str]) -> str:
        glued = "".join(name + fields[name].strip(requests.BLANKS) for name in sorted(fields) if name.startswith("tp_"))
        return hmac_hex(self.credentials["client_secret"], glued.encode("utf-8", "replace"))

    def _checked(self, fields: Mapping[str, str]) -> Told:
        """What signed fields say. Raises Forged."""
        if not same(fields.get("x_signature", "").lower(), self._signature(fields)):
            raise Forged("wrong signature")
        if any("tp_" in value for name, value in fields.items() if name in Told.NAMES):
            raise Forged("fields of another answer, cut up anew")
        try:
            return Told.model_validate({name: value for name, value in fields.items() if value})
        except ValueError as fault:
            raise Forged("the signed fields are not those of an answer") from fault


def _accepted(answer: Answer) -> Answer:
    """An answer that says yes. Raises Refused for a 4xx, with TendoPay's sentence."""
    if answer.status < 400:
        return answer
    said = read_or_empty(Error, answer)
    reason = said.error or said.message or f"TendoPay refused with {answer.status}"
    raise (NotThere if answer.status == 404 else Refused)(reason, str(answer.status))


def _report(told: Told, fields: Mapping[str, str]) -> Report:
    said: dict[str, Any] = {"session": told.reference, "reference": told.reference, "raw": _signed(fields)}
    kind = _STATUS.get(told.status.upper(), Pending)
    if kind is Cancelled or (kind is Declined and told.message.lower().startswith(_GAVE_UP)):
        return Cancelled(reason=told.message or "cancelled at TendoPay", **said)
    if kind is Declined:
        return Declined(reason=told.message or "TendoPay declined the purchase", code=told.status, **said)
    if kind is not Paid:
        return Pending(reason=f"the transaction is {told.status[:64]}", completed=True, **said)
    if told.amount is None:
        return Pending(reason="TendoPay tells of a payment without its amount", completed=True, **said)
    total = Money(told.amount, told.currency or _CURRENCY)
    return Paid(payment_id=told.transaction, total=total, captured=total.amount, **said)


def _signed(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name.startswith("tp_")}


def _fields(event: Incoming) -> dict[str, str]:
    """A notification's fields as the texts that were signed: numbers as they are written. Raises Forged."""
    if not event.body.lstrip().startswith(b"{"):
        return dict(parse_qsl(event.body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        body = json.loads(event.body, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as fault:
        raise Forged("the notification can't be read") from fault
    if not all(isinstance(value, str | None) for value in body.values()):
        raise Forged("the notification holds more than texts and numbers")
    return {name: value or "" for name, value in body.items()}
