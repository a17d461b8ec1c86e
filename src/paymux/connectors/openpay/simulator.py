"""Openpay's merchant API as its generated client and the plugins show it: a form, a lodged plan, a capture, refunds."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_LEAST, _MOST = 100, 2_000_000
_CURRENCY = {"OPENPAY_AU": "AUD", "OPENPAY_UK": "GBP"}
_ORDERS = "/v1/merchant/orders"
_URLS = ("callbackUrl", "cancelUrl", "failUrl")
_ADDRESS = ("line1", "suburb", "state", "postCode")
# Order and plan after the shopper's decision, the word of his return, and the address that he comes back to.
_DECIDED: dict[Outcome, tuple[str, str, str, str]] = {
    "approve": ("Pending", "Lodged", "LODGED", "callbackUrl"), "decline": ("Pending", "Errored", "FAILURE", "failUrl"),
    "cancel": ("Cancelled", "", "CANCELLED", "cancelUrl"), "error": ("Pending", "Errored", "FAILURE", "failUrl"),
}  # fmt: skip

Call = Callable[[web.Request, Any], Awaitable[web.Response]]


class No(Exception):
    """A refusal in the form of a problem's details."""

    def __init__(self, status: int, title: str, detail: str = "") -> None:
        super().__init__(title)
        self.status, self.body = status, {"type": "about:blank", "title": title, "status": status, "detail": detail}


