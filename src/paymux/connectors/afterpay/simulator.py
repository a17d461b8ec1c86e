"""Afterpay's global API v2 as its merchants see it, from its reference and its PHP SDK."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.afterpay.rules import ApiError, amount_of, check_checkout, moment, money, string, text_of
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_LEAST, _MOST = Decimal("1.00"), Decimal("4000.00")
_TOKEN_LIFE = timedelta(minutes=180)
_CHECKOUT_KEPT = timedelta(minutes=60)
_AUTH_LIFE = timedelta(days=13)
_REFUND_DAYS = timedelta(days=120)

Call = Callable[[web.Request, Any], Awaitable[web.Response]]


class AfterpaySimulator(Simulator):
    """Checkouts become payments by the merchant's capture or auth only; nothing moves when the shopper agrees."""

    credentials: ClassVar[Mapping[str, str]] = {"merchant_id": "60032000", "secret_key": "sandbox-afterpay-secret"}

    def routes(self) -> list[Route]:
        """The calls of the API that concern one checkout and its payment, and the sandbox's own two."""
        return [
            Route("GET", "/v2/configuration", self._call(self._configuration)),
            Route("POST", "/v2/checkouts", self._call(self._create), "create"),
            Route("GET", "/v2/checkouts/{token}", self._call(self._open_checkout), "status"),
            Route("POST", "/v2/payments/capture", self._call(self._capture_full), "confirm"),
            Route("POST", "/v2/payments/auth", self._call(self._auth), "confirm"),
            Route("GET", "/v2/payments/token:{token}", self._call(self._payment_by_token), "status"),
            Route("GET", "/v2/payments/{order}", self._call(self._payment_by_id), "status"),
            Route("POST", "/v2/payments/{order}/capture", self._call(self._capture), "capture"),
            Route("POST", "/v2/payments/{order}/void", self._call(self._void), "void"),
            Route("POST", "/v2/payments/{order}/refund", self._call(self._refund), "refund"),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page. `decline` agrees with a card that will not do: Afterpay tells it at the confirm.

        `pending` comes back as if agreed while Afterpay does not know it yet, so that a later settle counts.
        """
        expired = self.now >= moment(case.data["expires"])
        if case.waiting and not expired:
            self._decide(case, outcome)
        undecided = "CANCELLED" if expired else "SUCCESS"
        status = {"created": undecided, "cancelled": "CANCELLED", "broken": "ERROR"}.get(case.status, "SUCCESS")
        url = case.data["confirm_url"] if status == "SUCCESS" else case.data["cancel_url"]
        return with_query(url, status=status, orderToken=case.id)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        if case.waiting:
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        if outcome == "pending":
            return
        words = {"approve": "approved", "decline": "declining", "cancel": "cancelled", "error": "broken"}
        case.status, case.waiting = words[outcome], False
        self.save(case)

    # -- checkouts ----------------------------------------------------------------------------

    async def _configuration(self, request: web.Request, body: Any) -> web.Response:
        return json_answer({"minimumAmount": money(_LEAST, "AUD"), "maximumAmount": money(_MOST, "AUD")})

    async def _create(self, request: web.Request, body: Any) -> web.Response:
        amount, currency = amount_of(body, "amount")
        check_checkout(body, currency)
        if not _LEAST <= amount <= _MOST:
            raise ApiError(422, "unsupported_payment_type", "Order amount is outside of the merchant's payment limits")
        merchant, expires = body["merchant"], self.now + _TOKEN_LIFE
        case = self.new_case(
            request, id=f"002.{self.token(26)}", amount=amount, currency=currency,
            reference=body.get("merchantReference") or "", account=self.credentials["merchant_id"],
            data={
                "created": text_of(self.now), "expires": text_of(expires), "checkout": body, "payment": None,
                "merchant_reference": body.get("merchantReference"),
                "confirm_url": merchant["redirectConfirmUrl"], "cancel_url": merchant["redirectCancelUrl"],
            },
        )  # fmt: skip
        self.save(case)
        return json_answer(self._opened(case), 201)

    def _opened(self, case: Case) -> dict[str, Any]:
        return {"token": case.id, "expires": case.data["expires"], "redirectCheckoutUrl": self.checkout_url(case)}

    async def _open_checkout(self, request: web.Request, body: Any) -> web.Response:
        case = self.case(request.match_info["token"])
        kept = case is not None and self.now < moment(case.data["created"]) + _CHECKOUT_KEPT
        if case is None or case.data["payment"] or case.status == "broken" or not kept:
            raise ApiError(
                412, "precondition_failed", "The checkout token is invalid, expired, completed, or does not exist"
            )
        return json_answer(
            {
                **case.data["checkout"], **self._opened(case), "amount": money(case.amount, case.currency),
                "merchantReference": self._reference(case),
            }
        )  # fmt: skip

    # -- confirming ---------------------------------------------------------------------------

    async def _capture_full(self, request: web.Request, body: Any) -> web.Response:
        token = string(body, "token")
        kept = self.desk.store.answer(self.name, f"capture-full:{token}")
        if kept is not None:
            return json_answer(kept[1], kept[0])
        case = self._confirmable(body, token)
        if case.status == "declining":
            self._paid(case, "DECLINED", "CAPTURE_DECLINED", "CAPTURE_DECLINED")
            self.save(case)
        else:
            event = self._paid(case, "APPROVED", "CAPTURED", "CAPTURED")
            payment = case.data["payment"]
            self.save(case, ("authorize", case.amount, payment["id"]), ("capture", case.amount, event["id"]))
        return self._kept(f"capture-full:{token}", 201, self._shown(case))

    async def _auth(self, request: web.Request, body: Any) -> web.Response:
        key = self._request_key(body, "auth")
        kept = self.desk.store.answer(self.name, key) if key else None
        if kept is not None:
            return json_answer(kept[1], kept[0])
        case = self._confirmable(body, string(body, "token"))
        if case.status == "declining":
            self._paid(case, "DECLINED", "AUTH_DECLINED", "AUTH_DECLINED")
            self.save(case)
            return self._kept(key, 402, self._shown(case))
        event = self._paid(case, "APPROVED", "AUTH_APPROVED", "AUTH_APPROVED")
        event["expires"] = text_of(self.now + _AUTH_LIFE)
        case.data["payment"]["open"] = str(case.amount)
        self.save(case, ("authorize", case.amount, case.data["payment"]["id"]))
        return self._kept(key, 201, self._shown(case))

    def _confirmable(self, body: Any, token: str) -> Case:
        reference = string(body, "merchantReference", 128, required=False)
        case = self.case(token)
        dead = case is None or case.data["payment"] or case.status == "broken"
        if case is None or dead or case.id != token or self.now >= moment(case.data["expires"]):
            raise ApiError(402, "invalid_token", "The checkout token is invalid, expired, or does not exist")
        if case.status not in ("approved", "declining"):
            raise ApiError(412, "invalid_order_transaction_status", "The consumer has not confirmed the payment")
        case.data["merchant_reference"] = reference or case.data["merchant_reference"]
        return case

    def _paid(self, case: Case, status: str, state: str, event_type: str) -> dict[str, Any]:
        payment: dict[str, Any] = {
            "id": str(secrets.randbelow(9 * 10**11) + 10**11), "status": status, "created": text_of(self.now),
            "paymentState": state, "events": [], "refunds": [], "open": "0.00", "captured": "0.00", "refunded": "0.00",
        }  # fmt: skip
        if state == "CAPTURED":
            payment["captured"] = str(case.amount)
        case.data["payment"], case.names = payment, (*case.names, payment["id"])
        case.waiting = False
        return self._event(case, event_type, case.amount)

    # -- the payment --------------------------------------------------------------------------

    async def _payment_by_token(self, request: web.Request, body: Any) -> web.Response:
        case = self.case(request.match_info["token"])
        if case is None or case.id != request.match_info["token"] or not case.data["payment"]:
            raise ApiError(404, "not_found", "No order was found matching the token provided")
        self._age(case)
        return json_answer(self._shown(case))

    async def _payment_by_id(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(self._shown(self._order(request, 404, "not_found")))

    async def _capture(self, request: web.Request, body: Any) -> web.Response:
        key = self._request_key(body, f"capture:{request.match_info['order']}")
        kept = self.desk.store.answer(self.name, key) if key else None
        if kept is not None:
            return json_answer(kept[1], kept[0])
        case = self._order(request, 412, "error")
        payment = case.data["payment"]
        reference = string(body, "paymentEventMerchantReference", 128, required=False)
        ended = {
            "DECLINED": (412, "invalid_state"), "CAPTURED": (410, "payment_captured"),
            "VOIDED": (412, "payment_voided"), "EXPIRED": (412, "payment_expired"),
        }.get("DECLINED" if payment["status"] == "DECLINED" else payment["paymentState"])  # fmt: skip
        if ended:
            raise ApiError(*ended, "No payment can be captured for this order")
        amount = self._part(case, body, Decimal(payment["open"]), least=_LEAST)
        payment["captured"] = str(Decimal(payment["captured"]) + amount)
        self._close(payment, amount)
        event = self._event(case, "CAPTURED", amount, reference)
        self.save(case, ("capture", amount, event["id"]))
        return self._kept(key, 201, self._shown(case))

    async def _void(self, request: web.Request, body: Any) -> web.Response:
        key = self._request_key(body, f"void:{request.match_info['order']}")
        kept = self.desk.store.answer(self.name, key) if key else None
        if kept is not None:
            return json_answer(kept[1], kept[0])
        case = self._order(request, 404, "not_found")
        payment = case.data["payment"]
        remaining = Decimal(payment["open"])
        if not remaining:
            raise ApiError(410, "payment_captured", "Nothing is left open to capture")
        amount = self._part(case, body, remaining) if body.get("amount") is not None else remaining
        self._close(payment, amount)
        event = self._event(case, "VOIDED", amount)
        self._give_back(case, amount)
        self.save(case, ("void", amount, event["id"]))
        return self._kept(key, 201, self._shown(case))

    async def _refund(self, request: web.Request, body: Any) -> web.Response:
        order, reference = request.match_info["order"], string(body, "merchantReference", 85, required=False)
        key = self._request_key(body, f"refund:{order}:{reference}") if reference else None
        kept = self.desk.store.answer(self.name, key) if key else None
        if kept is not None:
            return json_answer(kept[1], kept[0])
        case = self._order(request, 412, "precondition_failed")
        settled = string(body, "refundMerchantReference", 128, required=False)
        said = {"requestId": body.get("requestId"), "merchantReference": reference, "refundMerchantReference": settled}
        refund = self._refunded(case, body, said)
        return self._kept(key, 201, refund)

    def _refunded(self, case: Case, body: Any, said: Mapping[str, Any]) -> dict[str, Any]:
        payment = case.data["payment"]
        if not Decimal(payment["captured"]):
            raise ApiError(412, "precondition_failed", "The order is not eligible for a refund")
        amount = self._part(case, body, Decimal(payment["captured"]) - Decimal(payment["refunded"]))
        if self.now > moment(payment["created"]) + _REFUND_DAYS:
            raise ApiError(422, "refund_timelimit_exceeded", "The refund exceeds the time limit of 120 days")
        payment["refunded"] = str(Decimal(payment["refunded"]) + amount)
        refund = self._give_back(case, amount, said)
        self.save(case, ("refund", amount, refund["refundId"]))
        return refund

    # -- what keeps it consistent -------------------------------------------------------------

    def _order(self, request: web.Request, status: int, code: str) -> Case:
        number = request.match_info["order"]
        if not re.fullmatch(r"\d+", number):
            raise ApiError(404, "not_found", "No numeric order id was provided")
        case = self.case(number)
        if case is None or not case.data["payment"]:
            raise ApiError(status, code, "The order id did not match any valid order")
        self._age(case)
        return case

    def _age(self, case: Case) -> None:
        """An authorisation that has run out is given back by Afterpay itself."""
        payment = case.data["payment"]
        until = next((event["expires"] for event in payment["events"] if event["expires"]), None)
        remaining = Decimal(payment["open"])
        if until and remaining and self.now >= moment(until):
            self._event(case, "EXPIRED", remaining)
            self._give_back(case, remaining)
            payment["open"] = "0.00"
            payment["paymentState"] = "CAPTURED" if Decimal(payment["captured"]) else "EXPIRED"
            self.save(case)

    @staticmethod
    def _part(case: Case, body: Any, limit: Decimal, least: Decimal = Decimal("0.01")) -> Decimal:
        amount, currency = amount_of(body, "amount")
        if currency != case.currency:
            raise ApiError(422, "invalid_object", "The currency does not match the currency of the order")
        if not least <= amount <= limit:
            raise ApiError(422, "invalid_amount", f"Amount {amount} exceeded the amount available {limit}")
        return amount

    @staticmethod
    def _close(payment: dict[str, Any], amount: Decimal) -> None:
        remaining, captured = Decimal(payment["open"]) - amount, Decimal(payment["captured"])
        payment["open"] = str(remaining)
        if remaining:
            payment["paymentState"] = "PARTIALLY_CAPTURED" if captured else "AUTH_APPROVED"
        else:
            payment["paymentState"] = "CAPTURED" if captured else "VOIDED"

    def _event(self, case: Case, type: str, amount: Decimal, reference: str | None = None) -> dict[str, Any]:
        event = {
            "id": f"2d{self.token(12)}", "created": text_of(self.now), "expires": None, "type": type,
            "amount": money(amount, case.currency), "paymentEventMerchantReference": reference or None,
        }  # fmt: skip
        case.data["payment"]["events"].append(event)
        return event

    def _give_back(self, case: Case, amount: Decimal, said: Mapping[str, Any] | None = None) -> dict[str, Any]:
        refund = {
            "requestId": None, "merchantReference": None, "refundMerchantReference": None, **(said or {}),
            "refundId": str(secrets.randbelow(10**9)), "refundedAt": text_of(self.now),
            "amount": money(amount, case.currency),
        }  # fmt: skip
        case.data["payment"]["refunds"].insert(0, refund)
        return refund

    @staticmethod
    def _reference(case: Case) -> Any:
        return case.data.get("tampered_reference") or case.data["merchant_reference"]

    def _shown(self, case: Case) -> dict[str, Any]:
        payment, checkout = case.data["payment"], case.data["checkout"]
        same = ("id", "status", "created", "paymentState", "events", "refunds")
        return {
            **{name: payment[name] for name in same}, "token": case.id, "merchantReference": self._reference(case),
            "originalAmount": money(case.amount, case.currency),
            "openToCaptureAmount": money(Decimal(payment["open"]), case.currency),
            "orderDetails": {name: checkout.get(name) for name in ("consumer", "billing", "shipping", "items")},
        }  # fmt: skip

    # -- calls --------------------------------------------------------------------------------

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            try:
                body = await self._admitted(request)
                return await handler(request, body)
            except ApiError as no:
                error = {
                    "errorCode": no.code,
                    "errorId": self.token(8),
                    "message": no.message,
                    "httpStatusCode": no.status,
                }
                return json_answer(error, no.status)

        return answered

    async def _admitted(self, request: web.Request) -> Any:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(given, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        expected = f"{self.credentials['merchant_id']}:{self.credentials['secret_key']}"
        if scheme != "Basic" or not hmac.compare_digest(given.encode(), expected.encode()):
            raise ApiError(401, "unauthorized", "Credentials are required to access this resource")
        accept = request.headers.get("Accept", "*/*")
        if "application/json" not in accept and "*/*" not in accept:
            raise ApiError(406, "error", "HTTP 406 Not Acceptable")
        if request.method == "GET":
            return None
        if request.content_type != "application/json":
            raise ApiError(415, "error", "HTTP 415 Unsupported Media Type")
        body = await json_body(request)
        if not isinstance(body, dict):
            raise ApiError(400, "invalid_json", "Unable to process JSON")
        return body

    def _request_key(self, body: Any, what: str) -> str | None:
        request_id = string(body, "requestId", 64, required=False)
        return f"{what}:{request_id}" if request_id else None

    def _kept(self, key: str | None, status: int, body: Any) -> web.Response:
        if key:
            self.desk.store.keep_answer(self.name, key, status, body)
        return json_answer(body, status)

    # -- the sandbox's own --------------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if in Afterpay's portal."""
        body = await json_body(request)
        case = self.case(body["id"])
        if case is None or not case.data["payment"]:
            return json_answer({"error": "no such payment"}, 404)
        try:
            part = {"amount": money(Decimal(body["amount"]), case.currency)}
            return json_answer(self._refunded(case, part, {}), 201)
        except ApiError as no:
            return json_answer({"error": no.message}, no.status)

    async def _tamper(self, request: web.Request) -> web.Response:
        """Change what Afterpay will report, and move, for a checkout."""
        body = await json_body(request)
        case = self.case(body["id"])
        if case is None:
            return json_answer({"error": "no such checkout"}, 404)
        case.amount = Decimal(body.get("amount", case.amount))
        case.currency = body.get("currency", case.currency)
        if "reference" in body:
            case.data["tampered_reference"] = body["reference"]
        self.save(case)
        return json_answer({"id": case.id})
