"""GrabPay's one-time charge as its merchants see it, from its documentation and its official library."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import format_datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from aiohttp import web

from paymux.connectors.grab.rules import (
    CURRENCIES,
    ApiError,
    b64url,
    check_charge,
    check_date,
    check_possession,
    digest,
    signature,
)
from paymux.platform.clock import Clock
from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, read_label, with_query

_REQUEST_LIFE, _CODE_LIFE, _AUTHORISED_FOR = timedelta(minutes=20), timedelta(minutes=15), timedelta(minutes=10)
_TOKEN_LIFE = timedelta(days=365)
_V2 = "/grabpay/partner/v2"
# What the shopper decides: the charge's state and reason, and the error that comes back in his browser.
_DECISIONS: dict[Outcome, tuple[str, str, str]] = {
    "approve": ("authorised", "pending_capture", ""),
    "decline": ("failed", "transaction_decline", "transaction_declined"),
    "cancel": ("processing", "pending_user_consent", "user_canceled"),
    "pending": ("processing", "authorising", "unknown"),
    "error": ("failed", "unknown", "server_error"),
}

Call = Callable[[web.Request], Awaitable[web.Response]]


class GrabSimulator(Simulator):
    """Charges that are authorised by the shopper and completed by the merchant; refunds; signed webhooks."""

    credentials: ClassVar[Mapping[str, str]] = {
        "partner_id": "sandbox-grab-partner",
        "partner_secret": "sandbox-grab-partner-secret",
        "client_id": "sandbox-grab-client",
        "client_secret": "sandbox-grab-client-secret",
        "merchant_id": "sandbox-grab-merchant",
    }

    def routes(self) -> list[Route]:
        """The calls of a one-time charge, and the sandbox's own."""
        answered = self._answered
        return [
            Route("POST", f"{_V2}/charge/init", answered(self._init), "create"),
            Route("GET", "/grabid/v1/oauth2/authorize", answered(self._authorize)),
            Route("POST", "/grabid/v1/oauth2/token", answered(self._token)),
            Route("POST", f"{_V2}/charge/complete", answered(self._complete), "confirm"),
            Route("GET", f"{_V2}/one-time-charge/{{session}}/status", answered(self._status), "status"),
            Route("POST", f"{_V2}/refund", answered(self._refund), "refund"),
            Route("GET", f"{_V2}/refund/{{session}}/status", answered(self._refund_status), "status"),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on Grab's page. Whoever turns back may come again while the request lives."""
        self._age(case)
        error = self._decide(case, outcome)
        asked = case.data["asked"]
        told = {"error": error} if error else {"code": case.data["code"]}
        return with_query(asked["redirect_uri"], **told, state=asked.get("state", ""))

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        self._age(case)
        self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> str:
        if not case.waiting:
            return "" if case.data["code"] else "session_expired"
        case.status, case.data["reason"], error = _DECISIONS[outcome]
        case.waiting = case.status == "processing"
        if outcome == "pending":
            case.data["until"] = None
        if case.status == "authorised":
            case.data |= {"code": f"{case.id}.{self.token()}", "until": (self.now + _AUTHORISED_FOR).isoformat(),
                          "code_until": (self.now + _CODE_LIFE).isoformat()}  # fmt: skip
        self.save(case)
        if not case.waiting:
            self._notify(case, "Auth", case.status, case.amount)
        return error

    def _age(self, case: Case) -> None:
        """A request that nobody answered, and money that nobody took in time, end by themselves."""
        until = case.data["until"]
        if case.status in ("processing", "authorised") and until and self.now >= datetime.fromisoformat(until):
            case.status, case.waiting = "cancelled", False
            case.data |= {"reason": "auth_expired", "code": ""}
            self.save(case)

    # -- opening and signing in ---------------------------------------------------------------

    async def _init(self, request: web.Request) -> web.Response:
        await self._by_partner(request)
        body = await self._object(request)
        session, minor, currency = check_charge(body, self.credentials["merchant_id"])
        if self.case(session) is not None:
            raise ApiError(409, "transaction_already_exists")
        secret_request = self.token(24)
        case = self.new_case(
            request, id=session, amount=Decimal(minor) / 100, currency=currency, reference=body["partnerGroupTxID"],
            account=self.credentials["partner_id"], names=(secret_request,), status="processing", title="GrabPay",
            data={
                "reason": "pending_user_consent", "until": (self.now + _REQUEST_LIFE).isoformat(), "code": "",
                "code_until": "", "asked": {}, "tx": self.token(16), "refunds": {}, "token": "",
                "events": read_label(request).get("events", ""), "group": body["partnerGroupTxID"],
            },
        )  # fmt: skip
        self.save(case)
        return json_answer({"partnerTxID": session, "request": secret_request})

    async def _authorize(self, request: web.Request) -> web.Response:
        """The page that the shopper signs in on: every field of the request is checked before he sees it."""
        asked = dict(request.query)
        case = self.case(asked.get("request", ""))
        if case is None:
            raise ApiError(404, "transaction_not_found")
        country = next((country for country, currency in CURRENCIES.items() if currency == case.currency), "")
        wanted = {
            "client_id": self.credentials["client_id"], "response_type": "code", "code_challenge_method": "S256",
            "acr_values": f"consent_ctx:countryCode={country},currency={case.currency}",
        }  # fmt: skip
        if any(asked.get(name) != value for name, value in wanted.items()):
            raise ApiError(400, "invalid_request")
        if "payment.one_time_charge" not in asked.get("scope", "").split() or not asked.get("nonce"):
            raise ApiError(400, "invalid_scope")
        if len(asked.get("code_challenge", "")) != 43 or not asked.get("redirect_uri", "").startswith("http"):
            raise ApiError(400, "invalid_request")
        case.data["asked"] = asked
        self.save(case)
        return web.Response(status=302, headers={"Location": self.checkout_url(case)})

    async def _token(self, request: web.Request) -> web.Response:
        """Exchange a code, once, for the access token."""
        body = await self._object(request)
        code = str(body.get("code", ""))
        case = self.case(code.partition(".")[0])
        given = hashlib.sha256(str(body.get("code_verifier", "")).encode()).digest()
        if body.get("client_id") != self.credentials["client_id"] or not hmac.compare_digest(
            str(body.get("client_secret", "")).encode(), self.credentials["client_secret"].encode()
        ):
            raise ApiError(401, "invalid_client")
        if case is None or not code or case.data["code"] != code or body.get("grant_type") != "authorization_code":
            raise ApiError(400, "invalid_grant")
        asked, in_time = case.data["asked"], self.now < datetime.fromisoformat(case.data["code_until"])
        fits = b64url(given) == asked["code_challenge"] and body.get("redirect_uri") == asked["redirect_uri"]
        if not fits or not in_time or case.data["token"]:
            raise ApiError(400, "invalid_grant")
        until = int((self.now + _TOKEN_LIFE).timestamp())
        token = f"{case.id}.{until}.{digest(self.credentials['client_secret'], f'access {case.id} {until}').hex()}"
        case.data["token"] = token
        self.save(case)
        return json_answer({"access_token": token, "token_type": "Bearer", "expires_in": 31535999, "id_token": ""})

    # -- completing, asking, refunding ----------------------------------------------------------

    async def _complete(self, request: web.Request) -> web.Response:
        case = self._by_token(request)
        if (await self._object(request)).get("partnerTxID") != case.id:
            raise ApiError(404, "no_record_found")
        self._age(case)
        if case.status == "authorised":
            case.status, case.data["reason"], case.data["code"] = "success", "", ""
            self.save(case, ("authorize", case.amount, case.data["tx"]), ("capture", case.amount, case.data["tx"]))
            self._notify(case, "Charge", "success", case.amount)
        return json_answer(self._shown(case))

    async def _status(self, request: web.Request) -> web.Response:
        await self._by_partner(request)
        case = self.case(request.match_info["session"])
        if case is None or request.query.get("currency") != case.currency:
            return json_answer({"txID": "", "txStatus": "failed", "reason": "no_record_found"})
        self._age(case)
        return json_answer({**self._shown(case), "oAuthCode": case.data["code"]})

    def _shown(self, case: Case) -> dict[str, Any]:
        return {
            "txID": case.data["tx"], "paymentMethod": "GPWALLET", "status": case.status, "txStatus": case.status,
            "description": "", "reason": case.data["reason"],
        }  # fmt: skip

    async def _refund(self, request: web.Request) -> web.Response:
        case = self._by_token(request)
        body = await self._object(request)
        session, minor, currency = check_charge(body, self.credentials["merchant_id"])
        kept: dict[str, Any] | None = case.data["refunds"].get(session)
        if kept is None:
            if body.get("originTxID") != case.data["tx"] or currency != case.currency:
                raise ApiError(409, "payment_not_found")
            kept = self._refunded(case, Decimal(minor) / 100, session)
        return json_answer(kept)

    def _refunded(self, case: Case, amount: Decimal, session: str) -> dict[str, Any]:
        answer: dict[str, Any] = {"paymentMethod": "GPWALLET", "description": "", "txID": self.token(16)}
        before = sum((Decimal(made["amount"]) for made in case.data["refunds"].values() if made["amount"]), Decimal(0))
        if case.status != "success":
            raise ApiError(409, "payment_not_found")
        if before + amount > case.amount:
            answer |= {"txStatus": "failed", "reason": "exceed_payment_amount", "amount": ""}
            case.data["refunds"][session] = answer
            self.save(case)
            return answer
        answer |= {"txStatus": "success", "reason": "", "amount": str(amount)}
        case.data["refunds"][session] = answer
        self.save(case, ("refund", amount, answer["txID"]))
        self._notify(case, "Refund", "success", amount, session, answer["txID"])
        return answer

    async def _refund_status(self, request: web.Request) -> web.Response:
        case = self._by_token(request)
        made = case.data["refunds"].get(request.match_info["session"])
        if made is None:
            raise ApiError(404, "no_record_found")
        return json_answer(made)

    # -- who asks -------------------------------------------------------------------------------

    async def _by_partner(self, request: web.Request) -> None:
        head, real = request.headers, Clock.real()
        path = request.path_qs.removeprefix(f"/{self.name}")
        check_date(head.get("Date", ""), real)
        expected = signature(
            self.credentials["partner_secret"], request.method, head.get("Content-Type", ""), head.get("Date", ""), path,
            await request.read(),
        )  # fmt: skip
        given = head.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"{self.credentials['partner_id']}:{expected}".encode()):
            raise ApiError(401, "unauthorized")

    def _by_token(self, request: web.Request) -> Case:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        case = self.case(token.partition(".")[0])
        if case is None or not token or case.data["token"] != token:
            raise ApiError(401, "invalid_token")
        if self.now.timestamp() >= int(token.split(".")[1]):
            raise ApiError(401, "invalid_token")
        secret = self.credentials["client_secret"]
        check_possession(secret, request.headers.get("X-GID-AUX-POP", ""), token, Clock.real())
        return case

    @staticmethod
    async def _object(request: web.Request) -> dict[str, Any]:
        body = await json_body(request)
        if request.content_type != "application/json" or not isinstance(body, dict):
            raise ApiError(400, "invalid_request")
        return body

    @staticmethod
    def _answered(call: Call) -> Call:
        async def handler(request: web.Request) -> web.Response:
            try:
                return await call(request)
            except ApiError as no:
                return json_answer({"reason": no.reason}, no.status)

        return handler

    # -- webhooks and the sandbox's own ---------------------------------------------------------

    def _notify(self, case: Case, kind: str, status: str, amount: Decimal, session: str = "", tx: str = "") -> None:
        url, refund = case.data["events"], kind == "Refund"
        if not url:
            return
        body = to_json(
            {
                "txType": kind, "txStatus": status, "partnerID": self.credentials["partner_id"],
                "partnerTxID": session or case.id, "txID": tx or case.data["tx"],
                "origTxID": case.data["tx"] if refund else "", "amount": int(amount * 100), "currency": case.currency,
                "status": status, "createdAt": int(self.now.timestamp()), "completedAt": int(self.now.timestamp()),
                "payload": {
                    "partnerGroupTxID": case.data["group"], "reason": case.data["reason"], "paymentMethod": "GPWALLET",
                },
            }
        ).encode()  # fmt: skip
        parts, date = urlsplit(url), format_datetime(Clock.real(), usegmt=True)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        signed = signature(self.credentials["partner_secret"], "POST", "application/json", date, path, body)
        headers = {"Content-Type": "application/json", "Date": date}
        self.send_event(case, url, body, headers | {"Authorization": f"{self.credentials['partner_id']}:{signed}"})

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as in Grab's merchant portal, under an id that is Grab's own."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            return json_answer({"error": "no such charge"}, 404)
        try:
            return json_answer(self._refunded(case, Decimal(str(body.get("amount"))), f"portal-{self.token(8)}"), 201)
        except (ApiError, InvalidOperation) as no:
            return json_answer({"error": str(no)}, 422)
