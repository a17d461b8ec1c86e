"""Laybuy's merchant API as its documentation and its clients show it: every business error is a 200 with its reason."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from aiohttp import web

from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_CURRENCIES = frozenset({"NZD", "AUD", "GBP", "USD"})
_LEAST = Decimal(1)
_LIFE = timedelta(hours=2)
_SAME_ANSWER = timedelta(hours=24)
# How the order stands after the shopper's decision, and what his return says of it.
_DECISIONS: dict[Outcome, tuple[str, str]] = {
    "approve": ("PROCESSING", "SUCCESS"), "decline": ("DECLINED", "DECLINED"), "cancel": ("CANCELLED", "CANCELLED"),
    "error": ("ERROR", "DECLINED"),
}  # fmt: skip
_RETURNED = dict(_DECISIONS.values()) | {"COMPLETED": "SUCCESS"}

Call = Callable[[web.Request, Any], Awaitable[dict[str, Any]]]


class No(Exception):
    """An answer with result ERROR and this reason."""


class LaybuySimulator(Simulator):
    """A merchant's orders: agreed to by the shopper, confirmed once, refunded in parts."""

    credentials: ClassVar[Mapping[str, str]] = {"merchant_id": "100059", "api_key": "sandbox-laybuy-key"}

    def routes(self) -> list[Route]:
        """The calls of the API, and the sandbox's own three."""
        return [
            Route("POST", "/order/create", self._call(self._create), "create"),
            Route("POST", "/order/confirm", self._call(self._confirm), "confirm"),
            Route("GET", "/order/cancel/{token}", self._call(self._cancel), "cancel"),
            Route("POST", "/order/refund", self._call(self._refund), "refund"),
            Route("GET", "/order/merchant/{reference}", self._call(self._by_reference), "status"),
            Route("GET", "/order/status/{reference}", self._call(self._status), "status"),
            Route("GET", "/order/{order}", self._call(self._by_id), "status"),
            Route("POST", "/sandbox/one-open-order", self._one_open_order),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/tamper", self.tampering("merchantReference")),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide, and come back with `status` and `token`."""
        await self.settle(case, outcome)
        returned = _RETURNED.get(case.status)
        said = {"status": returned} if returned else {}
        return with_query(case.data["returnUrl"], **said, token=case.id)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide an open order, once. What he agreed to is paid only when the merchant confirms it."""
        self._age(case)
        if case.waiting and outcome != "pending":
            self._ends(case, _DECISIONS[outcome][0])

    def _ends(self, case: Case, status: str) -> None:
        case.status, case.waiting = status, False
        self.save(case)

    def _age(self, case: Case) -> None:
        if case.waiting and self.now >= datetime.fromisoformat(case.data["opened"]) + _LIFE:
            self._ends(case, "EXPIRED")

    # -- the calls ----------------------------------------------------------------------------

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def call(request: web.Request) -> web.Response:
            pair = f"{self.credentials['merchant_id']}:{self.credentials['api_key']}"
            expected = "Basic " + base64.b64encode(pair.encode()).decode()
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, expected.encode()):
                return json_answer({"result": "ERROR", "error": "Unauthorized"}, 401)
            body = await json_body(request) if request.method == "POST" else {}
            try:
                if not isinstance(body, dict):
                    raise No("The request is not valid JSON")
                return json_answer({"result": "SUCCESS", **await handler(request, body)})
            except No as no:
                return json_answer({"result": "ERROR", "error": str(no)})

        return call

    async def _create(self, request: web.Request, body: Any) -> dict[str, Any]:
        amount, currency = _amount(body, "amount"), body.get("currency")
        if amount < _LEAST:
            raise No("Amount is below the minimum")
        if currency not in _CURRENCIES:
            raise No("Currency is not supported")
        reference, url = _text(body, "merchantReference"), _text(body, "returnUrl")
        if not url.startswith(("https://", "http://")):
            raise No("returnUrl must be a URL")
        customer = body.get("customer")
        for name in ("firstName", "lastName", "email", "phone"):
            _text(customer if isinstance(customer, dict) else {}, name)
        _check_items(body.get("items"), amount)
        case = self.new_case(
            request, id=secrets.token_urlsafe(30), amount=amount, currency=currency, reference=reference,
            account=self.credentials["merchant_id"], status="WAITING", title="Laybuy",
            data={
                "merchantReference": reference, "returnUrl": url, "customer": customer, "opened": self.now.isoformat(),
                "orderId": "", "processed": "", "refunds": [],
            },
        )  # fmt: skip
        self._cancel_the_open_one(f"reference:{reference}", case)
        if self.desk.store.note(self.name, "one open order"):
            self._cancel_the_open_one(f"email:{customer['email']}", case)
        self.save(case)
        return {"token": case.id, "paymentUrl": self.checkout_url(case)}

    def _cancel_the_open_one(self, name: str, case: Case) -> None:
        """A new order ends the one before that is still open, and takes its place."""
        earlier = self.case(self.desk.store.note(self.name, name) or "")
        if earlier is not None and earlier.waiting:
            self._ends(earlier, "CANCELLED")
        self.desk.store.keep_note(self.name, name, case.id)

    async def _confirm(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self.case(_text(body, "token"))
        if case is None or case.id != body["token"]:
            raise No("Invalid payment token specified.")
        self._age(case)
        if case.status == "COMPLETED" and self.now < datetime.fromisoformat(case.data["processed"]) + _SAME_ANSWER:
            return {"orderId": int(case.data["orderId"])}
        if case.status != "PROCESSING":
            raise No("The order can not be confirmed.")
        if "amount" in body and _amount(body, "amount") != case.amount:
            raise No("The amount does not match the original order.")
        if body.get("currency") != case.currency:
            raise No("The currency does not match the original order.")
        order = str(secrets.randbelow(9 * 10**8) + 10**8)
        case.status, case.names = "COMPLETED", (*case.names, order)
        case.data["orderId"], case.data["processed"] = order, self.now.isoformat()
        self.save(case, ("authorize", case.amount, order), ("capture", case.amount, order))
        return {"orderId": int(order)}

    async def _cancel(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self.case(request.match_info["token"])
        if case is None or case.id != request.match_info["token"]:
            raise No("Invalid payment token specified.")
        if case.status == "COMPLETED":
            raise No("The order has already been completed.")
        self._age(case)
        if case.status not in ("WAITING", "PROCESSING"):
            raise No("The order has been cancelled.")
        self._ends(case, "CANCELLED")
        return {}

    async def _by_reference(self, request: web.Request, body: Any) -> dict[str, Any]:
        return self._shown(self._named(request))

    async def _by_id(self, request: web.Request, body: Any) -> dict[str, Any]:
        return self._shown(self.case(request.match_info["order"]))

    async def _status(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self._named(request)
        if case is None:
            raise No("Order not found")
        self._age(case)
        return {"status": case.status}

    async def _refund(self, request: web.Request, body: Any) -> dict[str, Any]:
        order = str(body.get("orderId"))
        case = self.case(order)
        if case is None or case.data["orderId"] != order:
            raise No(f"Failed to find order {order}")
        return self._refunded(case, _amount(body, "amount"), body.get("refundReference"), str(body.get("note") or ""))

    def _refunded(self, case: Case, amount: Decimal, reference: str | None, note: str) -> dict[str, Any]:
        """Refund; the same reference again gets the first answer."""
        refunds = case.data["refunds"]
        made = next((row for row in refunds if reference and row["refundReference"] == reference), None)
        if made is None:
            done = sum((Decimal(row["amount"]) for row in refunds), Decimal(0))
            if amount <= 0 or amount > case.amount - done:
                raise No("The refund amount is more than what is left of the order")
            made = {
                "refundId": secrets.randbelow(10**9), "dateTime": self.now.isoformat(), "amount": str(amount),
                "refundReference": reference, "user": None, "userNote": note,
            }  # fmt: skip
            refunds.append(made)
            self.save(case, ("refund", amount, str(made["refundId"])))
        return {"refundId": made["refundId"], "merchantReference": case.data["merchantReference"]}

    def _named(self, request: web.Request) -> Case | None:
        return self.case(self.desk.store.note(self.name, f"reference:{request.match_info['reference']}") or "")

    def _shown(self, case: Case | None) -> dict[str, Any]:
        """A confirmed order in full."""
        if case is None or not case.data["orderId"]:
            raise No("Order not found")
        refunds = [{**row, "amount": Decimal(row["amount"])} for row in case.data["refunds"]]
        return {
            "orderId": int(case.data["orderId"]), "token": case.id, "amount": case.amount, "currency": case.currency,
            "merchantReference": case.data["merchantReference"], "processed": case.data["processed"],
            "customer": {name.lower(): value for name, value in case.data["customer"].items()}, "refunds": refunds,
        }  # fmt: skip

    # -- the sandbox's own --------------------------------------------------------------------

    async def _one_open_order(self, request: web.Request) -> web.Response:
        """Keep Laybuy's rule that a new order cancels the open ones of the same e-mail address.

        It is off until asked for: the sandbox's shopper is one person in all of a shop's orders.
        """
        self.desk.store.keep_note(self.name, "one open order", True)
        return json_answer({"one_open_order": True})

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as in the merchant interface, without a reference of ours."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None or not case.data["orderId"]:
            return json_answer({"error": "no such order"}, 404)
        try:
            return json_answer(self._refunded(case, _amount(body, "amount"), None, "portal"), 201)
        except No as no:
            return json_answer({"error": str(no)}, 422)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise No(f"{name} is required")
    return value


def _amount(body: Mapping[str, Any], name: str) -> Decimal:
    try:
        amount = Decimal(str(body[name]))
        if not amount.is_finite() or amount != amount.quantize(Decimal("0.01")):
            raise InvalidOperation
    except (KeyError, InvalidOperation):
        raise No(f"{name} must be an amount with at most two decimals") from None
    return amount


def _check_items(items: Any, amount: Decimal) -> None:
    """The items sum up to the amount; a discount is less than nothing."""
    if not isinstance(items, list) or not items:
        raise No("items are required")
    total = Decimal(0)
    for item in items:
        quantity = item.get("quantity") if isinstance(item, dict) else None
        if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
            raise No("quantity must be a whole number")
        _text(item, "id")
        _text(item, "description")
        total += quantity * _amount(item, "price")
    if total != amount:
        raise No("The amount does not match the items")
