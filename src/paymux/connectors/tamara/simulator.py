"""Tamara's API as its merchants see it, from its documentation and its PHP SDK."""

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

from paymux.connectors.tamara.rules import ApiError, amount_of, check_checkout, money, text, text_of
from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_TO_PAY, _TO_AUTHORISE, _KEPT = timedelta(minutes=30), timedelta(hours=72), timedelta(days=90)
_RETURN = {"approved": "success", "on_hold": "success", "declined": "failure", "expired": "failure"}
_REFUNDABLE = ("partially_captured", "fully_captured", "partially_refunded")

Call = Callable[[web.Request, Any], Awaitable[web.Response]]


class TamaraSimulator(Simulator):
    """The shopper's consent makes the order `approved`; it is paid when the merchant authorises it."""

    credentials: ClassVar[Mapping[str, str]] = {
        "api_token": "sandbox-tamara-api-token",
        "notification_token": "sandbox-tamara-notification-token",
    }
    refused_customers: ClassVar[Mapping[tuple[str, str | None], str]] = {
        ("customer.phoneNumber", "1"): "phone_number",
        ("customer.phoneNumber", "call me"): "phone_number",
    }

    def routes(self) -> list[Route]:
        """The calls that concern one order, the ways to pay, and the sandbox's own two."""
        return [
            Route("POST", "/checkout", self._call(self._create), "create"),
            Route("GET", "/checkout/payment-types", self._call(self._payment_types)),
            Route("GET", "/merchants/orders/{order}", self._call(self._order_details), "status"),
            Route("POST", "/orders/{order}/authorise", self._call(self._authorise), "confirm"),
            Route("POST", "/orders/{order}/cancel", self._call(self._cancel), "void"),
            Route("POST", "/payments/capture", self._call(self._capture), "capture"),
            Route("POST", "/payments/simplified-refund/{order}", self._call(self._refund), "refund"),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page, for as long as the checkout lives.

        `pending` puts the order on hold; `cancel` and `error` leave it new, to expire.
        """
        self._age(case)
        if case.waiting:
            self._decide(case, outcome)
        undecided = "failure" if case.data["broken"] else "cancel"
        # Whoever comes back to the page of an order that is further on has been successful.
        way = _RETURN.get(case.status, undecided if case.status == "new" else "success")
        return with_query(case.data["urls"][way], paymentStatus=case.status, orderId=case.id)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        self._age(case)
        if case.waiting:
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        case.waiting = outcome == "pending"
        case.data["broken"] = outcome == "error"
        case.status = {"approve": "approved", "decline": "declined", "pending": "on_hold"}.get(outcome, "new")
        self.save(case)
        if outcome == "approve":
            self._tell(case, {"order_status": "approved"})
        elif outcome == "decline":
            self._tell(case, {"event_type": "order_declined"})

    def _age(self, case: Case) -> None:
        """An order that nobody paid, authorised or captured in time is dead."""
        life = {"new": _TO_PAY, "approved": _TO_AUTHORISE, "authorised": _KEPT}.get(case.status)
        if life is not None and self.now >= datetime.fromisoformat(case.data["created"]) + life:
            case.status, case.waiting = "expired", False
            self.save(case)
            self._tell(case, {"event_type": "order_expired"})

    # -- checkouts and orders -------------------------------------------------------------------

    async def _payment_types(self, request: web.Request, body: Any) -> web.Response:
        currency = request.query.get("currency", "SAR")
        limits = {"min_limit": money(Decimal(1), currency), "max_limit": money(Decimal(70000), currency)}
        return json_answer([{"name": "PAY_BY_INSTALMENTS", "description": "Split in instalments", **limits}])

    async def _create(self, request: web.Request, body: Any) -> web.Response:
        amount, currency = check_checkout(body)
        case = self.new_case(
            request, id=str(uuid.uuid4()), amount=amount, currency=currency, reference=body["order_reference_id"],
            account=self.credentials["api_token"], status="new",
            data={
                "created": text_of(self.now), "urls": body["merchant_url"], "reference": body["order_reference_id"],
                "checkout": body, "broken": False, "captures": [], "cancels": [], "refunds": [],
            },
        )  # fmt: skip
        self.save(case)
        return json_answer(
            {
                "order_id": case.id,
                "checkout_id": str(uuid.uuid4()),
                "checkout_url": self.checkout_url(case),
                "status": case.status,
            }
        )

    async def _order_details(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(self._shown(self._order(request.match_info["order"])))

    async def _authorise(self, request: web.Request, body: Any) -> web.Response:
        case = self._order(request.match_info["order"])
        if case.status != "approved":
            raise ApiError(409, "order_not_approved", "the order is not in the status approved")
        case.status = "authorised"
        self.save(case, ("authorize", case.amount, case.id))
        self._tell(case, {"event_type": "order_authorised"})
        return json_answer(
            {
                "order_id": case.id, "status": case.status, "order_expiry_time": text_of(self.now + _KEPT),
                "payment_type": case.data["checkout"]["payment_type"], "auto_captured": False,
                "authorized_amount": money(case.amount, case.currency), "capture_id": "",
            }
        )  # fmt: skip

    async def _capture(self, request: web.Request, body: Any) -> web.Response:
        case = self._order(text(body, "order_id"))
        if not isinstance(body.get("shipping_info"), dict):
            raise ApiError(400, "validation_error", "shipping_info is missing or invalid")
        if case.status not in ("authorised", "updated", "partially_captured"):
            raise ApiError(409, "order_not_authorised", "the order can't be captured")
        amount = self._part(case, body, case.amount - _sum(case, "captures") - _sum(case, "cancels"))
        entry = self._entry(case, "captures", "capture_id", amount)
        whole = _sum(case, "captures") == case.amount - _sum(case, "cancels")
        case.status = "fully_captured" if whole else "partially_captured"
        self.save(case, ("capture", amount, entry["capture_id"]))
        self._tell(case, {"event_type": "order_captured", "data": {"capture_id": entry["capture_id"]}})
        return json_answer({**self._done(case, entry, "capture_id"), "captured_amount": entry["total_amount"]})

    async def _cancel(self, request: web.Request, body: Any) -> web.Response:
        case = self._order(request.match_info["order"])
        if case.status not in ("authorised", "updated"):
            raise ApiError(409, "order_not_authorised", "only an authorised order can be cancelled")
        amount = self._part(case, body, case.amount - _sum(case, "cancels"))
        entry = self._entry(case, "cancels", "cancel_id", amount)
        case.status = "canceled" if _sum(case, "cancels") == case.amount else "updated"
        self.save(case, ("void", amount, entry["cancel_id"]))
        self._tell(case, {"event_type": f"order_{case.status}", "data": {"cancel_id": entry["cancel_id"]}})
        return json_answer({**self._done(case, entry, "cancel_id"), "canceled_amount": entry["total_amount"]})

    async def _refund(self, request: web.Request, body: Any) -> web.Response:
        case = self._order(request.match_info["order"])
        text(body, "comment")
        entry = self._give_back(case, body)
        done = self._done(case, entry, "refund_id")
        return json_answer({**done, "comment": body["comment"], "capture_id": entry["capture_id"],
                            "refunded_amount": entry["total_amount"]})  # fmt: skip

    def _give_back(self, case: Case, body: Any) -> dict[str, Any]:
        if case.status not in _REFUNDABLE:
            raise ApiError(409, "order_not_captured", "the order can't be refunded")
        amount = self._part(case, body, _sum(case, "captures") - _sum(case, "refunds"))
        entry = self._entry(case, "refunds", "refund_id", amount)
        entry["capture_id"] = case.data["captures"][-1]["capture_id"]
        whole = _sum(case, "refunds") == _sum(case, "captures")
        case.status = "fully_refunded" if whole else "partially_refunded"
        self.save(case, ("refund", amount, entry["refund_id"]))
        self._tell(case, {"event_type": "order_refunded", "data": {"refund_id": entry["refund_id"]}})
        return entry

    def _order(self, name: str) -> Case:
        case = self.case(name)
        if case is None:
            raise ApiError(404, "order_not_found", "Order not found")
        self._age(case)
        return case

    @staticmethod
    def _part(case: Case, body: Any, limit: Decimal) -> Decimal:
        amount, currency = amount_of(body, "total_amount")
        if currency != case.currency or not 0 < amount <= limit:
            raise ApiError(
                400, "total_amount_invalid", "total_amount is not the order's currency or exceeds what is left"
            )
        return amount

    def _entry(self, case: Case, kind: str, id: str, amount: Decimal) -> dict[str, Any]:
        entry = {
            id: str(uuid.uuid4()), "order_id": case.id, "total_amount": money(amount, case.currency), "items": [],
            "created_at": text_of(self.now),
        }  # fmt: skip
        case.data[kind].append(entry)
        return entry

    @staticmethod
    def _done(case: Case, entry: Mapping[str, Any], id: str) -> dict[str, Any]:
        return {"order_id": case.id, id: entry[id], "status": case.status}

    def _shown(self, case: Case) -> dict[str, Any]:
        checkout, data = case.data["checkout"], case.data
        same = (
            "consumer",
            "billing_address",
            "shipping_address",
            "payment_type",
            "items",
            "tax_amount",
            "shipping_amount",
        )
        return {
            **{name: checkout.get(name) for name in same}, "order_id": case.id, "order_reference_id": data["reference"],
            "order_number": checkout.get("order_number", data["reference"]), "status": case.status,
            "total_amount": money(case.amount, case.currency), "created_at": data["created"],
            "captured_amount": money(_sum(case, "captures"), case.currency),
            "canceled_amount": money(_sum(case, "cancels"), case.currency),
            "refunded_amount": money(_sum(case, "refunds"), case.currency),
            "transactions": {kind: data[kind] for kind in ("cancels", "captures", "refunds")},
        }  # fmt: skip

    # -- events -------------------------------------------------------------------------------

    # The order's own URL is taken for the one that the merchant has registered in the portal, too.
    def _tell(self, case: Case, said: Mapping[str, Any]) -> None:
        url = case.data["urls"].get("notification")
        if not url:
            return
        body = {"order_id": case.id, "order_reference_id": case.data["reference"], "data": [], **said}
        token = self._token()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self.send_event(case, with_query(url, tamaraToken=token), to_json(body).encode(), headers)

    def _token(self) -> str:
        issued = int(self.now.timestamp())
        claims = {"iss": "Tamara", "iat": issued, "exp": issued + 3600}
        signed = b".".join(_base64url(to_json(part).encode()) for part in ({"typ": "JWT", "alg": "HS256"}, claims))
        secret = self.credentials["notification_token"].encode()
        return (signed + b"." + _base64url(hmac.new(secret, signed, hashlib.sha256).digest())).decode()

    # -- calls --------------------------------------------------------------------------------

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            given, token = request.headers.get("Authorization", ""), self.credentials["api_token"]
            if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), f"Bearer {token}".encode()):
                return json_answer({"message": "Unauthorized"}, 401)
            try:
                return await handler(request, await json_body(request))
            except ApiError as no:
                return json_answer(no.body, no.status)

        return answered

    # -- the sandbox's own calls ----------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if done in Tamara's Partner Portal."""
        body = await json_body(request)
        try:
            case = self._order(str(body["id"]))
            part = {"total_amount": {"amount": Decimal(body["amount"]), "currency": case.currency}}
            return json_answer(self._give_back(case, part))
        except ApiError as no:
            return json_answer(no.body, no.status)

    async def _tamper(self, request: web.Request) -> web.Response:
        """Make this order another one than was ordered."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such order"}, 404)
        case.amount = Decimal(body.get("amount", case.amount))
        case.currency = body.get("currency", case.currency)
        case.data["reference"] = body.get("reference", case.data["reference"])
        self.save(case)
        return json_answer(self._shown(case))


def _sum(case: Case, kind: str) -> Decimal:
    return sum((Decimal(entry["total_amount"]["amount"]) for entry in case.data[kind]), Decimal(0))


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
