"""Volt: payments from bank to bank by open banking (Unified Global Payments API, hosted checkout).

Payments are made at the gateway, which gives the token; refunds stand at the older API, which is assumed to take it, too.
COMPLETED only says that the shopper's bank took the payment on; the money is there once it is RECEIVED, which Volt sees on
accounts of its own only. A notification of a payment is a reason to ask. A refund is answered without an outcome, which
nothing but a signed notification tells; it carries our key as its externalReference. A refund that is sent again with
its key is refused, with a sentence that says that it was taken on before. Amounts are minor units.
Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from paymux.connectors import amounts
from paymux.connectors.bearer import Bearer, Granted
from paymux.connectors.contract import (
    Account,
    Ask,
    Broken,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Expired,
    Forged,
    Incoming,
    Move,
    MoveKind,
    MoveResult,
    MoveStatus,
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
from paymux.connectors.volt import requests
from paymux.connectors.volt.answers import AccessToken, Error, Payment, Requested, Told
from paymux.money import Money
from paymux.platform.http import Answer, Unclear

_KEYS = ("client_id", "client_secret", "username", "password")
_HEADERS = {"X-Volt-Api-Version": "1", "X-Volt-Initiation-Channel": "hosted"}
_RECEIVED = frozenset({"RECEIVED", "SETTLED"})
_TAKEN_ON = "COMPLETED"
_SHOPPER_DONE = frozenset({"APPROVED_BY_RISK", "AUTHORISED_BY_USER", "DELAYED_AT_BANK"})
# Every other documented status that ends a payment. Any that is not listed anywhere: pending.
_OVER: dict[str, type[Report]] = {
    "REFUSED_BY_BANK": Declined, "REFUSED_BY_RISK": Declined, "NOT_RECEIVED": Declined, "CANCELLED_BY_USER": Cancelled,
    "ABANDONED_BY_USER": Expired, "FAILED": Broken, "ERROR_AT_BANK": Broken, "PROVIDER_COMMUNICATION_ERROR": Broken,
}  # fmt: skip
_REFUND = {
    "REFUND_CONFIRMED": MoveStatus.DONE, "REFUND_FAILED": MoveStatus.FAILED, "REFUND_REJECTED": MoveStatus.FAILED,
}  # fmt: skip
_SENT_BEFORE = "already been created with this idempotency key"


class Volt(Connector):
    """Volt's hosted checkout: a payment that arrives later, refunds that are told later."""

    def __init__(self, account: Account, http: ProviderHttp) -> None:
        super().__init__(account, http)
        identity = (self.url("/oauth", host="gateway"), *(self.credentials[name] for name in _KEYS))
        self._bearer = Bearer(http, identity, self._grant)

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a payment. What a repeat with the same key is answered is not documented, so each try has a new one."""
        headers = {**_HEADERS, "Idempotency-Key": key}
        url, body = self.url("/payments", host="gateway"), requests.new_payment(order)
        answer = _accepted(decided(await self._bearer.send("POST", url, headers=headers, json=body)))
        opened = read(Payment, answer)
        if not opened.page.startswith(("https://", "http://")):
            raise Unclear("the payment has no page to send the shopper to")
        return Redirect(url=opened.page, session=opened.id)

    async def check(self) -> str:
        """Fetch an access token, which moves nothing."""
        await self._grant()
        return "Volt granted an access token for the application and the customer"

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Only our own hint on which way the shopper came back: Volt says to rely on notifications."""
        via = query.get("via")
        return Ask(completed=via in ("success", "pending"), left=via == "cancel")

    async def fetch(self, checkout: Checkout) -> Report:
        """The payment, by the id that Volt gave it."""
        url = self.url(f"/payments/{quote(checkout.session, safe='')}", host="gateway")
        answer = _accepted(decided(await self._bearer.send("GET", url, headers=_HEADERS)))
        return _report(read(Payment, answer), answer)

    def verify_event(self, event: Incoming) -> str | None:
        """Check the signature over the raw body, the time and the version. Notifications have no id of their own."""
        version = event.headers.get("user-agent", "").rpartition("/")[2]
        signed = b"|".join([event.body, *(_bytes(part) for part in (event.headers.get("x-volt-timed", ""), version))])
        expected = hmac_hex(self.credentials["notification_secret"], signed)
        if not same(event.headers.get("x-volt-signed", "").lower(), expected):
            raise Forged("wrong signature")
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """The payment that a notification is about; of a refund also what became of it. Raises ValueError."""
        told = Told.model_validate_json(event.body)
        if not told.about:
            raise ValueError("the notification names no payment")
        return EventReading(session=told.about, report=_refunded(told))

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Request a refund of a part or all. Its outcome is told by a notification only."""
        body: requests.Refund = {"amount": amounts.minor(move.amount), "externalReference": _external(move.key)}
        url = self.url(f"/payments/{quote(checkout.payment, safe='')}/request-refund")
        answer = decided(await self._bearer.send("POST", url, headers={"idempotency-key": move.key}, json=body))
        if answer.status == 403 and _SENT_BEFORE in read_or_empty(Error, answer).reason.lower():
            return Underway(provider_id=None, raw=raw(answer))
        return Underway(provider_id=read(Requested, _accepted(answer)).id, raw=raw(answer))

    # -- HTTP ---------------------------------------------------------------------------------

    async def _grant(self) -> Granted:
        body: requests.Grant = {
            "grant_type": "password",
            "client_id": self.credentials["client_id"],
            "client_secret": self.credentials["client_secret"],
            "username": self.credentials["username"],
            "password": self.credentials["password"],
        }
        url = self.url("/oauth", host="gateway")
        answer = _accepted(decided(await self.http.prepare("POST", url, json=body)))
        granted = read(AccessToken, answer)
        return Granted(granted.access_token, granted.expires_in)


def _accepted(answer: Answer) -> Answer:
    """An answer that says yes. Raises Refused for a 4xx, with Volt's sentence and the fields at fault."""
    if answer.status < 400:
        return answer
    reason = read_or_empty(Error, answer).reason or f"Volt refused with {answer.status}"
    raise (NotThere if answer.status == 404 else Refused)(reason, str(answer.status))


