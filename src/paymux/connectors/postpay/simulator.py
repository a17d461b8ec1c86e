"""Postpay's API v1 as its merchants see it, from its PHP SDK's documentation and its own modules."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.sandbox.simulator import (
    Case,
    ErrorAnswer,
    Outcome,
    Route,
    Simulator,
    json_answer,
    json_body,
    reachable,
    with_query,
)

_BACK = {"approved": "APPROVED", "denied": "DENIED", "cancelled": "CANCELLED"}
_MOST_ON_A_PAGE = 50
_ORDERS = "orders"

Make = Callable[[web.Request, dict[str, Any]], Awaitable[dict[str, Any]]]


class ApiError(ErrorAnswer):
    """An error answer in Postpay's form."""

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return {"error": {"code": self.code, "message": self.message}}


class PostpaySimulator(Simulator):
    """The shopper approves an order; the merchant captures it whole, and refunds it in whole or in parts."""

    credentials: ClassVar[Mapping[str, str]] = {"merchant_id": "id_demo", "secret_key": "sk_test_demo"}

    def routes(self) -> list[Route]:
        """The calls of orders, and the sandbox's own one."""
        return [
            Route("POST", "/checkouts", self._answering(self._create), "create"),
            Route("GET", "/orders", self._answering(self._list), "status"),
            Route("POST", "/orders/{id}/capture", self._answering(self._capture), "confirm"),
            Route("POST", "/orders/{id}/refunds", self._answering(self._refund), "refund"),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page; whoever did not agree comes back by the cancel address."""
        if case.status == "created":
            self._decide(case, outcome)
        merchant = case.data["merchant"]
        if case.status in ("denied", "cancelled"):
            return with_query(merchant["cancel_url"], order_id=case.id, status=_BACK[case.status])
        if case.status == "created" and outcome == "error":
            return str(merchant["cancel_url"])
        status = "PENDING" if case.status == "created" else "APPROVED"
        return with_query(merchant["confirmation_url"], order_id=case.id, status=status)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        if case.status == "created":
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        words: dict[str, str] = {"approve": "approved", "decline": "denied", "cancel": "cancelled"}
        case.status = words.get(outcome, case.status)
        case.waiting = outcome == "pending"
        self.save(case)

    # -- orders -------------------------------------------------------------------------------

    async def _create(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        total = _check(body)
        if self.case(body["order_id"]) is not None:
            raise ApiError(409, "duplicate", "order_id is used already.")
        token = self.token()
        case = self.new_case(
            request, id=body["order_id"], amount=Decimal(total) / 100, currency=body["currency"],
            reference=body["order_id"], account=self.credentials["merchant_id"], names=(token,),
            data={"merchant": body["merchant"], "refunds": {}},
        )  # fmt: skip
        self.save(case)
        self.desk.store.keep_note(self.name, _ORDERS, [case.id, *(self.desk.store.note(self.name, _ORDERS) or [])])
        return {"token": token, "reference": token[:8], "redirect_url": self.checkout_url(case)}

    async def _list(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        """A page of the orders of a status, the newest first."""
        page, size = (int(request.query.get(name, start)) for name, start in (("page", 1), ("page_size", 20)))
        if page < 1 or not 1 <= size <= _MOST_ON_A_PAGE:
            raise ApiError(400, "invalid", "page or page_size is out of range.")
        status = request.query.get("status")
        orders = [self.case(name) for name in self.desk.store.note(self.name, _ORDERS) or []]
        found = [case for case in orders if case is not None and (status is None or case.status == status)]
        start, more = (page - 1) * size, len(found) > page * size
        return {
            "count": len(found), "next": f"{self.base()}/orders?page={page + 1}" if more else None,
            "previous": f"{self.base()}/orders?page={page - 1}" if page > 1 else None,
            "results": [_shown(case) for case in found[start : start + size]],
        }  # fmt: skip

    async def _capture(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        case = self._of(request)
        if case.status != "approved":
            raise ApiError(400, "invalid_status", f"The order is {case.status}.")
        case.status = "captured"
        self.save(case, ("authorize", case.amount, case.id), ("capture", case.amount, case.id))
        return _shown(case)

    async def _refund(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        case = self._of(request)
        name = body.get("refund_id")
        if not isinstance(name, str) or not name:
            raise ApiError(400, "invalid", "refund_id is required.")
        amount = _whole(body, "amount", 1)
        return self._given_back(case, name, Decimal(amount) / 100, str(body.get("description") or ""))

    def _given_back(self, case: Case, name: str, amount: Decimal, description: str = "") -> dict[str, Any]:
        refunds: dict[str, str] = case.data["refunds"]
        if name in refunds:
            raise ApiError(409, "duplicate", "refund_id is used already.")
        left = case.amount - sum((Decimal(text) for text in refunds.values()), Decimal(0))
        if case.status != "captured" or amount > left:
            raise ApiError(400, "invalid_amount", "The amount is above what is left of the order.")
        case.data["refunds"] = {**refunds, name: str(amount)}
        self.save(case, ("refund", amount, name))
        return {"refund_id": name, "amount": int(amount * 100), "description": description}

    def _of(self, request: web.Request) -> Case:
        name = request.match_info["id"]
        case = self.case(name)
        if case is None or case.id != name:
            raise ApiError(404, "not_found", "The order was not found.")
        return case

    # -- calls --------------------------------------------------------------------------------

    def _answering(self, make: Make) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                body = await json_body(request) if await request.read() else {}
                if not isinstance(body, dict):
                    raise ApiError(400, "invalid", "The body is not a JSON object.")
                return json_answer(await make(request, body))
            except ApiError as no:
                return json_answer(no.body, no.status)

        return answered

    def _admit(self, request: web.Request) -> None:
        pair = f"{self.credentials['merchant_id']}:{self.credentials['secret_key']}"
        expected = "Basic " + base64.b64encode(pair.encode()).decode()
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected.encode()):
            raise ApiError(401, "authentication_failed", "Invalid credentials.")

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if in Postpay's dashboard."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such order"}, 404)
        try:
            return json_answer(self._given_back(case, self.token(), Decimal(body["amount"])), 201)
        except ApiError as no:
            return json_answer(no.body, no.status)


def _check(body: dict[str, Any]) -> int:
    """A new checkout's total in hundredths. Raises ApiError."""
    for name in ("order_id", "currency"):
        _text(body, name)
    if body["currency"] not in ("AED", "SAR"):
        raise ApiError(400, "invalid", "currency is not supported.")
    _whole(body, "tax_amount", 0)
    for name in ("email", "first_name", "last_name"):
        _text(body.get("customer"), name)
    shipping = body.get("shipping")
    if shipping is not None:
        _whole(shipping, "amount", 0)
    addresses = [body.get("billing_address"), *([shipping.get("address")] if shipping is not None else [])]
    for address in addresses:
        for name in ("first_name", "last_name", "phone", "line1", "city", "country"):
            _text(address, name)
    items = body.get("items")
    if not isinstance(items, list) or not items:
        raise ApiError(400, "invalid", "items is required.")
    for item in items:
        for name in ("reference", "name"):
            _text(item, name)
        _whole(item, "unit_price", 0)
        _whole(item, "qty", 1)
    for name in ("confirmation_url", "cancel_url"):
        if not reachable(_text(body.get("merchant"), name)):
            raise ApiError(400, "invalid", f"merchant.{name} is not a valid URL.")
    return _whole(body, "total_amount", 1)


def _text(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        raise ApiError(400, "invalid", f"{name} is required.")
    return value


def _whole(body: Any, name: str, least: int) -> int:
    value = body.get(name) if isinstance(body, dict) else None
    if type(value) is not int or value < least:
        raise ApiError(400, "invalid", f"{name} must be an integer of at least {least}.")
    return value


def _shown(case: Case) -> dict[str, Any]:
    return {
        "order_id": case.id, "status": case.status, "total_amount": int(case.amount * 100), "currency": case.currency,
    }  # fmt: skip
