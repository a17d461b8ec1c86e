"""QuadPay's merchant API as its plugins and its documentation show it, for an account that defers its captures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.simulated_partpay import ApiError, PartPaySimulator, money, object_of, text_of
from paymux.sandbox.simulator import Case, Route, json_answer, read_label

_LIFE = timedelta(days=1)


class QuadPaySimulator(PartPaySimulator):
    """A merchant in both countries: orders that are authorised, then captured or voided, and refunded."""

    credentials: ClassVar[Mapping[str, str]] = {
        "client_id": "sandbox-quadpay-client",
        "client_secret": "sandbox-quadpay-secret",
    }
    grant_path = "/oauth/token"
    order_path = "/order"
    audience = "https://auth-dev.quadpay.com"

    def routes(self) -> list[Route]:
        """Those of the family, capture and void."""
        return [
            *super().routes(),
            Route("POST", "/order/{order}/capture", self.authorised(self._capture), "capture"),
            Route("POST", "/order/{order}/void", self.authorised(self._void), "void"),
        ]

    def currency(self, request: web.Request) -> str:
        """Canada has hosts of its own; the sandbox serves both under one, where only the label tells them apart."""
        return "CAD" if read_label(request).get("code") == "QUADPAY_CA" else "USD"

    def configuration(self) -> dict[str, Any]:
        """Limits, and how the account takes its money."""
        return {"minimumAmount": Decimal(35), "maximumAmount": Decimal(1500), "deferFundsCapture": True}

    def takes_at_once(self) -> bool:
        """Only where captures are not deferred."""
        return not self.setting("deferFundsCapture")

    def expiry(self) -> datetime:
        """A day."""
        return self.now + _LIFE

    def check_order(self, body: Mapping[str, Any]) -> None:
        """Addresses have a city and a state; a line may be less than nothing."""
        for part in ("billing", "shipping"):
            address = body.get(part)
            if address is not None and not (isinstance(address, dict) and {"city", "state"} <= address.keys()):
                raise ApiError(422, "INVALID", f"{part} needs a city and a state")
        for item in body.get("items") or ():
            quantity = item.get("quantity") if isinstance(item, dict) else None
            if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
                raise ApiError(422, "INVALID", "an item needs a quantity")
            money(item, "price", least=Decimal(-1500), text=True)

    def returned(self, case: Case) -> dict[str, str]:
        """The confirm address gets the order's id as `token`; the other one nothing."""
        return {"token": case.id} if case.status == "Approved" or case.waiting else {}

    # -- moving -------------------------------------------------------------------------------

    async def _capture(self, request: web.Request) -> web.Response:
        return await self._move(request, "capture", "captured")

    async def _void(self, request: web.Request) -> web.Response:
        return await self._move(request, "void", "voided")

    async def _move(self, request: web.Request, verb: str, total: str) -> web.Response:
        body = await object_of(request)
        case = self.order(request)
        amount = money(body, "amount")
        text_of(body, "merchantReference")
        left = case.amount - Decimal(case.data["captured"]) - Decimal(case.data["voided"])
        if case.status != "Approved" or amount > left:
            said = f"Amount to be {total} (${amount}) is greater than ${left} available for {verb}."
            raise ApiError(422, "INVALID_AMOUNT", said)
        case.data[total] = str(Decimal(case.data[total]) + amount)
        self.save(case, (verb, amount, self.token()))
        return json_answer({})

    def refund_key(self, body: Mapping[str, Any]) -> str:
        """The merchantRefundReference."""
        return text_of(body, "merchantRefundReference")

    def refund_answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A refund with its id and our reference."""
        return {
            "id": self.token(),
            "refundedDateTime": self.now.isoformat(),
            "merchantReference": body["merchantRefundReference"],
        }