def _report(payment: Payment, answer: Answer) -> Report:
    word = payment.status.upper()
    said: dict[str, Any] = {"session": payment.id, "reference": payment.internal_reference, "raw": raw(answer)}
    total = Money.from_minor(payment.amount, payment.currency)
    if word in _RECEIVED:
        return Paid(payment_id=payment.id, total=total, captured=total.amount, **said)
    if word == _TAKEN_ON:
        return Paid(payment_id=payment.id, total=total, captured=None, underway=True, **said)
    kind = _OVER.get(word)
    reason = f"the payment is {word[:64]} at Volt"
    if kind is Declined:
        return Declined(reason=reason, code=word, **said)
    if kind is Broken:
        return Broken(reason=reason, code=word, **said)
    if kind is Cancelled:
        return Cancelled(reason=reason, **said)
    if kind is Expired:
        return Expired(reason=reason, **said)
    return Pending(reason=reason, completed=word in _SHOPPER_DONE, **said)


def _refunded(told: Told) -> Report | None:
    """What a notification says of a refund; None for anything else, and for a word that decides nothing."""
    status = _REFUND.get(told.status.upper())
    if not told.of_refund or status is None or told.amount is None or not told.currency:
        return None
    amount = Money.from_minor(told.amount, told.currency).amount
    move = ProviderMove(
        kind=MoveKind.REFUND, amount=amount, provider_id=told.of_refund, status=status,
        key=_key(told.external_reference), reason=told.error or told.status,
    )  # fmt: skip
    # Underway: it names no amount of the payment, so it is no proof that the order was paid.
    return Paid(session=told.about, payment_id=told.about, total=None, captured=None, moves=(move,), underway=True)


def _external(key: str) -> str:
    """Our key as the letters and digits that Volt allows there."""
    return key.replace("-", "")


def _key(reference: str | None) -> str | None:
    """The key that an externalReference was made from; None where somebody else made it."""
    try:
        return str(UUID(hex=reference or ""))
    except ValueError:
        return None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
