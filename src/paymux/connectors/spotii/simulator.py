"""Spotii's merchant API as its reference and its two plugins show it: an order is captured whole, then refunded in parts."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from aiohttp import web

from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body

_CURRENCIES = frozenset({"AED", "SAR", "USD"})
_LEAST = Decimal(200)
# No source tells for how long an order can be captured; the order says it.
_TO_CAPTURE = timedelta(days=7)
_TEXTS = ("reference", "display_reference", "description", "confirm_callback_url", "reject_callback_url")
_CUSTOMER = ("first_name", "last_name", "email", "phone")
_DECIDED: dict[Outcome, str] = {"approve": "APPROVED", "decline": "REJECTED", "cancel": "REJECTED", "error": "REJECTED"}

Call = Callable[[web.Request, Any], Awaitable[dict[str, Any]]]


class No(Exception):
    """A refusal: its HTTP status, and messages by field."""

    def __init__(self, status: int, **messages: str) -> None:
        super().__init__(status)
        self.status = status
        self.body = {field: text if field == "detail" else [text] for field, text in messages.items()}


class SpotiiSimulator(Simulator):
    """A merchant's orders, named by the merchant's own reference."""

    credentials: ClassVar[Mapping[str, str]] = {"public_key": "sandbox-public", "private_key": "sandbox-private"}
    refused_customers: ClassVar[Mapping[tuple[str, str | None], str]] = {
        ("billingAddress.streetAddress", None): "line1",
    }

    def routes(self) -> list[Route]:
        """The calls of the API, orders with and without a slash at the end as the sources have both; the sandbox's own."""
        ends = ("", "/")
        order = "/api/v1.0/orders/{reference}"
        return [
            Route("POST", "/api/v1.0/merchant/authentication/", self._authenticate, host="auth"),
            Route("POST", "/api/v1.0/checkouts/", self._call(self._create), "create"),
            *(Route("GET", f"{order}{end}", self._call(self._read), "status") for end in ends),
            *(Route("POST", f"{order}/capture{end}", self._call(self._capture), "confirm") for end in ends),
            *(Route("POST", f"{order}/refund{end}", self._call(self._refund), "refund") for end in ends),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide, and go to the address for confirmed or for rejected orders as it was given."""
        await self.settle(case, outcome)
        rejected = case.status == "REJECTED"
        return str(case.data["reject_callback_url" if rejected else "confirm_callback_url"])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide an open order, once. What he agreed to is paid only when the merchant captures it."""
        if not case.waiting or outcome == "pending":
            return
        case.status, case.waiting = _DECIDED[outcome], False
        if case.status == "APPROVED":
            case.data["capture_expiration"] = (self.now + _TO_CAPTURE).isoformat()
        self.save(case)

    # -- the calls ----------------------------------------------------------------------------

    async def _authenticate(self, request: web.Request) -> web.Response:
        keys = await json_body(request)
        if not isinstance(keys, dict) or {name: keys.get(name) for name in self.credentials} != self.credentials:
            return json_answer({"detail": "Invalid keys"}, 401)
        token = secrets.token_urlsafe(24)
        self.desk.store.keep_note(self.name, f"token:{token}", self.now.isoformat())
        return json_answer({"token": token})

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def call(request: web.Request) -> web.Response:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer" or not token or self.desk.store.note(self.name, f"token:{token}") is None:
                return json_answer({"detail": "No valid Bearer Token provided"}, 401)
            body = await json_body(request) if await request.read() else {}
            try:
                if not isinstance(body, dict):
                    raise No(400, detail="JSON parse error")
                return json_answer(await handler(request, body))
            except No as no:
                return json_answer(no.body, no.status)

        return call

    async def _create(self, request: web.Request, body: Any) -> dict[str, Any]:
        said = {name: _text(body, name) for name in _TEXTS}
        total, currency = _amount(body), body.get("currency")
        if currency not in _CURRENCIES:
            raise No(400, currency="Currency is not supported")
        if total < _LEAST:
            raise No(400, total="Total is less than allowed")
        _check_order(body.get("order"), currency)
        earlier = self._named(said["reference"])
        if earlier is not None and earlier.status in ("APPROVED", "CAPTURED"):
            raise No(400, reference="An order with this reference exists")
        case = self.new_case(
            request, id=self.token(), amount=total, currency=currency, reference=said["reference"],
            account=self.credentials["public_key"], status="CREATED", title="Spotii",
            data={**said, "capture_expiration": None, "refunds": []},
        )  # fmt: skip
        if earlier is not None and earlier.waiting:
            earlier.status, earlier.waiting = "REJECTED", False
            self.save(earlier)
        self.desk.store.keep_note(self.name, f"reference:{said['reference']}", case.id)
        self.save(case)
        return {
            "checkout_id": case.id, "checkout_url": self.checkout_url(case), "reference": said["reference"],
            "total": f"{total:.2f}", "currency": currency,
        }  # fmt: skip

    async def _read(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self._asked(request)
        return {
            "total": f"{case.amount:.2f}",
            "currency": case.currency,
            "capture_expiration": case.data["capture_expiration"],
        }

    async def _capture(self, request: web.Request, body: Any) -> dict[str, Any]:
        case = self._asked(request)
        expiration = case.data["capture_expiration"]
        if case.status != "APPROVED" or self.now >= datetime.fromisoformat(expiration):
            raise No(402, detail="The order can not be captured")
        case.status = "CAPTURED"
        self.save(case, ("authorize", case.amount, case.id), ("capture", case.amount, case.id))
        return _done(case, case.amount)

    async def _refund(self, request: web.Request, body: Any) -> dict[str, Any]:
        case, total = self._asked(request), _amount(body)
        if case.status != "CAPTURED":
            raise No(402, detail="The order can not be refunded")
        if body.get("currency") != case.currency:
            raise No(400, currency="Currency does not match the order")
        if not 0 < total <= case.amount - sum(map(Decimal, case.data["refunds"])):
            raise No(402, detail="The amount is more than what is left of the order")
        case.data["refunds"].append(str(total))
        self.save(case, ("refund", total, f"{case.id}-{len(case.data['refunds'])}"))
        return _done(case, total)

    def _named(self, reference: str) -> Case | None:
        return self.case(self.desk.store.note(self.name, f"reference:{reference}") or "")

    def _asked(self, request: web.Request) -> Case:
        case = self._named(request.match_info["reference"])
        if case is None:
            raise No(404, detail="Not found.")
        return case

    # -- the sandbox's own --------------------------------------------------------------------

    async def _tamper(self, request: web.Request) -> web.Response:
        """Make an order one of another amount or currency."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            return json_answer({"detail": "Not found."}, 404)
        case.amount = Decimal(str(body.get("amount", case.amount)))
        case.currency = str(body.get("currency", case.currency))
        self.save(case)
        return json_answer({"id": case.id})


def _done(case: Case, amount: Decimal) -> dict[str, Any]:
    return {"status": "SUCCESS", "amount": f"{amount:.2f}", "currency": case.currency}


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise No(400, **{name: "This field is required."})
    return value


def _amount(body: Mapping[str, Any], name: str = "total") -> Decimal:
    try:
        amount = Decimal(str(body[name]))
        if not amount.is_finite() or amount != amount.quantize(Decimal("0.0001")):
            raise InvalidOperation
    except (KeyError, InvalidOperation):
        raise No(400, **{name: "A valid number is required."}) from None
    return amount


def _check_order(order: Any, currency: str) -> None:
    if not isinstance(order, dict):
        raise No(400, order="This field is required.")
    for name in ("tax_amount", "shipping_amount", "discount"):
        _amount(order, name)
    customer, lines = order.get("customer"), order.get("lines")
    if not isinstance(customer, dict) or not isinstance(lines, list) or not lines:
        raise No(400, order="Customer and lines are required.")
    for name in _CUSTOMER:
        _text(customer, name)
    for name in ("billing_address", "shipping_address"):
        _text(order.get(name) or {}, "line1")
        _text(order.get(name) or {}, "country")
    for line in lines:
        _text(line, "title")
        _amount(line, "price")
        if _amount(line, "quantity") <= 0 or line.get("currency") != currency:
            raise No(400, lines="A line has no quantity, or another currency.")