class OpenpaySimulator(Simulator):
    """A merchant's orders: the browser posts the form, the shopper agrees, the merchant captures and refunds."""

    credentials: ClassVar[Mapping[str, str]] = {"auth_user": "3285", "auth_token": "sandbox-openpay-token"}

    def routes(self) -> list[Route]:
        """The calls of the API, the page that forms are posted to, and the sandbox's own."""
        order = _ORDERS + "/{order}"
        return [
            Route("GET", f"{_ORDERS}/limits", self._call(self._limits)),
            Route("POST", _ORDERS, self._call(self._create), "create"),
            Route("GET", order, self._call(self._read), "status"),
            Route("POST", f"{order}/capturepayment", self._call(self._capture), "confirm"),
            Route("POST", f"{order}/refund", self._call(self._refund), "refund"),
            Route("POST", "/websalestraining/", self.opened_by_form),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def form_checkout(self, request: web.Request) -> Case:
        """The order whose token the form carries."""
        token = str((await request.post()).get("TransactionToken", ""))
        case = self.case(token)
        if case is None or case.data["token"] != token:
            raise web.HTTPBadRequest(text="The transaction token is unknown")
        return case

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide, and come back with `status`, `planid` and `orderid`."""
        await self.settle(case, outcome)
        word, address = case.data["returned"]
        said = {"status": word} if word else {}
        return with_query(case.data[address], **said, planid=case.id, orderid=case.data["retailerOrderNo"])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide an open order, once. What he agreed to is paid only when the merchant captures it."""
        if case.waiting and outcome != "pending":
            case.status, case.data["plan"], *returned = _DECIDED[outcome]
            case.waiting, case.data["returned"] = False, returned
            self.save(case)

    # -- the calls ----------------------------------------------------------------------------

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def call(request: web.Request) -> web.Response:
            pair = f"{self.credentials['auth_user']}:{self.credentials['auth_token']}"
            expected = "Basic " + base64.b64encode(pair.encode()).decode()
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, expected.encode()):
                return json_answer(No(401, "Unauthorized").body, 401)
            body = await json_body(request) if await request.read() else {}
            try:
                if not isinstance(body, dict):
                    raise No(400, "The request is not valid JSON")
                return await handler(request, body)
            except No as no:
                return json_answer(no.body, no.status)

        return call

    async def _limits(self, request: web.Request, body: Any) -> web.Response:
        return json_answer({"minPrice": _LEAST, "maxPrice": _MOST})

    async def _create(self, request: web.Request, body: Any) -> web.Response:
        price = _price(body.get("purchasePrice"), "purchasePrice")
        if not _LEAST <= price <= _MOST:
            raise No(422, "Unprocessable", "purchasePrice is outside of the limits")
        journey = _inside(body, "customerJourney")
        if journey.get("origin") != "Online":
            raise No(400, "Bad Request", "origin must be Online")
        online = _inside(journey, "online")
        if _text(online, "planCreationType").lower() != "pending":
            raise No(400, "Bad Request", "planCreationType must be Pending")
        urls = {name: _text(online, name) for name in _URLS}
        _check_customer(_inside(online, "customerDetails"))
        _check_cart(body.get("cart", []))
        reference, token = str(body.get("retailerOrderNo") or ""), secrets.token_urlsafe(32)
        case = self.new_case(
            request, id=str(30_000_000_000 + secrets.randbelow(10**9)), amount=Decimal(price).scaleb(-2), currency="",
            reference=reference, account=self.credentials["auth_user"], status="Pending", title="Openpay", names=(token,),
            data={**urls, "token": token, "retailerOrderNo": reference, "plan": "", "left": price, "returned": ["", "callbackUrl"]},
        )  # fmt: skip
        case.currency = _CURRENCY.get(case.code, "AUD")
        self.save(case)
        fields = [
            {"fieldName": "TransactionToken", "fieldValue": token},
            {"fieldName": "JamPlanID", "fieldValue": case.id},
        ]
        action = {"formPostUrl": f"{self.base()}/websalestraining/", "formFields": fields}
        answer = {"orderId": case.id, "blackListMatch": 0, "nextAction": {"type": "FormPost", "formPost": action}}
        return json_answer(answer, 201)

    async def _read(self, request: web.Request, body: Any) -> web.Response:
        case = self._asked(request)
        if case.status == "Cancelled":
            raise No(422, "Error 12704", "The order is not available")
        left = case.data["left"]
        return json_answer({
            "orderId": case.id, "orderStatus": case.status, "planStatus": case.data["plan"] or None,
            "purchasePrice": left, "retailerAmount": left,
        })  # fmt: skip

    async def _capture(self, request: web.Request, body: Any) -> web.Response:
        case = self._asked(request)
        if (case.status, case.data["plan"]) != ("Pending", "Lodged"):
            raise No(422, "Unprocessable", "The payment can not be captured")
        case.status, case.data["plan"] = "Approved", "Active"
        self.save(case, ("authorize", case.amount, case.id), ("capture", case.amount, case.id))
        return json_answer({"orderId": case.id, "purchasePrice": case.data["left"]})

    async def _refund(self, request: web.Request, body: Any) -> web.Response:
        case = self._asked(request)
        left = case.data["left"]
        if (case.status, case.data["plan"]) != ("Approved", "Active"):
            raise No(422, "Unprocessable", "The order can not be refunded")
        whole = body.get("fullRefund") is True
        cents = left if whole else _price(body.get("reducePriceBy"), "reducePriceBy")
        if not whole and not 0 < cents < left:
            raise No(422, "Unprocessable", "reducePriceBy must be less than the current purchase price")
        case.data["left"] = left - cents
        case.data["plan"] = "Refunded" if whole else "Active"
        self.save(case, ("refund", Decimal(cents).scaleb(-2), f"{case.id}-{left}"))
        return json_answer({"orderId": case.id})

    def _asked(self, request: web.Request) -> Case:
        case = self.case(request.match_info["order"])
        if case is None or case.id != request.match_info["order"]:
            raise No(404, "Not Found")
        return case

    # -- the sandbox's own --------------------------------------------------------------------

    async def _tamper(self, request: web.Request) -> web.Response:
        """Make an order one of another price."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            return json_answer({"title": "Not Found"}, 404)
        case.amount = Decimal(str(body.get("amount", case.amount)))
        case.data["left"] = int(case.amount.scaleb(2))
        self.save(case)
        return json_answer({"id": case.id})


def _inside(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise No(400, "Bad Request", f"{name} can't be null")
    return value


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise No(400, "Bad Request", f"{name} can't be null")
    return value


def _price(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise No(400, "Bad Request", f"{name} must be an integer in the lowest denomination")
    return value


def _check_customer(customer: Mapping[str, Any]) -> None:
    for name in ("firstName", "familyName", "email"):
        _text(customer, name)
    address = _inside(customer, "deliveryAddress")
    for name in _ADDRESS:
        _text(address, name)


def _check_cart(cart: Any) -> None:
    for item in cart:
        for name in ("itemName", "itemCode", "itemQty"):
            _text(item, name)
        for name in ("itemRetailUnitPrice", "itemRetailCharge"):
            _price(item.get(name), name)
