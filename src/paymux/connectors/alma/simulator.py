"""Alma's payments API as its merchants see it, from its official clients and shop modules."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.alma.rules import ApiError, cents, check_payment, instalments
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_DEFAULT_MINUTES = 2880
_PAID = ("in_progress", "paid")
_LEAST, _MOST = 100, 1_000_000

Call = Callable[[web.Request, Any], Awaitable[web.Response]]


class AlmaSimulator(Simulator):
    """The shopper's first instalment makes the payment; Alma pays the merchant the whole at once."""

    credentials: ClassVar[Mapping[str, str]] = {"api_key": "sk_test_paymux-sandbox"}

    def routes(self) -> list[Route]:
        """The calls that concern one payment, the merchant's account, and the sandbox's own two."""
        payment = "/v1/payments/{payment}"
        return [
            Route("GET", "/v1/me", self._call(self._me)),
            Route("POST", "/v1/payments", self._call(self._create), "create"),
            Route("GET", payment, self._call(self._retrieve), "status"),
            Route("PUT", f"{payment}/cancel", self._call(self._cancel), "cancel"),
            Route("POST", f"{payment}/refund", self._call(self._refund), "refund"),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page, for as long as the payment lives.

        `pending` leaves Alma asking for more (scored_maybe); `decline` is a negative score, with which the page ends
        here; `cancel` and `error` leave the payment not started, to expire.
        """
        self._age(case)
        if case.waiting:
            self._decide(case, outcome)
        ways = {"in_progress": "return_url", "paid": "return_url", "scored_maybe": "return_url"}
        failed = case.status == "scored_no" or case.data["broken"]
        way = ways.get(case.status, "failure_return_url" if failed else "customer_cancel_url")
        payment = case.data["payment"]
        return with_query(payment.get(way) or payment["return_url"], pid=case.id)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        self._age(case)
        if case.waiting:
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        case.waiting = outcome == "pending"
        case.data["broken"] = outcome == "error"
        words = {"approve": "in_progress", "decline": "scored_no", "pending": "scored_maybe"}
        case.status = words.get(outcome, "not_started")
        if outcome != "approve":
            self.save(case)
            return
        if case.data["payment"].get("installments_count") == 1:
            case.status = "paid"
        case.data["processing_status"] = "captured"
        self.save(case, ("authorize", case.amount, case.id), ("capture", case.amount, case.id))
        self._notify(case)

    def _notify(self, case: Case) -> None:
        url = case.data["payment"].get("ipn_callback_url")
        if url:
            signature = hmac.new(self.credentials["api_key"].encode(), case.id.encode(), hashlib.sha256).hexdigest()
            self.send_event(case, with_query(url, pid=case.id), b"", {"X-Alma-Signature": signature}, method="GET")

    def _age(self, case: Case) -> None:
        """A payment that nobody made in time is dead."""
        open_still = case.status not in _PAID and case.data["processing_status"] != "canceled"
        if open_still and self.now.timestamp() >= case.data["expires"]:
            self._end(case, "expired")

    def _end(self, case: Case, reason: str) -> None:
        case.waiting = False
        case.data |= {"processing_status": "canceled", "cancelation_reason": reason,
                      "expired_at": int(self.now.timestamp()) if reason == "expired" else None}  # fmt: skip
        self.save(case)

    # -- payments -----------------------------------------------------------------------------

    async def _me(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(
            {
                "id": "merchant_sandbox", "name": "paymux sandbox", "can_create_payments": True,
                "minimum_purchase_amount": _LEAST, "maximum_purchase_amount": _MOST, "fee_plans": [],
            }
        )  # fmt: skip

    async def _create(self, request: web.Request, body: Any) -> web.Response:
        amount = check_payment(body)
        if not _LEAST <= amount <= _MOST:
            raise ApiError(400, "validation_error", "purchase_amount: invalid_value")
        payment, life = body["payment"], timedelta(minutes=body["payment"].get("expires_after") or _DEFAULT_MINUTES)
        reference = body.get("order", {}).get("merchant_reference", "")
        case = self.new_case(
            request, id=f"payment_{self.token(16)}", amount=Decimal(amount) / 100, currency="EUR", reference=reference,
            account=self.credentials["api_key"], status="not_started",
            data={
                "created": int(self.now.timestamp()), "expires": int((self.now + life).timestamp()), "payment": payment,
                "custom_data": payment.get("custom_data", {}), "reference": reference, "refunds": [], "broken": False,
                "processing_status": "awaiting_authorization", "cancelation_reason": None, "expired_at": None,
            },
        )  # fmt: skip
        self.save(case)
        return json_answer(self._shown(case))

    async def _retrieve(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(self._shown(self._payment(request.match_info["payment"])))

    async def _cancel(self, request: web.Request, body: Any) -> web.Response:
        case = self._payment(request.match_info["payment"])
        if case.status in _PAID or case.data["processing_status"] == "canceled":
            raise ApiError(400, "cancel_error", "The state of this payment does not allow to cancel it")
        self._end(case, "requested_by_merchant")
        return web.Response(status=204)

    async def _refund(self, request: web.Request, body: Any) -> web.Response:
        case = self._payment(request.match_info["payment"])
        self._give_back(case, body if isinstance(body, dict) else {})
        return json_answer(self._shown(case))

    def _give_back(self, case: Case, body: Mapping[str, Any]) -> None:
        if case.status not in _PAID:
            raise ApiError(400, "refund_error", "A payment that has not started can't be refunded")
        left = int(case.amount * 100) - sum(refund["amount"] for refund in case.data["refunds"])
        amount = cents(body, "amount") if "amount" in body else left
        if not 0 < amount <= left:
            raise ApiError(400, "refund_error", "The amount exceeds what is left to refund")
        name = f"refund_{self.token(12)}"
        refund = {
            "id": name, "created": int(self.now.timestamp()), "amount": amount,
            "merchant_reference": body.get("merchant_reference") or None, "comment": body.get("comment"),
        }  # fmt: skip
        case.data["refunds"].append(refund)
        if amount == left:
            case.status = "paid"
        self.save(case, ("refund", Decimal(amount) / 100, name))

    def _payment(self, name: str) -> Case:
        case = self.case(name)
        if case is None:
            raise ApiError(404, "not_found", "No such payment")
        self._age(case)
        return case

    def _shown(self, case: Case) -> dict[str, Any]:
        sent, data, amount = case.data["payment"], case.data, int(case.amount * 100)
        paid = {"in_progress": 1, "paid": amount}.get(case.status, 0)
        return {
            "id": case.id, "created": data["created"], "url": self.checkout_url(case), "state": case.status,
            "processing_status": data["processing_status"], "cancelation_reason": data["cancelation_reason"],
            "purchase_amount": amount, "customer_fee": 0, "customer_interest": 0,
            "installments_count": sent.get("installments_count", 3), "deferred_days": sent.get("deferred_days", 0),
            "deferred_months": sent.get("deferred_months", 0), "return_url": sent["return_url"],
            "payment_plan": instalments(sent, data["created"], amount, paid), "custom_data": data["custom_data"],
            "orders": [{"id": case.id.replace("payment", "order"), "merchant_reference": data["reference"]}],
            "refunds": data["refunds"], "amount_already_refunded": sum(refund["amount"] for refund in data["refunds"]),
            "billing_address": sent.get("billing_address"), "expired_at": data["expired_at"],
        }  # fmt: skip

    # -- calls --------------------------------------------------------------------------------

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            given, key = request.headers.get("Authorization", ""), self.credentials["api_key"]
            if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), f"Alma-Auth {key}".encode()):
                return json_answer({"error_code": "unauthorized", "message": "Invalid API key"}, 401)
            try:
                return await handler(request, await json_body(request))
            except ApiError as no:
                return json_answer(no.body, no.status)

        return answered

    # -- the sandbox's own calls ----------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if done in Alma's dashboard."""
        body = await json_body(request)
        try:
            case = self._payment(str(body["id"]))
            self._give_back(case, {"amount": int(Decimal(body["amount"]) * 100)})
            return json_answer(self._shown(case))
        except ApiError as no:
            return json_answer(no.body, no.status)

    async def _tamper(self, request: web.Request) -> web.Response:
        """Make this payment another one than was ordered; Alma has no other currency."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such payment"}, 404)
        case.amount = Decimal(body.get("amount", case.amount))
        if "reference" in body:
            case.data["reference"] = body["reference"]
            case.data["custom_data"] = dict.fromkeys(case.data["custom_data"], body["reference"])
        self.save(case)
        return json_answer(self._shown(case))
