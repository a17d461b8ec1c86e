"""Klarna's APIs as their merchants see them, from Klarna's OpenAPI files and the pages that provider.toml names.

A case is a payments session; the hosted page's id and the order's id are further names of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.klarna import order_book
from paymux.connectors.klarna.order_desk import Moved, OrderDesk
from paymux.connectors.klarna.rules import (
    ApiError,
    check_customer_token,
    check_order,
    check_page,
    check_session,
    check_token_order,
    instant,
    text,
)
from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, json_answer, json_body

_SESSION_LIFE, _PAGE_LIFE = timedelta(hours=48), timedelta(hours=47)
_AUTHORISATION_TOKEN_LIFE = timedelta(minutes=60)
_WAY_BACK = {
    "COMPLETED": "success", "FAILED": "failure", "ERROR": "error", "CANCELLED": "cancel", "DISABLED": "cancel",
}  # fmt: skip


class KlarnaSimulator(OrderDesk):
    """Klarna places the order itself, unless the page was opened with place_order_mode NONE."""

    credentials: ClassVar[Mapping[str, str]] = {"username": "PK00000_sandbox", "password": "sandbox-klarna-secret"}

    def routes(self) -> list[Route]:
        """The calls of the four APIs that concern one payment, and the sandbox's own two."""
        authorization, token = "/payments/v1/authorizations/{token}", "/customer-token/v1/tokens/{token}"
        return [
            Route("POST", "/payments/v1/sessions", self._call(self._open_session)),
            Route("GET", "/payments/v1/sessions/{session}", self._call(self._read_session), "status"),
            Route("POST", "/hpp/v1/sessions", self._call(self._open_page), "create"),
            Route("GET", "/hpp/v1/sessions/{page}", self._call(self._read_page), "status"),
            Route("DELETE", "/hpp/v1/sessions/{page}", self._call(self._disable_page), "cancel"),
            Route("POST", authorization + "/order", self._call(self._place), "confirm"),
            Route("POST", authorization + "/customer-token", self._call(self._make_token)),
            Route("DELETE", authorization, self._call(self._drop_authorization), "cancel"),
            Route("POST", token + "/order", self._call(self._charge), "charge_token"),
            Route("PATCH", token + "/status", self._call(self._cancel_token)),
            Route("POST", "/sandbox/tamper", self._tamper),
            *self.order_routes(),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide on the page. A decline or an error is not final there: the shopper may come back and try again.

        `pending` agrees, and Klarna's fraud check holds the order until it is settled.
        """
        if "page" not in case.data:
            return self.checkout_url(case)
        if case.waiting and "order" not in case.data and "authorization" not in case.data and not self._expired(case):
            self._decide(case, outcome)
        way = "cancel" if self._expired(case) else _WAY_BACK.get(case.status, "back")
        url: str = case.data["page"]["urls"].get(way) or self.checkout_url(case)
        order = case.data.get("order") or {}
        for name, value in (
            ("session_id", case.data["page"]["id"]),
            ("order_id", order.get("order_id", "")),
            ("authorization_token", case.data.get("authorization", {}).get("token", "")),
        ):
            url = url.replace("{{" + name + "}}", value)
        return url

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser: the page if it is open, else the fraud check."""
        if not case.waiting:
            return
        if "order" not in case.data and "authorization" not in case.data:
            self._decide(case, outcome)
            return
        case.data["fraud"] = "ACCEPTED" if outcome == "approve" else "REJECTED"
        case.waiting = False
        order = case.data.get("order")
        if order is None:
            self.save(case)
            return
        order["fraud_status"] = case.data["fraud"]
        order_book.age(order, self.now)
        held = outcome == "approve" and order["status"] != "EXPIRED"
        self.save(case, *(self._booked(case) if held else ()))
        url = (case.data["asked"].get("merchant_urls") or {}).get("notification")
        if url:
            event = {"order_id": order["order_id"], "event_type": f"FRAUD_RISK_{case.data['fraud']}"}
            self.send_event(case, url, to_json(event).encode(), {"Content-Type": "application/json"})

    def _decide(self, case: Case, outcome: Outcome) -> None:
        words = {"decline": "FAILED", "error": "ERROR", "cancel": "CANCELLED"}
        moved: tuple[Moved, ...] = ()
        case.status, case.waiting = words.get(outcome, "COMPLETED"), outcome != "cancel"
        if case.status == "COMPLETED":
            case.data["fraud"] = "PENDING" if outcome == "pending" else "ACCEPTED"
            case.waiting = outcome == "pending"
            if case.data["page"]["mode"] == "NONE":
                token = str(uuid.uuid4())
                case.data["authorization"] = {"token": token, "at": instant(self.now)}
                case.names = (*case.names, token)
            else:
                moved = self._ordered(case, auto_capture=case.data["page"]["mode"] == "CAPTURE_ORDER")
        case.data["page"]["updated"] = instant(self.now)
        self.save(case, *moved)
        url = case.data["page"]["urls"].get("status_update")
        if url:
            body = to_json({"event_id": str(uuid.uuid4()), "session": self._shown_page(case)}).encode()
            self.send_event(case, url, body, {"Content-Type": "application/json"})

    def _ordered(self, case: Case, *, auto_capture: bool) -> tuple[Moved, ...]:
        """Place the case's order; what it moves."""
        asked = {
            **case.data["asked"],
            "order_amount": self._minor(case.amount),
            "purchase_currency": case.currency,
            "merchant_reference1": case.data["reference"],
        }
        case.data["order"] = order_book.new_order(asked, self.now, auto_capture=auto_capture, fraud=case.data["fraud"])
        case.names = (*case.names, case.data["order"]["order_id"])
        return self._booked(case) if case.data["fraud"] == "ACCEPTED" else ()

    def _booked(self, case: Case) -> tuple[Moved, ...]:
        """What an accepted order moves: its authorisation, and its capture where Klarna captures by itself."""
        order = case.data["order"]
        authorised = ("authorize", case.amount, order["order_id"])
        if not order["auto_capture"]:
            return (authorised,)
        made = order_book.capture(order, {"captured_amount": order["remaining_authorized_amount"]}, self.now)
        return authorised, ("capture", case.amount, made["capture_id"])

    # -- sessions -----------------------------------------------------------------------------

    async def _open_session(self, request: web.Request, body: Any) -> web.Response:
        check_session(body)
        case = self.new_case(
            request, id=str(uuid.uuid4()), amount=self._major(body["order_amount"]), currency=body["purchase_currency"],
            reference=body.get("merchant_reference1") or "", account=self.credentials["username"], waiting=False,
            status="WAITING",
            data={"asked": body, "reference": body.get("merchant_reference1"), "opened": instant(self.now)},
        )  # fmt: skip
        self.save(case)
        categories = [{"identifier": "klarna", "name": "Pay with Klarna", "asset_urls": {}}]
        answer = {"session_id": case.id, "client_token": self.token(64), "payment_method_categories": categories}
        return json_answer(answer)

    async def _read_session(self, request: web.Request, body: Any) -> web.Response:
        case = self.case(request.match_info["session"])
        opened = datetime.fromisoformat(case.data["opened"]) if case and "opened" in case.data else None
        if case is None or opened is None or case.id != request.match_info["session"]:
            raise ApiError(404, "NOT_FOUND", "Invalid session id")
        if self.now >= opened + _SESSION_LIFE:
            raise ApiError(404, "NOT_FOUND", "The session has expired")
        return json_answer(
            {
                **case.data["asked"], "order_amount": self._minor(case.amount), "purchase_currency": case.currency,
                "status": "complete" if "order" in case.data else "incomplete",
                "expires_at": instant(opened + _SESSION_LIFE),
            }
        )  # fmt: skip

    async def _open_page(self, request: web.Request, body: Any) -> web.Response:
        session = check_page(body, self.base())
        case = self.case(session)
        if case is None or case.id != session or "order" in case.data or self._expired(case):
            raise ApiError(404, "NOT_FOUND", "Payment session has expired or was not found")
        if "page" in case.data:
            raise ApiError(400, "BAD_VALUE", "The payment session already has a page")
        page, mode = str(uuid.uuid4()), (body.get("options") or {}).get("place_order_mode", "NONE")
        case.data["page"] = {
            "id": page, "mode": mode, "urls": body.get("merchant_urls") or {}, "updated": instant(self.now),
        }  # fmt: skip
        case.names, case.waiting = (*case.names, page), True
        self.save(case)
        url = f"{self.base()}/hpp/v1/sessions/{page}"
        answer = {
            "session_id": page, "session_url": url, "redirect_url": self.checkout_url(case),
            "distribution_url": f"{url}/distribution", "expires_at": self._shown_page(case)["expires_at"],
        }  # fmt: skip
        return json_answer(answer, 201)

    async def _read_page(self, request: web.Request, body: Any) -> web.Response:
        return json_answer(self._shown_page(self._page(request)))

    async def _disable_page(self, request: web.Request, body: Any) -> web.Response:
        case = self._page(request)
        if case.status == "COMPLETED":
            raise ApiError(400, "BAD_REQUEST", "HPP session has already been successfully completed.")
        if case.status != "CANCELLED":
            case.status = "DISABLED"
        case.waiting = False
        self.save(case)
        return web.Response(status=204)

    def _page(self, request: web.Request) -> Case:
        id = request.match_info["page"]
        case = self.case(id)
        if case is None or case.data.get("page", {}).get("id") != id or self._expired(case):
            raise ApiError(404, "NOT_FOUND", "HPP session has expired or could not be found by provided id.")
        return case

    def _expired(self, case: Case) -> bool:
        return self.now >= datetime.fromisoformat(case.data["opened"]) + _PAGE_LIFE

    def _shown_page(self, case: Case) -> dict[str, Any]:
        opened, order = datetime.fromisoformat(case.data["opened"]), case.data.get("order") or {}
        named = {name: order.get(name) for name in ("order_id", "klarna_reference")}
        named["authorization_token"] = case.data.get("authorization", {}).get("token")
        return {
            "session_id": case.data["page"]["id"], "status": case.status, "updated_at": case.data["page"]["updated"],
            "expires_at": instant(opened + _PAGE_LIFE), **{name: value for name, value in named.items() if value},
        }  # fmt: skip

    # -- authorizations and customer tokens -----------------------------------------------------

    def _authorized(self, request: web.Request) -> Case:
        token = request.match_info["token"]
        case = self.case(token)
        held = case.data.get("authorization") if case else None
        if case is None or not held or held["token"] != token or "order" in case.data or held.get("dropped"):
            raise ApiError(404, "NOT_FOUND", "Invalid authorization token")
        if self.now >= datetime.fromisoformat(held["at"]) + _AUTHORISATION_TOKEN_LIFE:
            raise ApiError(404, "NOT_FOUND", "Invalid authorization token")
        return case

    async def _place(self, request: web.Request, body: Any) -> web.Response:
        case = self._authorized(request)
        check_order(body)
        agreed = (self._minor(case.amount), case.currency, case.data["asked"]["purchase_country"])
        if (body["order_amount"], body["purchase_currency"], body.get("purchase_country")) != agreed:
            raise ApiError(409, "BAD_VALUE", "Not matching fields: [order_amount, purchase_currency, purchase_country]")
        if case.data["fraud"] == "REJECTED":
            raise ApiError(403, "REJECTED", "The order was rejected")
        moved = self._ordered(case, auto_capture=body.get("auto_capture") is True)
        self.save(case, *moved)
        return json_answer(self._placed(case))

    def _placed(self, case: Case) -> dict[str, Any]:
        order = case.data["order"]
        return {
            "order_id": order["order_id"], "fraud_status": order["fraud_status"],
            "redirect_url": f"{self.desk.base_url}/", "authorized_payment_method": {"type": "invoice"},
        }  # fmt: skip

    async def _make_token(self, request: web.Request, body: Any) -> web.Response:
        case = self._authorized(request)
        check_customer_token(body)
        asked = case.data["asked"]
        if asked.get("intent") not in ("tokenize", "buy_and_tokenize"):
            raise ApiError(403, "INVALID_OPERATION", "The session's intent does not allow a customer token")
        if (body["purchase_currency"], body["purchase_country"]) != (case.currency, asked["purchase_country"]):
            raise ApiError(409, "BAD_VALUE", "Not matching fields: [purchase_currency, purchase_country]")
        token = str(uuid.uuid4())
        kept = {"status": "ACTIVE", "currency": case.currency, "country": asked["purchase_country"]}
        self.desk.store.keep_note(self.name, f"token:{token}", kept)
        return json_answer({"token_id": token, "redirect_url": f"{self.desk.base_url}/"})

    async def _drop_authorization(self, request: web.Request, body: Any) -> web.Response:
        case = self._authorized(request)
        case.data["authorization"]["dropped"] = True
        self.save(case)
        return web.Response(status=204)

    async def _charge(self, request: web.Request, body: Any) -> web.Response:
        kept = self._kept(request)
        if kept is not None:
            return kept
        token = self._token(request)
        if token["status"] != "ACTIVE":
            raise ApiError(403, f"TOKEN_{token['status']}", f"The token is {token['status'].lower()}")
        check_token_order(body)
        if body["purchase_currency"] != token["currency"]:
            raise ApiError(403, "PAYMENT_METHOD_CURRENCY_MISMATCH", "The token is not for this currency")
        asked = {**body, "purchase_country": token["country"]}
        case = self.new_case(
            request, id=str(uuid.uuid4()), amount=self._major(body["order_amount"]), currency=token["currency"],
            reference=body.get("merchant_reference1") or "", account=self.credentials["username"], waiting=False,
            status="COMPLETED", data={"asked": asked, "reference": body.get("merchant_reference1"), "fraud": "ACCEPTED"},
        )  # fmt: skip
        moved = self._ordered(case, auto_capture=body.get("auto_capture") is True)
        self.save(case, *moved)
        return self._keep(request, 200, {}, self._placed(case))

    async def _cancel_token(self, request: web.Request, body: Any) -> web.Response:
        token = self._token(request)
        if text(body, "status", 20) != "CANCELLED":
            raise ApiError(400, "BAD_VALUE", "Bad value: status")
        self.desk.store.keep_note(self.name, f"token:{request.match_info['token']}", {**token, "status": "CANCELLED"})
        return web.Response(status=202)

    def _token(self, request: web.Request) -> Any:
        token = self.desk.store.note(self.name, f"token:{request.match_info['token']}")
        if token is None:
            raise ApiError(404, "TOKEN_NOT_FOUND", "The customer token ID could not be found")
        return token

    # -- the sandbox's own ------------------------------------------------------------------------

    async def _tamper(self, request: web.Request) -> web.Response:
        """Change what Klarna will report, and move, for a checkout."""
        body = await json_body(request)
        case = self.case(body["id"])
        if case is None:
            return json_answer({"error": "no such checkout"}, 404)
        case.amount, case.currency = Decimal(body.get("amount", case.amount)), body.get("currency", case.currency)
        case.data["reference"] = body.get("reference", case.data["reference"])
        order = case.data.get("order")
        if order is not None:
            order |= {"purchase_currency": case.currency, "merchant_reference1": case.data["reference"]}
            if not order["captures"]:
                amount = self._minor(case.amount)
                amounts = ("order_amount", "original_order_amount", "remaining_authorized_amount")
                order |= dict.fromkeys(amounts, amount)
        self.save(case)
        return json_answer({"id": case.id})
