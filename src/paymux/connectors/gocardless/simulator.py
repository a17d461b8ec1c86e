"""GoCardless's billing requests, payments and refunds as their merchants see them, from its client libraries and guides.

A bank answers at once here, where a real one takes days: a payment is told as pending submission, and has been
confirmed or has failed by the time that somebody asks. A shopper who chose *pending* leaves it to be settled.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.gocardless.simulated_rules import (
    ApiError,
    amount_of,
    invalid,
    link_of,
    not_found,
    not_now,
    scheme_of,
    text_of,
    unwrapped,
)
from paymux.money import Money
from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, read_label

_FLOW_LIFE = timedelta(days=7)
_MOST_REFUNDS = 5
_COLLECTED = ("confirmed", "paid_out")
_BANK = {"approve": "collects", "decline": "refuses"}

Call = Callable[[web.Request, Any], Awaitable[web.Response]]


class GoCardlessSimulator(Simulator):
    """A flow gives a mandate; the merchant's payments against it are what moves money."""

    credentials: ClassVar[Mapping[str, str]] = {
        "access_token": "sandbox_gocardless_token", "webhook_secret": "sandbox-gocardless-webhook-secret",
    }  # fmt: skip

    def routes(self) -> list[Route]:
        """The calls that concern one order, the creditors, and the sandbox's own three."""
        request, payment = "/billing_requests/{id}", "/payments/{id}"
        return [
            Route("POST", "/billing_requests", self._call(self._create), "create"),
            Route("POST", "/billing_request_flows", self._call(self._create_flow), "create"),
            Route("GET", request, self._call(self._billing_request), "status"),
            Route("POST", f"{request}/actions/cancel", self._call(self._cancel), "cancel"),
            Route("POST", "/payments", self._call(self._create_payment), "confirm"),
            Route("GET", payment, self._call(self._payment), "status"),
            Route("POST", f"{payment}/actions/cancel", self._call(self._cancel_payment), "cancel"),
            Route("POST", "/refunds", self._call(self._create_refund), "refund"),
            Route("GET", "/refunds", self._call(self._list_refunds), "status"),
            Route("GET", "/refunds/{id}", self._call(self._refund), "status"),
            Route("GET", "/creditors", self._call(self._creditors)),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/tamper", self._tamper),
            Route("POST", "/sandbox/payment-status", self._payment_status),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page. `decline` agrees with an account from which the bank collects nothing."""
        if case.waiting and self._alive(case):
            if outcome in ("cancel", "error"):
                case.waiting = False
                self.save(case)
                self._tell(case, self._event(case, "billing_requests", "flow_exited"))
            else:
                self._agree(case, outcome)
        return str(case.data["redirect_uri" if case.status == "fulfilled" else "exit_uri"])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        if case.waiting and outcome in _BANK:
            self._agree(case, outcome)

    def _alive(self, case: Case) -> bool:
        return case.status == "fulfilled" or self.now < datetime.fromisoformat(case.data["flow_expires"])

    def _agree(self, case: Case, outcome: Outcome) -> None:
        case.data["bank"] = _BANK.get(outcome)
        case.waiting = outcome not in _BANK
        if case.status == "pending":
            case.status, case.data["mandate"] = "fulfilled", f"MD{self.token(6).upper()}"
            case.names = (*case.names, case.data["mandate"])
            self.save(case)
            self._tell(
                case, self._event(case, "billing_requests", "fulfilled"), self._event(case, "mandates", "created")
            )
        self.save(case)
        for payment in case.data["payments"]:
            self._collect(case, payment)

    def _collect(self, case: Case, payment: dict[str, Any]) -> None:
        """The bank's answer to a debit, where it has one."""
        if payment["status"] != "pending_submission" or case.data["bank"] is None:
            return
        submitted = self._event(case, "payments", "submitted", payment)
        if case.data["bank"] == "refuses":
            payment["status"] = "failed"
            self.save(case)
            self._tell(case, submitted, self._event(case, "payments", "failed", payment, "insufficient_funds"))
            return
        payment["status"], amount = "confirmed", Money.from_minor(payment["amount"], payment["currency"]).amount
        self.save(case, ("authorize", amount, payment["id"]), ("capture", amount, payment["id"]))
        self._tell(case, submitted, self._event(case, "payments", "confirmed", payment))

    # -- billing requests ---------------------------------------------------------------------

    async def _create(self, request: web.Request, body: Any) -> web.Response:
        inside = unwrapped(body, "billing_requests")
        wanted, noted = inside.get("mandate_request"), inside.get("metadata") or {}
        scheme = scheme_of(wanted)
        currency = str((wanted or {}).get("currency"))
        case = self.new_case(
            request, id=f"BRQ{self.token(6).upper()}", amount=_noted_amount(noted), currency=currency,
            reference=noted.get("order", ""), account="CR123", status="pending",
            data={
                "created": text_of(self.now), "flow_expires": text_of(self.now + _FLOW_LIFE), "mandate": None,
                "mandate_request": {**(wanted or {}), "scheme": scheme, "links": {}}, "metadata": noted, "bank": None,
                "payments": [], "refunds": [], "tampered": {}, "events_url": read_label(request).get("events", ""),
                "redirect_uri": "", "exit_uri": "",
            },
        )  # fmt: skip
        self.save(case)
        return self._made(request, "billing_requests", case.id, self._shown(case))

    async def _create_flow(self, request: web.Request, body: Any) -> web.Response:
        inside = unwrapped(body, "billing_request_flows")
        case = self._named(link_of(inside, "billing_request"))
        if case.status != "pending":
            raise not_now("billing_request_not_pending", "The billing request is not pending")
        for name in ("redirect_uri", "exit_uri"):
            if not str(inside.get(name, "")).startswith(("https://", "http://")):
                raise invalid(name, "must be a URL")
            case.data[name] = inside[name]
        case.data["flow_expires"] = text_of(self.now + _FLOW_LIFE)
        self.save(case)
        flow = {
            **{name: inside.get(name) for name in ("redirect_uri", "exit_uri", "language", "prefilled_customer")},
            "id": f"BRF{self.token(6).upper()}", "authorisation_url": self.checkout_url(case), "auto_fulfil": True,
            "created_at": text_of(self.now), "expires_at": case.data["flow_expires"], "lock_currency": True,
            "links": {"billing_request": case.id},
        }  # fmt: skip
        return json_answer({"billing_request_flows": flow}, 201)

    async def _billing_request(self, request: web.Request, body: Any) -> web.Response:
        return json_answer({"billing_requests": self._shown(self._named(request.match_info["id"]))})

    async def _cancel(self, request: web.Request, body: Any) -> web.Response:
        case = self._named(request.match_info["id"])
        if case.status != "pending":
            raise not_now("cancellation_failed", f"The billing request is {case.status}")
        case.status, case.waiting = "cancelled", False
        self.save(case)
        self._tell(case, self._event(case, "billing_requests", "cancelled"))
        return json_answer({"billing_requests": self._shown(case)})

    def _shown(self, case: Case) -> dict[str, Any]:
        links = {"creditor": "CR123", "customer": "CU123", "mandate_request": f"MRQ{case.id[3:]}"}
        if case.data["mandate"]:
            links["mandate_request_mandate"] = case.data["mandate"]
        return {
            "id": case.id, "status": case.status, "created_at": case.data["created"], "actions": [], "resources": {},
            "mandate_request": case.data["mandate_request"], "payment_request": None, "links": links,
            "metadata": {**case.data["metadata"], **self._said(case)}, "fallback_enabled": False,
        }  # fmt: skip

    @staticmethod
    def _said(case: Case) -> dict[str, str]:
        reference = case.data["tampered"].get("reference")
        return {"order": reference} if reference else {}

    # -- payments -----------------------------------------------------------------------------

    async def _create_payment(self, request: web.Request, body: Any) -> web.Response:
        inside = unwrapped(body, "payments")
        case = self._named(link_of(inside, "mandate"), 422)
        amount, currency = amount_of(inside, "amount"), inside.get("currency")
        if currency != case.data["mandate_request"]["currency"]:
            raise invalid("currency", "must match the currency of the mandate's scheme")
        if "amount" in case.data["tampered"]:
            amount = Money(Decimal(case.data["tampered"]["amount"]), case.currency).minor
        payment = {
            "id": f"PM{self.token(6).upper()}", "created_at": text_of(self.now), "charge_date": self.now.date().isoformat(),
            "amount": amount, "currency": case.data["tampered"].get("currency", currency), "amount_refunded": 0,
            "status": "pending_submission", "description": inside.get("description"), "reference": inside.get("reference"),
            "metadata": {**(inside.get("metadata") or {}), **self._said(case)},
            "scheme": case.data["mandate_request"]["scheme"], "retry_if_possible": bool(inside.get("retry_if_possible")),
            "links": {"mandate": case.data["mandate"], "creditor": "CR123"},
        }  # fmt: skip
        case.currency = payment["currency"]
        case.data["payments"].append(payment)
        case.names = (*case.names, payment["id"])
        self.save(case)
        answer = self._made(request, "payments", payment["id"], payment)
        self._tell(case, self._event(case, "payments", "created", payment))
        self._collect(case, payment)
        return answer

    async def _payment(self, request: web.Request, body: Any) -> web.Response:
        return json_answer({"payments": self._found(request.match_info["id"], "payments")[1]})

    async def _cancel_payment(self, request: web.Request, body: Any) -> web.Response:
        case, payment = self._found(request.match_info["id"], "payments")
        if payment["status"] != "pending_submission":
            raise not_now("cancellation_failed", "The payment has been submitted, or is over")
        payment["status"], case.waiting = "cancelled", False
        self.save(case)
        self._tell(case, self._event(case, "payments", "cancelled", payment))
        return json_answer({"payments": payment})

    # -- refunds ------------------------------------------------------------------------------

    async def _create_refund(self, request: web.Request, body: Any) -> web.Response:
        inside = unwrapped(body, "refunds")
        case, payment = self._found(link_of(inside, "payment"), "payments")
        amount, total = amount_of(inside, "amount"), amount_of(inside, "total_amount_confirmation")
        refund = self._refunded(case, payment, amount, total, inside.get("metadata") or {})
        answer = self._made(request, "refunds", refund["id"], refund)
        self._pay_out(case, payment, refund)
        return answer

    def _refunded(
        self, case: Case, payment: dict[str, Any], amount: int, total: int, noted: Mapping[str, str]
    ) -> dict[str, Any]:
        if payment["status"] not in _COLLECTED:
            raise not_now("refund_payment_invalid_state", "The payment has not been collected")
        if sum(refund["links"]["payment"] == payment["id"] for refund in case.data["refunds"]) >= _MOST_REFUNDS:
            raise not_now("number_of_refunds_exceeded", "Five refunds have been made of this payment")
        if total != payment["amount_refunded"] + amount:
            raise not_now("total_amount_confirmation_invalid", "That is not the sum of this payment's refunds")
        if total > payment["amount"]:
            raise not_now("refund_amount_exceeds_payment", "The refunds would be more than the payment")
        refund = {
            "id": f"RF{self.token(6).upper()}", "created_at": text_of(self.now), "amount": amount, "status": "created",
            "currency": payment["currency"], "reference": None, "metadata": dict(noted),
            "links": {"payment": payment["id"]},
        }  # fmt: skip
        payment["amount_refunded"] = total
        case.data["refunds"].append(refund)
        case.names = (*case.names, str(refund["id"]))
        self.save(case, ("refund", Money.from_minor(amount, payment["currency"]).amount, str(refund["id"])))
        return refund

    def _pay_out(self, case: Case, payment: dict[str, Any], refund: dict[str, Any]) -> None:
        created = self._event(case, "refunds", "created", refund)
        refund["status"] = "paid"
        self.save(case)
        self._tell(case, created, self._event(case, "refunds", "paid", refund))

    async def _list_refunds(self, request: web.Request, body: Any) -> web.Response:
        case, payment = self._found(request.query.get("payment", ""), "payments")
        ours = [refund for refund in case.data["refunds"] if refund["links"]["payment"] == payment["id"]]
        return json_answer({"refunds": ours[::-1], "meta": {"cursors": {"before": None, "after": None}, "limit": 50}})

    async def _refund(self, request: web.Request, body: Any) -> web.Response:
        return json_answer({"refunds": self._found(request.match_info["id"], "refunds")[1]})

    async def _creditors(self, request: web.Request, body: Any) -> web.Response:
        meta = {"cursors": {"before": None, "after": None}, "limit": 50}
        return json_answer({"creditors": [{"id": "CR123", "name": "Sandbox Shop Ltd"}], "meta": meta})

    # -- what keeps it consistent -------------------------------------------------------------

    def _named(self, name: str, status: int = 404) -> Case:
        case = self.case(name)
        if case is None or (status == 422 and case.data["mandate"] != name):
            raise not_found() if status == 404 else invalid("links.mandate", "no such mandate")
        return case

    def _found(self, name: str, kind: str) -> tuple[Case, dict[str, Any]]:
        case = self._named(name)
        for resource in case.data[kind]:
            if resource["id"] == name:
                return case, resource
        raise not_found()

    def _made(self, request: web.Request, kind: str, id: str, resource: Any) -> web.Response:
        key = request.headers.get("Idempotency-Key")
        if key:
            self.desk.store.keep_answer(self.name, f"{kind}:{key}", 201, id)
        return json_answer({kind: resource}, 201, {"Location": f"/{kind}/{id}"})

    # -- calls and events ---------------------------------------------------------------------

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            try:
                return await handler(request, await self._admitted(request))
            except ApiError as no:
                return json_answer(no.body(_kind_of(request)), no.status)

        return answered

    async def _admitted(self, request: web.Request) -> Any:
        fault: dict[str, Any]
        expected = f"Bearer {self.credentials['access_token']}".encode()
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
            fault = {"reason": "access_token_not_found", "message": "No access token with this value"}
            raise ApiError(401, "invalid_api_usage", "The access token you've used is not valid", fault)
        if request.headers.get("GoCardless-Version") != "2015-07-06":
            fault = {"reason": "missing_version_header", "message": "No version header"}
            raise ApiError(400, "invalid_api_usage", "Missing version header", fault)
        if request.method == "GET":
            return None
        kind, key = _kind_of(request), request.headers.get("Idempotency-Key")
        if key and (kept := self.desk.store.answer(self.name, f"{kind}:{key}")):
            if self.refuses_known_keys:
                # As if the request were validated first, against what the one before it has left.
                raise invalid("links.mandate", "can not be charged again")
            fault = {
                "reason": "idempotent_creation_conflict", "links": {"conflicting_resource_id": kept[1]},
                "message": "A resource has already been created with this idempotency key",
            }  # fmt: skip
            raise ApiError(409, "invalid_state", fault["message"], fault)
        return await json_body(request)

    def _event(
        self, case: Case, kind: str, action: str, about: Mapping[str, Any] | None = None, cause: str = ""
    ) -> dict[str, Any]:
        links = {
            "billing_requests": {"billing_request": case.id}, "mandates": {"mandate": case.data["mandate"]},
            "payments": {"payment": (about or {}).get("id")}, "refunds": {"refund": (about or {}).get("id")},
        }[kind]  # fmt: skip
        noted = about["metadata"] if about else self._shown(case)["metadata"] if kind == "billing_requests" else {}
        return {
            "id": f"EV{self.token(8).upper()}", "created_at": text_of(self.now), "resource_type": kind, "action": action,
            "links": links, "metadata": {}, "resource_metadata": noted,
            "details": {"origin": "gocardless", "cause": cause or action, "description": f"{kind} {action}"},
        }  # fmt: skip

    def _tell(self, case: Case, *events: Mapping[str, Any]) -> None:
        """Send a webhook with these events, all of which GoCardless signs together."""
        url = case.data["events_url"]
        if url:
            body = to_json({"events": events, "meta": {"webhook_id": f"WB{self.token(8).upper()}"}}).encode()
            signature = hmac.new(self.credentials["webhook_secret"].encode(), body, sha256).hexdigest()
            self.send_event(
                case, url, body, {"Content-Type": "application/json", "Webhook-Signature": signature,
                                  "User-Agent": "gocardless-webhook-service/1.1"},
            )  # fmt: skip

    # -- the sandbox's own --------------------------------------------------------------------

    async def _control(self, request: web.Request) -> tuple[Any, Case]:
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            raise web.HTTPNotFound
        return body, case

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as in the dashboard, without any metadata."""
        body, case = await self._control(request)
        payment = case.data["payments"][-1]
        try:
            amount = Money(Decimal(str(body.get("amount"))), payment["currency"]).minor
            refund = self._refunded(case, payment, amount, payment["amount_refunded"] + amount, {})
        except ApiError as no:
            return json_answer(no.body("refunds"), no.status)
        self._pay_out(case, payment, refund)
        return json_answer(refund, 201)

    async def _tamper(self, request: web.Request) -> web.Response:
        """Make the payment one of another amount, currency or order."""
        body, case = await self._control(request)
        case.data["tampered"] = {name: str(body[name]) for name in ("amount", "currency", "reference") if name in body}
        case.currency = case.data["tampered"].get("currency", case.currency)
        self.save(case)
        return json_answer({"id": case.id})

    async def _payment_status(self, request: web.Request) -> web.Response:
        """What a bank does later: `paid_out`, `charged_back`, `failed` of the latest payment. Money goes back for two."""
        body, case = await self._control(request)
        payment, status = case.data["payments"][-1], str(body.get("status"))
        taken = payment["status"] in _COLLECTED and status in ("charged_back", "failed")
        payment["status"] = status
        left = Money.from_minor(payment["amount"] - payment["amount_refunded"], payment["currency"]).amount
        self.save(case, *([("refund", left, payment["id"])] if taken else []))
        self._tell(case, self._event(case, "payments", status, payment))
        return json_answer(payment)


def _kind_of(request: web.Request) -> str:
    """The kind of resource that a request to create one is about."""
    return request.path.rsplit("/", 1)[-1]


def _noted_amount(noted: Mapping[str, str]) -> Decimal:
    """A mandate has no amount; what the merchant notes of it is shown on the page."""
    try:
        return Decimal(noted.get("amount", "0").split()[0])
    except (InvalidOperation, IndexError):
        return Decimal(0)
