"""humm's checkout and refund as merchants see them, from humm's documentation and its official plugins."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar
from urllib.parse import urlencode

from aiohttp import web

from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_REQUIRED = (
    "x_account_id", "x_amount", "x_currency", "x_reference", "x_shop_country", "x_shop_name", "x_test", "x_url_callback",
    "x_url_cancel", "x_url_complete", "x_signature",
)  # fmt: skip
_LENGTHS = {
    "x_account_id": 10, "x_amount": 12, "x_currency": 3, "x_reference": 250, "x_shop_country": 3,
    "x_customer_billing_country": 3, "x_customer_shipping_country": 3, "x_customer_email": 65,
    "x_customer_first_name": 50, "x_customer_last_name": 50, "x_customer_phone": 12, "x_signature": 64,
}  # fmt: skip
_COUNTRIES = {"AU": "AUD", "NZ": "NZD"}
_RESULTS: dict[Outcome, str] = {"approve": "completed", "decline": "failed", "error": "error"}


class HummSimulator(Simulator):
    """A merchant's account in both countries: the form opens a purchase, the shopper decides, refunds follow."""

    credentials: ClassVar[Mapping[str, str]] = {
        "merchant_id": "30199250",
        "api_key": "sandbox-humm-key",
        "shop_name": "Sandbox Shop",
    }

    def routes(self) -> list[Route]:
        """The checkout, to which browsers post, and the refund."""
        return [
            Route("POST", "/Checkout", self.opened_by_form, "create", host="checkout"),
            Route("POST", "/api/ExternalRefund/v1/processrefund", self._refund, "refund"),
        ]

    # -- the checkout -------------------------------------------------------------------------

    async def form_checkout(self, request: web.Request) -> Case:
        """The purchase that a signed form opens; the same form again leads to the same purchase."""
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        _check(form)
        account, reference = form["x_account_id"], form["x_reference"]
        if account != self.credentials["merchant_id"]:
            raise web.HTTPBadRequest(text="This merchant is unknown")
        if not hmac.compare_digest(form["x_signature"].lower().encode(), self._signature(form).encode()):
            raise web.HTTPBadRequest(text="The signature is wrong")
        case = self.case(f"{account}:{reference}")
        if case is None:
            case = self.new_case(
                request, id=str(50_000_000 + int(self.token(4), 16) % 50_000_000), amount=Decimal(form["x_amount"]),
                currency=form["x_currency"], reference=reference, account=account, names=(f"{account}:{reference}",),
                data={"form": form, "refunded": "0", "opened": self.now.isoformat()},
            )  # fmt: skip
            self.save(case)
        elif case.status == "cancelled":
            case.status, case.waiting = "created", True
            self.save(case)
        return case

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide, and send the shopper back: signed where there is a result, plain where he cancelled."""
        form = case.data["form"]
        if case.waiting and outcome == "pending":
            return str(form["x_url_complete"])
        await self.settle(case, outcome)
        if case.status == "cancelled":
            return str(form["x_url_cancel"])
        return with_query(form["x_url_complete"], **case.data["answer"])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide an open purchase, and tell the merchant's callback."""
        if not case.waiting or outcome == "pending":
            return
        case.waiting = False
        if outcome == "cancel" or self._too_late(case):
            case.status = "cancelled"
            self.save(case)
            return
        case.status = _RESULTS[outcome]
        case.data["answer"] = self._answer(case)
        paid = [("authorize", case.amount, case.id), ("capture", case.amount, case.id)]
        self.save(case, *(paid if outcome == "approve" else []))
        body = urlencode(case.data["answer"]).encode()
        self.send_event(
            case, case.data["form"]["x_url_callback"], body, {"Content-Type": "application/x-www-form-urlencoded"}
        )

    def _too_late(self, case: Case) -> bool:
        minutes = int(case.data["form"].get("x_transaction_timeout", "1440"))
        return self.now > datetime.fromisoformat(case.data["opened"]) + timedelta(minutes=minutes)

    def _answer(self, case: Case) -> dict[str, str]:
        form = case.data["form"]
        answer = {
            "x_account_id": case.account,
            "x_reference": form["x_reference"],
            "x_currency": case.currency,
            "x_amount": str(case.amount),
            "x_gateway_reference": case.id,
            "x_purchase_number": case.id,
            "x_timestamp": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x_result": case.status,
            "x_test": form["x_test"].capitalize(),
        }
        return {**answer, "x_signature": self._signature(answer)}

    # -- the refund ---------------------------------------------------------------------------

    async def _refund(self, request: web.Request) -> web.Response:
        if not request.headers.get("User-Agent"):
            return web.Response(status=403)
        body = await json_body(request)
        if not isinstance(body, dict) or request.content_type != "application/json":
            return json_answer({"Message": "MERR0004"}, 400)
        if str(body.get("x_merchant_number")) != self.credentials["merchant_id"]:
            return json_answer({"Message": "MERR0001"}, 400)
        signature = str(body.get("signature", "")).lower()
        if not hmac.compare_digest(signature.encode(), self._signature(body).encode()):
            return web.Response(status=401)
        try:
            amount = Decimal(str(body["x_amount"]))
        except (KeyError, InvalidOperation):
            return json_answer({"Message": "MERR0004"}, 400)
        if not body.get("x_reason"):
            return json_answer({"Message": "MERR0004"}, 400)
        case = self.case(str(body.get("x_purchase_number")))
        if case is None or case.status != "completed" or not 0 < amount <= case.amount - Decimal(case.data["refunded"]):
            return json_answer({"Message": "MERR0003"}, 400)
        case.data["refunded"] = str(Decimal(case.data["refunded"]) + amount)
        self.save(case, ("refund", amount, self.token(6)))
        return web.Response(status=204)

    def _signature(self, fields: Mapping[str, Any]) -> str:
        """Every x_ field but x_signature, sorted by name, each name and value one after the other."""
        text = ""
        for name, value in sorted(fields.items()):
            if name[:2] == "x_" and name != "x_signature":
                text += f"{name}{value}"
        return hmac.new(self.credentials["api_key"].encode(), text.encode(), hashlib.sha256).hexdigest()


def _check(form: Mapping[str, str]) -> None:
    """A form has the fields that humm demands, none too long. Raises HTTPBadRequest."""
    for name in _REQUIRED:
        if not form.get(name):
            raise web.HTTPBadRequest(text=f"{name} is required")
    for name, value in form.items():
        if name[:2] != "x_":
            raise web.HTTPBadRequest(text=f"{name}: names begin with x_")
        if len(value) > _LENGTHS.get(name, 200):
            raise web.HTTPBadRequest(text=f"{name} is too long")
    if not form["x_reference"].isascii():
        raise web.HTTPBadRequest(text="x_reference must be ASCII")
    if _COUNTRIES.get(form["x_shop_country"]) != form["x_currency"]:
        raise web.HTTPBadRequest(text="x_currency is not that of x_shop_country")
    if form["x_test"].lower() not in ("true", "false"):
        raise web.HTTPBadRequest(text="x_test must be True or False")
    timeout = form.get("x_transaction_timeout", "1440")
    if not timeout.isdecimal() or not 1 <= int(timeout) <= 1440:
        raise web.HTTPBadRequest(text="x_transaction_timeout must be minutes, at most 1440")
    try:
        amount = Decimal(form["x_amount"])
    except InvalidOperation:
        raise web.HTTPBadRequest(text="x_amount must be a decimal number") from None
    if not amount.is_finite() or amount <= 0:
        raise web.HTTPBadRequest(text="x_amount must be more than nothing")
