"""humm in the United Kingdom as its merchants see it: a Salesforce instance with three calls, from nopCommerce's plugin."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlsplit

from aiohttp import web

from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_SESSION = timedelta(hours=1)
_LEAST, _MOST = Decimal(50), Decimal(15000)
_EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
_UNDECIDED = ("NOT_STARTED", "IN_PROGRESS")

Body = dict[str, Any]


class No(Exception):
    """A call that was not taken: an answer without success."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.body = {"success": False, "error": {"errorId": "ERR", "errorCode": code, "errorMessage": message}}


class HummUkSimulator(Simulator):
    """The shopper pays on humm's page, at once and for good; the merchant asks, and refunds in whole or in parts."""

    credentials: ClassVar[Mapping[str, str]] = {
        "account_id": "0014L00000SANDBX", "client_id": "3MVG9sandbox", "client_secret": "sandbox-humm-secret",
        "refresh_token": "5Aepsandbox",
    }  # fmt: skip
    refused_customers: ClassVar[Mapping[tuple[str, str | None], str]] = {
        ("customer.phoneNumber", "1"): "phoneNumber",
        ("customer.phoneNumber", "call me"): "phoneNumber",
        ("customer.email", "nobody"): "email",
    }

    def routes(self) -> list[Route]:
        """The token, humm's three calls, and the sandbox's own one."""
        calls = "/services/apexrest"
        return [
            Route("POST", "/services/oauth2/token", self._token),
            Route("POST", f"{calls}/initiateProcess", self._called(self._initiate), "create"),
            Route("POST", f"{calls}/getPaymentDetails", self._called(self._details), "status"),
            Route("POST", f"{calls}/RefundPayment", self._called(self._refund), "refund"),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page: paid and sent back with what was paid, or left with the names of account and checkout."""
        if case.status in _UNDECIDED:
            self._decide(case, outcome)
        back, ids = case.data["return_url"], {"flexiTrackingId": case.names[0], "partnerTrackingId": case.id}
        if case.status == "PAYMENT_DONE":
            paid = {"paymentAmount": f"{case.amount:.2f}", "paymentDate": case.data["decided"]}
            return with_query(back, success="true", **ids, **paid)
        if case.status == "PAYMENT_CANCELLED":
            return with_query(back, AccId=case.account, OrderId=case.id)
        return with_query(back, success="false", errorCode="IN_PROGRESS", **ids)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        if case.status in _UNDECIDED:
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        case.waiting = outcome == "pending"
        case.data["decided"] = self.now.date().isoformat()
        if outcome == "approve":
            case.status = "PAYMENT_DONE"
            self.save(case, ("authorize", case.amount, case.names[0]), ("capture", case.amount, case.names[0]))
            return
        if outcome in ("decline", "cancel"):
            refused = outcome == "decline"
            case.status = "PAYMENT_CANCELLED"
            case.data["reason"] = "The application was not approved" if refused else "Cancelled by the customer"
        else:
            case.status = "IN_PROGRESS"
        self.save(case)

    # -- humm's calls -------------------------------------------------------------------------

    async def _initiate(self, request: web.Request, body: Body) -> Body:
        url = urlsplit(_text(body, "checkout_returnURL"))
        if url.scheme not in ("http", "https") or not url.hostname:
            raise No("INCORRECT_FORMAT", "checkout_returnURL is not an address")
        who, what = _inside(body, "customerInfo"), _inside(body, "orderDetails")
        _text(who, "name")
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", _text(who, "email")):
            raise No("INCORRECT_FORMAT", "email is not an address")
        if not re.fullmatch(r"\d{10}", _text(who, "mobileNumber")):
            raise No("INVALID_MOBILE_NUMBER", "mobileNumber must have ten digits")
        _text(what, "orderDescription")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", _text(what, "orderDate")):
            raise No("INCORRECT_FORMAT", "orderDate must be YYYY-MM-DD")
        amount = _amount(what, "orderInvoiceAmt")
        if not _LEAST <= amount <= _MOST:
            raise No("INCORRECT_AMOUNT", "orderInvoiceAmt is outside of what can be applied for")
        flexi = self.token(8).upper()
        case = self.new_case(
            request, id=f"P-{self.token(6)}", amount=amount, currency="GBP", reference=str(what.get("orderInvoiceID") or ""),
            account=self.credentials["account_id"], status="NOT_STARTED", names=(flexi,),
            data={"return_url": body["checkout_returnURL"], "refunded": "0", "reason": "", "decided": ""},
        )  # fmt: skip
        self.save(case)
        return {"flexiTrackingId": flexi, "partnerTrackingId": case.id, "redirectURL": self.checkout_url(case)}

    async def _details(self, request: web.Request, body: Body) -> Body:
        case = self.case(_text(body, "trackingId"))
        if case is None:
            return {"status": "TRACKING_ID_NOT_FOUND"}
        shown: Body = {"status": case.status}
        if case.status == "PAYMENT_CANCELLED":
            shown |= {"cancellationReason": case.data["reason"], "cancellationDate": case.data["decided"]}
        elif case.status not in _UNDECIDED:
            shown |= {"paymentAmount": case.amount, "paymentDate": case.data["decided"]}
        return shown

    async def _refund(self, request: web.Request, body: Body) -> Body:
        case = self.case(_text(body, "trackingId"))
        if case is None:
            raise No("INCORRECT_TRACKING_ID", "The tracking id is not known")
        return self._give_back(case, _amount(body, "amountToRefund"))

    def _give_back(self, case: Case, amount: Decimal) -> Body:
        done = Decimal(case.data["refunded"])
        if case.status in (*_UNDECIDED, "PAYMENT_CANCELLED") or amount > case.amount - done:
            raise No("REFUND_NOT_POSSIBLE", "The amount is above what was paid and not refunded yet")
        case.data["refunded"] = str(done + amount)
        case.status = "CUSTOMER_REFUNDED" if done + amount == case.amount else "PARTIAL_REFUND_COMPLETED"
        self.save(case, ("refund", amount, f"RF-{self.token(6)}"))
        return {"refundMessage": "The refund was taken"}

    # -- who calls ----------------------------------------------------------------------------

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") != "refresh_token":
            return json_answer(
                {"error": "unsupported_grant_type", "error_description": "grant type not supported"}, 400
            )
        if any(form.get(name) != self.credentials[name] for name in ("client_id", "client_secret")):
            return json_answer({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
        if form.get("refresh_token") != self.credentials["refresh_token"]:
            return json_answer({"error": "invalid_grant", "error_description": "expired access/refresh token"}, 400)
        token = self.token()
        self.desk.store.keep_note(self.name, f"session:{token}", (self.now + _SESSION).isoformat())
        return json_answer({
            "access_token": token, "instance_url": self.base(), "token_type": "Bearer",
            "issued_at": str(int(self.now.timestamp() * 1000)),
        })  # fmt: skip

    def _called(
        self, take: Callable[[web.Request, Body], Awaitable[Body]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            kind, _, token = request.headers.get("Authorization", "").partition(" ")
            until = self.desk.store.note(self.name, f"session:{token}") if kind == "Bearer" and token else None
            if until is None or self.now >= datetime.fromisoformat(until):
                return json_answer(_EXPIRED, 401)
            body = await json_body(request)
            try:
                if not isinstance(body, dict) or _text(body, "accountId") != self.credentials["account_id"]:
                    raise No("INCORRECT_ACCOUNTID", "The account id is not known")
                return json_answer({"success": True, "error": None, **await take(request, body)})
            except No as no:
                return json_answer(no.body)

        return answered

    # -- the sandbox's own --------------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if in humm's portal."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such checkout"}, 404)
        try:
            return json_answer(self._give_back(case, Decimal(body["amount"])), 201)
        except No as no:
            return json_answer(no.body, 400)


def _inside(body: Body, name: str) -> Body:
    value = body.get(name)
    if not isinstance(value, dict):
        raise No("REQUIRED_FIELD_MISSING", f"{name} is missing")
    return value


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise No("REQUIRED_FIELD_MISSING", f"{name} is missing")
    return value


def _amount(body: Body, name: str) -> Decimal:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise No("REQUIRED_FIELD_MISSING", f"{name} is missing")
    amount = Decimal(value)
    if amount <= 0 or amount != round(amount, 2):
        raise No("INCORRECT_FORMAT", f"{name} is not an amount")
    return amount
