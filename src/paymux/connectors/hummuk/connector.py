"""humm in the United Kingdom: a checkout on humm's page, opened and asked about at its Salesforce instance.

An access token is granted for a refresh token, and its answer tells the address of the calls proper. A checkout is paid as
soon as the shopper agrees; nothing is confirmed, captured, voided or closed. It has an id of humm's or two, and whatever
the shopper's browser brings back is unsigned, so paymux asks. Refunds have no id and no key: one whose answer was lost is
for a person, unless the status says that all was given back. Whatever humm refuses may come as success false with 200.
Amounts are numbers in pounds. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from paymux.connectors.bearer import Bearer, Granted
from paymux.connectors.contract import (
    Account,
    Ask,
    Cancelled,
    Checkout,
    Connector,
    Move,
    Moved,
    MoveResult,
    NotThere,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Report,
)
from paymux.connectors.hummuk import requests
from paymux.connectors.hummuk.answers import AccessToken, Details, Opened, Refunded, refusal
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.reading import decided, raw, read
from paymux.money import Money
from paymux.platform.http import Answer, NotSent, Unclear

_CALLS = "/services/apexrest"
_HOUR = 3600.0
_KEYS = ("client_id", "client_secret", "refresh_token")
_UNKNOWN_TRACKING_ID = "0000000000000000"
_NOT_THERE = "TRACKING_ID_NOT_FOUND"
_ALL_GIVEN_BACK = "CUSTOMER_REFUNDED"
_PAID = frozenset(
    {"PAYMENT_DONE", _ALL_GIVEN_BACK, "REFUND_IN_PROGRESS", "PARTIAL_REFUND_COMPLETED", "FULL_REFUND_REQUESTED"}
)
_OPEN = frozenset({"NOT_STARTED", "IN_PROGRESS"})


class HummUk(Connector):
    """humm's hosted checkout: an immediate sale with refunds."""

    def __init__(self, account: Account, http: ProviderHttp) -> None:
        super().__init__(account, http)
        identity = (self.url("/services/oauth2/token"), *(self.credentials[name] for name in _KEYS))
        self._bearer = Bearer(http, identity, self._grant)

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect:
        """Open a checkout, which moves no money."""
        body = requests.checkout_of(order, self.credentials["account_id"])
        opened = read(Opened, await self._called("/initiateProcess", body))
        if not opened.success:
            raise opened.refusal()
        session = opened.partner or opened.flexi
        if not session or not (opened.url or "").startswith(("https://", "http://")):
            raise Unclear("the checkout has no id, or no address to send the shopper to")
        return Redirect(url=str(opened.url), session=session, state={"flexi": opened.flexi} if opened.flexi else {})

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask:
        """Unsigned, in whatever letters: both ids and `success` after the page, `orderId` when the shopper left it."""
        brought = {name.lower(): value for name, value in query.items()}
        named = [brought[name] for name in ("partnertrackingid", "flexitrackingid", "orderid") if brought.get(name)]
        ours = {checkout.session, checkout.state.get("flexi", checkout.session)}
        session = checkout.session if ours & set(named) else next(iter(named), None)
        left = "orderid" in brought and "success" not in brought
        return Ask(session=session, left=left, completed=brought.get("success", "").lower() == "true")

    async def fetch(self, checkout: Checkout) -> Report:
        """Ask for the state of the checkout."""
        answer = await self._details(checkout.session)
        return _report(read(Details, answer), checkout, answer)

    async def check(self) -> str:
        """Get an access token, and ask for a checkout that nobody has: humm looks at the account id."""
        details = read(Details, await self._details(_UNKNOWN_TRACKING_ID))
        if details.status != _NOT_THERE and not details.success:
            raise details.refusal()
        return "humm granted an access token and answered a question about a checkout"

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all; humm gives a refund no id."""
        body = requests.refund_of(checkout, move, self.credentials["account_id"])
        answer = await self._called("/RefundPayment", body)
        refunded = read(Refunded, answer)
        if not refunded.success:
            raise refunded.refusal()
        return Moved(provider_id=f"{checkout.session}/refund/{move.key}", raw=raw(answer))

    # -- HTTP ---------------------------------------------------------------------------------

    async def _details(self, session: str) -> Answer:
        body: requests.OfCheckout = {"trackingId": session, "accountId": self.credentials["account_id"]}
        return await self._called("/getPaymentDetails", body)

    async def _called(self, path: str, body: requests.Call) -> Answer:
        """POST to humm's instance; only 2xx. A 401 means that nothing was done, so it is tried once more with a new token."""
        answer = await self._sent(path, body)
        if answer.status == 401:
            self._bearer.forget()
            answer = await self._sent(path, body)
        if decided(answer).status >= 400:
            raise refusal(answer)
        return answer

    async def _sent(self, path: str, body: requests.Call) -> Answer:
        instance, _, token = (await self._bearer.token()).partition(" ")
        headers = {"Authorization": f"Bearer {token}"}
        return await self.http.send("POST", f"{instance}{_CALLS}{path}", headers=headers, json=body)

    async def _grant(self) -> Granted:
        form = requests.refresh_of(self.credentials)
        answer = decided(await self.http.prepare("POST", self.url("/services/oauth2/token"), form=form))
        if answer.status >= 400:
            raise refusal(answer)
        try:
            granted = read(AccessToken, answer)
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault
        instance = granted.instance_url.rstrip("/")
        if not self._is_salesforces(instance):
            raise NotSent("while preparing: the token's answer names an address that is not Salesforce's")
        return Granted(f"{instance} {granted.access_token}", _HOUR)

    def _is_salesforces(self, instance: str) -> bool:
        """Whether our credentials' token may be sent there: an https address of Salesforce's, or the sandbox itself."""
        parts = urlsplit(instance)
        named = parts.scheme == "https" and (parts.hostname or "").endswith(".salesforce.com")
        return (named and not parts.query and not parts.fragment) or instance == self.url("")


def _report(details: Details, checkout: Checkout, answer: Answer) -> Report:
    """What a state says. Once a payment is known its amount is not read any more: refunds may change it."""
    if details.status == _NOT_THERE:
        raise NotThere("humm knows no such checkout", _NOT_THERE)
    if not details.success:
        raise details.refusal()
    said: dict[str, Any] = {"raw": raw(answer)}
    if details.status == "PAYMENT_CANCELLED":
        return Cancelled(reason=details.cancelled_because or "the checkout was cancelled at humm", **said)
    if details.status not in _PAID:
        known = details.status in _OPEN
        return Pending(reason=str(details.status) if known else f"unknown status {str(details.status)[:64]}", **said)
    told = details.amount if checkout.payment_id is None else None
    return Paid(
        payment_id=checkout.session,
        total=Money(told, checkout.total.currency) if told is not None else None,
        captured=told,
        refunded=checkout.total.amount if details.status == _ALL_GIVEN_BACK else None,
        **said,
    )
