"""Paymob's intention API in Egypt: a checkout page of its own, paid at once.

An intention belongs to an order of Paymob's, which is our session: every try to pay it, and every refund, is a
transaction that names that order. Until the payment is known the order's latest transaction is asked for, which may
be a failed try or a refund; from then on the payment by its own id. A failed try leaves the order open, for there may
be another one; with whatever try the shopper comes back, the order is asked about.
Calls that move money have the secret key; asking needs an access token, granted for the API key.
A callback is signed over twenty values, joined without anything between them; among them are id, order, amount and
currency, but not our reference, nor what was refunded: so it proves a fresh payment only.
Nothing makes a refund repeatable; the payment names the total that was refunded of it.
Amounts are integers in hundredths. Sources: see provider.toml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from paymux.connectors.amounts import minor
from paymux.connectors.bearer import Bearer, Granted
from paymux.connectors.contract import (
    Account,
    Ask,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Incoming,
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
    Underway,
)
from paymux.connectors.paymob import requests
from paymux.connectors.paymob.answers import AccessToken, Intention, Refund, Transaction, refusal
from paymux.connectors.paymob.signed import check_callback, told
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.reading import decided, raw, read
from paymux.platform.database import from_json
from paymux.platform.http import Answer, Unclear

_SUFFIX = 12
_TOKEN_LIFE = 3600.0
_LONGEST_LIFE = 3_110_400  # 36 days, in seconds
_COUNTRY = "egy"
_KEY_FORM = re.compile(r"([a-z]{3})_[sp]k_(test|live)_", re.ASCII)


class Paymob(Connector):
    """Paymob's unified checkout: an immediate sale, refunds."""

    def __init__(self, account: Account, http: ProviderHttp) -> None:
        super().__init__(account, http)
        self._bearer = Bearer(http, (self.url("/api/auth/tokens"), self.credentials["api_key"]), self._grant)

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Create an intention, which moves no money. Each has a reference of its own: ours with the key's end."""
        life = max(1, min(int((order.expires_at - order.created_at).total_seconds()), _LONGEST_LIFE))
        body = requests.intention(order, f"{order.reference}_{key[-_SUFFIX:]}", self._integrations(), life)
        answer = decided(await self._send_with_key("/v1/intention/", body))
        if answer.status >= 400:
            # Here a 404 is about the integrations, and not about a checkout.
            no = refusal(answer, "secret_key")
            raise Refused(f"{no.reason} (look at integration_ids)" if answer.status == 404 else no.reason, no.code)
        opened = read(Intention, answer)
        page = urlencode({"publicKey": self.credentials["public_key"], "clientSecret": opened.client_secret})
        return Redirect(
            url=self.url(f"/unifiedcheckout/?{page}"), session=opened.intention_order_id,
            expires_at=order.created_at + timedelta(seconds=life),
        )  # fmt: skip

    def _integrations(self) -> list[int]:
        """The ids that the account offers. Raises Refused for none, and for what is no id."""
        names = [name.strip() for name in self.credentials["integration_ids"].split(",") if name.strip()]
        if not names or not all(name.isascii() and name.isdecimal() for name in names):
            raise Refused("integration_ids must be Paymob's numbers with commas between them", "integration_ids")
        return [int(name) for name in names]

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """The try with which the shopper comes back, if any: a hint, for he may go back and try again.

        The order's field is `order_id` in Paymob's documentation and `order` in its plugin.
        """
        tried = "true" in (query.get("success"), query.get("pending"))
        return Ask(session=query.get("order") or query.get("order_id") or None, completed=tried, left=not tried)

    async def fetch(self, checkout: Checkout) -> Report:
        """The payment by its id once it is known; until then what is told of the order's latest transaction."""
        if checkout.payment_id is not None:
            return self._report(*await self._transaction(checkout.payment_id))
        order: requests.Inquiry = {"order_id": checkout.session}
        try:
            answer = await self._ask("POST", "/api/ecommerce/orders/transaction_inquiry", order)
        except NotThere:
            return Pending(reason="nobody has tried to pay yet")
        latest = read(Transaction, answer)
        if latest.has_parent_transaction:
            if latest.parent_transaction is None:
                return Pending(reason="Paymob tells only of what followed the payment", completed=True)
            return self._report(*await self._transaction(latest.parent_transaction))
        return self._report(latest, answer)

    async def _transaction(self, number: str) -> tuple[Transaction, Answer]:
        answer = await self._ask("GET", f"/api/acceptance/transactions/{quote(number, safe='')}")
        return read(Transaction, answer), answer

    def _report(self, said: Transaction, answer: Answer | None) -> Report:
        """What a try to pay says. Only money that was taken, in this account's own mode, is a payment."""
        whose: dict[str, Any] = {
            "session": said.order.id, "reference": said.order.merchant_order_id.rpartition("_")[0] or None,
            "raw": raw(answer) if answer else None,
        }  # fmt: skip
        if self.account.live and said.is_live is False:
            return Pending(reason="the payment was made in Paymob's test mode: look at secret_key", **whose)
        if said.pending:
            return Pending(reason="Paymob has not decided yet", completed=True, **whose)
        if (not said.success or said.error_occured) and said.order.paid_amount_cents:
            return Pending(reason="money of an earlier try that only its callback names", completed=True, **whose)
        if not said.success or said.error_occured:
            return Pending(reason=f"the last try failed: {said.data.message or 'no reason told'}"[:300], **whose)
        if said.is_auth:
            return Pending(
                reason="only authorised: an auth integration stands in integration_ids", completed=True, **whose
            )
        total, refunded = said.total, said.refunded
        return Paid(
            payment_id=said.id, total=total, captured=total.amount,
            refunded=refunded.amount if refunded is not None else None, **whose,
        )  # fmt: skip

    def verify_event(self, event: Incoming) -> str | None:
        """Check the signature of a transaction callback. A payment is told of again when something follows it."""
        check_callback(event, self.credentials["hmac_secret"])
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """A payment that was just made, as far as it is signed; anything else is asked about. Raises ValueError.

        A payment of an integration that is not ours is asked about, too: its id may have lost a digit to it.
        """
        said = Transaction.model_validate(told(event))
        report = self._report(said, None)
        fresh = not (said.has_parent_transaction or said.is_voided or said.is_refunded)
        ours = said.integration_id in re.findall("[0-9]+", self.credentials["integration_ids"])
        if not isinstance(report, Paid) or not fresh or not ours:
            return EventReading(session=said.order.id)
        proven = replace(report, reference=None, refunded=None, raw=from_json(event.body))
        return EventReading(session=said.order.id, payment_id=said.id, report=proven)

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all of the payment."""
        asked: requests.Refund = {"transaction_id": int(checkout.payment), "amount_cents": minor(move.amount)}
        answer = self._accepted(await self._send_with_key("/api/acceptance/void_refund/refund", asked), "secret_key")
        done = read(Refund, answer)
        if done.amount_cents not in (None, asked["amount_cents"]):
            raise Unclear(f"Paymob refunded another amount than {move.amount.text}")
        if done.pending:
            return Underway(provider_id=done.id, raw=raw(answer))
        if not done.success and done.error_occured:
            raise Unclear("Paymob reports an error of its own for the refund")
        if not done.success:
            raise Refused(done.data.message or "Paymob did not refund", done.data.txn_response_code)
        return Moved(provider_id=done.id, raw=raw(answer))

    # -- the rest -----------------------------------------------------------------------------

    async def check(self) -> str:
        """Have a token granted for the API key, and an empty intention refused: its fields, but not the secret key."""
        self._check_keys()
        self._integrations()
        await self._grant()
        answer = decided(await self._send_with_key("/v1/intention/", {}))
        if answer.status in (401, 403):
            raise refusal(answer, "secret_key")
        return "Paymob granted a token for the API key and accepted the secret key"

    def _check_keys(self) -> None:
        """Whether secret and public key are of Egypt and of one mode, as far as their form tells. Raises Refused."""
        modes = set()
        for name in ("secret_key", "public_key"):
            found = _KEY_FORM.match(self.credentials[name])
            if found is None:
                continue
            if found[1] != _COUNTRY:
                raise Refused(f"{name} is one of another country: {found[1]}, and not {_COUNTRY}", name)
            modes.add(found[2])
        if len(modes) > 1:
            raise Refused("secret_key and public_key are one of test and one of live mode", "public_key")
        if self.account.live and "test" in modes:
            raise Refused("secret_key and public_key are of test mode", "secret_key")

    # -- HTTP ---------------------------------------------------------------------------------

    async def _send_with_key(self, path: str, body: Mapping[str, object]) -> Answer:
        headers = {"Authorization": f"Token {self.credentials['secret_key']}"}
        return await self.http.send("POST", self.url(path), headers=headers, json=body)

    async def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        return self._accepted(await self._bearer.send(method, self.url(path), json=body), "api_key")

    async def _grant(self) -> Granted:
        key: requests.Authentication = {"api_key": self.credentials["api_key"]}
        answer = await self.http.prepare("POST", self.url("/api/auth/tokens"), json=key)
        return Granted(read(AccessToken, self._accepted(answer, "api_key")).token, _TOKEN_LIFE)

    @staticmethod
    def _accepted(answer: Answer, credential: str) -> Answer:
        """An answer that says yes. Raises Refused for a 4xx, Unclear for anything else."""
        if decided(answer).status >= 400:
            raise refusal(answer, credential)
        return answer
