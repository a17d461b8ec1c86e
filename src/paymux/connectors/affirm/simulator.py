"""Affirm's direct checkout and Transactions API as their merchants see them, from Affirm's developer pages and module."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import string as letters
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

from aiohttp import web

from paymux.connectors.affirm.rules import ApiError, check_checkout, country_of, positive, text_within
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, read_label, with_query

_WINDOW_DAYS = 30
_PLACE = letters.ascii_uppercase + letters.digits

Make = Callable[[web.Request, dict[str, Any]], Awaitable[dict[str, Any]]]


class AffirmSimulator(Simulator):
    """The shopper confirms a loan; the merchant authorises it, and captures, voids and refunds whole or in parts."""

    credentials: ClassVar[Mapping[str, str]] = {"public_key": "AFFIRMDEMOPUBLIC", "private_key": "affirm-demo-private"}

    def routes(self) -> list[Route]:
        """The calls of both APIs, and the sandbox's own."""
        loan = "/api/v1/transactions/{id}"
        return [
            Route("POST", "/api/v2/checkout/direct", self._answering(self._create), "create"),
            Route("GET", "/api/v2/checkout/{id}", self._answering(self._checkout), "status"),
            Route("POST", "/api/v1/transactions", self._answering(self._authorise), "confirm"),
            Route("GET", loan, self._answering(self._loan), "status"),
            Route("POST", f"{loan}/capture", self._answering(self._capture), "capture"),
            Route("POST", f"{loan}/void", self._answering(self._void), "void"),
            Route("POST", f"{loan}/refund", self._answering(self._refund), "refund"),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/split-capture", self._split_capture),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page. A shopper who is not approved, or gives up, leaves by the cancel address."""
        merchant = case.data["order"]["merchant"]
        if case.status == "opened":
            self._decide(case, outcome)
        if case.status in ("opened", "not_approved"):
            return str(merchant["user_cancel_url"])
        return with_query(merchant["user_confirmation_url"], checkout_token=case.id)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        if case.status in ("opened", "approved"):
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        words: dict[str, str] = {"approve": "confirmed", "decline": "not_approved", "pending": "approved"}
        if outcome not in words:
            return
        case.status, case.waiting = words[outcome], outcome == "pending"
        self.save(case)
        self._tell(case)

    def _tell(self, case: Case) -> None:
        """A checkout event, signed, to the address that Affirm was given."""
        url = case.data["events_url"]
        if not url:
            return
        said = {
            "checkout_token": case.id, "event": case.status, "order_id": case.data["order"].get("order_id", ""),
            "created": case.data["created"], "event_timestamp": self.now.replace(tzinfo=None).isoformat(),
            "total": str(_cents(case.amount)),
        }  # fmt: skip
        body, stamp = urlencode(said).encode(), str(int(self.now.timestamp()))
        key = self.credentials["private_key"].encode()
        signature = hmac.new(key, stamp.encode() + b"." + body, hashlib.sha512).hexdigest()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Affirm-Webhook",
            "X-Affirm-Signature": f"t={stamp},v0={signature}",
        }  # fmt: skip
        self.send_event(case, url, body, headers)

    # -- checkouts ----------------------------------------------------------------------------

    async def _create(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        total = check_checkout(body, self.credentials["public_key"], request.headers["country-code"])
        case = self.new_case(
            request, id=_name(16), amount=Decimal(total) / 100, currency=body["currency"],
            reference=body.get("order_id") or "", account=self.credentials["public_key"], status="opened",
            data={
                "order": body, "created": self.now.replace(tzinfo=None).isoformat(), "country": country_of(request),
                "events_url": read_label(request).get("events", ""), "events": [], "split": True,
            },
        )  # fmt: skip
        self.save(case)
        return {"redirect_url": self.checkout_url(case), "checkout_id": case.id}

    async def _checkout(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        case = self._of(request, request.match_info["id"], "checkout")
        # What a checkout says once it is authorised is not documented: it stays as the shopper left it.
        word = case.status if case.status in ("opened", "approved", "not_approved") else "confirmed"
        return {**case.data["order"], "total": _cents(case.amount), "checkout_status": word}

    def _of(self, request: web.Request, name: Any, what: str) -> Case:
        case = self.case(name) if isinstance(name, str) and name else None
        loan = case.data.get("loan") if case else None
        if case is None or name != (case.id if what == "checkout" else loan):
            raise ApiError(404, "not_found", f"The {what} could not be found.")
        if case.data["country"] != country_of(request):
            raise ApiError(404, "not_found", f"The {what} could not be found.")
        self._age(case)
        return case

    # -- transactions -------------------------------------------------------------------------

    async def _authorise(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        text_within(body, "transaction_id", 9, 16)
        for name in ("order_id", "reference_id"):
            if body.get(name) is not None:
                text_within(body, name, 1, 128)
        case = self._of(request, body["transaction_id"], "checkout")
        if case.status != "confirmed":
            raise ApiError(
                400, "invalid_request", "The checkout token has not been confirmed or was used.", "checkout-token"
            )
        loan = f"{_name(4)}-{_name(4)}"
        case.names = (*case.names, loan)
        case.data |= {
            "loan": loan, "order_id": body.get("order_id"), "authorised": _moment(self.now),
            "until": _moment(self.now + timedelta(days=_WINDOW_DAYS)),
        }  # fmt: skip
        case.status = "authorized"
        self._event(case, "auth", case.amount, body.get("reference_id"), "authorize")
        return self._shown(case)

    async def _loan(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        case = self._of(request, request.match_info["id"], "transaction")
        shown = self._shown(case)
        if "events" in request.query.get("expand", "").split(","):
            shown["events"] = case.data["events"]
        return shown

    async def _capture(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        case, open = self._open(request)
        amount = self._part(case, body, open)
        if amount > open:
            raise ApiError(
                409, "capture_greater_instrument",
                "Charges on this instrument cannot be captured for an amount that is greater than the total capturable balance.",
            )  # fmt: skip
        kind = "split_capture" if amount < case.amount else "capture"
        case.status = "captured" if amount == open else "partially_captured"
        return self._event(case, kind, amount, body.get("reference_id"), "capture")

    async def _void(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        case, open = self._open(request)
        if body.get("amount") is None and open < case.amount and not case.data["split"]:
            raise ApiError(409, "conflict", "The transaction has been captured.")
        amount = self._part(case, body, open)
        if amount > open:
            raise ApiError(409, "conflict", "The amount to void is greater than the total capturable balance.")
        captured = self._sum(case, "capture", "split_capture")
        if amount < open:
            case.status = "partially_voided"
        else:
            case.status = "captured" if captured else "voided"
        return self._event(case, "void", amount, body.get("reference_id"), "void")

    async def _refund(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        case = self._of(request, request.match_info["id"], "transaction")
        left = self._refundable(case)
        amount = left if body.get("amount") is None else Decimal(positive(body, "amount")) / 100
        return self._given_back(case, amount, body.get("reference_id"))

    def _given_back(self, case: Case, amount: Decimal, reference: str | None) -> dict[str, Any]:
        left = self._refundable(case)
        if not 0 < amount <= left:
            raise ApiError(403, "refund_exceeded", "The refund amount is greater than the remaining captured balance.")
        case.status = "refunded" if amount == left else "partially_refunded"
        return self._event(case, "refund", amount, reference, "refund")

    def _refundable(self, case: Case) -> Decimal:
        return self._sum(case, "capture", "split_capture") - self._sum(case, "refund")

    def _open(self, request: web.Request) -> tuple[Case, Decimal]:
        """A loan and what of it is neither captured nor given up; only a live authorisation has any."""
        case = self._of(request, request.match_info["id"], "transaction")
        open = case.amount - self._sum(case, "capture", "split_capture", "void")
        if case.status == "auth_expired" or not open:
            raise ApiError(403, "forbidden", f"The transaction is {case.status}.")
        return case, open

    def _part(self, case: Case, body: Mapping[str, Any], open: Decimal) -> Decimal:
        """How much a capture or void asks for; a part only where Split Capture is enabled."""
        if body.get("amount") is None:
            return open
        amount = Decimal(positive(body, "amount")) / 100
        if not case.data["split"] and amount != case.amount:
            raise ApiError(
                409, "capture_unequal_instrument",
                "Charges on this instrument cannot be captured for an amount unequal to authorization hold amount.",
            )  # fmt: skip
        return amount

    def _age(self, case: Case) -> None:
        """What was not captured within the authorisation window goes back to the shopper."""
        if "until" not in case.data or self.now < datetime.fromisoformat(case.data["until"]):
            return
        open = case.amount - self._sum(case, "capture", "split_capture", "void")
        if open and case.status != "auth_expired":
            case.status = "auth_expired"
            self.save(case, ("void", open, case.data["loan"]))

    @staticmethod
    def _sum(case: Case, *types: str) -> Decimal:
        return sum((Decimal(e["amount"]) / 100 for e in case.data["events"] if e["type"] in types), Decimal(0))

    def _event(self, case: Case, type: str, amount: Decimal, reference: str | None, moved: str) -> dict[str, Any]:
        said = {
            "id": _name(16), "type": type, "amount": _cents(amount), "currency": case.currency,
            "created": _moment(self.now), "transaction_id": case.data["loan"],
        }  # fmt: skip
        if type != "auth":
            said["fee" if "capture" in type else "fee_refunded"] = 0
        if reference is not None:
            said["reference_id"] = reference
        case.data["events"] = [*case.data["events"], said]
        self.save(case, (moved, amount, said["id"]))
        return said

    def _shown(self, case: Case) -> dict[str, Any]:
        shown = {
            "id": case.data["loan"], "checkout_id": case.id, "status": case.status, "amount": _cents(case.amount),
            "amount_refunded": _cents(self._sum(case, "refund")), "currency": case.currency, "provider_id": 1,
            "created": case.data["authorised"], "authorization_expiration": case.data["until"],
        }  # fmt: skip
        return shown | ({"order_id": case.data["order_id"]} if case.data["order_id"] else {})

    # -- calls --------------------------------------------------------------------------------

    def _answering(self, make: Make) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A call; a write with the Idempotency-Key of an earlier one gets that one's answer."""

        async def answered(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                body = await json_body(request) if request.method == "POST" else {}
                if not isinstance(body, dict):
                    raise ApiError(400, "invalid_request", "The body is not a JSON object.")
                given = request.headers.get("Idempotency-Key") if request.method == "POST" else None
                kept = self.desk.store.answer(self.name, f"{request.path}:{given}") if given else None
                if kept is not None:
                    if self.refuses_known_keys:
                        raise ApiError(400, "invalid_request", "This idempotency key was used before.")
                    return json_answer(kept[1], kept[0])
                said = await make(request, body)
                if given:
                    self.desk.store.keep_answer(self.name, f"{request.path}:{given}", 200, said)
                return json_answer(said)
            except ApiError as no:
                return json_answer(no.body, no.status)

        return answered

    def _admit(self, request: web.Request) -> None:
        pair = f"{self.credentials['public_key']}:{self.credentials['private_key']}"
        expected = "Basic " + base64.b64encode(pair.encode()).decode()
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected.encode()):
            raise ApiError(401, "unauthorized", "You must provide a valid API key.")
        country_of(request)

    # -- the sandbox's own --------------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if in Affirm's dashboard."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None or "loan" not in case.data:
            return json_answer({"error": "no such loan"}, 404)
        try:
            return json_answer(self._given_back(case, Decimal(body["amount"]), None), 201)
        except ApiError as no:
            return json_answer(no.body, no.status)

    async def _split_capture(self, request: web.Request) -> web.Response:
        """Enable Split Capture for a checkout's merchant, or disable it."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such checkout"}, 404)
        case.data["split"] = bool(body["enabled"])
        self.save(case)
        return json_answer({"id": case.id})


def _cents(amount: Decimal) -> int:
    return int(amount * 100)


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _name(length: int) -> str:
    return "".join(secrets.choice(_PLACE) for _ in range(length))
