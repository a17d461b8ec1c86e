"""New Pay's API as its merchants see it, written from its documentation and not from our connector."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.money import Money, is_currency
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_LIFE = timedelta(hours=1)
_DECISIONS: Mapping[Outcome, str] = {
    "approve": "paid", "decline": "declined", "cancel": "cancelled", "pending": "in_review", "error": "declined",
}  # fmt: skip

Call = Callable[[web.Request], Awaitable[web.Response]]


class NewPaySimulator(Simulator):
    """Checkouts that are paid when the shopper agrees, and refunds of them."""

    credentials: ClassVar[Mapping[str, str]] = {"api_key": "sandbox-newpay-key"}

    def routes(self) -> list[Route]:
        """The documented calls."""
        return [
            Route("POST", "/v1/checkouts", self._known(self._create), "create"),
            Route("GET", "/v1/checkouts/{id}", self._known(self._read), "status"),
            Route("POST", "/v1/checkouts/{id}/refunds", self._known(self._refund), "refund"),
            Route("POST", "/v1/checkouts/{id}/cancel", self._known(self._cancel), "cancel"),
            Route("GET", "/v1/account", self._known(self._account)),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page; what was decided stays."""
        self._decide(case, outcome)
        url = case.data["cancel_url"] if case.status == "cancelled" else case.data["return_url"]
        return with_query(url, checkout=case.id)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide a payment that is in review."""
        self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        self._age(case)
        if not case.waiting:
            return
        case.status, case.waiting = _DECISIONS[outcome], outcome == "pending"
        case.data["reason"] = {"decline": "not approved", "error": "technical fault"}.get(outcome, "")
        if case.status == "paid":
            self.save(case, ("authorize", case.amount, case.id), ("capture", case.amount, case.id))
        else:
            self.save(case)

    def _age(self, case: Case) -> None:
        if case.status == "open" and self.now >= datetime.fromisoformat(case.data["expires"]):
            case.status, case.waiting = "expired", False
            self.save(case)

    # -- the API ------------------------------------------------------------------------------

    def _known(self, call: Call) -> Call:
        async def answer(request: web.Request) -> web.Response:
            if request.headers.get("Authorization") != f"Bearer {self.credentials['api_key']}":
                return _no(401, "unauthorised", "The API key is wrong.")
            return await call(request)

        return answer

    async def _account(self, request: web.Request) -> web.Response:
        return json_answer({"name": "Sandbox shop"})

    async def _create(self, request: web.Request) -> web.Response:
        kept = self.desk.store.answer(self.name, f"create:{request.headers.get('Idempotency-Key')}")
        if kept is not None:
            return json_answer(kept[1], kept[0])
        body = await json_body(request)
        if wrong := _wrong(body):
            return _no(422, "invalid", wrong)
        money = Money.from_minor(body["amount"], body["currency"])
        case = self.new_case(
            request, id=f"np_{self.token(8)}", amount=money.amount, currency=money.currency,
            reference=body["reference"], account=self.credentials["api_key"], status="open",
            data={
                "reference": body["reference"], "return_url": body["return_url"], "cancel_url": body["cancel_url"],
                "expires": (self.now + _LIFE).isoformat(), "reason": "", "refunds": [],
            },
        )  # fmt: skip
        self.save(case)
        shown = self._shown(case)
        self.desk.store.keep_answer(self.name, f"create:{request.headers.get('Idempotency-Key')}", 201, shown)
        return json_answer(shown, 201)

    async def _read(self, request: web.Request) -> web.Response:
        case = self.case(request.match_info["id"])
        if case is None:
            return _no(404, "not_found", "There is no such checkout.")
        self._age(case)
        return json_answer(self._shown(case))

    async def _cancel(self, request: web.Request) -> web.Response:
        case = self.case(request.match_info["id"])
        if case is None:
            return _no(404, "not_found", "There is no such checkout.")
        if case.status == "paid":
            return _no(409, "paid", "The checkout is paid.")
        if case.waiting:
            case.status, case.waiting = "cancelled", False
            self.save(case)
        return json_answer(self._shown(case))

    async def _refund(self, request: web.Request) -> web.Response:
        case, body = self.case(request.match_info["id"]), await json_body(request)
        key = request.headers.get("Idempotency-Key", "")
        if case is None or case.status != "paid":
            return _no(404, "not_found", "There is no such payment.")
        done = next((one for one in case.data["refunds"] if one["key"] == key), None)
        if done is not None:
            return json_answer(done, 201)
        amount = body.get("amount") if isinstance(body, dict) else None
        left = Money(case.amount, case.currency).minor - sum(one["amount"] for one in case.data["refunds"])
        if not key or not isinstance(amount, int) or not 0 < amount <= left:
            return _no(422, "over_limit", f"At most {left} can be refunded.")
        done = {"id": f"re_{self.token(8)}", "amount": amount, "key": key}
        case.data["refunds"].append(done)
        self.save(case, ("refund", Money.from_minor(amount, case.currency).amount, str(done["id"])))
        return json_answer(done, 201)

    def _shown(self, case: Case) -> dict[str, Any]:
        return {
            "id": case.id, "status": case.status, "reference": case.data["reference"],
            "amount": Money(Decimal(case.amount), case.currency).minor, "currency": case.currency,
            "url": self.checkout_url(case), "reason": case.data["reason"], "refunds": case.data["refunds"],
        }  # fmt: skip


def _wrong(body: Any) -> str:
    """What is wrong with a create; empty when nothing is."""
    if not isinstance(body, dict):
        return "The body must be an object."
    if not isinstance(body.get("amount"), int) or body["amount"] <= 0:
        return "amount must be a whole number of minor units above 0."
    if not is_currency(str(body.get("currency"))):
        return "currency must be an ISO 4217 code."
    missing = [name for name in ("reference", "email", "return_url", "cancel_url") if not body.get(name)]
    return f"{', '.join(missing)} must be there." if missing else ""


def _no(status: int, code: str, message: str) -> web.Response:
    return json_answer({"code": code, "message": message}, status)
