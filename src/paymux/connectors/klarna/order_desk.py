"""Order Management at the simulator, and what all its calls share: authentication, idempotency keys, errors."""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from paymux.connectors.klarna import order_book
from paymux.connectors.klarna.rules import ApiError
from paymux.sandbox.simulator import Case, Route, Simulator, json_answer, json_body

Call = Callable[[web.Request, Any], Awaitable[web.Response]]
Moved = tuple[str, Decimal, str]
_ORDER = "/ordermanagement/v1/orders/{order}"


class OrderDesk(Simulator):
    """The half of the simulator that keeps orders once they are placed."""

    def order_routes(self) -> list[Route]:
        """The calls of Order Management, and the merchant portal's refund."""
        return [
            Route("GET", _ORDER, self._call(self._read_order), "status"),
            Route("POST", _ORDER + "/captures", self._call(self._capture), "capture"),
            Route("POST", _ORDER + "/refunds", self._call(self._refund), "refund"),
            Route("POST", _ORDER + "/cancel", self._call(self._cancel), "void"),
            Route("POST", _ORDER + "/release-remaining-authorization", self._call(self._release), "void"),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
        ]

    async def _read_order(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(order_book.shown(self._order(request).data["order"]))

    async def _capture(self, request: web.Request, body: Any) -> web.Response:
        def capture(case: Case) -> tuple[Moved, dict[str, str]]:
            made = order_book.capture(case.data["order"], body, self.now)
            where = {"Capture-Id": made["capture_id"], "Location": f"{request.url}/{made['capture_id']}"}
            return ("capture", self._major(made["captured_amount"]), made["capture_id"]), where

        return self._moved(request, 201, capture)

    async def _refund(self, request: web.Request, body: Any) -> web.Response:
        def refund(case: Case) -> tuple[Moved, dict[str, str]]:
            made = order_book.refund(case.data["order"], body, self.now)
            where = {"Refund-Id": made["refund_id"], "Location": f"{request.url}/{made['refund_id']}"}
            return ("refund", self._major(made["refunded_amount"]), made["refund_id"]), where

        return self._moved(request, 201, refund)

    async def _cancel(self, request: web.Request, body: Any) -> web.Response:
        return self._moved(request, 204, lambda case: (self._void(case, order_book.cancel(case.data["order"])), {}))

    async def _release(self, request: web.Request, body: Any) -> web.Response:
        return self._moved(request, 204, lambda case: (self._void(case, order_book.release(case.data["order"])), {}))

    def _void(self, case: Case, amount: int) -> Moved:
        return "void", self._major(amount), case.data["order"]["order_id"]

    def _moved(
        self, request: web.Request, status: int, do: Callable[[Case], tuple[Moved, dict[str, str]]]
    ) -> web.Response:
        """Move once per idempotency key: the same key gets the first answer, whatever its body."""
        kept = self._kept(request)
        if kept is not None:
            return kept
        case = self._order(request)
        moved, headers = do(case)
        self.save(case, *((moved,) if moved[1] else ()))
        return self._keep(request, status, headers, None)

    def _order(self, request: web.Request) -> Case:
        id = request.match_info["order"]
        case = self.case(id)
        order = case.data.get("order") if case else None
        if case is None or order is None or order["order_id"] != id:
            raise ApiError(404, "NO_SUCH_ORDER", "Invalid order id")
        if order_book.age(order, self.now):
            self.save(case)
        return case

    # -- calls ----------------------------------------------------------------------------------

    def _kept(self, request: web.Request) -> web.Response | None:
        key = request.headers.get("Klarna-Idempotency-Key")
        kept = self.desk.store.answer(self.name, f"{request.path}:{key}") if key else None
        if kept and self.refuses_known_keys:
            raise ApiError(403, "NOT_ALLOWED", "The idempotency key was used before")
        return _answered(kept[0], kept[1]["headers"], kept[1]["body"]) if kept else None

    def _keep(self, request: web.Request, status: int, headers: dict[str, str], body: Any) -> web.Response:
        key = request.headers.get("Klarna-Idempotency-Key")
        if key:
            self.desk.store.keep_answer(self.name, f"{request.path}:{key}", status, {"headers": headers, "body": body})
        return _answered(status, headers, body)

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            try:
                return await handler(request, await self._admitted(request))
            except ApiError as no:
                error = {"error_code": no.code, "error_messages": [no.message], "correlation_id": str(uuid.uuid4())}
                return json_answer(error, no.status)

        return answered

    async def _admitted(self, request: web.Request) -> Any:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(given, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        expected = f"{self.credentials['username']}:{self.credentials['password']}"
        if scheme != "Basic" or not hmac.compare_digest(given.encode(), expected.encode()):
            raise ApiError(401, "UNAUTHORIZED", "Invalid credentials")
        if not await request.read():
            return None
        if request.content_type != "application/json":
            raise ApiError(415, "BAD_REQUEST", "Unsupported media type")
        body = await json_body(request)
        if not isinstance(body, dict):
            raise ApiError(400, "BAD_REQUEST", "Unable to process JSON")
        return body

    @staticmethod
    def _major(amount: int) -> Decimal:
        # Every currency that Klarna takes has two decimals.
        return Decimal(amount).scaleb(-2)

    @staticmethod
    def _minor(amount: Decimal) -> int:
        return int(amount.scaleb(2))

    # -- the sandbox's own ------------------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if in Klarna's merchant portal."""
        body = await json_body(request)
        case = self.case(body["id"])
        if case is None or "order" not in case.data:
            return json_answer({"error": "no such order"}, 404)
        amount = Decimal(body["amount"])
        try:
            made = order_book.refund(case.data["order"], {"refunded_amount": self._minor(amount)}, self.now)
        except ApiError as no:
            return json_answer({"error": no.message}, no.status)
        self.save(case, ("refund", amount, made["refund_id"]))
        return json_answer(made, 201)


def _answered(status: int, headers: Mapping[str, str], body: Any) -> web.Response:
    return json_answer(body, status, headers) if body is not None else web.Response(status=status, headers=headers)
