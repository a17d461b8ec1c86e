"""PayPal's orders, payments and webhooks API as its merchants see it, from its published specifications."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.paypal import records
from paymux.connectors.paypal.records import moment, new_id, text_of, value
from paymux.connectors.paypal.rules import ApiError, check_order, money, string, told
from paymux.connectors.paypal.simulated_app import PayPalApp
from paymux.platform.database import from_json
from paymux.sandbox.simulator import Case, Outcome, Route, json_answer, with_query

_TO_AGREE, _TO_CONFIRM = timedelta(hours=3), timedelta(hours=6)
_AUTHORIZED_FOR = timedelta(days=29)
_ORDER_KEYS, _PAYMENT_KEYS = timedelta(hours=6), timedelta(days=45)
_MOST_CAPTURES, _OVER_CAPTURE = 10, Decimal("1.15")
_WAITS, _AGREED, _COMPLETED = "PAYER_ACTION_REQUIRED", "APPROVED", "COMPLETED"


class PayPalSimulator(PayPalApp):
    """A shopper agrees, the merchant captures or authorises. Its webhooks carry no signature: paymux asks instead."""

    credentials: ClassVar[Mapping[str, str]] = {
        "client_id": "sandbox-paypal-app",
        "client_secret": "sandbox-paypal-secret",
    }
    refused_customers: ClassVar[Mapping[tuple[str, str | None], str]] = {
        ("billingAddress.postalCode", None): "postal code",
    }

    def routes(self) -> list[Route]:
        """The calls that concern an order and its payments, the webhooks, and the sandbox's own three."""
        order, paid, hook = "/v2/checkout/orders/{id}", "/v2/payments", "/v1/notifications/webhooks"
        return [
            Route("POST", "/v1/oauth2/token", self.grant),
            Route(
                "POST",
                "/v2/checkout/orders",
                self.call(self._create),
                "create",
                others={"charge_token": b'"vault_id"'},
            ),
            Route("GET", order, self.call(self._show), "status"),
            Route("POST", f"{order}/capture", self.call(self._confirm), "confirm"),
            Route("POST", f"{order}/authorize", self.call(self._confirm), "confirm"),
            Route("POST", f"{paid}/authorizations/{{id}}/capture", self.call(self._capture), "capture"),
            Route("POST", f"{paid}/authorizations/{{id}}/void", self.call(self._void), "void"),
            Route("POST", f"{paid}/captures/{{id}}/refund", self.call(self._refund), "refund"),
            *(
                Route("GET", f"{paid}/{kind}/{{id}}", self._reader(kind))
                for kind in ("authorizations", "captures", "refunds")
            ),
            Route("GET", hook, self.call(self.list_webhooks)),
            Route("POST", hook, self.call(self.register_webhook)),
            Route("PATCH", f"{hook}/{{id}}", self.call(self.change_webhook)),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/provider-void", self._provider_void),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page, for as long as the order can be agreed to; who goes back without may come again.

        `decline` agrees with a means of payment that will not do, `pending` with one that PayPal has to review: both
        show when the merchant confirms. After `error` the shopper goes back as if he had given up.
        """
        if case.status == _WAITS and self.now < moment(case.data["created"]) + _TO_AGREE:
            self._decide(case, outcome)
        if case.status == _WAITS:
            return with_query(case.data["urls"]["cancel_url"], token=case.id)
        return with_query(case.data["urls"]["return_url"], token=case.id, PayerID=case.data["payer"])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser: the shopper, or PayPal's review of what he agreed to."""
        if case.status == _WAITS:
            self._decide(case, outcome)
            return
        case.data["review"], case.waiting = False, False
        reviewed = [record for kind in ("authorizations", "captures") for record in case.data[kind]]
        if not reviewed:
            case.data["declining"] = outcome != "approve"
            self.save(case)
        elif outcome == "approve":
            self._made(case, reviewed[0])
        else:
            reviewed[0]["status"] = "DENIED" if case.data["authorizations"] else "DECLINED"
            self.save(case)
            if case.data["captures"]:
                self.tell(case, "PAYMENT.CAPTURE.DENIED", "capture", reviewed[0])

    def _decide(self, case: Case, outcome: Outcome) -> None:
        if outcome in ("cancel", "error"):
            return
        case.status, case.waiting = _AGREED, outcome == "pending"
        case.data |= {"payer": new_id(13), "review": outcome == "pending", "declining": outcome == "decline"}
        self.save(case)
        self.tell(case, "CHECKOUT.ORDER.APPROVED", "checkout-order", self._shown(case))

    # -- orders -------------------------------------------------------------------------------

    async def _create(self, request: web.Request, body: Any) -> web.Response:
        asked = check_order(body)
        if not request.headers.get("PayPal-Request-Id"):
            raise ApiError(400, "PAYPAL_REQUEST_ID_REQUIRED")

        async def make() -> tuple[int, Any]:
            vault = asked.source.get("vault_id")
            if vault and vault not in (self.desk.store.note(self.name, "vaults") or []):
                raise ApiError(422, "BILLING_AGREEMENT_NOT_FOUND")
            case = self.new_case(
                request, id=new_id(), amount=asked.amount, currency=asked.currency,
                reference=string(asked.unit, "custom_id", 127, required=False), account=self.credentials["client_id"],
                status=_WAITS,
                data={
                    "created": text_of(self.now), "intent": asked.intent, "unit": asked.unit, "source": asked.source,
                    "custom_id": asked.unit.get("custom_id"), "urls": asked.source.get("experience_context"),
                    "authorizations": [], "captures": [], "refunds": [], "payer": None, "vault": None, "review": False,
                    "declining": False,
                },
            )  # fmt: skip
            self.save(case)
            if vault:
                case.data["payer"] = new_id(13)
                self._pay(case)
            return 201, self._answered(request, case)

        return await self.once(request, _ORDER_KEYS, make, again=200)

    async def _show(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(self._shown(self._order(request)))

    async def _confirm(self, request: web.Request, body: Any) -> web.Response:
        async def make() -> tuple[int, Any]:
            case = self._order(request)
            verb = request.path.rpartition("/")[2]
            if case.data["intent"] != verb.upper():
                raise ApiError(422, "ACTION_DOES_NOT_MATCH_INTENT")
            if case.data["captures"] or case.data["authorizations"]:
                raise ApiError(422, "ORDER_ALREADY_CAPTURED" if verb == "capture" else "ORDER_ALREADY_AUTHORIZED")
            if case.status != _AGREED:
                more = " or provide a valid `payment_source` in the request." if verb == "capture" else "."
                raise ApiError(422, "ORDER_NOT_APPROVED", more=more)
            if case.data["declining"]:
                raise ApiError(422, "INSTRUMENT_DECLINED" if verb == "capture" else "PAYER_CANNOT_PAY")
            self._pay(case)
            return 201, self._answered(request, case)

        return await self.once(request, _ORDER_KEYS, make, again=200)

    def _pay(self, case: Case) -> None:
        """Make the order's one payment, and save the account where that was asked for."""
        case.status, now, base = _COMPLETED, self.now, self.base()
        if ((case.data["source"].get("attributes") or {}).get("vault") or {}).get("store_in_vault") == "ON_SUCCESS":
            case.data["vault"] = self.token(9)
            vaults = self.desk.store.note(self.name, "vaults") or []
            self.desk.store.keep_note(self.name, "vaults", [*vaults, case.data["vault"]])
        if case.data["intent"] == "CAPTURE":
            record = records.capture(case, base, now, "PENDING", case.amount, True)
            case.data["captures"].append(record)
        else:
            record = records.authorization(case, base, now, now + _AUTHORIZED_FOR, "PENDING")
            case.data["authorizations"].append(record)
        case.names = (*case.names, record["id"])
        if case.data["review"]:
            record["status_details"] = {"reason": "PENDING_REVIEW"}
            self.save(case)
            if case.data["captures"]:
                self.tell(case, "PAYMENT.CAPTURE.PENDING", "capture", record)
        else:
            self._made(case, record)

    def _made(self, case: Case, record: dict[str, Any]) -> None:
        """The payment is good: money is held, or taken."""
        case.waiting, sold = False, bool(case.data["captures"])
        record["status"] = "COMPLETED" if sold else "CREATED"
        record.pop("status_details", None)
        held = ("authorize", value(record), record["id"])
        self.save(case, held, *([("capture", value(record), record["id"])] if sold else []))
        if sold:
            self.tell(case, "PAYMENT.CAPTURE.COMPLETED", "capture", record)
        else:
            self.tell(case, "PAYMENT.AUTHORIZATION.CREATED", "authorization", record)

    def _order(self, request: web.Request) -> Case:
        case = self.case(request.match_info["id"])
        if case is None or case.id != request.match_info["id"]:
            raise ApiError(404, "INVALID_RESOURCE_ID")
        life = _TO_AGREE if case.status == _WAITS else _TO_CONFIRM
        if case.status != _COMPLETED and self.now >= moment(case.data["created"]) + life:
            raise ApiError(404, "INVALID_RESOURCE_ID")
        self._age(case)
        return case

    # -- payments -----------------------------------------------------------------------------

    async def _capture(self, request: web.Request, body: Any) -> web.Response:
        async def make() -> tuple[int, Any]:
            case, held = self._record(request, "authorizations")
            ended = {
                "CAPTURED": "AUTHORIZATION_ALREADY_CAPTURED", "VOIDED": "AUTHORIZATION_VOIDED", "DENIED": "AUTHORIZATION_DENIED",
                "PENDING": "TRANSACTION_REFUSED",
            }.get(held["status"])  # fmt: skip
            if ended:
                raise ApiError(422, ended)
            captures = case.data["captures"]
            left = value(held) - sum((value(capture) for capture in captures), Decimal(0))
            amount = self._part(case, body, left, "AUTH_CAPTURE_CURRENCY_MISMATCH")
            if amount - left > value(held) * _OVER_CAPTURE - value(held):
                raise ApiError(422, "MAX_CAPTURE_AMOUNT_EXCEEDED")
            if len(captures) >= _MOST_CAPTURES:
                raise ApiError(422, "MAX_CAPTURE_COUNT_EXCEEDED")
            final = bool(body.get("final_capture"))
            record = records.capture(case, self.base(), self.now, _COMPLETED, amount, final)
            captures.append(record)
            case.names = (*case.names, record["id"])
            closed = final or amount >= left
            held |= {"status": "CAPTURED" if closed else "PARTIALLY_CAPTURED", "update_time": text_of(self.now)}
            released = [("void", left - amount, held["id"])] if closed and left > amount else []
            self.save(case, ("capture", amount, record["id"]), *released)
            self.tell(case, "PAYMENT.CAPTURE.COMPLETED", "capture", record)
            return 201, _brief(request, record)

        return await self.once(request, _PAYMENT_KEYS, make)

    async def _void(self, request: web.Request, body: Any) -> web.Response:
        async def make() -> tuple[int, Any]:
            case, held = self._record(request, "authorizations")
            self._voided(case, held)
            full = "representation" in request.headers.get("Prefer", "")
            return (200, held) if full else (204, None)

        return await self.once(request, _PAYMENT_KEYS, make)

    def _voided(self, case: Case, held: dict[str, Any]) -> None:
        if held["status"] in ("CAPTURED", "VOIDED"):
            raise ApiError(422, "PREVIOUSLY_CAPTURED" if held["status"] == "CAPTURED" else "PREVIOUSLY_VOIDED")
        rest = value(held) - sum((value(capture) for capture in case.data["captures"]), Decimal(0))
        held |= {"status": "VOIDED", "update_time": text_of(self.now)}
        self.save(case, ("void", rest, held["id"]))
        self.tell(case, "PAYMENT.AUTHORIZATION.VOIDED", "authorization", held)

    async def _refund(self, request: web.Request, body: Any) -> web.Response:
        async def make() -> tuple[int, Any]:
            case, record = self._record(request, "captures")
            said = {
                name: string(body, name, 255) for name in ("custom_id", "invoice_id", "note_to_payer") if name in body
            }
            return 201, _brief(request, self._give_back(case, record, body, said))

        return await self.once(request, _PAYMENT_KEYS, make)

    def _give_back(self, case: Case, capture: dict[str, Any], body: Any, said: dict[str, Any]) -> dict[str, Any]:
        if capture["status"] == "PENDING":
            raise ApiError(422, "PENDING_CAPTURE")
        if capture["status"] == "REFUNDED":
            raise ApiError(422, "CAPTURE_FULLY_REFUNDED")
        mine = [refund for refund in case.data["refunds"] if refund["links"][-1]["href"].endswith(f"/{capture['id']}")]
        left = value(capture) - sum((value(refund) for refund in mine), Decimal(0))
        amount = self._part(case, body, left, "REFUND_CAPTURE_CURRENCY_MISMATCH")
        if amount > left:
            raise ApiError(422, "REFUND_AMOUNT_EXCEEDED")
        record = records.refund(case, self.base(), self.now, amount, capture["id"], said)
        case.data["refunds"].append(record)
        case.names = (*case.names, record["id"])
        capture["status"] = "REFUNDED" if amount == left else "PARTIALLY_REFUNDED"
        self.save(case, ("refund", amount, record["id"]))
        self.tell(case, "PAYMENT.CAPTURE.REFUNDED", "refund", record)
        return record

    def _reader(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The call that shows one authorisation, capture or refund, as its links name it."""

        async def show(request: web.Request, body: Any) -> web.Response:
            return json_answer(self._record(request, kind)[1])

        return self.call(show)

    def _record(self, request: web.Request, kind: str) -> tuple[Case, dict[str, Any]]:
        """The authorisation, capture or refund that a path names, with its order."""
        id = request.match_info["id"]
        case = self.case(id)
        record = next((record for record in (case.data[kind] if case else ()) if record["id"] == id), None)
        if case is None or record is None:
            raise ApiError(404, "INVALID_RESOURCE_ID")
        self._age(case)
        return case, record

    @staticmethod
    def _part(case: Case, body: Any, left: Decimal, other_currency: str) -> Decimal:
        if not isinstance(body, dict) or "amount" not in body:
            return left
        amount, currency = money(body["amount"], "amount")
        if currency != case.currency:
            raise ApiError(422, other_currency)
        if amount <= 0:
            raise ApiError(422, "CANNOT_BE_ZERO_OR_NEGATIVE", "/amount/value")
        return amount

    def _age(self, case: Case) -> None:
        """An authorisation that has run out is voided by PayPal itself."""
        for held in case.data["authorizations"]:
            until = moment(held["expiration_time"])
            if held["status"] in ("CREATED", "PARTIALLY_CAPTURED") and self.now >= until:
                held |= {"status": "VOIDED", "update_time": text_of(until)}
                self.save(case)
                self.tell(case, "PAYMENT.AUTHORIZATION.VOIDED", "authorization", held)

    def _shown(self, case: Case) -> dict[str, Any]:
        return records.order(case, self.base(), self.checkout_url(case))

    def _answered(self, request: web.Request, case: Case) -> dict[str, Any]:
        full = "representation" in request.headers.get("Prefer", "")
        return records.order(case, self.base(), self.checkout_url(case), minimal=not full)

    # -- the sandbox's own --------------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as if in PayPal's dashboard, of the oldest capture."""

        def give_back(case: Case, body: Any) -> None:
            part = {"amount": told(Decimal(body["amount"]), case.currency)}
            self._give_back(case, case.data["captures"][0], part, {})

        return await self._by_hand(request, give_back)

    async def _provider_void(self, request: web.Request) -> web.Response:
        """Void as if in PayPal's dashboard."""
        return await self._by_hand(request, lambda case, body: self._voided(case, case.data["authorizations"][0]))

    async def _tamper(self, request: web.Request) -> web.Response:
        """Change what PayPal will report, and move, for an order."""

        def change(case: Case, body: Any) -> None:
            case.amount, case.currency = Decimal(body.get("amount", case.amount)), body.get("currency", case.currency)
            case.data["custom_id"] = body.get("reference", case.data["custom_id"])
            self.save(case)

        return await self._by_hand(request, change)

    async def _by_hand(self, request: web.Request, do: Callable[[Case, Any], Any]) -> web.Response:
        body = from_json(await request.read())
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such order"}, 404)
        try:
            do(case, body)
        except ApiError as no:
            return json_answer({"error": no.issue}, no.status)
        return json_answer({"id": case.id}, 201)


def _brief(request: web.Request, record: dict[str, Any]) -> dict[str, Any]:
    """A record in full, or as PayPal answers unless it is asked for more."""
    full = "representation" in request.headers.get("Prefer", "")
    return record if full else {name: record[name] for name in ("id", "status", "links")}
