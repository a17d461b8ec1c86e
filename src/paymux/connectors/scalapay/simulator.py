"""Scalapay's API v2 as its merchants see it, from its published OpenAPI file and its developer pages."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string as letters
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.scalapay.rules import ApiError, amount_of, check_order, invalid, money, text_of
from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, read_label, with_query

_EXPIRY_MS = 2_400_000
_REPLAYED = {"Request-Idempotency": "true"}

Make = Callable[[web.Request, Any], Awaitable[dict[str, Any]]]


class ScalapaySimulator(Simulator):
    """The shopper authorises an order; the merchant captures it, or delays, and then captures or voids it."""

    credentials: ClassVar[Mapping[str, str]] = {"api_key": "qhtfs87hjnc12kkos"}

    def routes(self) -> list[Route]:
        """The calls of online orders, and the sandbox's own one."""
        payment = "/v2/payments/{token}"
        # Before a delayed order is captured by its amount, capturing is what makes a payment of an order.
        by_amount = {"capture": b'"amount"'}
        return [
            Route("POST", "/v2/orders", self._write(self._create), "create"),
            Route("POST", "/v2/payments/capture", self._write(self._capture), "confirm", others=by_amount),
            Route("POST", f"{payment}/delay", self._write(self._delay), "confirm"),
            Route("POST", f"{payment}/void", self._write(self._void), "void"),
            Route("POST", f"{payment}/refund", self._write(self._refund), "refund"),
            Route("GET", payment, self._read, "status"),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page. A refused card leaves the order open; an approved one waits for the capture."""
        self._age(case)
        if case.status == "created":
            self._decide(case, outcome)
        agreed = case.status not in ("created", "expired") or (case.status == "created" and outcome == "pending")
        url = case.data["merchant"]["redirectConfirmUrl" if agreed else "redirectCancelUrl"]
        return with_query(url, status="SUCCESS" if agreed else "FAILED", orderToken=case.id)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        self._age(case)
        if case.status == "created":
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        if outcome == "decline":
            case.data["feedback"] = "DECLINED_FRAUD"
        if outcome == "approve":
            case.status, case.waiting = "authorized", False
        self.save(case)
        if outcome == "approve":
            self._tell(case)

    def _age(self, case: Case) -> None:
        """What was not captured in time has expired, and what was authorised is void."""
        if case.status not in ("created", "authorized") or self.now < datetime.fromisoformat(case.data["until"]):
            return
        held, before = case.data["capture"] == "delayed", case.status
        case.data["capture"] = "voided" if before == "authorized" else "pending"
        case.status, case.waiting = "expired", False
        self.save(case, *([("void", case.amount, case.id)] if held else []))
        if before == "authorized":
            self._tell(case)

    # -- orders -------------------------------------------------------------------------------

    async def _create(self, request: web.Request, body: Any) -> dict[str, Any]:
        amount = check_order(body)
        token = "".join(secrets.choice(letters.ascii_uppercase + letters.digits) for _ in range(10))
        expires = text_of(self.now + timedelta(milliseconds=body.get("orderExpiryMilliseconds", _EXPIRY_MS)))
        case = self.new_case(
            request, id=token, amount=amount, currency="EUR", reference=body.get("merchantReference") or "",
            account=self.credentials["api_key"][:6],
            data={
                "created": text_of(self.now), "until": expires, "order": body, "merchant": body["merchant"],
                "reference": body.get("merchantReference"), "capture": "pending", "feedback": None, "refunded": "0.00",
                "events_url": read_label(request).get("events", ""),
            },
        )  # fmt: skip
        self.save(case)
        self._tell(case)
        return {"token": token, "expires": expires, "checkoutUrl": self.checkout_url(case)}

    async def _show(self, request: web.Request) -> dict[str, Any]:
        case = self._of(request.match_info["token"], 422)
        said = {
            "token": case.id, "created": case.data["created"], "status": case.status,
            "captureStatus": case.data["capture"], "totalAmount": money(case.amount, case.currency),
            "orderDetails": self._details(case),
        }  # fmt: skip
        return {**said, "lastEligibilityFeedback": case.data["feedback"]} if case.data["feedback"] else said

    @staticmethod
    def _details(case: Case) -> dict[str, Any]:
        total = money(case.amount, case.currency)
        return {**case.data["order"], "totalAmount": total, "merchantReference": case.data["reference"]}

    def _of(self, token: Any, status: int = 400) -> Case:
        case = self.case(token) if isinstance(token, str) and token else None
        if case is None or case.id != token:
            raise ApiError(status, "invalid_token", f"Order {token} not found.")
        self._age(case)
        return case

    # -- moving money -------------------------------------------------------------------------

    async def _capture(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self._authorised(body.get("token"))
        amount = amount_of(body, "amount", currency=case.currency) if body.get("amount") is not None else case.amount
        if amount > case.amount:
            raise ApiError(400, "pre_condition_failed", "The amount is above the order's total")
        new = [("authorize", case.amount, case.id)] if case.data["capture"] == "pending" else []
        rest = [("void", case.amount - amount, case.id)] if amount < case.amount else []
        self._renamed(case, body)
        case.status, case.data["capture"], case.data["captured"] = "charged", "captured", str(amount)
        self.save(case, *new, ("capture", amount, case.id), *rest)
        self._tell(case)
        return {
            "token": case.id, "status": "APPROVED", "totalAmount": money(amount, case.currency),
            "orderDetails": self._details(case), "capturedAt": text_of(self.now),
        }  # fmt: skip

    async def _delay(self, request: web.Request, body: Any) -> dict[str, Any]:
        life = body.get("authorizationExpiryMilliseconds")
        if type(life) is not int or life <= 0:
            raise invalid("authorizationExpiryMilliseconds")
        case = self._authorised(request.match_info["token"])
        new = [("authorize", case.amount, case.id)] if case.data["capture"] == "pending" else []
        self._renamed(case, body)
        case.data["capture"], case.data["until"] = "delayed", text_of(self.now + timedelta(milliseconds=life))
        self.save(case, *new)
        return {
            "token": case.id, "status": "AUTHORIZED", "authorizationExpiryAt": case.data["until"],
            "totalAmount": money(case.amount, case.currency), "orderDetails": self._details(case),
        }  # fmt: skip

    async def _void(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self._authorised(request.match_info["token"])
        held = case.data["capture"] == "delayed"
        self._renamed(case, body)
        case.status, case.data["capture"] = "expired", "voided"
        self.save(case, *([("void", case.amount, case.id)] if held else []))
        return {"token": case.id, "merchantReference": case.data["reference"], "voidedAt": text_of(self.now)}

    async def _refund(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self._of(request.match_info["token"])
        said = self._given_back(case, amount_of(body, "refundAmount", currency=case.currency))
        reference = body.get("merchantRefundReference")
        return {**said, "merchantRefundReference": reference} if reference else said

    def _given_back(self, case: Case, amount: Decimal) -> dict[str, Any]:
        """A refund of what was captured; the order's status tells only that there was one."""
        if case.status not in ("charged", "refunded"):
            raise ApiError(400, "pre_condition_failed", "Only a fulfilled payment can be refunded")
        refunded = Decimal(case.data["refunded"]) + amount
        if refunded > Decimal(case.data["captured"]):
            raise ApiError(400, "pre_condition_failed", "The refund is above what is left of the payment")
        case.status, case.data["refunded"] = "refunded", str(refunded)
        self.save(case, ("refund", amount, f"{case.id}/refund"))
        self._tell(case)
        return {
            "token": case.id, "amount": money(amount, case.currency), "merchantReference": case.data["reference"],
            "refundToken": "pre_transfer", "refundedAt": text_of(self.now),
        }  # fmt: skip

    def _authorised(self, token: Any) -> Case:
        case = self._of(token)
        if case.status != "authorized":
            raise ApiError(400, "pre_condition_failed", f"The order is {case.status}")
        return case

    @staticmethod
    def _renamed(case: Case, body: Mapping[str, Any]) -> None:
        case.data["reference"] = body.get("merchantReference") or case.data["reference"]

    # -- calls --------------------------------------------------------------------------------

    def _tell(self, case: Case) -> None:
        """The webhook of the order's status, to the address of the Partner Portal."""
        url = case.data["events_url"]
        if not url:
            return
        said = {
            "totalAmount": money(case.amount, case.currency), "status": case.status, "orderToken": case.id,
            "merchantReference": case.data["reference"],
        }  # fmt: skip
        body = to_json(said).encode()
        timestamp = str(int(self.now.timestamp() * 1000))
        key = self.credentials["api_key"].encode()
        signature = hmac.new(key, b"V1:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json", "x-scalapay-hmac-v1": signature, "x-scalapay-timestamp": timestamp,
        }  # fmt: skip
        self.send_event(case, url, body, headers)

    def _admit(self, request: web.Request) -> None:
        expected = f"Bearer {self.credentials['api_key']}"
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected.encode()):
            raise ApiError(401, "", "Unauthorized")

    async def _read(self, request: web.Request) -> web.Response:
        try:
            self._admit(request)
            return json_answer(await self._show(request))
        except ApiError as no:
            return json_answer(no.body, no.status)

    def _write(self, make: Make) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A call with a body; the same Idempotency-Key gets the first answer, marked as such."""

        async def answered(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                body = await json_body(request)
                if not isinstance(body, dict):
                    raise invalid("body", why="must be of type object")
                given = request.headers.get("Idempotency-Key")
                key = f"{request.path}:{given}"
                kept = self.desk.store.answer(self.name, key) if given else None
                if kept is not None:
                    return json_answer(kept[1], kept[0], _REPLAYED)
                said = await make(request, body)
                if given:
                    self.desk.store.keep_answer(self.name, key, 200, said)
                return json_answer(said)
            except ApiError as no:
                return json_answer(no.body, no.status)

        return answered

    # -- the sandbox's own --------------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if in the Partner Portal."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such order"}, 404)
        try:
            return json_answer(self._given_back(case, Decimal(body["amount"])), 201)
        except ApiError as no:
            return json_answer(no.body, no.status)
