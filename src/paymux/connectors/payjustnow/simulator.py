"""PayJustNow's online checkout v2 as its merchants see it, from PayJustNow's documentation.

Where the documentation shows no word, this has one of its own: `REFUNDED` for a checkout that was refunded whole. A
shopper who is refused stays on an open checkout, and one who cancelled may come back to his; after its hour it has the
same word as before, and nobody can pay it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, reachable, read_label

_HOUR = timedelta(hours=1)
_HUNDRED = Decimal(100)
_REFUNDABLE = ("PAID", "PAID_PENDING_CALLBACK", "PARTIALLY_REFUNDED")
_OPEN = ("PENDING_ORDER", "CANCELLED_BY_CONSUMER")

Call = Callable[[web.Request, dict[str, Any]], Awaitable[web.Response]]


class No(Exception):
    """An error answer: a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class PayJustNowSimulator(Simulator):
    """One merchant account with an installed gateway."""

    credentials: ClassVar[Mapping[str, str]] = {
        "merchant_account_id": "1", "signing_key": "05bea2b2-a3a0-49c6-99ab-79cd1527ec22",
    }  # fmt: skip

    def routes(self) -> list[Route]:
        """The calls of a checkout, and the sandbox's own one."""
        return [
            Route("POST", "/v2/create", self._call(self._create), "create"),
            Route("POST", "/v2/getstatus", self._call(self._get), "status"),
            Route("POST", "/v2/refund", self._call(self._refund), "refund"),
            Route("POST", "/v2/cancel", self._call(self._cancel), "cancel"),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Pay, cancel, or leave the page; only who paid or is still looked at comes back by the confirm address."""
        await self.settle(case, outcome)
        paid = case.status in _REFUNDABLE or (case.status == "PENDING_ORDER" and outcome == "pending")
        return str(case.data["order"]["confirmRedirectUrl" if paid else "cancelRedirectUrl"])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide an open checkout within its hour."""
        if case.status not in _OPEN or self.now >= datetime.fromisoformat(case.data["expiresAt"]):
            return
        case.waiting = outcome == "pending"
        if outcome == "approve":
            case.data["paidAt"] = self.now.isoformat()
            case.status = "PAID_PENDING_CALLBACK"
            self.save(case, ("authorize", case.amount, case.id), ("capture", case.amount, case.id))
            self._callback(case)
            case.status = "PAID"
        elif outcome == "cancel":
            case.status, case.data["cancelledAt"] = "CANCELLED_BY_CONSUMER", self.now.isoformat()
            self._callback(case)
        self.save(case)

    def _callback(self, case: Case) -> None:
        if not case.data["callback"]:
            return
        content = to_json(self._shown(case))
        headers = {"Content-Type": "application/json", "X-Signature": self._signed(content)}
        self.send_event(case, case.data["callback"], content.encode(), headers)

    # -- the calls ----------------------------------------------------------------------------

    async def _create(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        order = body.get("payjustnow")
        if not isinstance(order, dict):
            raise No(400, "payjustnow is required")
        cents = _check(order)
        token = f"v2.{self.credentials['merchant_account_id']}.{uuid.uuid4()}"
        made = self.now.isoformat()
        case = self.new_case(
            request, id=token, amount=Decimal(cents) / _HUNDRED, currency="ZAR",
            reference=order["merchantOrderReference"], account=self.credentials["merchant_account_id"],
            status="PENDING_ORDER",
            data={
                "requestId": body.get("requestId") or str(uuid.uuid4()), "order": order, "createdAt": made,
                "expiresAt": (self.now + _HOUR).isoformat(), "refunded": "0", "answers": {},
                "callback": read_label(request).get("events", ""),
            },
        )  # fmt: skip
        self.save(case)
        return json_answer(self._shown(case))

    async def _get(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        return json_answer(self._shown(self._of(body)))

    async def _refund(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        case, key = self._of(body), body.get("requestId")
        if key in case.data["answers"]:
            return json_answer(case.data["answers"][key], headers={"idempotent-replay": "true"})
        for name in ("merchantRefundReference", "refundDescription"):
            _text(body, name)
        amount = Decimal(_whole(body, "refundAmountCents")) / _HUNDRED
        refunded = Decimal(case.data["refunded"])
        if case.status not in _REFUNDABLE:
            raise No(403, f"a checkout in status {case.status} can not be refunded")
        if amount > case.amount - refunded:
            raise No(400, "refundAmountCents is more than what is left of the checkout")
        answer = {
            "refundedAmountCents": body["refundAmountCents"], "refundStatus": "SUCCESS",
            "refundStatusAt": self.now.isoformat(), "refundStatusDescription": "OK",
        }  # fmt: skip
        if key:
            case.data["answers"][key] = answer
        case.data["refunded"] = str(refunded + amount)
        case.status = "REFUNDED" if refunded + amount == case.amount else "PARTIALLY_REFUNDED"
        self.save(case, ("refund", amount, body["merchantRefundReference"]))
        return json_answer(answer)

    async def _cancel(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        case = self._of(body)
        if case.status not in _OPEN:
            raise No(403, f"a checkout in status {case.status} can not be cancelled")
        case.status, case.waiting, case.data["cancelledAt"] = "CANCELLED_BY_MERCHANT", False, self.now.isoformat()
        self.save(case)
        return json_answer({**self._shown(case), "merchantAccountId": case.account})

    def _of(self, body: Mapping[str, Any]) -> Case:
        token = _text(body, "checkoutToken")
        case = self.case(token)
        if case is None:
            raise No(404, "checkout not found")
        return case

    def _shown(self, case: Case) -> dict[str, Any]:
        times: dict[str, Any] = {name: case.data[name] for name in ("paidAt", "cancelledAt") if name in case.data}
        return {
            "requestId": case.data["requestId"], "checkoutToken": case.id,
            "checkoutTotalCents": int(case.amount * _HUNDRED), "paymentUrl": self.checkout_url(case),
            "checkoutPaymentStatus": case.status, "createdAt": case.data["createdAt"],
            "updatedAt": self.now.isoformat(), "expiresAt": case.data["expiresAt"], **times,
            "merchantOrderReference": case.data["order"]["merchantOrderReference"],
            "payjustnow": case.data["order"],
        }  # fmt: skip

    # -- who calls ----------------------------------------------------------------------------

    def _signed(self, content: str) -> str:
        bare = "".join(content.split())
        digest = hmac.new(self.credentials["signing_key"].encode(), bare.encode(), hashlib.sha256).digest()
        return base64.b64encode(digest).decode()

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def call(request: web.Request) -> web.Response:
            try:
                content = (await request.read()).decode("utf-8", "replace")
                account = request.headers.get("X-Merchant-Account-ID", "")
                signed = request.headers.get("X-Signature", "").encode()
                if account != self.credentials["merchant_account_id"] or not hmac.compare_digest(
                    signed, self._signed(content).encode()
                ):
                    raise No(401, "Unauthorized")
                body = await json_body(request)
                if request.content_type != "application/json" or not isinstance(body, dict):
                    raise No(400, "the body is no JSON object")
                return await handler(request, body)
            except No as no:
                return json_answer({"message": str(no)}, no.status)

        return call

    async def _tamper(self, request: web.Request) -> web.Response:
        """Make the checkout one of another amount, reference or status."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            return json_answer({"error": "no such checkout"}, 404)
        case.amount, case.status = Decimal(str(body.get("amount", case.amount))), str(body.get("status", case.status))
        order = case.data["order"]
        order["merchantOrderReference"] = str(body.get("reference", order["merchantOrderReference"]))
        self.save(case)
        return json_answer({"id": case.id})


def _check(order: Mapping[str, Any]) -> int:
    """A new checkout's total in cents. Raises No."""
    _text(order, "merchantOrderReference")
    for name in ("firstName", "lastName", "email", "phoneNumber"):
        _text(order.get("customer"), name)
    items = order.get("orderItems")
    if not isinstance(items, list) or not items:
        raise No(400, "orderItems is required")
    for item in items:
        for name in ("name", "sku"):
            _text(item, name)
        _whole(item, "quantity")
        _whole(item, "priceCents", 0)
    for name in ("confirmRedirectUrl", "cancelRedirectUrl"):
        if not reachable(_text(order, name)):
            raise No(400, f"{name} is not a valid URL")
    return _whole(order, "orderAmountCents")


def _text(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        raise No(400, f"{name} is required")
    return value


def _whole(body: Any, name: str, least: int = 1) -> int:
    value = body.get(name) if isinstance(body, dict) else None
    if type(value) is not int or value < least:
        raise No(400, f"{name} must be an integer of at least {least}")
    return value
