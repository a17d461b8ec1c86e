"""Sezzle's API v2 as its merchants see it, from its OpenAPI file and its documentation."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.sezzle.simulated_rules import (
    ApiError,
    check_order,
    check_session,
    check_webhook,
    price,
    price_of,
    text_of,
)
from paymux.platform.database import from_json, to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, read_label, with_query

_ACCESS_LIFE = timedelta(minutes=120)
_AUTH_LIFE = timedelta(minutes=30)
_CHECKOUT_LIFE = timedelta(hours=24)
_CUSTOMER_LIFE = timedelta(days=365)

Call = Callable[[web.Request, Any], Awaitable[web.Response]]


class SezzleSimulator(Simulator):
    """A session's order is captured or held as soon as the shopper agrees; the rest is the merchant's."""

    credentials: ClassVar[Mapping[str, str]] = {
        "public_key": "sz_pub_paymux_sandbox", "private_key": "sz_pr_paymux_sandbox",
    }  # fmt: skip

    def routes(self) -> list[Route]:
        """The calls that concern one order, its customer, the webhooks, and the sandbox's own three."""
        order, hook = "/order/{uuid}", "/webhooks/{uuid}"
        return [
            Route("POST", "/authentication", self._answered(self._authentication)),
            Route("POST", "/session", self._call(self._create), "create"),
            Route("GET", order, self._call(self._get), "status"),
            Route("POST", f"{order}/capture", self._call(self._capture), "capture"),
            Route("POST", f"{order}/release", self._call(self._release), "void"),
            Route("POST", f"{order}/refund", self._call(self._refund), "refund"),
            Route("DELETE", f"{order}/checkout", self._call(self._delete_checkout), "cancel"),
            Route("GET", "/token/{token}/session", self._call(self._session_token), "status"),
            Route("POST", "/customer/{uuid}/order", self._call(self._customer_order), "charge_token"),
            Route("GET", "/webhooks", self._call(self._list_webhooks)),
            Route("POST", "/webhooks", self._call(self._create_webhook)),
            Route("PATCH", hook, self._call(self._update_webhook)),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/tamper", self.tampering("reference")),
            Route("POST", "/sandbox/customer-is-refused", self._refuse_customer),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page. A shopper who agrees lets the shop charge him later, too, where it asks for that."""
        self._age(case)
        if case.waiting and case.status == "active":
            if outcome in ("cancel", "error"):
                case.waiting = False
                self.save(case)
            else:
                self._decide(case, outcome)
        left = case.status in ("denied", "deleted") or (case.status == "active" and not case.waiting)
        url = case.data["cancel_url" if left else "complete_url"]
        customer = case.data["customer"]
        return with_query(url, **{"customer-uuid": customer["uuid"]}) if customer and not left else url

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        if case.waiting and case.status == "active":
            self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        if outcome == "pending":
            return
        case.waiting = False
        if outcome != "approve":
            case.status = "denied" if outcome == "decline" else case.status
            self.save(case)
            return
        if case.data["token"]:
            expires = text_of(self.now + _CUSTOMER_LIFE)
            case.data["customer"] = {"uuid": str(uuid.uuid4()), "expiration": expires, "links": []}
            self.desk.store.keep_note(self.name, f"customer:{case.data['customer']['uuid']}", {"refused": False})
        self._authorise(case)

    def _authorise(self, case: Case) -> None:
        """Hold the amount, or take it at once, as the order's intent says."""
        case.status, case.waiting = "completed", False
        held: dict[str, Any] = {
            "authorization_amount": price(case.amount, case.currency), "approved": True,
            "expiration": text_of(self.now + _AUTH_LIFE), "sezzle_order_id": self.token(8),
            "captures": [], "releases": [], "refunds": [],
        }  # fmt: skip
        case.data["authorization"], moved = held, [("authorize", case.amount, case.id)]
        if case.data["order"]["intent"] == "CAPTURE":
            held["captures"].append(self._part(case, case.amount))
            moved.append(("capture", case.amount, held["captures"][0]["uuid"]))
        self.save(case, *moved)
        self._tell(case, "order.authorized")
        if len(moved) > 1:
            self._tell(case, "order.captured")

    def _age(self, case: Case) -> None:
        """A checkout that nobody used in time is deleted; what is held beyond its time is set free."""
        held = case.data["authorization"]
        if case.status == "active" and self.now >= datetime.fromisoformat(case.data["checkout_expiration"]):
            case.status, case.waiting = "deleted", False
            self.save(case)
        elif held and not case.data["over"] and self.now >= datetime.fromisoformat(held["expiration"]):
            case.data["over"], left = True, self._left(case)
            if left:
                case.status = case.status if held["captures"] else "deleted"
                self.save(case, ("void", left, case.id))

    # -- orders -------------------------------------------------------------------------------

    async def _create(self, request: web.Request, body: Any) -> web.Response:
        amount, currency = check_session(body)
        tokenize = bool((body.get("customer") or {}).get("tokenize"))
        case = self._opened(request, body["order"], amount, currency, self.token() if tokenize else "")
        case.data["complete_url"], case.data["cancel_url"] = body["complete_url"]["href"], body["cancel_url"]["href"]
        self.save(case)
        said: dict[str, Any] = {
            "uuid": str(uuid.uuid4()), "links": [],
            "order": {
                "uuid": case.id, "checkout_url": self.checkout_url(case), "intent": body["order"]["intent"], "links": [],
            },
        }  # fmt: skip
        if tokenize:
            expires = text_of(self.now + timedelta(minutes=30))
            said["tokenize"] = {"token": case.data["token"], "expiration": expires, "links": []}
        return json_answer(said, 201)

    def _opened(self, request: web.Request, order: Any, amount: Decimal, currency: str, token: str) -> Case:
        return self.new_case(
            request, id=str(uuid.uuid4()), amount=amount, currency=currency, reference=order["reference_id"],
            account=self.credentials["public_key"], status="active", names=(token,) if token else (),
            data={
                "order": order, "token": token, "customer": None, "authorization": None, "over": False,
                "reference": order["reference_id"], "complete_url": "", "cancel_url": "",
                "checkout_expiration": text_of(self.now + _CHECKOUT_LIFE),
            },
        )  # fmt: skip

    async def _get(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(self._shown(self._order(request)))

    def _shown(self, case: Case) -> dict[str, Any]:
        sent = case.data["order"]
        shown = {
            "uuid": case.id, "links": [], "intent": sent["intent"], "reference_id": case.data["reference"],
            "description": sent.get("description"), "checkout_expiration": case.data["checkout_expiration"],
            "checkout_status": case.status, "order_amount": price(case.amount, case.currency),
            "items": sent.get("items") or [], "is_upcharge": False,
        }  # fmt: skip
        return {**shown, "authorization": case.data["authorization"]} if case.data["authorization"] else shown

    async def _capture(self, request: web.Request, body: Any) -> web.Response:
        case, held = self._held(request)
        if case.data["over"]:
            raise ApiError(422, "authorization_expired", "The authorization has expired")
        amount = self._wanted(case, body, "capture_amount", self._left(case))
        return self._moved(case, held["captures"], "capture", amount, "order.captured")

    async def _release(self, request: web.Request, body: Any) -> web.Response:
        case, held = self._held(request)
        amount = self._wanted(case, body, "", Decimal(0) if case.data["over"] else self._left(case))
        if amount == self._left(case) and not held["captures"]:
            case.status = "deleted"
        return self._moved(case, held["releases"], "void", amount)

    async def _refund(self, request: web.Request, body: Any) -> web.Response:
        case, held = self._held(request)
        return self._refunded(case, held, self._wanted(case, body, "", _sum(held["captures"]) - _sum(held["refunds"])))

    def _refunded(self, case: Case, held: dict[str, Any], amount: Decimal) -> web.Response:
        return self._moved(case, held["refunds"], "refund", amount, "order.refunded")

    def _moved(self, case: Case, parts: list[Any], kind: str, amount: Decimal, event: str = "") -> web.Response:
        parts.append(self._part(case, amount))
        self.save(case, (kind, amount, parts[-1]["uuid"]))
        if event:
            self._tell(case, event)
        return json_answer({"uuid": parts[-1]["uuid"]})

    async def _delete_checkout(self, request: web.Request, body: Any) -> web.Response:
        case = self._order(request)
        if case.status not in ("active", "deleted") or case.data["authorization"]:
            raise ApiError(422, "checkout_completed", "The checkout can't be deleted any more")
        case.status, case.waiting = "deleted", False
        self.save(case)
        return web.Response(status=204)

    # -- customers ----------------------------------------------------------------------------

    async def _session_token(self, request: web.Request, body: Any) -> web.Response:
        token = request.match_info["token"]
        case = self.case(token)
        if case is None or case.data["token"] != token:
            raise ApiError(404, "not_found", "No such token")
        customer = {"customer": case.data["customer"]} if case.data["customer"] else {}
        return json_answer({"token": token, "links": [], **customer})

    async def _customer_order(self, request: web.Request, body: Any) -> web.Response:
        customer = self.desk.store.note(self.name, f"customer:{request.match_info['uuid']}")
        if customer is None:
            raise ApiError(404, "not_found", "No such customer")
        amount, currency = check_order(body)
        case = self._opened(request, body, amount, currency, "")
        if customer["refused"]:
            case.status, case.waiting = "denied", False
            self.save(case)
        else:
            self._authorise(case)
        return json_answer(self._shown(case))

    # -- what keeps it consistent -------------------------------------------------------------

    def _order(self, request: web.Request) -> Case:
        name = request.match_info["uuid"]
        case = self.case(name)
        if case is None or case.id != name:
            raise ApiError(404, "not_found", "No such order")
        self._age(case)
        return case

    def _held(self, request: web.Request) -> tuple[Case, dict[str, Any]]:
        case = self._order(request)
        if not case.data["authorization"]:
            raise ApiError(422, "not_authorized", "The shopper has not completed the checkout")
        return case, case.data["authorization"]

    @staticmethod
    def _left(case: Case) -> Decimal:
        held = case.data["authorization"]
        return case.amount - _sum(held["captures"]) - _sum(held["releases"])

    @staticmethod
    def _wanted(case: Case, body: Any, location: str, most: Decimal) -> Decimal:
        amount, currency = price_of(body, location, 1)
        if currency != case.currency:
            raise ApiError(422, "invalid", "The currency must be the order's", "currency")
        if amount > most:
            raise ApiError(422, "invalid", f"The amount is more than the {most} that is left", "amount_in_cents")
        return amount

    @staticmethod
    def _part(case: Case, amount: Decimal) -> dict[str, Any]:
        return {"uuid": str(uuid.uuid4()), "amount": price(amount, case.currency)}

    # -- webhooks -----------------------------------------------------------------------------

    # All accounts of a sandbox share one pair of keys, so each has its own list, told apart by paymux's label.
    def _hooks(self) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] | None = self.desk.store.note(self.name, "webhooks")
        return kept or []

    async def _list_webhooks(self, request: web.Request, body: Any) -> web.Response:
        owner = _owner(request)
        return json_answer([hook for hook in self._hooks() if hook["owner"] == owner])

    async def _create_webhook(self, request: web.Request, body: Any) -> web.Response:
        hook = {**check_webhook(body), "uuid": str(uuid.uuid4()), "owner": _owner(request), "links": []}
        self.desk.store.keep_note(self.name, "webhooks", [*self._hooks(), hook])
        return json_answer({"uuid": hook["uuid"], "links": []})

    async def _update_webhook(self, request: web.Request, body: Any) -> web.Response:
        hooks, name = self._hooks(), request.match_info["uuid"]
        for hook in hooks:
            if hook["uuid"] == name and hook["owner"] == _owner(request):
                hook.update(check_webhook(body))
                self.desk.store.keep_note(self.name, "webhooks", hooks)
                return json_answer({"uuid": name, "links": []})
        raise ApiError(404, "not_found", "No such webhook")

    def _tell(self, case: Case, event: str) -> None:
        """Send a webhook to everyone who subscribed to it, signed with the merchant's private key."""
        data = {"uuid": case.id, "authorization": {**case.data["authorization"], "uuid": str(uuid.uuid4())}}
        told = {
            "uuid": str(uuid.uuid4()), "created_at": text_of(self.now), "event": event, "data_type": "order", "data": data,
        }  # fmt: skip
        body = to_json(told).encode()
        signature = hmac.new(self.credentials["private_key"].encode(), body, sha256).hexdigest()
        for hook in self._hooks():
            if event in hook["events"] and hook["owner"] in (["", ""], [case.merchant, case.code]):
                headers = {"Content-Type": "application/json", "Sezzle-Signature": signature}
                self.send_event(case, hook["url"], body, headers)

    # -- access -------------------------------------------------------------------------------

    async def _authentication(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        for name, known in self.credentials.items():
            said = str(body.get(name) if isinstance(body, dict) else "")
            if not hmac.compare_digest(said.encode(), known.encode()):
                raise ApiError(401, "unauthorized", "The keys are not valid")
        expires = self.now + _ACCESS_LIFE
        token = self._access(int(expires.timestamp()))
        return json_answer({"token": token, "expiration_date": text_of(expires), "merchant_uuid": "sandbox"}, 201)

    def _access(self, expires: int) -> str:
        """An access token says itself until when it is good, so that a restart forgets none."""
        key = self.credentials["private_key"].encode()
        return f"{expires}.{hmac.new(key, f'access{expires}'.encode(), sha256).hexdigest()}"

    def _call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def call(request: web.Request) -> web.Response:
            said = request.headers.get("Authorization", "").removeprefix("Bearer ").partition(".")[0]
            until = int(said) if said.isascii() and said.isdigit() and len(said) < 12 else 0
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            expected = f"Bearer {self._access(until)}".encode()
            if not hmac.compare_digest(given, expected) or self.now.timestamp() >= until:
                raise ApiError(401, "unauthorized", "The token is not valid, or has expired")
            key = request.headers.get("Sezzle-Request-Id")
            kept = self.desk.store.answer(self.name, f"{request.path}:{key}") if key else None
            if kept is not None:
                if self.refuses_known_keys:
                    raise ApiError(422, "duplicate", "This Sezzle-Request-Id was used before")
                return json_answer(kept[1], kept[0])
            answer = await handler(request, await json_body(request))
            if key:
                self.desk.store.keep_answer(self.name, f"{request.path}:{key}", answer.status, _body(answer))
            return answer

        return self._answered(call)

    @staticmethod
    def _answered(
        handler: Callable[[web.Request], Awaitable[web.Response]],
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except ApiError as no:
                return json_answer(no.body, no.status)

        return answered

    # -- the sandbox's own --------------------------------------------------------------------

    async def _control(self, request: web.Request) -> tuple[Any, Case]:
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            raise web.HTTPNotFound
        return body, case

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as in the merchant dashboard."""
        body, case = await self._control(request)
        return self._refunded(case, case.data["authorization"], Decimal(str(body["amount"])))

    async def _refuse_customer(self, request: web.Request) -> web.Response:
        """From now on Sezzle approves of no order by the customer that this order's shopper became."""
        _, case = await self._control(request)
        self.desk.store.keep_note(self.name, f"customer:{case.data['customer']['uuid']}", {"refused": True})
        return json_answer(case.data["customer"])


def _owner(request: web.Request) -> list[str]:
    label = read_label(request)
    return [label.get("merchant", ""), label.get("code", "")]


def _sum(parts: list[Any]) -> Decimal:
    return sum((Decimal(part["amount"]["amount_in_cents"]) / 100 for part in parts), Decimal(0))


def _body(answer: web.Response) -> Any:
    return from_json(answer.text or "null")
