"""ShopBack's Online Payments API 2.0 as its merchants see it, from its reference and its guides."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, ClassVar

from aiohttp import web

from paymux.money import Money
from paymux.platform.database import from_json, to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, read_label

_TOKEN_LIFE = timedelta(hours=8)
_COUNTRY_OF = {"SGD": "SG", "MYR": "MY"}
_LEAST, _MOST = Decimal(1), Decimal(1000)
_SHIPPING = frozenset({"NORMAL", "EXPRESS", "PICKUP", "FREE", "MERCHANT_SPECIFIED"})
# The order's status after the shopper's decision, and what its notification gives as the reason.
_DECIDED: dict[Outcome, tuple[str, str]] = {
    "approve": ("APPROVED", ""), "decline": ("REJECTED", "ORDER_NOT_SUBMITTED"),
    "cancel": ("CANCELLED", "HOOLAHJS_CLOSED"), "error": ("REJECTED", "ORDER_NOT_SUBMITTED"),
}  # fmt: skip
_NAMES = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 404: "NOT_FOUND", 412: "PRECONDITION_FAILED"}

Call = Callable[[web.Request, Any], Awaitable[dict[str, Any]]]


class No(Exception):
    """An error in ShopBack's form."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "statusCode": status, "errorId": str(uuid.uuid4()), "errorMessages": [message], "name": _NAMES[status],
            "errorCode": _NAMES[status], "code": _NAMES[status], "helpUrl": "",
        }  # fmt: skip


