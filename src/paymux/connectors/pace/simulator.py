"""Pace's API v1 as its merchants see it, from its official plugins and a merchant's shop."""

from __future__ import annotations

import base64
import hmac
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, reachable, with_query

# The official Magento module's default.
_LIFE = timedelta(minutes=10_080)
_WITHOUT_CENTS = frozenset({"JPY"})
_PLANS = {
    "SGD": ("SG", 10, 5_000), "MYR": ("MY", 25, 15_000), "HKD": ("HK", 60, 30_000), "TWD": ("TW", 50, 120_000),
    "THB": ("TH", 50, 120_000), "JPY": ("JP", 50, 500_000),
}  # fmt: skip
_OPEN = ("pending_confirmation", "processing")

Make = Callable[[web.Request, Any], Awaitable[web.Response]]


class No(Exception):
    """Pace's error: a status and a message, which comes with a correlation id."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def answer(self) -> web.Response:
        body = {"error": {"message": str(self)}, "correlation_id": str(uuid.uuid4())}
        return json_answer(body, self.status)


class PaceSimulator(Simulator):
    """One merchant with a payment plan in each of Pace's currencies."""

    credentials: ClassVar[Mapping[str, str]] = {
        "client_id": "paymux-sandbox", "client_secret": "sbx-paymux-pace-secret",
    }  # fmt: skip

    def routes(self) -> list[Route]:
        """The calls that concern one transaction, the plans, and the sandbox's own."""
        return [
            Route("GET", "/v1/checkouts/plans", self._answering(self._plans)),
            Route("POST", "/v1/checkouts", self._answering(self._create), "create"),
            Route("GET", "/v1/checkouts/{id}", self._answering(self._get), "status"),
            Route("POST", "/v1/checkouts/{id}/cancel", self._answering(self._cancel), "cancel"),
            Route("POST", "/sandbox/provider-refund", self._refund_in_portal),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page, and come back by the address of success or failure."""
        self._age(case)
        if case.status == "pending_confirmation":
            self._decide(case, outcome)
        way = "success" if case.status in ("approved", "processing") else "failed"
        return with_query(
            case.data["redirectUrls"][way],
            status="success" if way == "success" else "fail",
            transactionId=case.id,
            merchantReferenceId=case.data["referenceID"],
        )

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        self._age(case)
        if case.status in _OPEN:
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        words: dict[str, str] = {
            "approve": "approved", "decline": "cancelled", "cancel": "cancelled", "pending": "processing",
        }  # fmt: skip
        case.status = words.get(outcome, case.status)
        case.waiting = outcome == "pending"
        case.data["updated"] = self.now.isoformat()
        if case.status == "approved":
            self.save(case, ("authorize", case.amount, case.id), ("capture", case.amount, case.id))
            self._event(case, "approved", "success")
            return
        self.save(case)
        if case.status == "cancelled":
            self._event(case, "cancelled", "fail" if outcome == "decline" else "success")

    def _age(self, case: Case) -> None:
        """A transaction that nobody agreed to in time is expired."""
        if case.status == "pending_confirmation" and self.now >= datetime.fromisoformat(case.data["expires"]):
            case.status, case.waiting = "expired", False
            self.save(case)
            self._event(case, "expired", "success")

    def _event(self, case: Case, event: str, status: str, **more: Any) -> None:
        if not case.data["webhookUrl"]:
            return
        body = {
            "event": event, "status": status, "transactionID": case.id, "referenceID": case.data["referenceID"],
            "amount": _amount(case.amount, case.currency), **more,
        }  # fmt: skip
        self.send_event(case, case.data["webhookUrl"], to_json(body).encode(), {"Content-Type": "application/json"})

    # -- transactions -------------------------------------------------------------------------

    async def _plans(self, request: web.Request, body: Any) -> web.Response:
        plans = [
            {
                "country": country, "currencyCode": currency, "minAmount": _amount(Decimal(least), currency),
                "maxAmount": _amount(Decimal(most), currency),
            }
            for currency, (country, least, most) in _PLANS.items()
        ]  # fmt: skip
        return json_answer({"list": plans})

    async def _create(self, request: web.Request, body: Any) -> web.Response:
        total = _check(body)
        case = self.new_case(
            request, id=f"T{self.token(8).upper()}", amount=total, currency=body["currency"],
            reference=body["referenceID"], account=self.credentials["client_id"], status="pending_confirmation",
            data={
                "referenceID": body["referenceID"], "redirectUrls": body["redirectUrls"],
                "webhookUrl": body.get("webhookUrl") or "", "token": self.token(), "created": self.now.isoformat(),
                "updated": self.now.isoformat(), "expires": (self.now + _LIFE).isoformat(),
            },
        )  # fmt: skip
        self.save(case)
        return json_answer(self._shown(case))

    async def _get(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(self._shown(self._of(request)))

    async def _cancel(self, request: web.Request, body: Any) -> web.Response:
        case = self._of(request)
        if case.status not in _OPEN:
            raise No(400, f"The transaction is {case.status} and can not be cancelled")
        self._decide(case, "cancel")
        return json_answer(self._shown(case))

    def _of(self, request: web.Request) -> Case:
        case = self.case(request.match_info["id"])
        if case is None:
            raise No(404, "Transaction not found")
        self._age(case)
        return case

    def _shown(self, case: Case) -> dict[str, Any]:
        return {
            "transactionID": case.id, "referenceID": case.data["referenceID"], "merchantID": "SGM00001",
            "token": case.data["token"], "amount": _amount(case.amount, case.currency), "status": case.status,
            "paymentLink": self.checkout_url(case), "creationDate": case.data["created"],
            "updateDate": case.data["updated"], "expiryDate": case.data["expires"],
        }  # fmt: skip

    async def _refund_in_portal(self, request: web.Request) -> web.Response:
        """Give the whole payment back as if in Pace's portal: nothing but the webhook tells of it."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None or case.status != "approved" or case.data.get("refunded"):
            return json_answer({"error": "no such payment"}, 404)
        case.data["refunded"] = True
        self.save(case, ("refund", case.amount, case.id))
        self._event(case, "refundrequest_completed", "success", refundType="full")
        return json_answer({"id": case.id}, 201)

    # -- calls --------------------------------------------------------------------------------

    def _answering(self, make: Make) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            pair = f"{self.credentials['client_id']}:{self.credentials['client_secret']}"
            expected = "Basic " + base64.b64encode(pair.encode()).decode()
            try:
                if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected.encode()):
                    raise No(401, "Unauthorized")
                return await make(request, await json_body(request) if await request.read() else None)
            except No as no:
                return no.answer()

        return answered


