"""Volt's payments and refunds as merchants see them, from Volt's documentation: an instant payment arrives at once."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, read_label

_TOKEN_LIFE = timedelta(days=1)
_SYSTEMS = {"OPEN_BANKING_UK": ("openBankingUK", "GBP"), "OPEN_BANKING_EU": ("openBankingEU", "EUR")}
_TYPES = ("BILL", "GOODS", "PERSON_TO_PERSON", "OTHER", "SERVICES")
_HUNDRED = Decimal(100)
# The detailed status after the shopper's decision, and the address that he comes back by.
_DECISIONS: dict[Outcome, tuple[str, str]] = {
    "approve": ("RECEIVED", "success"), "decline": ("REFUSED_BY_BANK", "failure"), "error": ("ERROR_AT_BANK", "failure"),
    "cancel": ("CANCELLED_BY_USER", "cancel"), "pending": ("DELAYED_AT_BANK", "pending"),
}  # fmt: skip
_WAYS = dict(_DECISIONS.values())

Call = Callable[[web.Request, dict[str, Any]], Awaitable[web.Response]]


class No(Exception):
    """Volt's error: a status, a sentence and the fields at fault."""

    def __init__(self, status: int, message: str, **faults: str) -> None:
        super().__init__(message)
        self.status, self.faults = status, faults

    def answer(self) -> web.Response:
        """The error's body, wrapped in `exception`."""
        faults = [{"property": name, "message": text} for name, text in self.faults.items()]
        body = {"code": self.status, "message": str(self), **({"errorList": faults} if faults else {})}
        return json_answer({"exception": body}, self.status)


