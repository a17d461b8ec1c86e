"""PayTabs' PT2 API as its merchants see it, from its manuals and its official SDKs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import quote_plus

from aiohttp import web

from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, ErrorAnswer, Outcome, Route, Simulator, json_answer, json_body, with_query

_REGIONS = ("api", "sau", "egy", "omn", "jor", "kwt", "irq", "qat", "mar", "global")
_TWO_MINUTES = timedelta(minutes=2)
# What the shopper decides: status, code and message.
_RESULTS: dict[Outcome, tuple[str, str, str]] = {
    "approve": ("A", "G07062", "Authorised"),
    "decline": ("D", "300", "Not authorised"),
    "cancel": ("C", "321", "Cancelled"),
    "pending": ("H", "600", "On hold"),
    "error": ("E", "400", "Internal system error"),
}
_STATUS = {"A": "authorised", "D": "declined", "C": "cancelled", "H": "on hold", "E": "error"}


class Refusal(ErrorAnswer):
    """A failure: code and message under an HTTP status."""


class PayTabsSimulator(Simulator):
    """One profile: pages, sales, authorisations and what follows them, told by signed callbacks."""

    credentials: ClassVar[Mapping[str, str]] = {
        "profile_id": "987654",
        "server_key": "SSJN-SANDBOX-PAYTABS",
        "region": "ARE",
    }

    def __init__(self, desk: Any) -> None:
        super().__init__(desk)
        self._seen: dict[tuple[str, str, str], datetime] = {}

    def routes(self) -> list[Route]:
        """The two calls at every region's host, and the sandbox's own for the dashboard."""
        follow_ups = {name: f'"{name}"'.encode() for name in ("capture", "void", "refund")}
        calls = [
            route
            for host in _REGIONS
            for route in (
                Route("POST", "/payment/request", self._request, "create", host=host, others=follow_ups),
                Route("POST", "/payment/query", self._query, "status", host=host),
            )
        ]
        return [*calls, Route("POST", "/sandbox/dashboard", self._dashboard)]

    # -- the calls ----------------------------------------------------------------------------

    async def _request(self, request: web.Request) -> web.Response:
        try:
            body = await self._authentic(request)
            amount, currency = _cart(body)
            self._once(body, amount)
            if body.get("tran_type") in ("sale", "auth"):
                return json_answer(self._page(request, body, amount, currency))
            return json_answer(self._follow_up(body, amount, currency))
        except Refusal as no:
            return _failed(no)

    async def _query(self, request: web.Request) -> web.Response:
        try:
            body = await self._authentic(request)
        except Refusal as no:
            return _failed(no)
        reference, cart = body.get("tran_ref"), body.get("cart_id")
        if bool(reference) == bool(cart):
            return _failed(Refusal(400, 2, "Invalid request: either tran_ref or cart_id"))
        if cart:
            case = self.case(f"cart:{cart}")
            return json_answer([row for row in (case.data["rows"] if case else []) if row["cart_id"] == cart])
        case = self.case(str(reference))
        if case is None:
            return _failed(Refusal(400, 2, "Invalid transaction reference"))
        if case.id == reference and not case.data["rows"]:
            return json_answer(case.data["page"])
        return json_answer(next(row for row in case.data["rows"] if row["tran_ref"] == reference))

    async def _authentic(self, request: web.Request) -> dict[str, Any]:
        if request.headers.get("Authorization") != self.credentials["server_key"]:
            raise Refusal(401, 1, "Authentication failed. Check authentication header.")
        body = await json_body(request)
        if not isinstance(body, dict) or body.get("profile_id") != int(self.credentials["profile_id"]):
            raise Refusal(400, 2, "Invalid request: profile_id")
        return body

    def _once(self, body: Mapping[str, Any], amount: Decimal) -> None:
        """The same cart, currency and amount are taken once within two minutes."""
        same = (body["cart_id"], body["cart_currency"], str(amount.normalize()))
        last = self._seen.get(same)
        if last is not None and self.now - last < _TWO_MINUTES:
            raise Refusal(409, 4, "Duplicate Request")
        self._seen[same] = self.now

    def _page(self, request: web.Request, body: dict[str, Any], amount: Decimal, currency: str) -> dict[str, Any]:
        for name in ("return", "callback"):
            if not str(body.get(name, "")).startswith(("https://", "http://")):
                raise Refusal(400, 2, f"Invalid request: {name}")
        methods = body.get("payment_methods")
        if not isinstance(methods, list) or not set(methods) <= {"all", "valu", "creditcard"}:
            raise Refusal(400, 2, "Invalid request: payment_methods")
        if "valu" in methods and (currency != "EGP" or body["tran_type"] != "sale"):
            raise Refusal(400, 206, "Invalid currency code")
        reference = self._new_reference()
        case = self.new_case(
            request, id=reference, amount=amount, currency=currency, reference=body["cart_id"],
            account=self.credentials["profile_id"], names=(f"cart:{body['cart_id']}",), data={"asked": body, "rows": []},
        )  # fmt: skip
        page = {
            "tran_ref": reference, "tran_type": body["tran_type"].capitalize(), "cart_id": body["cart_id"],
            "cart_description": body["cart_description"], "cart_currency": currency, "cart_amount": f"{amount:f}",
            "callback": body["callback"], "return": body["return"], "redirect_url": self.checkout_url(case),
            "serviceId": 2, "profileId": 987654, "merchantId": 123456, "trace": f"PMNT0404.{self.token(4).upper()}",
        }  # fmt: skip
        case.data["page"] = page
        self.save(case)
        return page

    def _follow_up(self, body: dict[str, Any], amount: Decimal, currency: str) -> dict[str, Any]:
        kind, target = body.get("tran_type"), str(body.get("tran_ref"))
        case = self.case(target)
        origin = next((row for row in case.data["rows"] if row["tran_ref"] == target), None) if case else None
        if case is None or origin is None:
            raise Refusal(400, 2, "Invalid transaction reference")
        if currency != origin["tran_currency"]:
            raise Refusal(400, 206, "Invalid currency code")
        return self._followed(case, origin, str(kind), amount, body["cart_id"], body["cart_description"])

    def _followed(
        self, case: Case, origin: dict[str, Any], kind: str, amount: Decimal, cart: str, description: str
    ) -> dict[str, Any]:
        """A capture, void, release or refund: done where the transaction that it names allows it, else declined."""
        after = [row for row in case.data["rows"] if row["previous_tran_ref"] == origin["tran_ref"] and _done(row)]
        left = Decimal(origin["tran_total"]) - sum((Decimal(row["tran_total"]) for row in after), Decimal(0))
        of_auth = kind in ("capture", "void", "release") and origin["tran_type"] == "Auth"
        of_money = kind == "refund" and origin["tran_type"] in ("Sale", "Capture")
        captured = any(row["tran_type"] == "Capture" for row in after)
        allowed = _done(origin) and (of_auth or of_money) and 0 < amount <= left
        if kind == "void":
            allowed = allowed and amount == left and not captured
        result = ("A", "G07063", "Authorised") if allowed else ("D", "309", "Unable to process your request")
        row = self._row(case, kind.capitalize(), amount, cart, description, result, origin["tran_ref"])
        case.data["rows"].append(row)
        case.names = (*case.names, row["tran_ref"], f"cart:{cart}")
        ledger = {"capture": "capture", "void": "void", "release": "void", "refund": "refund"}
        self.save(case, *([(ledger[kind], amount, row["tran_ref"])] if allowed else []))
        return row

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide, and come back with the signed result."""
        if case.waiting:
            self._decide(case, outcome)
        row = case.data["rows"][0]
        result = row["payment_result"]
        back = {
            "acquirerMessage": "", "acquirerRRN": "", "cartId": row["cart_id"], "customerEmail": "ada@shop.example",
            "respCode": result["response_code"], "respMessage": result["response_message"],
            "respStatus": result["response_status"], "token": "", "tranRef": row["tran_ref"],
        }  # fmt: skip
        # As PHP's http_build_query writes it, without what is empty, sorted.
        text = "&".join(f"{name}={quote_plus(back[name])}" for name in sorted(back) if back[name])
        return with_query(case.data["asked"]["return"], **back, signature=self._signed(text.encode()))

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """End the review of a payment on hold, or decide a page that is still open."""
        if case.waiting and outcome != "pending":
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        asked, result = case.data["asked"], _RESULTS[outcome]
        row = self._row(
            case, asked["tran_type"].capitalize(), case.amount, asked["cart_id"], asked["cart_description"], result, ""
        )
        row["tran_ref"] = case.id
        case.data["rows"] = [row]
        case.status, case.waiting = _STATUS[result[0]], outcome == "pending"
        paid = [("authorize", case.amount, case.id)] if outcome == "approve" else []
        if paid and asked["tran_type"] == "sale":
            paid.append(("capture", case.amount, case.id))
        self.save(case, *paid)
        body = to_json(
            {**row, "merchant_id": 123456, "profile_id": 987654, "ipn_trace": f"IPNS.{self.token(4)}"}
        ).encode()
        headers = {"Content-Type": "application/json", "Signature": self._signed(body)}
        self.send_event(case, asked["callback"], body, headers)

    def _row(
        self, case: Case, kind: str, amount: Decimal, cart: str, description: str, result: tuple[str, str, str],
        previous: str,
    ) -> dict[str, Any]:  # fmt: skip
        status, code, message = result
        return {
            "tran_ref": self._new_reference(), "previous_tran_ref": previous, "tran_type": kind, "cart_id": cart,
            "cart_description": description, "cart_currency": case.currency, "cart_amount": f"{amount:f}",
            "tran_currency": case.currency, "tran_total": f"{amount:f}",
            "payment_result": {
                "response_status": status, "response_code": code, "response_message": message,
                "transaction_time": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            "payment_info": {"payment_method": "Visa", "card_scheme": "Visa", "payment_description": "4111 11## #### 1111"},
        }  # fmt: skip

    def _new_reference(self) -> str:
        return f"TST26{int(self.token(5), 16) % 10**11:011d}"

    def _signed(self, content: bytes) -> str:
        return hmac.new(self.credentials["server_key"].encode(), content, hashlib.sha256).hexdigest()

    # -- the sandbox's own --------------------------------------------------------------------

    async def _dashboard(self, request: web.Request) -> web.Response:
        """A capture, void or refund made in PayTabs' dashboard, under the order's own cart_id."""
        body = await json_body(request)
        case = self.case(str(body["tran_ref"]))
        if case is None:
            return json_answer({"error": "no such transaction"}, 404)
        origin = next(row for row in case.data["rows"] if row["tran_ref"] == body["tran_ref"])
        root = case.data["rows"][0]
        row = self._followed(case, origin, body["tran_type"], Decimal(body["amount"]), root["cart_id"], "Dashboard")
        content = to_json({**row, "merchant_id": 123456, "profile_id": 987654}).encode()
        headers = {"Content-Type": "application/json", "Signature": self._signed(content)}
        self.send_event(case, case.data["asked"]["callback"], content, headers)
        return json_answer(row)


def _cart(body: Mapping[str, Any]) -> tuple[Decimal, str]:
    """A request's amount and currency. Raises Refusal for a cart that is not whole."""
    if body.get("tran_class") != "ecom" or body.get("tran_type") not in (
        "sale", "auth", "capture", "void", "release", "refund",
    ):  # fmt: skip
        raise Refusal(400, 2, "Invalid request: tran_type or tran_class")
    cart, description, currency = body.get("cart_id"), body.get("cart_description"), body.get("cart_currency")
    if not isinstance(cart, str) or not 1 <= len(cart) <= 64:
        raise Refusal(400, 101, "Cart ID not valid")
    if not isinstance(description, str) or not description:
        raise Refusal(400, 2, "Invalid request: cart_description")
    if not isinstance(currency, str) or len(currency) != 3:
        raise Refusal(400, 206, "Invalid currency code")
    amount = body.get("cart_amount")
    if type(amount) not in (int, Decimal) or Decimal(str(amount)) <= 0:
        raise Refusal(400, 2, "Invalid request: cart_amount")
    return Decimal(str(amount)), currency


def _done(row: Mapping[str, Any]) -> bool:
    return bool(row["payment_result"]["response_status"] == "A")


def _failed(no: Refusal) -> web.Response:
    return json_answer({"code": no.code, "message": no.message, "trace": "PMNT0401.SANDBOX"}, no.status)