def _amount(amount: Decimal, currency: str) -> dict[str, Any]:
    minor = amount if currency in _WITHOUT_CENTS else amount * 100
    return {"actualValue": amount, "value": int(minor), "currency": currency}


def _check(body: Any) -> Decimal:
    """A new transaction's total. Raises No."""
    if not isinstance(body, dict):
        raise No(400, "The body is not a JSON object")
    plan = _PLANS.get(str(body.get("currency")))
    if plan is None:
        raise No(400, "currency is not supported by the payment plan")
    total = body.get("amountFloat")
    if isinstance(total, bool) or not isinstance(total, int | Decimal) or not plan[1] <= total <= plan[2]:
        raise No(400, f"amountFloat must be a number from {plan[1]} to {plan[2]}")
    if not isinstance(body.get("referenceID"), str) or not body["referenceID"]:
        raise No(400, "referenceID is required")
    items = body.get("items")
    if not isinstance(items, list) or not items or not all(_is_item(item) for item in items):
        raise No(400, "items must have a name, an integer quantity and an integer unitPrice")
    urls = body.get("redirectUrls")
    for way in ("success", "failed"):
        if not isinstance(urls, dict) or not reachable(urls.get(way)):
            raise No(400, f"redirectUrls.{way} is not a URL")
    for name in ("billingAddress", "shippingAddress"):
        address = body.get(name)
        if address is not None and len(str(address.get("countryIsoCode", ""))) != 2:
            raise No(400, f"{name}.countryIsoCode must be a country's two letters")
    return Decimal(total)


def _is_item(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and bool(item.get("name"))
        and all(
            type(item.get(field)) is int and item[field] >= least
            for field, least in (("quantity", 1), ("unitPrice", 0))
        )
    )
