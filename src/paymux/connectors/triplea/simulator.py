"""TripleA's API v1 as its merchants see it, from the official WooCommerce plugin: the shopper pays in test bitcoin."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import ROUND_UP, Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, reachable

_TEN_YEARS = 315_360_000
_FORM_LIFE = 3599
# The documented example's rate; one for all currencies does for a simulation.
_RATE = Decimal("9370.28")
_SATOSHI = Decimal("0.00000001")
_CURRENCIES = frozenset(
    {"USD", "SGD", "EUR", "MYR", "PHP", "IDR", "THB", "VND", "KRW", "TWD", "HKD", "GBP", "JPY", "AUD", "NZD", "CAD",
     "CHF", "NOK", "SEK"}
)  # fmt: skip

Call = Callable[[web.Request, Any], Awaitable[web.Response]]


class No(Exception):
    """A refusal: a status, a word and a sentence."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error = status, error

    def answer(self) -> web.Response:
        return json_answer({"error": self.error, "message": str(self)}, self.status)


class TripleASimulator(Simulator):
    """One merchant's sandbox account. Coins are taken at any time, in any amount: an address can't refuse them."""

    credentials: ClassVar[Mapping[str, str]] = {
        "client_id": "oacid-paymux-sandbox", "client_secret": "sandbox-triplea-client-secret",
        "api_id": "HA1600000000paymux_t", "notify_secret": "sandbox-triplea-notify-secret",
    }  # fmt: skip

    def routes(self) -> list[Route]:
        """The three calls, and the sandbox's own: coins of any value."""
        return [
            Route("POST", "/api/v1/oauth/token", self._grant),
            Route("POST", "/api/v1/payment/request", self._admitted(self._request), "create"),
            Route("GET", "/api/v1/payment/{name}", self._admitted(self._details), "status"),
            Route("POST", "/sandbox/coins", self._coins),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Pay on the form, or leave it; with `error` the form fails, and nothing is sent either."""
        await self.settle(case, outcome)
        return str(case.data["success_url" if case.status in ("hold", "good") else "cancel_url"])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Send the coins, or decide what becomes of those that are on hold."""
        if not case.waiting:
            return
        case.waiting = outcome == "pending"
        if outcome == "approve":
            self._pay(case, case.amount)
        elif outcome == "pending":
            case.data["unconfirmed"] = str(case.amount)
            self._turns(case, "hold")
        elif outcome == "decline":
            # Spent twice, or never taken into a block.
            case.data["unconfirmed"] = "0"
            self._turns(case, "invalid")
        else:
            self.save(case)

    def _pay(self, case: Case, value: Decimal) -> None:
        """Coins of a value are confirmed; the tier follows from all that came."""
        paid = Decimal(case.data["confirmed"]) + value
        case.data |= {"confirmed": str(paid), "unconfirmed": "0"}
        name = f"{case.id}-{case.data['payments']}"
        case.data["payments"] += 1
        case.waiting = False
        moved = [("capture", value, name)]
        if case.data["payments"] == 1:
            moved.insert(0, ("authorize", value, name))
        self._turns(case, "good" if paid >= case.amount else "short", *moved)

    def _turns(self, case: Case, tier: str, *moved: tuple[str, Decimal, str]) -> None:
        case.status = tier
        self.save(case, *moved)
        if not case.data["notify_url"]:
            return
        body = to_json({**self._shown(case), "webhook_data": case.data["webhook_data"]}).encode()
        when = str(int(self.now.timestamp()))
        secret = str(case.data["notify_secret"]).encode()
        signature = hmac.new(secret, when.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "triplea-signature": f"t={when},v1={signature}"}
        self.send_event(case, case.data["notify_url"], body, headers)

    # -- the calls ----------------------------------------------------------------------------

    async def _grant(self, request: web.Request) -> web.Response:
        form = await request.post()
        known = all(form.get(name) == self.credentials[name] for name in ("client_id", "client_secret"))
        if form.get("grant_type") != "client_credentials" or not known:
            return No(401, "invalid_client", "The client credentials are wrong").answer()
        token = self.token(20)
        self.desk.store.keep_note(self.name, f"token:{token}", True)
        return json_answer({"access_token": token, "token_type": "Bearer", "expires_in": _TEN_YEARS})

    async def _request(self, request: web.Request, body: Any) -> web.Response:
        amount = self._check(body)
        access = self.token()
        case = self.new_case(
            request, id=f"{self.token(3).upper()}-{self.token(3).upper()}-PMT", amount=amount,
            currency=body["order_currency"], reference=(body.get("webhook_data") or {}).get("order_txid", ""),
            account=self.credentials["client_id"], status="none", names=(access,),
            data={
                "success_url": body["success_url"], "cancel_url": body["cancel_url"], "payments": 0,
                "notify_url": body.get("notify_url") or "", "webhook_data": body.get("webhook_data") or {},
                "notify_secret": body.get("notify_secret") or self.token(), "cart": body.get("cart") or {},
                "address": f"n{self.token(16)}", "confirmed": "0", "unconfirmed": "0",
                "expires": (self.now + timedelta(seconds=_FORM_LIFE)).isoformat(),
            },
        )  # fmt: skip
        self.save(case)
        opened = {
            "payment_reference": case.id, "hosted_url": self.checkout_url(case), "access_token": access,
            "token_type": "Bearer", "expires_in": _FORM_LIFE, "notify_secret": case.data["notify_secret"],
            **{name: self._shown(case)[name] for name in _ALSO_WHEN_REQUESTED},
        }  # fmt: skip
        return json_answer(opened, 201)

    async def _details(self, request: web.Request, body: Any) -> web.Response:
        case = self.case(request.match_info["name"])
        if case is None:
            raise No(404, "not_found", "The payment was not found")
        return json_answer(self._shown(case))

    def _shown(self, case: Case) -> dict[str, Any]:
        confirmed, unconfirmed = Decimal(case.data["confirmed"]), Decimal(case.data["unconfirmed"])
        return {
            "payment_reference": case.id, "crypto_currency": "testBTC", "crypto_address": case.data["address"],
            "crypto_amount": _coins(case.amount), "order_currency": case.currency, "order_amount": case.amount,
            "exchange_rate": _RATE, "expiry_date": case.data["expires"], "unconfirmed_crypto_amt": _coins(unconfirmed),
            "unconfirmed_order_amt": unconfirmed, "confirmed_crypto_amt": _coins(confirmed),
            "confirmed_order_amt": confirmed, "status": "confirmed" if confirmed else "new",
            "payment_tier": case.status, "payment_amount": confirmed, "cart": case.data["cart"],
            "success_url": case.data["success_url"], "cancel_url": case.data["cancel_url"],
        }  # fmt: skip

    def _check(self, body: Any) -> Decimal:
        """A requested payment's amount. Raises No."""
        if not isinstance(body, dict):
            raise No(400, "bad_request", "The body is not a JSON object")
        if body.get("type") not in ("widget", "triplea"):
            raise No(400, "bad_request", "type must be widget or triplea")
        if body.get("api_id") != self.credentials["api_id"]:
            raise No(400, "bad_request", "api_id is not one of the merchant's accounts")
        if body.get("crypto_currency") != "testBTC":
            raise No(400, "bad_request", "crypto_currency is not the account's: testBTC")
        if body.get("order_currency") not in _CURRENCIES:
            raise No(400, "bad_request", "order_currency is not supported")
        try:
            amount = Decimal(str(body.get("order_amount")))
        except ArithmeticError:
            amount = Decimal(0)
        if not amount.is_finite() or amount <= 0:
            raise No(400, "bad_request", "order_amount must be a positive number")
        if not body.get("payer_id") or not (body.get("payer_email") or body.get("payer_phone")):
            raise No(400, "bad_request", "payer_id and payer_email or payer_phone are required")
        for name in ("success_url", "cancel_url"):
            if not reachable(body.get(name)):
                raise No(400, "bad_request", f"{name} is not a URL")
        return amount

    def _admitted(self, call: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def admitted(request: web.Request) -> web.Response:
            kind, _, token = request.headers.get("Authorization", "").partition(" ")
            try:
                if kind != "Bearer" or not token or not self.desk.store.note(self.name, f"token:{token}"):
                    raise No(401, "unauthorized", "The access token is wrong")
                return await call(request, await json_body(request) if await request.read() else None)
            except No as no:
                return no.answer()

        return admitted

    # -- the sandbox's own --------------------------------------------------------------------

    async def _coins(self, request: web.Request) -> web.Response:
        """Send coins of a value in the order's currency to a payment's address, however it stands."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            return json_answer({"error": "no such payment"}, 404)
        self._pay(case, Decimal(str(body["value"])))
        return json_answer({"payment_tier": case.status}, 201)


_ALSO_WHEN_REQUESTED = (
    "crypto_currency", "crypto_address", "crypto_amount", "order_currency", "order_amount", "exchange_rate",
)  # fmt: skip


def _coins(value: Decimal) -> Decimal:
    """What a value is in bitcoin, which has eight decimals."""
    return (value / _RATE).quantize(_SATOSHI, rounding=ROUND_UP)