class ShopbackSimulator(Simulator):
    """A merchant's orders: initiated, decided by the shopper, refunded in whole or in parts."""

    credentials: ClassVar[Mapping[str, str]] = {
        "merchant_id": "5f0c1b3e-sandbox-merchant", "merchant_secret": "TK_sandbox_shopback",
    }  # fmt: skip
    refused_customers: ClassVar[Mapping[tuple[str, str | None], str]] = {
        ("billingAddress.country", "BR"): "BillingAddress Country",
    }

    def routes(self) -> list[Route]:
        """The login, the calls of orders, the page that the shopper is sent to, and the sandbox's own."""
        return [
            Route("POST", "/auth/login", self._login),
            Route("POST", "/order/initiate", self._call(self._initiate), "create"),
            Route("GET", "/order/{uuid}", self._call(self._read), "status"),
            Route("POST", "/order/{uuid}/refund", self._call(self._refund), "refund"),
            Route("GET", "/paylater", self._page, host="checkout"),
            Route("POST", "/sandbox/portal-refund", self._portal_refund),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.Response:
        token = request.query.get("ORDER_CONTEXT_TOKEN", "")
        case = self.case(token)
        if case is None or case.data["token"] != token:
            raise web.HTTPNotFound(text="This order does not exist")
        return web.Response(status=303, headers={"Location": self.checkout_url(case)})

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide; a failed order leads to closeUrl, any other to returnToShopUrl."""
        await self.settle(case, outcome)
        failed = outcome == "error" or case.status in ("REJECTED", "CANCELLED")
        return str(case.data["closeUrl" if failed else "returnToShopUrl"])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide an open order, once, and notify the merchant."""
        if case.status != "INITIATED" or outcome == "pending":
            return
        case.status, failure = _DECIDED[outcome]
        case.waiting = False
        paid = case.status == "APPROVED"
        self.save(case, *([("authorize", case.amount, case.id), ("capture", case.amount, case.id)] if paid else []))
        if not (url := case.data["callbackUrl"]):
            return
        told = {
            "cart_id": case.data["cartId"], "order_context_token": case.data["token"],
            "order_status": "SUCCESS" if paid else "ERROR", "order_uuid": case.id,
        } | ({"webhook_url": url} if paid else {"failure_code": failure})  # fmt: skip
        self.send_event(case, url, to_json(told).encode(), {"Content-Type": "application/json"})

    # -- the calls ----------------------------------------------------------------------------

    async def _login(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        said = {name: body.get(name) if isinstance(body, dict) else None for name in ("username", "password")}
        if not all(isinstance(value, str) and value for value in said.values()):
            return json_answer({}, 422)
        known = (self.credentials["merchant_id"], self.credentials["merchant_secret"])
        given = (str(said["username"]), str(said["password"]))
        if not hmac.compare_digest(to_json(given).encode("utf-8", "replace"), to_json(known).encode()):
            return json_answer({}, 401)
        until = self.now + _TOKEN_LIFE
        return json_answer({"token": self._token(int(until.timestamp())), "expiresAt": until.isoformat()})

    def _token(self, until: int) -> str:
        """A token says itself until when it is good, so that a restart forgets none."""
        key = self.credentials["merchant_secret"].encode()
        return f"{until}.{hmac.new(key, f'token{until}'.encode(), sha256).hexdigest()}"

    def _admit(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        said = token.partition(".")[0]
        until = int(said) if said.isascii() and said.isdigit() and len(said) < 12 else 0
        good = hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token(until).encode())
        if scheme != "Bearer" or not good or self.now.timestamp() >= until:
            raise No(412, "Provided token is invalid or expired")

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A repeated id gets the first result, whatever it is sent with."""

        async def call(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                key = request.headers.get("X-ShopBack-Idempotent-Id")
                if key and (kept := self.desk.store.answer(self.name, key)):
                    return json_answer(kept[1], kept[0])
                body = await json_body(request) if await request.read() else {}
                if not isinstance(body, dict):
                    raise No(400, "The request is no JSON object")
                answer = json_answer(await handler(request, body))
                if key:
                    self.desk.store.keep_answer(self.name, key, 200, from_json(answer.text or "null"))
                return answer
            except No as no:
                return json_answer(no.body, no.status)

        return call

    async def _initiate(self, request: web.Request, body: Any) -> dict[str, Any]:
        currency = _check(body)
        name = body.get("merchantOrderId") or body.get("cartId")
        # Every merchant of a sandbox has the same account there, so paymux's label tells them apart.
        external = f"external:{read_label(request).get('merchant', '')}:{name}"
        if name and self.desk.store.note(self.name, external):
            raise No(412, "Order with requested external ids already exists")
        token = str(uuid.uuid4())
        kept = ("callbackUrl", "closeUrl", "returnToShopUrl", "cartId", "merchantOrderId", "consumerEmail")
        case = self.new_case(
            request, id=str(uuid.uuid4()), amount=Decimal(body["totalAmount"]), currency=currency,
            reference=str(name or ""), account=self.credentials["merchant_id"], status="INITIATED", names=(token,),
            data={**{field: body.get(field) for field in kept}, "token": token, "refunded": "0", "at": self.now.isoformat()},
        )  # fmt: skip
        self.save(case)
        if name:
            self.desk.store.keep_note(self.name, external, case.id)
        number = uuid.UUID(case.id).int % 10**9
        return {"orderContextToken": token, "orderId": number, "orderUuid": case.id}

    async def _read(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self._order(request.match_info["uuid"])
        completed = case.status in ("APPROVED", "REFUNDED")
        name = case.data["merchantOrderId"]
        return {
            "uuid": case.id, "orderUuid": case.id, "createdAt": case.data["at"], "status": case.status,
            "orderType": "ONLINE", "merchantRef": name, "merchantOrderId": name,
            "consumerEmail": case.data["consumerEmail"], "paymentType": "PAYLATER" if completed else None,
        }  # fmt: skip

    async def _refund(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self._order(request.match_info["uuid"])
        amount = _amount(body, "amount")
        description = body.get("description")
        if not isinstance(description, str) or len(description) > 1024:
            raise No(400, "description is required, with at most 1024 characters")
        if any(not isinstance(item, dict) or not item.get("sku") for item in body.get("items") or []):
            raise No(400, "sku is required for each item")
        return self._refunded(case, amount)

    def _refunded(self, case: Case, amount: Decimal) -> dict[str, Any]:
        if case.status == "REFUNDED":
            raise No(412, "This request has been accepted earlier, Unable to Refund Order in status [REFUNDED]")
        if case.status != "APPROVED":
            raise No(412, f"Unable to Refund Order in status [{case.status}]")
        left = case.amount - Decimal(case.data["refunded"])
        kind = "FULL" if amount == case.amount else "PARTIAL"
        if amount > left:
            return {"status": "REJECTED", "type": kind, "code": "refund_amount_too_large",
                    "message": "The amount is larger than what is left of the order"}  # fmt: skip
        case.data["refunded"] = str(case.amount - left + amount)
        case.status = "REFUNDED" if amount == left else case.status
        name = str(uuid.uuid4())
        self.save(case, ("refund", amount, name))
        return {
            "status": "ACCEPTED", "requestId": name, "createdAt": self.now.isoformat(), "type": kind, "code": "accepted",
            "message": "Request accepted", "details": {"transactionFeeAmount": 0, "merchantFeeAmount": 0},
        }  # fmt: skip

    def _order(self, name: str) -> Case:
        case = self.case(name)
        if case is None or case.id != name:
            raise No(404, "No order found for provided uuid")
        return case

    # -- the sandbox's own --------------------------------------------------------------------

    async def _portal_refund(self, request: web.Request) -> web.Response:
        """Refund as in ShopBack's merchant portal."""
        body = await json_body(request)
        try:
            return json_answer(self._refunded(self._order(str(body["id"])), Decimal(str(body["amount"]))))
        except No as no:
            return json_answer(no.body, no.status)


def _check(body: Any) -> str:
    """A new order's currency, once all of it is as documented. Raises No."""
    amount = _amount(body, "totalAmount")
    if amount < _LEAST or amount > _MOST:
        raise No(400, f"totalAmount must be from {_LEAST} to {_MOST}")
    currency = body.get("currency")
    if currency not in _COUNTRY_OF:
        raise No(404, "Currency not found")
    for name in ("billingAddress", "shippingAddress"):
        if not isinstance(body.get(name), dict):
            raise No(400, f"{name} is required")
    if body["billingAddress"].get("countryCode") != _COUNTRY_OF[currency]:
        raise No(412, "BillingAddress Country is not merchant supported")
    items = body.get("items")
    if not isinstance(items, list) or not items or any(not isinstance(i, dict) or not i.get("name") for i in items):
        raise No(400, "items is required, each with its name")
    for item in items:
        if type(item.get("quantity", 1)) is not int or not isinstance(item.get("price", 0), int | Decimal):
            raise No(400, "quantity must be an integer and price a number")
    if body.get("shippingMethod", "NORMAL") not in _SHIPPING:
        raise No(400, "shippingMethod is not supported")
    return str(currency)


def _amount(body: Any, name: str) -> Decimal:
    """A JSON number that is greater than nothing, and that the currency can hold."""
    value = body.get(name)
    if type(value) not in (int, Decimal) or value <= 0 or Money(Decimal(value), "SGD").rounded() != value:
        raise No(400, f"{name} must be an amount")
    return Decimal(value)
