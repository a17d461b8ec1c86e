"""Zip's merchant API as its merchants see it, from its PHP SDK and its pages."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.zip.rules import ApiError, check_checkout, invalid, number, string
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, with_query

_TO_APPROVE, _TO_CHARGE = timedelta(hours=168, minutes=20), timedelta(minutes=15)
_MESSAGES = {
    "account_insufficient_funds": "Customer does not have sufficient funds to perform the charge",
    "amount_invalid": "The amount provided does not match the approved checkout amount",
    "invalid_state": "The charge is not in authorised state",
}
# A merchant of several regions has a longer key, and is told at /me which ones.
_OF_SEVERAL = "sandbox-zip-private-key-of-a-merchant-with-shops-in-au-and-uk"
_RETURNED = {"approved": "approved", "completed": "approved", "declined": "declined", "cancelled": "cancelled"}

Call = Callable[[web.Request, Any], Awaitable[web.Response]]


class ZipSimulator(Simulator):
    """The shopper approves a checkout; the merchant charges it, or an account token that he made of it."""

    completed_by_token = False
    """Whether a charge by a token completes the checkout that the token was made of. No source tells."""
    makes_tokens_again = True
    """Whether a repeated request for a token is answered with the first one. No source names its key."""

    credentials: ClassVar[Mapping[str, str]] = {"api_key": "sandbox-zip-private-key"}
    refused_customers: ClassVar[Mapping[tuple[str, str | None], str]] = {
        ("billingAddress.country", "BR"): "billing_address.country",
    }

    def routes(self) -> list[Route]:
        """The calls of the API, and the sandbox's own two."""
        charge = "/charges/{id}"
        return [
            Route("GET", "/me", self._call(self._me), "check"),
            Route("POST", "/checkouts", self._call(self._create), "create"),
            Route("GET", "/checkouts/{id}", self._call(self._checkout), "status"),
            Route("POST", "/tokens", self._call(self._tokenise), "confirm"),
            Route("POST", "/charges", self._call(self._charge), "confirm", others={"charge_token": b'"account_token"'}),
            Route("GET", charge, self._call(self._show), "status"),
            Route("POST", f"{charge}/capture", self._call(self._capture), "capture"),
            Route("POST", f"{charge}/cancel", self._call(self._cancel), "void"),
            Route("POST", "/refunds", self._call(self._refund), "refund"),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page. `pending` is referred: Zip looks at the application; `error` leaves the checkout open."""
        self._age(case)
        if case.status == "created":
            self._decide(case, outcome)
        undecided = "referred" if case.data["referred"] else "cancelled"
        result = _RETURNED.get(case.status, undecided)
        # Zip names its checkout without the region that the id begins with.
        return with_query(case.data["redirect_uri"], result=result, checkoutId=case.id.partition("-")[2])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        self._age(case)
        if case.status == "created":
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        words = {"approve": "approved", "decline": "declined", "cancel": "cancelled"}
        case.status, case.data["referred"] = words.get(outcome, "created"), outcome == "pending"
        case.waiting = case.status == "created"
        case.data["approved"] = self._text(self.now) if case.status == "approved" else None
        self.save(case)

    def _age(self, case: Case) -> None:
        """A checkout that nobody approved, or charged, in time has expired."""
        since = case.data["approved"] or case.data["created"]
        life = _TO_CHARGE if case.status == "approved" else _TO_APPROVE
        if case.status in ("created", "approved") and self.now >= datetime.fromisoformat(since) + life:
            case.status, case.waiting = "expired", False
            self.save(case)

    # -- checkouts ----------------------------------------------------------------------------

    async def _me(self, request: web.Request, body: Any) -> web.Response:
        if not request.headers["Authorization"].endswith(_OF_SEVERAL):
            raise ApiError(404, "not_found", "The merchant was not found")
        return json_answer({"name": "Sandbox Merchant", "regions": ["au", "uk"]})

    async def _create(self, request: web.Request, body: Any) -> web.Response:
        amount, currency, region = check_checkout(body)
        order = body["order"]
        same = f"checkout:{order.get('reference')}:{amount}"
        kept = self.desk.store.note(self.name, same) if order.get("reference") else None
        case = self.case(kept) if kept else None
        if case is None:
            case = self.new_case(
                request, id=f"{region}-co_{self.token(11)}", amount=amount, currency=currency,
                reference=order.get("reference") or "", account=self.credentials["api_key"][:12],
                data={
                    "created": self._text(self.now), "approved": None, "referred": False, "charge": None,
                    "order": order, "shopper": body["shopper"], "features": body.get("features"),
                    "redirect_uri": body["config"]["redirect_uri"], "reference": order.get("reference"),
                },
            )  # fmt: skip
            self.save(case)
            self.desk.store.keep_note(self.name, same, case.id)
        return json_answer(self._shown(case), 201)

    async def _checkout(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(self._shown(self._of(request.match_info["id"])))

    def _of(self, id: str) -> Case:
        case = self.case(id)
        if case is None or case.id != id:
            raise ApiError(404, "not_found", "The checkout was not found")
        self._age(case)
        return case

    def _shown(self, case: Case) -> dict[str, Any]:
        order = {**case.data["order"], "amount": case.amount, "currency": case.currency}
        return {
            "id": case.id, "uri": self.checkout_url(case), "type": "standard", "state": case.status,
            "created": case.data["created"], "shopper": case.data["shopper"],
            "order": {**order, "reference": case.data["reference"]},
            "config": {"redirect_uri": case.data["redirect_uri"]},
        }  # fmt: skip

    # -- charges ------------------------------------------------------------------------------

    async def _tokenise(self, request: web.Request, body: Any) -> web.Response:
        async def make() -> dict[str, Any]:
            case = self._of(string(body.get("authority"), "value"))
            asked = ((case.data["features"] or {}).get("tokenisation") or {}).get("required")
            # Zip makes tokens in Australia only.
            if case.status != "approved" or not asked or not case.id.startswith("au-"):
                raise ApiError(402, "invalid_state", "The checkout was not approved for tokenisation")
            value = self.token(20)
            self.desk.store.keep_note(self.name, f"token:{value}", case.id)
            self.desk.store.keep_note(self.name, f"token of:{case.id}", value)
            return {"id": f"tok_{self.token(8)}", "value": value, "active": True, "created_date": self._text(self.now)}

        value = str((body.get("authority") or {}).get("value"))
        if not self.makes_tokens_again and self.desk.store.note(self.name, f"token of:{value}"):
            raise ApiError(402, "invalid_state", "A token of this checkout was made already")
        return await self._once(request, make)

    async def _charge(self, request: web.Request, body: Any) -> web.Response:
        async def make() -> dict[str, Any]:
            authority = body.get("authority") or {}
            kind, value = authority.get("type"), string(authority, "value")
            amount, currency = number(body, "amount"), string(body, "currency", 3)
            if kind == "account_token":
                case = self._by_token(request, value, body, amount, currency)
            elif kind == "checkout_id":
                case = self._of(value)
                if case.status != "approved":
                    raise ApiError(402, "invalid_state", "The checkout is not approved")
                self._agreed(case, amount, currency)
            else:
                raise invalid("authority.type", "is not supported")
            if case.currency != "AUD" and body.get("capture") is False:
                raise invalid("capture", "has to be true")
            return self._charged(case, body, completes=kind == "checkout_id" or self.completed_by_token)

        return await self._once(request, make)

    def _by_token(self, request: web.Request, value: str, body: Any, amount: Decimal, currency: str) -> Case:
        """The record of the checkout that a token was made of, for its own order; else of a new purchase of the customer."""
        first = self.case(self.desk.store.note(self.name, f"token:{value}") or "")
        if first is None:
            raise ApiError(403, "account_inoperative", "The account token is not valid")
        self._age(first)
        if first.status == "approved" and first.data["reference"] == body.get("reference"):
            self._agreed(first, amount, currency)
            return first
        if currency != first.currency:
            raise invalid("currency", "is not the account's")
        data = {**first.data, "created": self._text(self.now), "charge": None, "reference": body.get("reference")}
        return self.new_case(
            request, id=f"{first.id.partition('-')[0]}-co_{self.token(11)}", amount=amount, currency=currency,
            reference=body.get("reference") or "", account=first.account, waiting=False, data=data,
        )  # fmt: skip

    @staticmethod
    def _agreed(case: Case, amount: Decimal, currency: str) -> None:
        if amount != case.amount or currency != case.currency:
            raise ApiError(402, "amount_invalid", _MESSAGES["amount_invalid"])

    def _charged(self, case: Case, body: Any, *, completes: bool) -> dict[str, Any]:
        at_once = body.get("capture") is not False
        charge = {
            "id": f"{case.id.partition('-')[0]}-ch_{self.token(11)}", "amount": case.amount, "currency": case.currency,
            "state": "captured" if at_once else "authorised", "captured_amount": case.amount if at_once else Decimal(0),
            "refunded_amount": Decimal(0), "created_date": self._text(self.now), "receipt_number": self.token(4),
            "reference": body.get("reference"), "product": "zipPay",
        }  # fmt: skip
        case.data["charge"], case.waiting = charge, False
        case.status = "completed" if completes else case.status
        case.names = (*case.names, str(charge["id"]))
        captured = [("capture", case.amount, str(charge["id"]))] if at_once else []
        self.save(case, ("authorize", case.amount, str(charge["id"])), *captured)
        return charge

    async def _show(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(self._charge_of(request.match_info["id"])[1])

    def _charge_of(self, id: str) -> tuple[Case, dict[str, Any]]:
        case = self.case(id)
        charge = case.data["charge"] if case else None
        if case is None or charge is None or charge["id"] != id:
            raise ApiError(404, "not_found", "The charge was not found")
        # The store gives numbers back as it likes; Zip's are decimals.
        return case, {n: Decimal(v) if n == "amount" or n.endswith("_amount") else v for n, v in charge.items()}

    async def _capture(self, request: web.Request, body: Any) -> web.Response:
        async def make() -> dict[str, Any]:
            case, charge = self._charge_of(request.match_info["id"])
            amount = number(body, "amount")
            if charge["state"] != "authorised":
                raise ApiError(402, "invalid_state", _MESSAGES["invalid_state"])
            left = charge["amount"] - charge["captured_amount"]
            if not 0 < amount <= left:
                raise ApiError(402, "amount_invalid", "Capture amount greater than authorised amount")
            charge["captured_amount"] += amount
            last = not body.get("is_partial_capture") or amount == left
            charge["state"] = "captured" if last else "authorised"
            released = [("void", left - amount, charge["id"])] if last and amount < left else []
            return self._kept(case, charge, ("capture", amount, charge["id"]), *released)

        return await self._once(request, make)

    async def _cancel(self, request: web.Request, body: Any) -> web.Response:
        async def make() -> dict[str, Any]:
            case, charge = self._charge_of(request.match_info["id"])
            if charge["state"] != "authorised":
                raise ApiError(402, "invalid_state", _MESSAGES["invalid_state"])
            left = charge["amount"] - charge["captured_amount"]
            charge["state"] = "cancelled"
            return self._kept(case, charge, ("void", left, charge["id"]))

        return await self._once(request, make)

    async def _refund(self, request: web.Request, body: Any) -> web.Response:
        async def make() -> dict[str, Any]:
            case, _ = self._charge_of(string(body, "charge_id"))
            return self._give_back(case, number(body, "amount"), string(body, "reason"))

        return await self._once(request, make)

    def _give_back(self, case: Case, amount: Decimal, reason: str) -> dict[str, Any]:
        _, charge = self._charge_of(case.data["charge"]["id"])
        left = charge["captured_amount"] - charge["refunded_amount"]
        if left <= 0:
            raise ApiError(402, "invalid_state", "The charge is already fully refunded")
        if not 0 < amount <= left:
            raise ApiError(402, "amount_invalid", "The refund amount is greater than the remaining captured total")
        charge["refunded_amount"] += amount
        if amount == left and charge["state"] == "captured":
            charge["state"] = "refunded"
        id = f"re_{self.token(11)}"
        self._kept(case, charge, ("refund", amount, id))
        return {
            "id": id, "charge_id": charge["id"], "reason": reason, "amount": amount, "created": self._text(self.now),
        }  # fmt: skip

    def _kept(self, case: Case, charge: dict[str, Any], *moved: tuple[str, Decimal, str]) -> dict[str, Any]:
        case.data["charge"] = charge
        self.save(case, *moved)
        return charge

    # -- calls --------------------------------------------------------------------------------

    async def _once(self, request: web.Request, make: Callable[[], Awaitable[dict[str, Any]]]) -> web.Response:
        """A call that moves money needs an Idempotency-Key; the same one gets the first answer."""
        given = request.headers.get("Idempotency-Key")
        if not given:
            raise invalid("Idempotency-Key")
        key = f"{request.path}:{given}"
        kept = self.desk.store.answer(self.name, key)
        if kept is None:
            self.desk.store.keep_answer(self.name, key, 201, said := await make())
            return json_answer(said, 201)
        if self.refuses_known_keys:
            raise ApiError(402, "invalid_state", "The Idempotency-Key was used before")
        return json_answer(kept[1], kept[0])

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            try:
                given = request.headers.get("Authorization", "").encode()
                keys = (f"Bearer {key}".encode() for key in (self.credentials["api_key"], _OF_SEVERAL))
                if not any(hmac.compare_digest(given, key) for key in keys):
                    raise ApiError(401, "unauthorized", "The API key is missing or not valid")
                if not request.headers.get("Zip-Version"):
                    raise invalid("Zip-Version")
                body = await json_body(request) if await request.read() else {}
                if not isinstance(body, dict):
                    raise invalid("body", "has to be a JSON object")
                return await handler(request, body)
            except ApiError as no:
                return json_answer(no.body, no.status)

        return answered

    @staticmethod
    def _text(moment: datetime) -> str:
        return moment.isoformat(timespec="milliseconds")

    # -- the sandbox's own --------------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if in Zip's dashboard."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None or not case.data["charge"]:
            return json_answer({"error": "no such charge"}, 404)
        try:
            return json_answer(self._give_back(case, Decimal(body["amount"]), "dashboard"), 201)
        except ApiError as no:
            return json_answer(no.body, no.status)

    async def _tamper(self, request: web.Request) -> web.Response:
        """Change what Zip holds of a checkout."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such checkout"}, 404)
        case.amount, case.currency = Decimal(body.get("amount", case.amount)), body.get("currency", case.currency)
        case.data["reference"] = body.get("reference", case.data["reference"])
        self.save(case)
        return json_answer({"id": case.id})
