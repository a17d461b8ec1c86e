"""PartPay's merchant API as merchants of Payflex and QuadPay saw it, from their plugins and their documentation."""

from __future__ import annotations

import hashlib
import hmac
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from aiohttp import web

from paymux.sandbox.simulator import Case, ErrorAnswer, Outcome, Route, Simulator, json_answer, json_body, with_query

Handler = Callable[[web.Request], Awaitable[web.Response]]
_TOKEN_LIFE = timedelta(days=1)
_ENDED: dict[Outcome, str] = {"decline": "Declined", "error": "Declined", "cancel": "Abandoned"}


class ApiError(ErrorAnswer):
    """A refusal: HTTP status, the provider's error code, a message."""


class PartPaySimulator(Simulator):
    """Orders that are decided by the shopper, their status, refunds; a provider adds its paths and its captures."""

    grant_path: ClassVar[str]
    order_path: ClassVar[str]
    audience: ClassVar[str]

    def routes(self) -> list[Route]:
        """The calls of the API, and the sandbox's own two."""
        call = self.authorised
        return [
            Route("POST", self.grant_path, self._answered(self._grant), host="auth"),
            Route("GET", "/configuration", call(self._configuration)),
            Route("POST", self.order_path, call(self._create), "create"),
            Route("GET", "/order/{order}", call(self._status), "status"),
            Route("POST", "/order/{order}/refund", call(self._refund), "refund"),
            Route("POST", "/sandbox/configuration", self._configure),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    # -- what differs -------------------------------------------------------------------------

    @abstractmethod
    def currency(self, request: web.Request) -> str:
        """The currency of the account that asks."""

    @abstractmethod
    def check_order(self, body: Mapping[str, Any]) -> None:
        """Refuse an order whose addresses or items this provider would not take. Raises ApiError."""

    def configuration(self) -> dict[str, Any]:
        """What GET /configuration tells."""
        return {"minimumAmount": Decimal(1), "maximumAmount": Decimal(1_000_000)}

    def takes_at_once(self) -> bool:
        """Whether an approved order is captured by itself."""
        return True

    def expiry(self) -> datetime | None:
        """Until when an order opened now can be paid, where the provider tells."""
        return None

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide, and come back to the confirm or cancel address, which names the order."""
        await self.settle(case, outcome)
        confirmed = case.status == "Approved" or case.waiting
        url = case.data["merchant"]["redirectConfirmUrl" if confirmed else "redirectCancelUrl"]
        return with_query(url, **self.returned(case))

    def returned(self, case: Case) -> dict[str, str]:
        """What is added to the address that the shopper comes back to."""
        return {"orderId": case.id, "token": case.data["token"]}

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide an open order, once."""
        self._age(case)
        if not case.waiting or outcome == "pending":
            return
        case.waiting = False
        if outcome != "approve":
            case.status = _ENDED[outcome]
            self.save(case)
            return
        case.status = "Approved"
        moved = [("authorize", case.amount, case.id)]
        if self.takes_at_once():
            case.data["captured"] = str(case.amount)
            moved.append(("capture", case.amount, case.id))
        self.save(case, *moved)

    def _age(self, case: Case) -> None:
        until = case.data["expires"]
        if case.waiting and until and self.now >= datetime.fromisoformat(until):
            case.status, case.waiting = "Abandoned", False
            self.save(case)

    # -- access -------------------------------------------------------------------------------

    async def _grant(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        asked = body if isinstance(body, dict) else {}
        expected = {**self.credentials, "audience": self.audience, "grant_type": "client_credentials"}
        if any(not _same(str(asked.get(name, "")), value) for name, value in expected.items()):
            raise ApiError(401, "access_denied", "Unauthorized")
        until = int((self.now + _TOKEN_LIFE).timestamp())
        life = int(_TOKEN_LIFE.total_seconds())
        return json_answer({"access_token": self._token(until), "expires_in": life, "token_type": "Bearer"})

    def _token(self, until: int) -> str:
        """A token says itself until when it is good, so that a restart forgets none."""
        mark = hmac.new(self.credentials["client_secret"].encode(), str(until).encode(), hashlib.sha256).hexdigest()
        return f"{until}.{mark}"

    def authorised(self, handler: Handler) -> Handler:
        """A call that needs an access token in force."""

        async def call(request: web.Request) -> web.Response:
            given = request.headers.get("Authorization", "")
            until = given.removeprefix("Bearer ").partition(".")[0]
            good = until.isascii() and until.isdigit() and len(until) < 12
            if not good or not _same(given, f"Bearer {self._token(int(until))}") or self.now.timestamp() >= int(until):
                raise ApiError(401, "UNAUTHORIZED", "Access token is missing or invalid")
            if request.method == "POST" and request.content_type != "application/json":
                raise ApiError(415, "UNSUPPORTED", "The body must be JSON")
            return await handler(request)

        return self._answered(call)

    @staticmethod
    def _answered(handler: Handler) -> Handler:
        async def call(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except ApiError as no:
                return json_answer({"errorCode": no.code, "message": no.message}, no.status)

        return call

    # -- the calls ----------------------------------------------------------------------------

    async def _configuration(self, request: web.Request) -> web.Response:
        return json_answer(self._configured())

    def _configured(self) -> dict[str, Any]:
        return {**self.configuration(), **(self.desk.store.note(self.name, "configuration") or {})}

    def setting(self, name: str) -> Any:
        """A value of the account's configuration, as it is now."""
        return self._configured().get(name)

    async def _create(self, request: web.Request) -> web.Response:
        body = await object_of(request)
        amount = money(body, "amount", text=True)
        if not self.setting("minimumAmount") <= amount <= self.setting("maximumAmount"):
            raise ApiError(400, "CRM001", "The amount is not within the merchant's limits")
        _required(body, "consumer", "phoneNumber", "givenNames", "surname", "email")
        _required(body, "merchant", "redirectConfirmUrl", "redirectCancelUrl")
        if any(not url.startswith(("https://", "http://")) for url in body["merchant"].values()):
            raise ApiError(400, "CRM006", "The redirect URLs must be absolute")
        reference = text_of(body, "merchantReference")
        for name in ("taxAmount", "shippingAmount"):
            if body.get(name) is not None:
                money(body, name, least=Decimal(0))
        self.check_order(body)
        expires = self.expiry()
        case = self.new_case(
            request, id=self.token(), amount=amount, currency=self.currency(request), reference=reference,
            account=self.credentials["client_id"], status="Created", title=self.title,
            data={
                **body, "token": self.token(), "expires": expires.isoformat() if expires else "", "refunded": "0",
                "captured": "0", "voided": "0", "refunds": {},
            },
        )  # fmt: skip
        self.save(case)
        opened = {"orderId": case.id, "token": case.data["token"], "redirectUrl": self.checkout_url(case)}
        return json_answer(opened | ({"expiryDateTime": expires.isoformat()} if expires else {}))

    async def _status(self, request: web.Request) -> web.Response:
        case = self.order(request)
        told = ("consumer", "billing", "shipping", "description", "items", "merchant", "merchantReference", "token")
        said = {name: case.data[name] for name in told if name in case.data}
        return json_answer({"orderId": case.id, "orderStatus": case.status, "amount": case.amount, **said})

    async def _refund(self, request: web.Request) -> web.Response:
        body = await object_of(request)
        case = self.order(request)
        key = self.refund_key(body)
        if key in case.data["refunds"]:
            if self.refuses_known_keys:
                raise ApiError(400, "MRM001", "A refund with this id was made before")
            return json_answer(case.data["refunds"][key], 201)
        amount = money(body, "amount")
        if amount > Decimal(case.data["captured"]) - Decimal(case.data["refunded"]):
            raise ApiError(400, "MRM007", "Refund amount exceeds the remaining refundable balance")
        made = {**self.refund_answer(body), "amount": amount}
        case.data["refunded"] = str(Decimal(case.data["refunded"]) + amount)
        case.data["refunds"][key] = made
        self.save(case, ("refund", amount, self.token()))
        return json_answer(made, 201)

    def refund_key(self, body: Mapping[str, Any]) -> str:
        """By what a refund is known again."""
        return text_of(body, "requestId")

    def refund_answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new refund, as it is told."""
        return {"refundId": self.token(8)}

    def order(self, request: web.Request) -> Case:
        """The order that a path names. Raises ApiError."""
        case = self.case(request.match_info["order"])
        if case is None:
            raise ApiError(404, "NOT_FOUND", "Order not found")
        self._age(case)
        return case

    # -- the sandbox's own --------------------------------------------------------------------

    async def _configure(self, request: web.Request) -> web.Response:
        """Change the merchant account's configuration, as the provider's people would."""
        self.desk.store.keep_note(self.name, "configuration", await json_body(request))
        return json_answer(self._configured())

    async def _tamper(self, request: web.Request) -> web.Response:
        """Make the order one of another amount or reference."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            return json_answer({"error": "no such order"}, 404)
        case.amount = Decimal(str(body.get("amount", case.amount)))
        case.data["merchantReference"] = str(body.get("reference", case.data["merchantReference"]))
        self.save(case)
        return json_answer({"id": case.id})


def money(body: Mapping[str, Any], name: str, *, least: Decimal = Decimal("0.01"), text: bool = False) -> Decimal:
    """An amount of at most two decimals, a number or (`text`) a string too. Raises ApiError."""
    given = body.get(name)
    kinds = (int, Decimal, str) if text else (int, Decimal)
    try:
        if not isinstance(given, kinds) or isinstance(given, bool):
            raise ValueError
        amount = Decimal(given)
        if not amount.is_finite() or amount < least or amount != amount.quantize(Decimal("0.01")):
            raise ValueError
    except (ValueError, InvalidOperation):
        raise ApiError(400, "INVALID", f"{name} must be an amount with at most two decimals") from None
    return amount


async def object_of(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object. Raises ApiError."""
    body = await json_body(request)
    if not isinstance(body, dict):
        raise ApiError(400, "INVALID", "The body must be a JSON object")
    return body


def text_of(body: Mapping[str, Any], name: str) -> str:
    """A required text. Raises ApiError."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError(400, "INVALID", f"{name} is required")
    return value


def _required(body: Mapping[str, Any], part: str, *names: str) -> None:
    given = body.get(part)
    if not isinstance(given, dict):
        raise ApiError(400, "INVALID", f"{part} is required")
    for name in names:
        text_of(given, name)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
