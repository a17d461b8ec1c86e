"""Splitit's Web API v3 as its merchants see it, from its published specification and its developer pages."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.splitit import rules
from paymux.connectors.splitit.rules import ApiError, amount_of, check_plan, check_strategy, text_of
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_FORM_LIFE = timedelta(hours=1)
_TOKEN_LIFE = 3600
_HELD = frozenset({"PendingCapture", "Active", "Cleared", "Canceled"})
_LEFT_BY = {"approve": "Succeeded", "pending": "Succeeded", "decline": "Failed", "error": "Failed", "cancel": "Cancel"}
_CARD = {"approve": "Succeeded", "pending": "Pending3DS", "decline": "Failed"}

Call = Callable[[web.Request, Any], Awaitable[web.Response]]


class SplititSimulator(Simulator):
    """A plan is initiated, its form authorises the card, and the plan runs at once or by the merchant's capture."""

    credentials: ClassVar[Mapping[str, str]] = {
        "client_id": "APIUserSandbox", "client_secret": "sandbox-splitit-password", "terminal_id": "sandbox-terminal",
    }  # fmt: skip
    refused_customers: ClassVar[Mapping[tuple[str, str | None], str]] = {
        ("customer.email", "nobody"): "email",
        ("billingAddress.postalCode", "1"): "ZIP code",
    }

    def routes(self) -> list[Route]:
        """The token call, the calls of one plan, and the sandbox's own one."""
        plans = "/api/installmentplans"
        plan = f"{plans}/{{number}}"
        return [
            Route("POST", "/connect/token", self._grant, host="id"),
            Route("POST", f"{plans}/initiate", self._call(self._once(self._initiate)), "create"),
            Route("GET", plan, self._call(self._get), "status"),
            Route("GET", f"{plan}/verifyauthorization", self._call(self._verify), "status"),
            Route("PUT", f"{plan}/updateorder", self._call(self._once(self._update)), "capture"),
            # One call for both: how a refund is spread is said only of a plan that runs.
            Route(
                "POST", f"{plan}/refund", self._call(self._once(self._refund)), "void",
                others={"refund": b'"RefundStrategy"'},
            ),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
        ]  # fmt: skip

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the form, for an hour. A refused card leaves the plan open: another one may do."""
        urls = case.data["urls"]
        if case.status in _HELD:
            return str(urls["Succeeded"])
        if self.now >= datetime.fromisoformat(case.data["created"]) + _FORM_LIFE:
            return str(urls["Failed"])
        self._decide(case, outcome)
        return str(urls[_LEFT_BY[outcome]])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        if case.waiting:
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        case.data["card"] = _CARD.get(outcome, case.data["card"])
        if outcome != "approve":
            self.save(case)
            return
        case.waiting, moved = False, [("authorize", case.amount, case.id)]
        case.data["parts"] = rules.installments(case.amount, case.data["count"], self.now)
        case.status = "PendingCapture"
        if case.data["auto_capture"]:
            moved.append(self._run(case))
        self.save(case, *moved)
        if case.data["event_url"]:
            query = {"RefOrderNumber": case.data["reference"], "InstallmentPlanNumber": case.id}
            self.send_event(case, with_query(case.data["event_url"], **query), b"", {}, method="GET")

    def _run(self, case: Case) -> tuple[str, Decimal, str]:
        """Collect the first instalment; the plan runs."""
        case.data["parts"][0]["Status"] = "Processed"
        case.status = "Active" if rules.outstanding(case.data["parts"]) else "Cleared"
        return ("capture", case.amount, f"{case.id}/1")

    # -- plans --------------------------------------------------------------------------------

    async def _initiate(self, request: web.Request, body: Any) -> dict[str, Any]:
        amount, currency = check_plan(body)
        plan = body["PlanData"]
        if not hmac.compare_digest(str(plan["TerminalId"]), self.credentials["terminal_id"]):
            raise ApiError(400, "TerminalApiKeyMissing", "Terminal ID not found.")
        event_url = (body.get("EventsEndpoints") or {}).get("CreateSucceeded") or ""
        if event_url:
            rules.check_address(event_url)
        case = self.new_case(
            request, id="".join(secrets.choice("123456789") for _ in range(20)), amount=amount, currency=currency,
            reference=plan.get("RefOrderNumber") or "", account=self.credentials["client_id"], status="Initialized",
            data={
                "created": text_of(self.now), "auto_capture": body.get("AutoCapture", True), "card": "NA",
                "reference": plan.get("RefOrderNumber") or "", "shopper": body["Shopper"], "parts": [], "refunds": [],
                "address": body["BillingAddress"], "urls": body["RedirectUrls"], "event_url": event_url,
                "count": plan.get("NumberOfInstallments", 3), "method": plan["PurchaseMethod"],
            },
        )  # fmt: skip
        self.save(case)
        return {
            "InstallmentPlanNumber": case.id, "RefOrderNumber": case.data["reference"], "Status": "Initialized",
            "PurchaseMethod": case.data["method"], "Currency": currency, "Amount": amount, "Shopper": body["Shopper"],
            "CheckoutUrl": self.checkout_url(case),
        }  # fmt: skip

    async def _get(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(self._shown(self._of(request)))

    async def _verify(self, request: web.Request, body: Any) -> web.Response:
        case = self._of(request)
        authorized = case.status in ("PendingCapture", "Active", "Cleared")
        amount = case.amount if authorized else Decimal(0)
        said = {"IsAuthorized": authorized, "AuthorizationAmount": amount, "Authorization": self._card(case)}
        return json_answer(said)

    def _of(self, request: web.Request) -> Case:
        number = request.match_info["number"]
        case = self.case(number)
        if case is None or case.id != number:
            raise ApiError(404, "Resource Does Not Exist", "Plan or service does not exist")
        return case

    @staticmethod
    def _card(case: Case) -> dict[str, Any]:
        return {"Status": case.data["card"], "Date": case.data["created"]}

    def _shown(self, case: Case) -> dict[str, Any]:
        address = dict(case.data["address"])
        address["AddressLine"] = address.pop("AddressLine1")
        given = sum((Decimal(refund["TotalAmount"]) for refund in case.data["refunds"]), Decimal(0))
        return {
            "InstallmentPlanNumber": case.id, "DateCreated": case.data["created"], "Status": case.status,
            "RefOrderNumber": case.data["reference"], "PurchaseMethod": case.data["method"], "Currency": case.currency,
            "OriginalAmount": case.amount, "Amount": case.amount - given, "Authorization": self._card(case),
            "Shopper": case.data["shopper"], "BillingAddress": address,
            "Installments": [{**part, "Amount": Decimal(part["Amount"])} for part in case.data["parts"]],
            "Refunds": [_numbers(refund) for refund in case.data["refunds"]],
            "Links": {"Checkout": self.checkout_url(case)},
        }  # fmt: skip

    # -- moving money -------------------------------------------------------------------------

    async def _update(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self._of(request)
        case.data["reference"] = body.get("RefOrderNumber") or case.data["reference"]
        if body.get("Capture"):
            if case.status != "PendingCapture":
                raise ApiError(400, "InvalidInstallmentPlanStatus", "Status does not allow updating order")
            self.save(case, self._run(case))
        self.save(case)
        return {
            "RefOrderNumber": case.data["reference"], "InstallmentPlanNumber": case.id, "Status": case.status,
            "ShippingStatus": body.get("ShippingStatus", "Pending"),
        }  # fmt: skip

    async def _refund(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self._of(request)
        check_strategy(body)
        return self._given_back(case, amount_of(body, "Amount"), body.get("ReferenceId"))

    def _given_back(self, case: Case, amount: Decimal, reference: str | None) -> dict[str, Any]:
        """Before the first capture only everything can be given back, which cancels the plan."""
        given = sum((Decimal(refund["TotalAmount"]) for refund in case.data["refunds"]), Decimal(0))
        captured = case.status != "PendingCapture"
        if case.status not in ("PendingCapture", "Active", "Cleared") or (not captured and amount < case.amount):
            raise ApiError(400, "InvalidInstallmentPlanStatus", "Status does not allow it")
        if amount > case.amount - given:
            word = "RefundRequestedAmountExceededPlanRefundableAmount"
            raise ApiError(400, word, "The refund amount requested exceeded the plan's refundable amount.", "562")
        credit = rules.lessen(case.data["parts"], amount)
        ends = captured and amount == case.amount - given and case.status == "Active"
        if ends or not captured:
            case.status = "Canceled"
        if not captured:
            case.data["card"] = "Voided"
        refund = {
            "RefundId": self.token(12), "SubmitDate": text_of(self.now), "TotalAmount": str(amount), "Status": "Succeeded",
            "NonCreditRefundAmount": str(amount - credit), "CreditRefundAmount": str(credit), "ReferenceId": reference,
        }  # fmt: skip
        case.data["refunds"].append({name: value for name, value in refund.items() if value is not None})
        self.save(case, ("refund" if captured else "void", amount, str(refund["RefundId"])))
        said = {
            "RefundId": refund["RefundId"], "InstallmentPlanNumber": case.id, "Currency": case.currency,
            "NonCreditRefundAmount": amount - credit, "CreditRefundAmount": credit,
            "Summary": {
                "TotalAmount": amount, "FailedAmount": Decimal(0), "SucceededAmount": amount, "PendingAmount": Decimal(0),
            },
        }  # fmt: skip
        return {**said, "ReferenceId": reference} if reference else said

    # -- calls --------------------------------------------------------------------------------

    async def _grant(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            return json_answer({"error": "unsupported_grant_type"}, 400)
        for name in ("client_id", "client_secret"):
            if not hmac.compare_digest(str(form.get(name, "")).encode(), self.credentials[name].encode()):
                return json_answer({"error": "invalid_client"}, 400)
        # Splitit's own client names no scope: it gets the only one that there is.
        if form.get("scope", "api.v3") != "api.v3":
            return json_answer({"error": "invalid_scope"}, 400)
        token = self.token(24)
        self.desk.store.keep_note(self.name, f"token:{token}", text_of(self.now + timedelta(seconds=_TOKEN_LIFE)))
        said = {"access_token": token, "expires_in": _TOKEN_LIFE, "token_type": "Bearer", "scope": "api.v3"}
        return json_answer(said)

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            try:
                scheme, _, token = request.headers.get("Authorization", "").partition(" ")
                until = self.desk.store.note(self.name, f"token:{token}") if token else None
                if scheme != "Bearer" or until is None or self.now >= datetime.fromisoformat(until):
                    raise ApiError(401, "Unauthorized Request", "Token is not authorized or is expired")
                for name in ("X-Splitit-IdempotencyKey", "X-Splitit-TouchPoint"):
                    if not request.headers.get(name):
                        raise ApiError(400, "General Error", f"{name} is required")
                body = await json_body(request) if request.method != "GET" else {}
                if not isinstance(body, dict):
                    raise ApiError(400, "General Error", "the body has to be a JSON object")
                return await handler(request, body)
            except ApiError as no:
                return json_answer(no.body, no.status)

        return answered

    def _once(self, make: Callable[[web.Request, Any], Awaitable[dict[str, Any]]]) -> Call:
        """The same key gets the first answer; with another payload an error."""

        async def answered(request: web.Request, body: Any) -> web.Response:
            payload = hashlib.sha256(await request.read()).hexdigest()
            key = f"{request.path}:{request.headers['X-Splitit-IdempotencyKey']}"
            kept = self.desk.store.answer(self.name, key)
            if kept is None:
                said = await make(request, body)
                self.desk.store.keep_answer(self.name, key, 200, {"payload": payload, "said": said})
                return json_answer(said)
            if kept[1]["payload"] != payload:
                word = "IdempotencyHashMismatchError"
                raise ApiError(400, word, "Same Idempotency key with different payload identified.")
            return json_answer(kept[1]["said"])

        return answered

    # -- the sandbox's own --------------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if in the Merchant Portal."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such plan"}, 404)
        try:
            return json_answer(self._given_back(case, Decimal(body["amount"]), None), 201)
        except ApiError as no:
            return json_answer(no.body, no.status)


def _numbers(refund: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Decimal(value) if name.endswith("Amount") else value for name, value in refund.items()}
