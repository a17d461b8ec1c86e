"""Tabby's checkout, payments and webhooks API as its merchants see it, from its OpenAPI file and its documentation."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.tabby.simulated_rules import (
    ApiError,
    amount_of,
    check_id,
    check_session,
    check_webhook,
    key_of,
    moment,
    money,
    rejection,
    text_of,
)
from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, read_label, with_query

_SESSION_LIFE = timedelta(minutes=20)
_UNPAID_LIFE = timedelta(minutes=30)
_REFUNDABLE = timedelta(days=180)
_SHOWN_LIFE = timedelta(days=365)
_CREATED, _AUTHORIZED, _CLOSED, _REJECTED, _EXPIRED = "CREATED", "AUTHORIZED", "CLOSED", "REJECTED", "EXPIRED"
# A payment has these from its first status call on, not yet in its session.
_LATER = ("expires_at", "captures", "refunds")
_RETURN = {_AUTHORIZED: "success", _CLOSED: "success", _REJECTED: "failure", _EXPIRED: "cancel"}

Call = Callable[[web.Request, Any], Awaitable[web.Response]]


class TabbySimulator(Simulator):
    """A session makes its payment; the shopper's consent authorises it; captures and the close are the merchant's."""

    credentials: ClassVar[Mapping[str, str]] = {
        "secret_key": "sk_test_paymux-sandbox",
        "merchant_code": "paymux-sandbox",
        "webhook_header": "X-Shop-Secret",
        "webhook_secret": "sandbox-tabby-webhook-secret",
    }
    refused_customers: ClassVar[Mapping[tuple[str, str | None], str]] = {
        ("customer.phoneNumber", "1"): "payment.buyer.phone",
        ("customer.phoneNumber", "call me"): "payment.buyer.phone",
        ("customer.email", "nobody"): "payment.buyer.email",
    }

    def routes(self) -> list[Route]:
        """The calls that concern one payment, the webhooks, and the sandbox's own three."""
        payment, webhook = "/api/v2/payments/{id}", "/api/v1/webhooks"
        return [
            Route("POST", "/api/v2/checkout", self._call(self._create), "create"),
            Route("GET", payment, self._call(self._retrieve), "status"),
            Route("POST", f"{payment}/captures", self._call(self._capture), "capture"),
            Route("POST", f"{payment}/refunds", self._call(self._refund), "refund"),
            Route("POST", f"{payment}/close", self._call(self._close), "void"),
            Route("GET", webhook, self._call(self._list_webhooks)),
            Route("POST", webhook, self._call(self._register_webhook)),
            Route("PUT", f"{webhook}/{{id}}", self._call(self._update_webhook)),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/tamper", self.tampering("reference")),
            Route("POST", "/sandbox/dispute", self._dispute),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page, for as long as the session lives.

        `pending` sends him back before Tabby knows of his payment; `error` leaves the payment to its expiry.
        """
        self._age(case)
        alive = self.now < moment(case.data["created"]) + _SESSION_LIFE
        if case.waiting and alive:
            self._decide(case, outcome)
        undecided = "failure" if case.data["broken"] else "success" if alive else "cancel"
        return with_query(case.data["urls"][_RETURN.get(case.status, undecided)], payment_id=case.id)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        self._age(case)
        if case.waiting:
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        if outcome == "pending":
            return
        case.waiting = False
        if outcome == "approve":
            case.status = _AUTHORIZED
            self.save(case, ("authorize", case.amount, case.id))
        else:
            case.data["broken"] = outcome == "error"
            case.status = {"decline": _REJECTED, "cancel": _EXPIRED}.get(outcome, _CREATED)
            self.save(case)
        # Tabby tells of an expiry only where its team has turned that on.
        if case.status in (_AUTHORIZED, _REJECTED):
            self._tell(case)

    def _age(self, case: Case) -> None:
        """A payment that nobody made in time is dead."""
        if case.status == _CREATED and self.now >= moment(case.data["created"]) + _UNPAID_LIFE:
            case.status, case.waiting = _EXPIRED, False
            self.save(case)

    # -- sessions and payments ------------------------------------------------------------------

    async def _create(self, request: web.Request, body: Any) -> web.Response:
        amount, currency = check_session(body)
        if not _same(str(body.get("merchant_code")), self.credentials["merchant_code"]):
            raise ApiError(401, "not_authorized", "merchant is null")
        payment, session = body["payment"], str(uuid.uuid4())
        reason = rejection(payment, amount, currency)
        case = self.new_case(
            request, id=str(uuid.uuid4()), amount=amount, currency=currency,
            reference=payment["order"]["reference_id"], account=body["merchant_code"], names=(session,),
            status=_REJECTED if reason else _CREATED, waiting=not reason,
            data={
                "session": session, "created": text_of(self.now), "closed": None, "payment": payment,
                "urls": body["merchant_urls"], "reference": payment["order"]["reference_id"], "captures": [],
                "refunds": [], "broken": False, "disputed": False,
            },
        )  # fmt: skip
        self.save(case)
        link = {"web_url": self.checkout_url(case), "qr_code": f"{self.base()}/api/v2/checkout/{session}/hpp_link_qr"}
        product = {"type": "installments", "is_available": not reason, "rejection_reason": reason}
        return json_answer(
            {
                "id": session, "status": "rejected" if reason else "created", "token": None,
                "configuration": {
                    "available_products": {} if reason else {"installments": [link]},
                    "products": {"installments": product},
                },
                "payment": {name: part for name, part in self._shown(case).items() if name not in _LATER},
                "merchant_urls": case.data["urls"],
            }
        )  # fmt: skip

    async def _retrieve(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(self._shown(self._payment(request)))

    async def _capture(self, request: web.Request, body: Any) -> web.Response:
        case, key = self._payment(request), key_of(body)
        captures = case.data["captures"]
        if all(capture["reference_id"] != key for capture in captures):
            if case.status != _AUTHORIZED:
                raise ApiError(400, "bad_data", "could not capture not authorized payments")
            amount, left = amount_of(body, "amount", case.currency), case.amount - _sum(captures)
            if amount > left:
                raise ApiError(400, "bad_data", "capture amount exceeds the amount left to capture")
            captures.append(self._entry(case, amount, key, body, ("tax_amount", "shipping_amount", "discount_amount")))
            if amount == left:
                case.status, case.data["closed"] = _CLOSED, text_of(self.now)
            self.save(case, ("capture", amount, captures[-1]["id"]))
            # The capture is told first, with the payment still open; then its closing.
            self._tell(case, _AUTHORIZED)
            if case.status == _CLOSED:
                self._tell(case)
        return json_answer(self._shown(case))

    async def _close(self, request: web.Request, body: Any) -> web.Response:
        case = self._payment(request)
        if case.status != _AUTHORIZED:
            closed = case.status == _CLOSED
            raise ApiError(400, "bad_data", "already closed" if closed else "could not close not authorized payments")
        case.status, case.data["closed"] = _CLOSED, text_of(self.now)
        self.save(case, ("void", case.amount - _sum(case.data["captures"]), case.id))
        self._tell(case)
        return json_answer(self._shown(case))

    async def _refund(self, request: web.Request, body: Any) -> web.Response:
        case, key = self._payment(request), key_of(body)
        if all(refund["reference_id"] != key for refund in case.data["refunds"]):
            self._give_back(case, amount_of(body, "amount", case.currency), key, body)
        return json_answer(self._shown(case))

    def _give_back(self, case: Case, amount: Decimal, key: str | None, body: Any) -> None:
        captures, refunds = case.data["captures"], case.data["refunds"]
        if case.data["disputed"]:
            raise ApiError(409, "conflict", "payment is disputed")
        if case.status != _CLOSED or not captures:
            raise ApiError(400, "bad_data", "can not refund payment that has no captures and not closed")
        if amount > _sum(captures) - _sum(refunds):
            raise ApiError(400, "bad_data", "refund amount exceeds the captured amount")
        if self.now > moment(case.data["created"]) + _REFUNDABLE:
            raise ApiError(400, "bad_data", "the refund period of 180 days is over")
        refunds.append({**self._entry(case, amount, key, body), "reason": body.get("reason")})
        self.save(case, ("refund", amount, refunds[-1]["id"]))
        self._tell(case)

    def _payment(self, request: web.Request) -> Case:
        check_id(request.match_info["id"])
        case = self.case(request.match_info["id"])
        if case is None or case.id != request.match_info["id"]:
            raise ApiError(404, "not_found", "no such payment")
        self._age(case)
        return case

    def _entry(
        self, case: Case, amount: Decimal, key: str | None, body: Any, more: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid4()), "created_at": text_of(self.now), "amount": money(amount, case.currency),
            "reference_id": key, "items": body.get("items") or [], **{name: body.get(name, "0.00") for name in more},
        }  # fmt: skip

    def _shown(self, case: Case) -> dict[str, Any]:
        sent, created = case.data["payment"], case.data["created"]
        same = ("buyer", "shipping_address", "buyer_history", "order_history", "description", "meta")
        return {
            **{name: sent.get(name) for name in same}, "id": case.id, "created_at": created,
            "expires_at": text_of(moment(created) + _SHOWN_LIFE), "status": case.status, "is_test": True,
            "amount": money(case.amount, case.currency), "currency": case.currency,
            "order": {**sent["order"], "reference_id": case.data["reference"]},
            "captures": case.data["captures"], "refunds": case.data["refunds"],
        }  # fmt: skip

    # -- webhooks -----------------------------------------------------------------------------

    # All accounts of a sandbox share one key and merchant code, so each has its own list, told apart by paymux's label
    # where there is one, and Tabby's limit of four is not played.
    def _hooks(self) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] | None = self.desk.store.note(self.name, "webhooks")
        return kept or []

    def _keep_hooks(self, hooks: list[dict[str, Any]]) -> None:
        self.desk.store.keep_note(self.name, "webhooks", hooks)

    async def _list_webhooks(self, request: web.Request, body: Any) -> web.Response:
        owner = self._owner(request)
        return json_answer([_told(hook) for hook in self._hooks() if hook["owner"] == owner] or None)

    async def _register_webhook(self, request: web.Request, body: Any) -> web.Response:
        owner = self._owner(request)
        hook = {**check_webhook(body), "id": str(uuid.uuid4()), "is_test": True, "owner": owner}
        self._keep_hooks([*self._hooks(), hook])
        return json_answer(_told(hook))

    async def _update_webhook(self, request: web.Request, body: Any) -> web.Response:
        owner, hooks, name = self._owner(request), self._hooks(), request.match_info["id"]
        for hook in hooks:
            if hook["id"] == name and hook["owner"] == owner:
                if not isinstance(body, dict) or body.get("id") != name:
                    raise ApiError(400, "bad_data", "bad_request")
                hook.update(check_webhook(body))
                self._keep_hooks(hooks)
                # Unlike the registration, a change is answered without is_test.
                return json_answer({part: hook[part] for part in ("id", "url", "header")})
        raise ApiError(404, "not_found", "no such webhook")

    def _owner(self, request: web.Request) -> list[str]:
        if not _same(request.headers.get("X-Merchant-Code", ""), self.credentials["merchant_code"]):
            raise ApiError(401, "not_authorized", "authorization")
        label = read_label(request)
        return [label.get("merchant", ""), label.get("code", "")]

    def _tell(self, case: Case, status: str = "") -> None:
        """Send the payment to the registered addresses, with each one's own header; `status` is its own unless said."""
        status = status or case.status
        listed = ("id", "created_at", "amount", "reference_id")
        body = {
            "id": case.id, "created_at": case.data["created"], "closed_at": case.data["closed"] if status == _CLOSED else None,
            "expires_at": text_of(moment(case.data["created"]) + _SHOWN_LIFE), "status": status.lower(),
            "is_test": True, "is_expired": status == _EXPIRED, "amount": money(case.amount, case.currency),
            "currency": case.currency, "order": {"reference_id": case.data["reference"]},
            "captures": [{name: entry[name] for name in listed} for entry in case.data["captures"]],
            "refunds": [{name: entry[name] for name in (*listed, "reason")} for entry in case.data["refunds"]],
            "meta": case.data["payment"].get("meta"), "token": None,
        }  # fmt: skip
        for hook in self._hooks():
            if hook["owner"] in (["", ""], [case.merchant, case.code]):
                header = {hook["header"]["title"]: hook["header"]["value"]} if hook["header"] else {}
                self.send_event(
                    case, hook["url"], to_json(body).encode(), {"Content-Type": "application/json", **header}
                )

    # -- the sandbox's own calls ----------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if done in Tabby's Merchant Dashboard."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such payment"}, 404)
        try:
            self._give_back(case, amount_of(body, "amount", case.currency), None, {"reason": "Merchant Dashboard"})
        except ApiError as no:
            return json_answer(no.body, no.status)
        return json_answer(self._shown(case))

    async def _dispute(self, request: web.Request) -> web.Response:
        """Have the shopper open a dispute: refunds are refused from now on."""
        case = self.case(str((await json_body(request))["id"]))
        if case is None:
            return json_answer({"error": "no such payment"}, 404)
        case.data["disputed"] = True
        self.save(case)
        return json_answer(self._shown(case))

    # -- calls --------------------------------------------------------------------------------

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                body = await json_body(request)
                if body is None and request.method != "GET" and not request.path.endswith("/close"):
                    raise ApiError(400, "bad_data", "could not decode request")
                return await handler(request, body)
            except ApiError as no:
                return json_answer(no.body, no.status)

        return answered

    def _admit(self, request: web.Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        # Where money is moved, a wrong key is answered without a text.
        silent = request.method == "POST" and "/payments/" in request.path
        if scheme != "Bearer":
            raise ApiError(401, "not_authorized", None if silent else "missing Bearer scheme")
        if not _same(key, self.credentials["secret_key"]):
            raise ApiError(401, "not_authorized", None if silent else "auth: provided key doesn't exist")


def _same(said: str, known: str) -> bool:
    return hmac.compare_digest(said.encode("utf-8", "surrogateescape"), known.encode())


def _sum(entries: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(entry["amount"]) for entry in entries), Decimal(0))


def _told(hook: Mapping[str, Any]) -> dict[str, Any]:
    return {name: hook[name] for name in ("id", "url", "header", "is_test")}
