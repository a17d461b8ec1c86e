"""TendoPay's REST V2 as merchants see it, from its documentation: token, order, transaction, cancelling, notifications."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, read_label, with_query

_WEEK = timedelta(days=7)
_REQUIRED = ("tp_amount", "tp_currency", "tp_merchant_order_id", "tp_redirect_url")
_KNOWN = frozenset({
    *_REQUIRED, "tp_merchant_user_id", "tp_description", "tp_billing_city", "tp_billing_address1", "tp_billing_postcode",
    "tp_shipping_city", "tp_shipping_address1", "tp_shipping_postcode", "tp_meta",
})  # fmt: skip
# What becomes of the transaction, and the sentence that a failure comes with.
_DECISIONS: dict[Outcome, tuple[str, str]] = {
    "approve": ("PAID", ""),
    "decline": ("FAILED", "You do not have the sufficient credits for this purchase."),
    "cancel": ("FAILED", "User cancelled."),
    "error": ("FAILED", "Something went wrong."),
}

Call = Callable[[web.Request, dict[str, Any]], Awaitable[dict[str, Any]]]


class No(Exception):
    """An error with its status."""

    def __init__(self, error: str, status: int = 422) -> None:
        super().__init__(error)
        self.status = status


class TendoPaySimulator(Simulator):
    """One application of a merchant: its orders become transactions, paid or failed, cancelled whole."""

    credentials: ClassVar[Mapping[str, str]] = {
        "client_id": "91617300-49bd-46d4-8e9c-cc476a2d30c5",
        "client_secret": "sandbox-tendopay-secret",
    }

    def routes(self) -> list[Route]:
        """The calls of the API, and the sandbox's own."""
        return [
            Route("POST", "/oauth/token", self._token),
            Route("POST", "/payments/api/v2/order", self._call(self._order), "create"),
            Route("POST", "/payments/api/v2/showTransaction", self._call(self._show), "status"),
            Route("POST", "/payments/api/v2/cancelPayment", self._call(self._cancel), "refund"),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide, and send the shopper back with the signed result; with nothing while it is undecided."""
        await self.settle(case, outcome)
        if case.waiting:
            return str(case.data["tp_redirect_url"])
        return with_query(case.data["tp_redirect_url"], **case.data["answer"])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Make a transaction of an open order, and notify."""
        if not case.waiting or outcome == "pending":
            return
        case.waiting = False
        case.status, message = _DECISIONS[outcome]
        transaction = str(secrets.randbelow(9 * 10**8) + 10**8)
        case.names = (*case.names, transaction)
        case.data["transaction"] = transaction
        case.data["answer"] = self._answer(case, message)
        paid = [("authorize", case.amount, transaction), ("capture", case.amount, transaction)]
        self.save(case, *(paid if case.status == "PAID" else []))
        self._notify(case)

    def _answer(self, case: Case, message: str) -> dict[str, str]:
        """What the return says: the amount where it was paid, a sentence where it was not."""
        answer = {
            "tp_transaction_status": case.status,
            "tp_transaction_id": case.data["transaction"],
            "tp_merchant_order_id": case.data["tp_merchant_order_id"],
            **({"tp_amount": str(_number(case.amount))} if case.status == "PAID" else {"tp_message": message}),
        }
        if case.currency != "PHP":
            # Only a sandbox that was tampered with has another currency; a return is not known to name it otherwise.
            answer["tp_currency"] = case.currency
        return {**answer, "x_signature": self._signature(answer)}

    def _notify(self, case: Case) -> None:
        if case.data["notification_url"]:
            body = to_json(self._detail(case)).encode()
            self.send_event(case, case.data["notification_url"], body, {"Content-Type": "application/json"})

    # -- the calls ----------------------------------------------------------------------------

    async def _token(self, request: web.Request) -> web.Response:
        form = request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data")
        body: Any = dict(await request.post()) if form else await json_body(request)
        if not isinstance(body, dict) or body.get("grant_type") != "client_credentials":
            return json_answer({"error": "unsupported_grant_type"}, 400)
        if any(str(body.get(name)) != value for name, value in self.credentials.items()):
            return json_answer({"error": "invalid_client", "message": "Client authentication failed"}, 401)
        token = self.token(24)
        kept = self.desk.store.note(self.name, "tokens") or {}
        alive = {old: until for old, until in kept.items() if self.now < datetime.fromisoformat(until)}
        self.desk.store.keep_note(self.name, "tokens", {**alive, token: (self.now + _WEEK).isoformat()})
        return json_answer({"token_type": "Bearer", "expires_in": 604800, "access_token": token})

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def call(request: web.Request) -> web.Response:
            kind, _, token = request.headers.get("Authorization", "").partition(" ")
            until = (self.desk.store.note(self.name, "tokens") or {}).get(token)
            if kind != "Bearer" or until is None or self.now >= datetime.fromisoformat(until):
                return json_answer({"error": "Unauthorized"}, 401)
            body = await json_body(request)
            try:
                if not isinstance(body, dict):
                    raise No("Invalid parameters")
                given = str(body.get("x_signature", "")).encode()
                if not hmac.compare_digest(given, self._signature(body).encode()):
                    raise No("Invalid signature")
                return json_answer(await handler(request, body))
            except No as no:
                return json_answer({"error": str(no)}, no.status)

        return call

    async def _order(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        for name in _REQUIRED:
            if not body.get(name):
                raise No(f"The {name} field is required.")
        if unknown := {name for name in body if name.startswith("tp_")} - _KNOWN:
            raise No(f"Unknown: {', '.join(sorted(unknown))}")
        amount = body["tp_amount"]
        if not str(amount).isdecimal() or int(amount) < 1:
            raise No("The tp_amount must be an integer.")
        if body["tp_currency"] != "PHP":
            raise No("The selected tp_currency is invalid.")
        if not str(body["tp_redirect_url"]).startswith(("https://", "http://")):
            raise No("The tp_redirect_url format is invalid.")
        if len(str(body.get("tp_description", ""))) > 50:
            raise No("The tp_description may not be greater than 50 characters.")
        case = self.new_case(
            request, id=str(uuid.uuid4()), amount=Decimal(amount), currency="PHP", title="TendoPay", status="NEW",
            reference=str(body["tp_merchant_order_id"]), account=self.credentials["client_id"],
            data={
                **{name: str(body.get(name, "")) for name in (*_REQUIRED, "tp_description")},
                "notification_url": read_label(request).get("events", ""), "created": self._clock(), "transaction": "",
            },
        )  # fmt: skip
        self.save(case)
        return {"tp_order_token": case.id, "authorize_url": self.checkout_url(case)}

    async def _show(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        return self._detail(self._transaction(body))

    async def _cancel(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        case = self._transaction(body)
        if case.status != "PAID":
            raise No("The transaction cannot be cancelled.")
        case.status = "CANCELED"
        self.save(case, ("refund", case.amount, case.data["transaction"]))
        self._notify(case)
        return self._detail(case)

    def _transaction(self, body: dict[str, Any]) -> Case:
        number = str(body.get("tp_transaction_id", ""))
        case = self.case(number) if number else None
        if case is None or case.data["transaction"] != number:
            raise No("The selected tp_transaction_id is invalid.")
        return case

    def _detail(self, case: Case) -> dict[str, Any]:
        detail = {
            "tp_transaction_id": int(case.data["transaction"]),
            "tp_transaction_status": case.status,
            "tp_amount": _number(case.amount),
            "tp_currency": case.currency,
            "tp_merchant_order_id": case.data["tp_merchant_order_id"],
            "tp_description": case.data["tp_description"],
            "tp_created_at": case.data["created"],
            "tp_updated_at": self._clock(),
        }
        return {**detail, "x_signature": self._signature(detail)}

    def _clock(self) -> str:
        return (self.now + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S+08:00")

    def _signature(self, fields: Mapping[str, Any]) -> str:
        """HMAC over the tp_ fields, sorted, names and trimmed values one after the other."""
        text = ""
        for name, value in sorted(fields.items()):
            if name[:3] == "tp_":
                text += name + str(value).strip()
        return hmac.new(self.credentials["client_secret"].encode(), text.encode(), hashlib.sha256).hexdigest()

    # -- the sandbox's own --------------------------------------------------------------------

    async def _tamper(self, request: web.Request) -> web.Response:
        """Make the open order one of another amount, currency or reference; a new status is notified, too."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            return json_answer({"error": "no such order"}, 404)
        case.amount = Decimal(str(body.get("amount", case.amount)))
        case.currency = str(body.get("currency", case.currency))
        case.data["tp_merchant_order_id"] = str(body.get("reference", case.data["tp_merchant_order_id"]))
        if "status" in body:
            case.status = str(body["status"])
            self._notify(case)
        self.save(case)
        return json_answer({"id": case.id})


def _number(amount: Decimal) -> int | Decimal:
    return int(amount) if amount == amount.to_integral_value() else amount
