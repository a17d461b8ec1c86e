"""LatitudePay's and Genoapay's version 3 API as their merchants saw it, from the plugin and the in-store library."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.latitudepay.sale_rules import (
    BRANDS,
    LEAST,
    MOST,
    ApiError,
    check_sale,
    keys_and_values,
    money,
    signature_of,
    text,
)
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_TOKEN_LIFE = timedelta(hours=24)
_SALE_LIFE = timedelta(hours=24)
# What the shopper decides: the sale's status from then on, the result that is signed into the return, a message.
_DECISIONS: dict[Outcome, tuple[str, str, str]] = {
    "approve": ("APPROVED", "COMPLETED", "The customer has completed the payment"),
    "decline": ("DECLINED", "FAILED", "The application was declined"),
    "cancel": ("DECLINED", "FAILED", "The customer has cancelled the purchase"),
    "error": ("DECLINED", "UNKNOWN", "Something went wrong"),
}
_EXPIRED = ("DECLINED", "FAILED", "The purchase has expired")
_WITHDRAWN = ("DECLINED", "FAILED", "The merchant has cancelled the purchase")

Handler = Callable[[web.Request], Awaitable[web.Response]]
Call = Callable[[web.Request, str], Awaitable[web.Response]]


class LatitudePaySimulator(Simulator):
    """Sales that are paid when the shopper agrees; refunds; a callback for every decision."""

    credentials: ClassVar[Mapping[str, str]] = {
        "client_key": "sandbox-latitudepay-key",
        "client_secret": "sandbox-latitudepay-secret",
    }

    def routes(self) -> list[Route]:
        """The calls of the API that concern an online sale, and the sandbox's own two."""
        return [
            Route("POST", "/v3/token", self._answered(self._access_token)),
            Route("GET", "/v3/configuration", self._answered(self._authorised(self._configuration))),
            Route("POST", "/v3/sale/online", self._answered(self._authorised(self._create)), "create"),
            Route("GET", "/v3/sale/pos/{token}/status", self._answered(self._authorised(self._status)), "status"),
            Route("PUT", "/v3/sale/{token}/cancel", self._answered(self._authorised(self._cancel)), "cancel"),
            Route("POST", "/v3/sale/{token}/refund", self._answered(self._authorised(self._refund)), "refund"),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/tamper", self.tampering("reference")),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page, once. `pending` comes back with result UNKNOWN, and a later settle decides."""
        self._age(case)
        if case.waiting and outcome != "pending":
            self._decide(case, _DECISIONS[outcome])
        url = case.data["success_url"] if case.status == "APPROVED" else case.data["fail_url"]
        return with_query(url, **self._told(case))

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        self._age(case)
        if case.waiting and outcome != "pending":
            self._decide(case, _DECISIONS[outcome])

    def _decide(self, case: Case, decision: tuple[str, str, str]) -> None:
        case.status, case.data["result"], case.data["message"] = decision
        case.waiting = False
        if case.status == "APPROVED":
            self.save(case, ("authorize", case.amount, case.id), ("capture", case.amount, case.id))
        else:
            self.save(case)
        self.send_event(case, with_query(case.data["callback_url"], **self._told(case)), b"", {}, method="GET")

    def _told(self, case: Case) -> dict[str, str]:
        """What the return and the callback say, signed."""
        told = {
            "token": case.id, "reference": case.data["reference"], "message": case.data["message"],
            "result": case.data["result"],
        }  # fmt: skip
        stripped = "".join(name + value for name, value in told.items())
        return {**told, "signature": signature_of(stripped, self.credentials["client_secret"])}

    def _age(self, case: Case) -> None:
        if case.waiting and self.now >= datetime.fromisoformat(case.data["expires"]):
            self._decide(case, _EXPIRED)

    # -- access -------------------------------------------------------------------------------

    async def _access_token(self, request: web.Request) -> web.Response:
        pair = f"{self.credentials['client_key']}:{self.credentials['client_secret']}"
        self._same(request, "Basic " + base64.b64encode(pair.encode()).decode(), 401, "Invalid client credentials")
        expires = self.now + _TOKEN_LIFE
        return json_answer({"authToken": self._bearer(int(expires.timestamp())), "expiryDate": _text_of(expires)})

    def _bearer(self, expires: int) -> str:
        """An access token says itself until when it is good, so that a restart forgets none."""
        return f"{expires}.{signature_of(f'access{expires}', self.credentials['client_secret'])}"

    def _authorised(self, handler: Call) -> Handler:
        """A call that needs an access token and one brand's media type; its handler is given the brand's currency."""

        async def call(request: web.Request) -> web.Response:
            expires = request.headers.get("Authorization", "").removeprefix("Bearer ").partition(".")[0]
            good_until = int(expires) if expires.isascii() and expires.isdigit() and len(expires) < 12 else 0
            self._same(request, f"Bearer {self._bearer(good_until)}", 403, "Invalid access token")
            if self.now.timestamp() >= good_until:
                raise ApiError(403, "The access token has expired")
            currency = BRANDS.get(request.headers.get("Accept", ""))
            if currency is None or (request.method != "GET" and request.content_type not in BRANDS):
                raise ApiError(400, "Unsupported media type")
            return await handler(request, currency)

        return call

    @staticmethod
    def _same(request: web.Request, expected: str, status: int, message: str) -> None:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, expected.encode()):
            raise ApiError(status, message)

    async def _signed(self, request: web.Request) -> Any:
        """The body of a request whose signature is right."""
        expected = signature_of(keys_and_values(await request.read()), self.credentials["client_secret"])
        if not hmac.compare_digest(request.query.get("signature", "").encode(), expected.encode()):
            raise ApiError(400, "Invalid signature")
        body = await json_body(request)
        if not isinstance(body, dict):
            raise ApiError(400, "The body must be a JSON object")
        return body

    # -- the calls ----------------------------------------------------------------------------

    async def _configuration(self, request: web.Request, currency: str) -> web.Response:
        brand, country = ("LatitudePay", "AU") if currency == "AUD" else ("Genoapay", "NZ")
        return json_answer(
            {
                "name": brand, "description": "10 weekly payments", "minimumAmount": LEAST, "maximumAmount": MOST,
                "availability": [{"country": country, "currency": currency}],
            }
        )  # fmt: skip

    async def _create(self, request: web.Request, currency: str) -> web.Response:
        body = await self._signed(request)
        key = request.headers.get("X-Idempotency-Key")
        if key and (kept := self.desk.store.answer(self.name, f"create:{key}")):
            return json_answer(kept[1], kept[0])
        amount, reference = check_sale(body, currency)
        urls, expires = body["returnUrls"], _text_of(self.now + _SALE_LIFE)
        case = self.new_case(
            request, id=self.token(), amount=amount, currency=currency, reference=reference,
            account=self.credentials["client_key"], status="PENDING",
            title="LatitudePay" if currency == "AUD" else "Genoapay",
            data={
                "brand": currency, "reference": reference, "expires": expires, "result": "UNKNOWN",
                "refunded": "0", "refunds": {},
                "message": "The purchase is not decided yet", "success_url": urls["successUrl"],
                "fail_url": urls["failUrl"], "callback_url": urls["callbackUrl"],
            },
        )  # fmt: skip
        self.save(case)
        opened = {"token": case.id, "expiryDate": expires, "paymentUrl": self.checkout_url(case)}
        if key:
            self.desk.store.keep_answer(self.name, f"create:{key}", 200, opened)
        return json_answer(opened)

    async def _status(self, request: web.Request, currency: str) -> web.Response:
        case = self._sale(request, currency)
        return json_answer({"token": case.id, "status": case.status, "message": case.data["message"]})

    async def _cancel(self, request: web.Request, currency: str) -> web.Response:
        case = self._sale(request, currency)
        if not case.waiting:
            raise ApiError(400, f"The purchase is {case.status} and can't be cancelled")
        self._decide(case, _WITHDRAWN)
        return json_answer({"token": case.id, "cancelledDate": _text_of(self.now)})

    async def _refund(self, request: web.Request, currency: str) -> web.Response:
        body = await self._signed(request)
        case = self._sale(request, currency)
        key = request.headers.get("X-Idempotency-Key")
        if key and key in case.data["refunds"]:
            if self.refuses_known_keys:
                raise ApiError(400, "The idempotency key was used before")
            return json_answer(case.data["refunds"][key])
        if not isinstance(body.get("reason"), str):
            raise ApiError(400, "reason is required")
        reference, amount = text(body, "reference"), money(body, "amount", case.currency)
        return json_answer(self._refunded(case, amount, reference, key))

    def _refunded(self, case: Case, amount: Decimal, reference: str, key: str | None) -> dict[str, Any]:
        """Refund, and remember the answer under its key, in one save."""
        if case.status != "APPROVED":
            raise ApiError(400, "Only an approved purchase can be refunded")
        refunded = Decimal(case.data["refunded"]) + amount
        if amount <= 0 or refunded > case.amount:
            raise ApiError(400, "The refund is more than what is left of the purchase")
        refund_id = self.token(8)
        made: dict[str, Any] = {
            "refundId": refund_id, "refundDate": _text_of(self.now), "reference": reference, "commissionAmount": 0,
        }  # fmt: skip
        case.data["refunded"] = str(refunded)
        if key:
            case.data["refunds"][key] = made
        self.save(case, ("refund", amount, refund_id))
        return made

    def _sale(self, request: web.Request, currency: str) -> Case:
        case = self.case(request.match_info["token"])
        if case is None or case.data["brand"] != currency:
            raise ApiError(404, "Purchase not found")
        self._age(case)
        return case

    @staticmethod
    def _answered(handler: Handler) -> Handler:
        async def call(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except ApiError as no:
                return json_answer({"error": no.message}, no.status)

        return call

    # -- the sandbox's own --------------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as in the merchant portal, without any key."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            return json_answer({"error": "no such sale"}, 404)
        try:
            return json_answer(self._refunded(case, Decimal(str(body.get("amount"))), "portal", None), 201)
        except (ApiError, InvalidOperation) as no:
            return json_answer({"error": str(no)}, 422)


def _text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
