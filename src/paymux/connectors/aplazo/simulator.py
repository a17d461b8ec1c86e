"""Aplazo's loans as its merchants see them, from Aplazo's documentation and its own plugins.

Where neither shows a word, this has one of its own: a loan that was refunded whole is `DEVUELTO`. A shopper who is
refused leaves a loan that is not confirmed. No page says that the key of a refund is heeded: here it is not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.money import plain
from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, reachable

_OPEN, _ACTIVE, _CANCELLED, _RETURNED = "NO CONFIRMADO", "OUTSTANDING", "CANCELLED", "DEVUELTO"
_TOKENS, _NUMBERS = "tokens", "numbers"

Call = Callable[[web.Request, dict[str, Any]], Awaitable[Any]]


class No(Exception):
    """An error answer: its status, the words that go with it, and a message."""

    def __init__(self, status: int, error: str, message: str = "") -> None:
        super().__init__(message)
        self.status, self.error = status, error


class AplazoSimulator(Simulator):
    """One merchant of Aplazo's online integration."""

    credentials: ClassVar[Mapping[str, str]] = {
        "merchant_id": "2639", "api_token": "93e28f44-e352-42df-af84-7a9ffc9f5734",
    }  # fmt: skip

    def routes(self) -> list[Route]:
        """The calls, and the sandbox's own one."""
        return [
            Route("POST", "/api/auth", self._answering(self._auth)),
            Route("POST", "/api/loan", self._answering(self._create), "create"),
            Route("GET", "/api/pos/loan/{cart}", self._answering(self._get), "status"),
            Route("POST", "/api/pos/loan/cancel", self._answering(self._cancel), "cancel"),
            Route("POST", "/api/pos/loan/refund", self._answering(self._refund), "refund"),
            Route("POST", "/sandbox/provider-refund", self._give_back),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Pay the first instalment, go back to the cart, or fail."""
        await self.settle(case, outcome)
        if case.status == _ACTIVE or outcome == "pending":
            return str(case.data["successUrl"])
        return str(case.data["cartUrl" if outcome == "cancel" else "errorUrl"])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide a loan that is not confirmed; whoever goes back to his cart has not decided."""
        if case.status != _OPEN:
            return
        case.waiting = outcome == "pending"
        if outcome != "approve":
            self.save(case)
            return
        case.status = _ACTIVE
        self.save(case, ("authorize", case.amount, case.id), ("capture", case.amount, case.id))
        self._notify(case, "Activo")

    def _notify(self, case: Case, status: str) -> None:
        told = {"status": status, "loanId": int(case.id), "cartId": case.data["cartId"]}
        until = int((self.now + timedelta(minutes=5)).timestamp())
        signed = ".".join(_base64url(json.dumps(part)) for part in ({"alg": "HS512"}, {**told, "exp": until}))
        digest = hmac.new(self.credentials["api_token"].encode(), signed.encode(), hashlib.sha512).digest()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {signed}.{_base64url(digest)}"}
        body = to_json({**told, "merchantId": int(self.credentials["merchant_id"])})
        self.send_event(case, case.data["webHookUrl"], body.encode(), headers)

    # -- the calls ----------------------------------------------------------------------------

    async def _auth(self, request: web.Request, body: dict[str, Any]) -> Any:
        merchant, token = body.get("merchantId"), body.get("apiToken")
        if type(merchant) is not int or not isinstance(token, str):
            raise No(400, "Bad Request")
        if str(merchant) != self.credentials["merchant_id"] or not self._is_ours(token):
            raise No(404, "Not Found")
        granted = self.token(24)
        self.desk.store.keep_note(self.name, _TOKENS, [*(self.desk.store.note(self.name, _TOKENS) or []), granted])
        return {"Authorization": f"Bearer {granted}"}

    async def _create(self, request: web.Request, body: dict[str, Any]) -> Any:
        granted: list[str] = self.desk.store.note(self.name, _TOKENS) or []
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or token not in granted:
            raise No(401, "Unauthorized")
        # Each token is good for one request.
        self.desk.store.keep_note(self.name, _TOKENS, [other for other in granted if other != token])
        total = _check(body)
        number = 155_789 + int(self.desk.store.note(self.name, _NUMBERS) or 0)
        self.desk.store.keep_note(self.name, _NUMBERS, number - 155_788)
        urls = {name: body[name] for name in ("successUrl", "errorUrl", "cartUrl", "webHookUrl")}
        case = self.new_case(
            request, id=str(number), amount=total, currency="MXN", reference=body["cartId"],
            account=self.credentials["merchant_id"], status=_OPEN, names=(f"cart:{body['cartId']}",),
            data={**urls, "cartId": body["cartId"], "refunded": "0"},
        )  # fmt: skip
        self.save(case)
        return {"url": self.checkout_url(case), "loanId": number}

    async def _get(self, request: web.Request, body: dict[str, Any]) -> Any:
        self._admit(request)
        case = self._of(request.match_info["cart"])
        return [
            {"loanId": int(case.id), "status": case.status, "zipCode": "07670", "installments": 5,
             "totalAmount": _with_point(case.amount), "orderDiscount": "0.0", "discountType": "a",
             "authorizeDate": self.now.isoformat(), "products": [], "customer": {}}
        ]  # fmt: skip

    async def _cancel(self, request: web.Request, body: dict[str, Any]) -> Any:
        case = self._named(request, body)
        if case.status != _OPEN:
            raise No(400, "Bad Request", f"The payment is {case.status}")
        case.status, case.waiting = _CANCELLED, False
        self.save(case)
        now = self.now.isoformat()
        return {"cartId": case.data["cartId"], "status": _CANCELLED, "requestDate": now, "updateDate": now}

    async def _refund(self, request: web.Request, body: dict[str, Any]) -> Any:
        case = self._named(request, body)
        amount, refunded = _amount(body, "totalAmount"), Decimal(case.data["refunded"])
        if case.status != _ACTIVE or not 0 < amount <= case.amount - refunded:
            raise No(400, "Bad Request", f"{amount} of a payment that is {case.status} can not be refunded")
        number = self.token(4)
        answer = {
            "refundId": int(number, 16), "merchantId": int(case.account), "cartId": case.data["cartId"],
            "refundStatus": "REQUESTED", "refundDate": self.now.isoformat(),
        }  # fmt: skip
        case.data["refunded"] = str(refunded + amount)
        case.status = _RETURNED if refunded + amount == case.amount else _ACTIVE
        self.save(case, ("refund", amount, number))
        return answer

    def _named(self, request: web.Request, body: Mapping[str, Any]) -> Case:
        """The loan of a cancel's or refund's cart."""
        self._admit(request)
        for name in ("cartId", "reason"):
            _text(body, name)
        _amount(body, "totalAmount")
        return self._of(body["cartId"])

    def _of(self, cart: str) -> Case:
        case = self.case(f"cart:{cart}")
        if case is None:
            raise No(404, "Not Found", "Cart not found")
        return case

    # -- who calls ----------------------------------------------------------------------------

    def _is_ours(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.credentials["api_token"].encode())

    def _admit(self, request: web.Request) -> None:
        merchant, token = request.headers.get("merchant_id"), request.headers.get("api_token", "")
        if merchant != self.credentials["merchant_id"] or not self._is_ours(token):
            raise No(401, "Unauthorized")

    def _answering(self, make: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            try:
                body = await json_body(request) if request.method == "POST" else {}
                if not isinstance(body, dict):
                    raise No(400, "Bad Request", "JSON parse error")
                return json_answer(await make(request, body))
            except No as no:
                said = {
                    "timestamp": self.now.isoformat(), "status": no.status, "error": no.error, "message": str(no),
                    "path": request.path,
                }  # fmt: skip
                return json_answer(said, no.status)

        return answered

    async def _give_back(self, request: web.Request) -> web.Response:
        """Refund a paid loan whole, as in Aplazo's own panel."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None or case.status != _ACTIVE:
            return json_answer({"error": "no such loan"}, 404)
        rest = case.amount - Decimal(case.data["refunded"])
        case.status, case.data["refunded"] = _RETURNED, str(case.amount)
        self.save(case, ("refund", rest, self.token(4)))
        self._notify(case, "Devuelto")
        return json_answer({"id": case.id})

    async def _tamper(self, request: web.Request) -> web.Response:
        """Make the loan one of another amount or status, and tell so where that is asked for."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            return json_answer({"error": "no such loan"}, 404)
        case.amount, case.status = Decimal(str(body.get("amount", case.amount))), str(body.get("status", case.status))
        self.save(case)
        if body.get("notify"):
            self._notify(case, case.status)
        return json_answer({"id": case.id})


def _check(body: Mapping[str, Any]) -> Decimal:
    """A new loan's total. Raises No."""
    for name in ("shopId", "cartId"):
        _text(body, name)
    for name in ("successUrl", "errorUrl", "cartUrl", "webHookUrl"):
        if not reachable(_text(body, name)):
            raise No(400, "Bad Request", f"{name} must be a URL")
    total = _amount(body, "totalPrice")
    if total <= 0:
        raise No(400, "Bad Request", "totalPrice must be positive")
    for product in body.get("products") or ():
        for name in ("id", "title"):
            _text(product, name)
        _amount(product, "price")
    return total


def _text(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        raise No(400, "Bad Request", f"{name} is required")
    return value


def _amount(body: Any, name: str) -> Decimal:
    """A number in pesos."""
    value = body.get(name) if isinstance(body, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise No(400, "Bad Request", f"{name} must be a number")
    return Decimal(value)


def _with_point(amount: Decimal) -> str:
    """Pesos as Aplazo writes them: with a point and one digit at least, `100.0`, `99.95`."""
    text = plain(amount)
    return text if "." in text else f"{text}.0"


def _base64url(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
