"""LatitudePay (Australia) and Genoapay (New Zealand), one API under two hosts, version 3. Both closed in April 2023.

A sale is paid as soon as the shopper agrees; there is nothing to confirm, capture or void. Every body is signed
by its keys and values, stripped of JSON's own characters and of white space, so texts go without quotes and
backslashes and amounts in their shortest form. The shopper's return and the callback are signed by the same
recipe and prove the result, but neither they nor the status call names an amount, and only they name our
reference. `FAILED` and `DECLINED` stand for a refusal and for a shopper who gave up alike.
Product lines are for information: they need not sum up, and a discount is only in the total.
Sources: see provider.toml.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import simplejson

from paymux.connectors.contract import (
    Ask,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Forged,
    Incoming,
    Move,
    Moved,
    MoveResult,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Report,
)
from paymux.connectors.latitudepay import requests
from paymux.connectors.latitudepay.answers import AccessToken, Limits, Refunded, Sale, SaleStatus, refusal
from paymux.connectors.provider_http import basic
from paymux.connectors.reading import raw, read
from paymux.connectors.signing import hmac_hex, same
from paymux.platform.http import Answer, NotSent, Unclear

# The words that decide, of the signed result and of the status. Any other one is asked about again.
_RESULT: dict[str, type[Report]] = {"COMPLETED": Paid, "FAILED": Declined}
_STATUS: dict[str, type[Report]] = {"APPROVED": Paid, "DECLINED": Declined, "PENDING": Pending}
_SIGNED = ("token", "reference", "message", "result")


class _Told(NamedTuple):
    """What a return or a callback says, its signature checked."""

    token: str
    reference: str
    message: str
    result: str


class LatitudePay(Connector):
    """LatitudePay's hosted checkout: an immediate sale with refunds."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a sale. A repeat with the same key gets the first sale again."""
        answer = await self._post("/v3/sale/online", requests.sale_of(order), key)
        opened = read(Sale, answer)
        return Redirect(url=opened.payment_url, session=opened.token, expires_at=opened.expiry_date)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """The signed result. Without a signature, or with a result that does not decide: a hint to ask."""
        if "signature" not in query:
            return Ask(session=query.get("token") or None)
        told = self._checked(query)
        return _decided(told) or Ask(session=told.token)

    async def fetch(self, checkout: Checkout) -> Report:
        """The sale's status. It names neither amount nor reference, and no refunds."""
        answer = await self._send("GET", f"/v3/sale/pos/{quote(checkout.session, safe='')}/status")
        said = read(SaleStatus, answer)
        return _report(
            _STATUS.get(said.status, Pending), said.status, said.message or "", payment_id=said.token or checkout.session,
            session=said.token, raw=raw(answer),
        )  # fmt: skip

    def verify_event(self, event: Incoming) -> str | None:
        """Check the callback's signature. Callbacks have no id of their own."""
        self._checked(event.query)
        return None

    def read_event(self, event: Incoming) -> EventReading:
        """The sale that a callback is about, and its result where that decides. Raises ValueError."""
        try:
            told = self._checked(event.query)
        except Forged as no:
            raise ValueError(str(no)) from no
        return EventReading(session=told.token, reference=told.reference, report=_decided(told))

    async def check(self) -> str:
        """Read the account's configuration."""
        limits = read(Limits, await self._send("GET", "/v3/configuration"))
        bounds = [str(limit) if limit is not None else "?" for limit in (limits.minimum_amount, limits.maximum_amount)]
        return f"read the configuration of {limits.name}: payments from {bounds[0]} to {bounds[1]}"

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all. A repeat with the same key gets the first refund again."""
        path = f"/v3/sale/{quote(checkout.payment, safe='')}/refund"
        answer = await self._post(path, requests.refund_of(move), move.key)
        return Moved(provider_id=read(Refunded, answer).refund_id, raw=raw(answer))

    async def cancel_checkout(self, checkout: Checkout) -> None:
        """Cancel a sale that nobody agreed to yet. Refused once it is decided."""
        await self._send("PUT", f"/v3/sale/{quote(checkout.session, safe='')}/cancel")

    # -- HTTP ---------------------------------------------------------------------------------

    async def _post(self, path: str, body: Mapping[str, object], key: str) -> Answer:
        signed = f"{path}?signature={_signature(_glued(body), self.credentials['client_secret'])}"
        return await self._send("POST", signed, body=_json(body).encode(), headers={"X-Idempotency-Key": key})

    async def _send(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send with a fresh access token; return 2xx. Raises Refused for 4xx, Unclear for anything else."""
        sent = {**self._form(), "Authorization": f"Bearer {await self._access_token()}", **(headers or {})}
        answer = await self.http.send(method, self.url(path), headers=sent, body=body)
        if 200 <= answer.status < 300:
            return answer
        # 409 could say that the first try of this request still runs.
        if answer.status == 409 or not 400 <= answer.status < 500:
            raise Unclear(f"answer {answer.status}")
        raise refusal(answer)

    async def _access_token(self) -> str:
        who = basic(self.credentials["client_key"], self.credentials["client_secret"])
        answer = await self.http.prepare("POST", self.url("/v3/token"), headers={**self._form(), "Authorization": who})
        if 400 <= answer.status < 500:
            raise refusal(answer)
        try:
            return read(AccessToken, answer).auth_token
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault

    def _form(self) -> dict[str, str]:
        media_type = self.code.settings["media_type"]
        return {"Accept": media_type, "Content-Type": media_type, "api-version": "v3"}

    # -- signatures ---------------------------------------------------------------------------

    def _checked(self, query: Mapping[str, str]) -> _Told:
        """What a signed query says. Raises Forged."""
        if any(name not in query for name in (*_SIGNED, "signature")):
            raise Forged("a signed field is missing")
        told = _Told(*(query[name] for name in _SIGNED))
        secret = self.credentials["client_secret"]
        # The official plugin checks the values in JSON's escaped form, another client the plain ones: either
        # proves that the sender has the secret.
        forms = (_glued(told._asdict()), "".join(name + value for name, value in told._asdict().items()))
        if not any(same(query["signature"], _signature(form, secret)) for form in forms):
            raise Forged("wrong signature")
        return told


def _json(value: object) -> str:
    return simplejson.dumps(value, use_decimal=True, separators=(",", ":"), ensure_ascii=True)


def _glued(value: object) -> str:
    """The keys and values of a body in their order, as its JSON has them, without quotes and punctuation."""
    if isinstance(value, dict):
        return "".join(f"{name}{_glued(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "".join(map(_glued, value))
    return _json(value)[1:-1] if isinstance(value, str) else _json(value)


def _signature(glued: str, secret: str) -> str:
    bare = re.sub(r"\s", "", glued, flags=re.ASCII)
    return hmac_hex(secret, base64.b64encode(bare.encode("utf-8", "replace")))


# -- what is read -----------------------------------------------------------------------------


def _decided(told: _Told) -> Report | None:
    kind = _RESULT.get(told.result)
    if kind is None:
        return None
    return _report(
        kind, told.result, told.message, payment_id=told.token, session=told.token, reference=told.reference,
        raw=told._asdict(),
    )  # fmt: skip


def _report(kind: type[Report], word: str, message: str, *, payment_id: str, **said: Any) -> Report:
    if kind is Paid:
        return Paid(payment_id=payment_id, total=None, captured=None, **said)
    if kind is Declined:
        return Declined(reason=message or "LatitudePay declined the sale", code=word, **said)
    return Pending(reason=message or f"the sale is {word}", **said)