class VoltSimulator(Simulator):
    """One application of a customer with a Connect account."""

    credentials: ClassVar[Mapping[str, str]] = {
        "client_id": "5b113e6b-7b62-4b23-8f2a-5f8f8f3d9d11", "client_secret": "sandbox-volt-client-secret",
        "username": "sandbox@volt.example", "password": "sandbox-volt-password",
        "notification_secret": "9c0c8c97-c224-45ed-a195-23b54b1c67e5",
    }  # fmt: skip

    def routes(self) -> list[Route]:
        """The calls at both hosts, and the sandbox's own."""
        return [
            Route("POST", "/oauth", self._oauth, host="gateway"),
            Route("POST", "/payments", self._call(self._create), "create", host="gateway"),
            Route("GET", "/payments/{id}", self._call(self._get), "status", host="gateway"),
            Route("POST", "/payments/{id}/request-refund", self._call(self._refund), "refund"),
            Route("POST", "/sandbox/tamper", self.tampering("internalReference")),
            Route("POST", "/sandbox/refunds-fail", self._refunds_fail),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide, and come back by the address of what became of it."""
        await self.settle(case, outcome)
        return str(case.data["urls"][_WAYS.get(case.status, "failure")])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide an open payment: where the bank takes it on, the money is there at once."""
        if not case.waiting:
            return
        case.status, case.waiting = _DECISIONS[outcome][0], outcome == "pending"
        if outcome != "approve":
            self.save(case)
            self._gateway_event(case, "PENDING" if case.waiting else "FAILED", case.status)
            return
        self.save(case, ("authorize", case.amount, case.id), ("capture", case.amount, case.id))
        self._gateway_event(case, "COMPLETED", "COMPLETED")
        received = {
            "paymentId": case.id, "timestamp": self.now.isoformat(), "currency": case.currency, "status": "RECEIVED",
            "amount": int(case.amount * _HUNDRED), "reference": case.data["paymentReference"],
            "sender": {"location": "GB", "iban": None, "swiftBic": None, "name": "Ada Byron"},
        }  # fmt: skip
        self._event(case, case.data["events"], received, "2.0", "payment_received")

    # -- notifications ------------------------------------------------------------------------

    def _gateway_event(self, case: Case, status: str, detailed: str) -> None:
        body = {
            "payment": case.id, "reference": case.data["paymentReference"], "amount": int(case.amount * _HUNDRED),
            "merchantInternalReference": case.data["internalReference"], "status": status, "detailedStatus": detailed,
        }  # fmt: skip
        self._event(case, case.data["events"], body, "1.0")

    def _event(self, case: Case, url: str, body: Mapping[str, Any], version: str, kind: str = "") -> None:
        if not url:
            return
        content, timed = to_json(body), self.now.strftime("%Y%m%d%H%M%S")
        secret = self.credentials["notification_secret"].encode()
        signed = hmac.new(secret, f"{content}|{timed}|{version}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json", "User-Agent": f"Volt/{version}", "X-Volt-Timed": timed,
            "X-Volt-Signed": signed, **({"X-Volt-Type": kind} if kind else {}),
        }  # fmt: skip
        self.send_event(case, url, content.encode(), headers)

    # -- the calls ----------------------------------------------------------------------------

    async def _oauth(self, request: web.Request) -> web.Response:
        asked = await json_body(request)
        if not isinstance(asked, dict):
            return No(400, "Invalid JSON").answer()
        known = ("client_id", "client_secret", "username", "password")
        if asked.get("grant_type") != "password" or any(asked.get(name) != self.credentials[name] for name in known):
            return json_answer({"code": 401, "message": "Invalid credentials"}, 401)
        token = self.token(24)
        kept = self.desk.store.note(self.name, "tokens") or {}
        alive = {old: until for old, until in kept.items() if self.now < datetime.fromisoformat(until)}
        self.desk.store.keep_note(self.name, "tokens", {**alive, token: (self.now + _TOKEN_LIFE).isoformat()})
        lasts = int(_TOKEN_LIFE.total_seconds())
        return json_answer(
            {"access_token": token, "token_type": "Bearer", "expires_in": lasts, "refresh_token": self.token(8)}
        )

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def call(request: web.Request) -> web.Response:
            kind, _, token = request.headers.get("Authorization", "").partition(" ")
            until = (self.desk.store.note(self.name, "tokens") or {}).get(token)
            if kind != "Bearer" or until is None or self.now >= datetime.fromisoformat(until):
                return No(401, "Unauthorized").answer()
            body = await json_body(request) if request.method == "POST" else {}
            try:
                if not isinstance(body, dict):
                    raise No(400, "Invalid JSON")
                return await handler(request, body)
            except No as no:
                return no.answer()

        return call

    async def _create(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        _check_headers(request)
        if not 0 < len(request.headers.get("Idempotency-Key", "")) <= 64:
            raise No(400, "Validation exception", **{"Idempotency-Key": "is required"})
        faults = _faults(body)
        if faults:
            raise No(400, "Validation exception", **faults)
        talk = body["communication"]
        case = self.new_case(
            request, id=str(uuid.uuid4()), amount=Decimal(body["amount"]) / _HUNDRED, currency=body["currency"],
            reference=body["internalReference"], account=self.credentials["client_id"], title="Volt",
            status="NEW_PAYMENT",
            data={
                "internalReference": body["internalReference"], "paymentReference": f"V{self.token(6).upper()}",
                "urls": {way: target["url"] for way, target in talk["return"]["urls"].items()}, "refunded": "0",
                "events": talk.get("notifications", {}).get("url", ""), "portal": read_label(request).get("events", ""),
            },
        )  # fmt: skip
        self.save(case)
        return json_answer(self._shown(case), 201)

    async def _get(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        _check_headers(request)
        return json_answer(self._shown(self._payment(request)))

    async def _refund(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        case, key = self._payment(request), request.headers.get("idempotency-key", "")
        if key and self.desk.store.note(self.name, f"refund:{key}"):
            raise No(403, "A resource has already been created with this idempotency key.")
        left = case.amount - Decimal(case.data["refunded"])
        amount = Decimal(body["amount"]) / _HUNDRED if "amount" in body else left
        if case.status not in ("RECEIVED", "SETTLED") or not 0 < amount <= left:
            raise No(422, f"Payment with id: {case.id} can not be refunded by this amount")
        if not str(body.get("externalReference", "")).isalnum():
            raise No(400, "Validation exception", externalReference="must be alphanumeric")
        refund, fails = str(uuid.uuid4()), bool(self.desk.store.note(self.name, "refunds fail"))
        if key:
            self.desk.store.keep_note(self.name, f"refund:{key}", refund)
        if not fails:
            case.data["refunded"] = str(Decimal(case.data["refunded"]) + amount)
        self.save(case, *([] if fails else [("refund", amount, refund)]))
        told = {
            "refund": refund, "payment": case.id, "status": "REFUND_FAILED" if fails else "REFUND_CONFIRMED",
            "error": "Account closed" if fails else "", "amount": int(amount * _HUNDRED), "currency": case.currency,
            "externalReference": body["externalReference"], "timestamp": self.now.isoformat(),
            "merchantInternalReference": case.data["internalReference"],
        }  # fmt: skip
        # A refund is always told to the application's own address.
        self._event(case, case.data["portal"], told, "2.0", told["status"].lower())
        return json_answer({"id": refund})

    def _payment(self, request: web.Request) -> Case:
        case = self.case(request.match_info["id"])
        if case is None:
            raise No(404, "Payment not found")
        return case

    def _shown(self, case: Case) -> dict[str, Any]:
        flow: dict[str, Any] = {"status": "FINISHED", "details": {}}
        if case.status == "NEW_PAYMENT":
            page = self.checkout_url(case)
            details = {"reason": "AWAITING_USER_REDIRECT", "redirect": {"url": page, "directUrl": page}}
            flow = {"status": "PROCESSING", "details": details}
        return {
            "id": case.id, "currency": case.currency, "amount": int(case.amount * _HUNDRED), "status": case.status,
            "paymentReference": case.data["paymentReference"], "internalReference": case.data["internalReference"],
            "paymentInitiationFlow": flow,
        }  # fmt: skip

    # -- the sandbox's own --------------------------------------------------------------------

    async def _refunds_fail(self, request: web.Request) -> web.Response:
        """From now on the bank sends every refund back."""
        self.desk.store.keep_note(self.name, "refunds fail", True)
        return json_answer({"refunds": "fail"})


def _check_headers(request: web.Request) -> None:
    if request.headers.get("X-Volt-Api-Version") != "1":
        raise No(400, "Validation exception", **{"X-Volt-Api-Version": "must be 1"})
    if request.headers.get("X-Volt-Initiation-Channel") not in ("api", "hosted"):
        raise No(400, "Validation exception", **{"X-Volt-Initiation-Channel": "must be api or hosted"})


def _faults(body: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with a payment, by field."""
    faults: dict[str, str] = {}
    amount = body.get("amount")
    if not isinstance(amount, int) or isinstance(amount, bool) or amount < 1:
        faults["amount"] = "must be a positive integer"
    member, currency = _SYSTEMS.get(str(body.get("paymentSystem")), ("", ""))
    if not member:
        faults["paymentSystem"] = "is not supported"
    elif body.get("currency") != currency:
        faults["currency"] = f"must be {currency}"
    elif (body.get(member) or {}).get("type") not in _TYPES:
        faults[f"{member}.type"] = "is not supported"
    if not 0 < len(str(body.get("internalReference", ""))) <= 100:
        faults["internalReference"] = "must have 1 to 100 characters"
    payer = body.get("payer") or {}
    for name in ("reference", "firstName", "lastName"):
        if not payer.get(name):
            faults[f"payer.{name}"] = "is required"
    urls = ((body.get("communication") or {}).get("return") or {}).get("urls") or {}
    for way in ("success", "failure", "pending", "cancel"):
        if not str((urls.get(way) or {}).get("url", "")).startswith(("https://", "http://")):
            faults[f"communication.return.urls.{way}"] = "must be a URL"
    return faults
