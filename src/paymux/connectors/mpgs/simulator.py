"""Mastercard Gateway's REST API as its merchants see it, from Mastercard's pages and its module for WooCommerce."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from aiohttp import web

from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_ROOT = "/api/rest/version/100/merchant/{merchant}"
_MOST_TRIES = 25
_CODES: dict[Outcome, tuple[str, str]] = {
    "approve": ("SUCCESS", "APPROVED"),
    "decline": ("FAILURE", "DECLINED"),
    "error": ("FAILURE", "SYSTEM_ERROR"),
    "pending": ("PENDING", "PENDING"),
}
# What a code of the gateway comes as; any other one is a FAILURE.
_RESULTS = {
    "APPROVED": "SUCCESS", "APPROVED_AUTO": "SUCCESS", "APPROVED_PENDING_SETTLEMENT": "SUCCESS", "PARTIALLY_APPROVED": "SUCCESS",
    "SUBMITTED": "PENDING", "PENDING": "PENDING", "UNKNOWN": "UNKNOWN",
}  # fmt: skip
_APPROVED = ("APPROVED", "APPROVED_AUTO", "APPROVED_PENDING_SETTLEMENT")
# Whatever the bank did, the gateway is told of it later or never.
_UNDECIDED = (
    "SUBMITTED", "PENDING", "UNKNOWN", "TIMED_OUT", "ACQUIRER_SYSTEM_ERROR", "SYSTEM_ERROR", "UNSPECIFIED_FAILURE",
)  # fmt: skip
_LEDGER = {"CAPTURE": "capture", "VOID": "void", "REFUND": "refund"}
_TYPES = {"CAPTURE": "CAPTURE", "VOID": "VOID_AUTHORIZATION", "REFUND": "REFUND"}

Call = Callable[[Any, web.Request], Awaitable[web.Response]]


class Invalid(Exception):
    """An error: its cause, what is wrong and with which field."""

    def __init__(self, explanation: str, field: str = "", status: int = 400, cause: str = "INVALID_REQUEST") -> None:
        super().__init__(explanation)
        self.explanation, self.field, self.status, self.cause = explanation, field, status, cause


class MpgsSimulator(Simulator):
    """One merchant profile: payment links, orders with their transactions, notifications."""

    credentials: ClassVar[Mapping[str, str]] = {
        "gateway": "test-gateway.mastercard.com",
        "merchant_id": "TESTPAYMUX",
        "api_password": "sandbox-mpgs-password",
        "notification_secret": "SANDBOX0MPGS0NOTIFICATION0SECRET",
        "merchant_name": "Paymux demo",
        "merchant_url": "https://shop.example",
    }

    def routes(self) -> list[Route]:
        """The calls, and the sandbox's own for Merchant Administration."""
        transaction = f"{_ROOT}/order/{{order}}/transaction/{{transaction}}"
        kinds = {"void": b'"VOID"', "refund": b'"REFUND"', "capture": b'"CAPTURE"'}
        return [
            Route("POST", f"{_ROOT}/session", self._called(self._initiate), "create"),
            Route("POST", f"{_ROOT}/paymentOptionsInquiry", self._called(self._options)),
            Route("GET", f"{_ROOT}/order/{{order}}", self._called(self._retrieve), "status"),
            Route("PUT", transaction, self._called(self._transact), others=kinds),
            Route("POST", "/sandbox/administration", self._administration),
            Route("POST", "/sandbox/bank", self._bank),
        ]

    def _called(self, call: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            user = f"merchant.{self.credentials['merchant_id']}:{self.credentials['api_password']}"
            expected = "Basic " + base64.b64encode(user.encode()).decode()
            try:
                if request.headers.get("Authorization") != expected:
                    raise Invalid("Invalid credentials.", status=401)
                if request.match_info["merchant"] != self.credentials["merchant_id"]:
                    raise Invalid("Value of 'merchantId' is invalid", "merchantId")
                body = await json_body(request)
                return await call(body if isinstance(body, dict) else {}, request)
            except Invalid as no:
                error = {"cause": no.cause, "explanation": no.explanation}
                if no.field:
                    error |= {"field": no.field, "validationType": "INVALID"}
                return json_answer({"error": error, "result": "ERROR"}, no.status)

        return handler

    # -- the calls ----------------------------------------------------------------------------

    async def _options(self, body: dict[str, Any], request: web.Request) -> web.Response:
        merchant = self.credentials["merchant_id"]
        return json_answer({"merchant": merchant, "result": "SUCCESS", "paymentTypes": {"card": {}}})

    async def _initiate(self, body: dict[str, Any], request: web.Request) -> web.Response:
        for path, allowed in (
            ("apiOperation", ("INITIATE_CHECKOUT",)), ("checkoutMode", ("PAYMENT_LINK",)),
            ("interaction.operation", ("PURCHASE", "AUTHORIZE")), ("interaction.merchant.name", ()),
            ("interaction.merchant.url", ()), ("interaction.returnUrl", ()), ("order.id", ()), ("order.currency", ()),
            ("order.description", ()),
        ):  # fmt: skip
            value = _text(body, path)
            if allowed and value not in allowed:
                raise Invalid(f"Value '{value}' is invalid", path)
        order, amount = body["order"], _amount(body["order"], "order.amount")
        for field, most in (("id", 40), ("reference", 40), ("description", 127)):
            if len(order.get(field, "")) > most:
                raise Invalid(f"Value is too long, at most {most}", f"order.{field}")
        if len(body["interaction"]["merchant"]["name"]) > 40:
            raise Invalid("Value is too long, at most 40", "interaction.merchant.name")
        case = self.case(order["id"])
        if case is not None and case.data["rows"]:
            raise Invalid("The order has been tried to be paid already", "order.id")
        case = self.new_case(
            request, id=order["id"], amount=amount, currency=order["currency"], reference=order.get("reference", ""),
            account=self.credentials["merchant_id"], status="INITIATED",
            data={
                "asked": body, "rows": [], "expires": self._expiry(body).isoformat(), "indicator": self.token(8),
                "session": f"SESSION{int(self.token(12), 16):031d}"[:38],
            },
        )  # fmt: skip
        self.save(case)
        return json_answer(
            {
                "checkoutMode": "PAYMENT_LINK", "merchant": self.credentials["merchant_id"],
                "paymentLink": {"id": self.token(8), "url": self.checkout_url(case)}, "result": "SUCCESS",
                "session": {"id": case.data["session"], "updateStatus": "SUCCESS", "version": self.token(5)},
                "successIndicator": case.data["indicator"],
            },
            201,
        )  # fmt: skip

    def _expiry(self, body: Mapping[str, Any]) -> datetime:
        try:
            return datetime.fromisoformat(body["paymentLink"]["expiryDateTime"])
        except (KeyError, TypeError, ValueError) as fault:
            raise Invalid("Value is no date", "paymentLink.expiryDateTime") from fault

    async def _retrieve(self, body: dict[str, Any], request: web.Request) -> web.Response:
        case = self._tried(request)
        return json_answer({**self._order(case), "transaction": case.data["rows"], "result": "SUCCESS"})

    def _tried(self, request: web.Request) -> Case:
        case = self.case(request.match_info["order"])
        if case is None or not case.data["rows"]:
            raise Invalid("Unable to find order", "orderId")
        return case

    async def _transact(self, body: dict[str, Any], request: web.Request) -> web.Response:
        case, id = self._tried(request), request.match_info["transaction"]
        if any(row["transaction"]["id"] == id for row in case.data["rows"]):
            raise Invalid("The transaction ID has been used already", "transactionId")
        operation, given = _text(body, "apiOperation"), body.get("transaction") or {}
        if operation not in _LEDGER or len(id) > 40 or len(given.get("reference", "")) > 40:
            raise Invalid("Value is invalid", "apiOperation")
        if operation == "VOID":
            target = _text(body, "transaction.targetTransactionId")
            if not any(row["transaction"]["id"] == target for row in case.data["rows"]):
                raise Invalid("Unable to find the transaction", "transaction.targetTransactionId")
            amount = case.amount
        else:
            amount = _amount(given, "transaction.amount")
            if given.get("currency") != case.currency:
                raise Invalid("The currency is not the order's", "transaction.currency")
        return json_answer(self._moved(case, operation, amount, id), 201)

    def _moved(self, case: Case, operation: str, amount: Decimal, id: str) -> dict[str, Any]:
        """A capture, void or refund: made where there is enough left, else a transaction that failed."""
        authorised, captured, voided, refunded = (
            self._sum(case, *types) for types in (("AUTHORIZATION",), ("CAPTURE", "PAYMENT"), ("VOID",), ("REFUND",))
        )
        allowed = {
            "CAPTURE": amount <= authorised - captured - voided,
            "VOID": authorised > 0 and captured == 0 and voided == 0,
            "REFUND": amount <= captured - refunded,
        }[operation]
        if not allowed:
            row = self._row(case, id, _TYPES[operation], amount, "FAILURE", "DECLINED")
            self.save(case)
        else:
            row = self._row(case, id, _TYPES[operation], amount, *self._banks_word(case, id, "SUCCESS", "APPROVED"))
            self.save(case, *self._rows_moved(case, row))
        self._tell(case, row)
        return {**row, "order": self._order(case)}

    # -- the bank -----------------------------------------------------------------------------

    def _banks_word(self, case: Case, id: str, result: str, code: str) -> tuple[str, str]:
        """What the bank's answer to a transaction makes of it: what a test has it say, else this."""
        told, case.data["next"] = case.data.get("next"), None
        if told is None:
            return result, code
        if "amount" in told:
            case.data["parts"] = {**case.data.get("parts", {}), id: told["amount"]}
        return told.get("result") or _RESULTS.get(told["code"], "FAILURE"), told["code"]

    def _rows_moved(self, case: Case, row: Mapping[str, Any]) -> list[tuple[str, Decimal, str]]:
        """What a transaction has moved: a sale authorises and captures."""
        if row["result"] != "SUCCESS" or row["response"]["gatewayCode"] not in (*_APPROVED, "PARTIALLY_APPROVED"):
            return []
        id, kind = row["transaction"]["id"], row["transaction"]["type"].split("_")[0]
        kinds = {"PAYMENT": ("authorize", "capture"), "AUTHORIZATION": ("authorize",)}.get(kind) or (_LEDGER[kind],)
        return [(one, self._approved(case, row), id) for one in kinds]

    async def _bank(self, request: web.Request) -> web.Response:
        """What the bank answers to the next transaction, or what the gateway finds out later about one that it has named.

        The test host has this by cards and amounts of its own. `result` only where it is not the code's usual one.
        """
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such order"}, 404)
        if "transaction" not in body:
            case.data["next"] = {name: body[name] for name in ("code", "result", "amount") if name in body}
            self.save(case)
            return json_answer({"id": case.id})
        row = next((one for one in case.data["rows"] if one["transaction"]["id"] == body["transaction"]), None)
        if row is None or row["response"]["gatewayCode"] not in _UNDECIDED:
            return json_answer({"error": "no transaction that is still undecided"}, 409)
        row |= {"result": _RESULTS.get(body["code"], "FAILURE"), "response": {"gatewayCode": body["code"]}}
        self._decided(case)
        self.save(case, *self._rows_moved(case, row))
        self._tell(case, row)
        return json_answer(row)

    def _decided(self, case: Case) -> None:
        """Nobody pays an order any more once a try of it holds money."""
        if self._sum(case, "AUTHORIZATION", "PAYMENT"):
            case.status, case.waiting = "paid", False

    # -- an order -----------------------------------------------------------------------------

    def _row(self, case: Case, id: str, kind: str, amount: Decimal, result: str, code: str) -> dict[str, Any]:
        """One more transaction of an order."""
        row = {
            "merchant": self.credentials["merchant_id"], "result": result, "response": {"gatewayCode": code},
            "timeOfRecord": self.now.isoformat(),
            "transaction": {"id": id, "type": kind, "amount": amount, "currency": case.currency},
        }  # fmt: skip
        case.data["rows"].append(row)
        return row

    def _sum(self, case: Case, *kinds: str) -> Decimal:
        """What the transactions of these kinds have moved that the gateway counts."""
        counted = (*_APPROVED, "PARTIALLY_APPROVED")
        done = [
            row
            for row in case.data["rows"]
            if row["result"] == "SUCCESS"
            and row["response"]["gatewayCode"] in counted
            and row["transaction"]["type"].startswith(kinds)
        ]
        return sum((self._approved(case, row) for row in done), Decimal(0))

    @staticmethod
    def _approved(case: Case, row: Mapping[str, Any]) -> Decimal:
        """The amount that was approved, which of a partial approval is not the transaction's own."""
        return Decimal(str(case.data.get("parts", {}).get(row["transaction"]["id"], row["transaction"]["amount"])))

    def _order(self, case: Case) -> dict[str, Any]:
        asked = case.data["asked"]["order"]
        authorised, captured, refunded, voided = (
            self._sum(case, *types)
            for types in (("AUTHORIZATION", "PAYMENT"), ("CAPTURE", "PAYMENT"), ("REFUND",), ("VOID",))
        )
        status = "INITIATED"
        if authorised:
            status = "CANCELLED" if voided else "REFUNDED" if refunded else "CAPTURED" if captured else "AUTHORIZED"
        elif any(row["result"] == "FAILURE" for row in case.data["rows"]):
            status = "FAILED"
        return {
            "amount": case.amount, "currency": case.currency, "description": asked["description"], "id": case.id,
            "merchant": self.credentials["merchant_id"], "notificationUrl": asked.get("notificationUrl"),
            "reference": asked.get("reference"), "status": status, "totalAuthorizedAmount": authorised - voided,
            "totalCapturedAmount": captured, "totalRefundedAmount": refunded,
        }  # fmt: skip

    def _tell(self, case: Case, row: Mapping[str, Any]) -> None:
        url = case.data["asked"]["order"].get("notificationUrl")
        if url:
            body = to_json({**row, "order": self._order(case)}).encode()
            secret = self.credentials["notification_secret"]
            self.send_event(case, url, body, {"Content-Type": "application/json", "X-Notification-Secret": secret})

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """One more try, as long as the link is good; who gave up comes back by the address for that."""
        interaction = case.data["asked"]["interaction"]
        if case.waiting and self._good(case) and outcome != "cancel":
            self._try(case, outcome)
        last = case.data["rows"][-1]["result"] if case.data["rows"] else ""
        if last not in ("SUCCESS", "PENDING", "UNKNOWN"):
            return str(interaction["cancelUrl"])
        return with_query(
            interaction["returnUrl"], resultIndicator=case.data["indicator"], sessionVersion=self.token(5)
        )

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide the try that is still pending, or make one without a browser."""
        if not case.waiting or outcome in ("pending", "cancel"):
            return
        if case.data["rows"] and case.data["rows"][-1]["result"] == "PENDING":
            case.data["rows"].pop()
            self._try(case, outcome)
        elif self._good(case):
            self._try(case, outcome)

    def _good(self, case: Case) -> bool:
        return self.now < datetime.fromisoformat(case.data["expires"]) and len(case.data["rows"]) < _MOST_TRIES

    def _try(self, case: Case, outcome: Outcome) -> None:
        sale = case.data["asked"]["interaction"]["operation"] == "PURCHASE"
        id = str(len(case.data["rows"]) + 1)
        word = self._banks_word(case, id, *_CODES[outcome])
        row = self._row(case, id, "PAYMENT" if sale else "AUTHORIZATION", case.amount, *word)
        self._decided(case)
        self.save(case, *self._rows_moved(case, row))
        self._tell(case, row)

    # -- the sandbox's own --------------------------------------------------------------------

    async def _administration(self, request: web.Request) -> web.Response:
        """A capture, void or refund made in Merchant Administration, under a number that the gateway chooses."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such order"}, 404)
        amount = Decimal(str(body.get("amount", case.amount)))
        row = self._moved(case, body["operation"], amount, str(len(case.data["rows"]) + 1))
        return json_answer({"result": row["result"]}, 201)


def _text(body: Mapping[str, Any], path: str) -> str:
    """A text that must be there."""
    value: Any = body
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str) or not value:
        raise Invalid("Missing parameter", path)
    return value


def _amount(body: Mapping[str, Any], path: str) -> Decimal:
    """An amount as decimal text of at most 14 characters, above zero."""
    value = body.get(path.rpartition(".")[2])
    try:
        amount = Decimal(value) if isinstance(value, str) and len(value) <= 14 else Decimal(0)
    except InvalidOperation as fault:
        raise Invalid("Value is no amount", path) from fault
    if amount <= 0:
        raise Invalid("Value is no amount", path)
    return amount
