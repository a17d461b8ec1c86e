"""Paymob's intention API and its inquiry as merchants see them, from its Postman collections, notes and plugin."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.paymob.simulated import ApiError, check_intention, failed, shown, signed_text
from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Desk, Outcome, Route, Simulator, json_answer, json_body, with_query

_TOKEN_LIFE = timedelta(minutes=60)
_NO_INTEGRATION = (
    "Integration ID/Name does not exist in our system. You can find the list of Integration ID's/Names from "
    "Merchant Dashboard under Developers → Payment Integrations Tab"
)

Make = Callable[[web.Request, dict[str, Any]], Awaitable[tuple[int, Any]]]


class PaymobSimulator(Simulator):
    """Intentions, tries to pay their orders, refunds, and what is told of them."""

    credentials: ClassVar[Mapping[str, str]] = {
        "api_key": "sandbox-paymob-api-key",
        "secret_key": "egy_sk_test_5a2d90c1e7",
        "public_key": "egy_pk_test_77c0Yb31Qk",
        "hmac_secret": "5ANDB0X0HMAC",
        "integration_ids": "5083949, 5083950",
    }
    refused_customers: ClassVar[Mapping[tuple[str, str | None], str]] = {
        ("customer.email", "nobody"): "billing_data.email",
    }

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._tokens: dict[str, datetime] = {}

    def routes(self) -> list[Route]:
        """The calls of a merchant's server, the page that the shopper is sent to, and the sandbox's own."""
        by_key, by_token = self._admits_key, self._admits_token
        return [
            Route("POST", "/v1/intention/", self._answering(by_key, self._create), "create"),
            Route("GET", "/unifiedcheckout/", self._page),
            Route("POST", "/api/auth/tokens", self._answering(None, self._grant)),
            Route(
                "POST", "/api/ecommerce/orders/transaction_inquiry", self._answering(by_token, self._inquire), "status"
            ),
            Route("GET", "/api/acceptance/transactions/{id}", self._answering(by_token, self._transaction), "status"),
            Route("POST", "/api/acceptance/void_refund/refund", self._answering(by_key, self._refund), "refund"),
            Route("POST", "/api/acceptance/void_refund/void", self._answering(by_key, self._void), "void"),
            Route("POST", "/sandbox/replace", self._replace),
        ]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Try to pay, and come back with the signed try. Whoever gives up comes back with nothing."""
        back = str(case.data["asked"]["redirection_url"])
        if case.waiting and outcome != "cancel":
            self._try(case, outcome)
        last = next((row for row in reversed(case.data["rows"]) if row["parent_transaction"] is None), None)
        if last is None or (outcome == "cancel" and case.waiting):
            return back
        told = shown(last)
        return with_query(back, **told, hmac=self._signed(signed_text(told, told["order"])))

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide a try that is pending, or try without a browser."""
        if not case.waiting:
            return
        if case.data["rows"] and case.data["rows"][-1]["pending"]:
            row = case.data["rows"].pop()
            self._try(case, outcome, row["id"])
        elif outcome != "cancel":
            self._try(case, outcome)

    def _try(self, case: Case, outcome: Outcome, number: int | None = None) -> None:
        """One try to pay. A failed one leaves the order open; nothing is told of a pending one."""
        if self.now >= datetime.fromisoformat(case.data["until"]):
            return
        paid, pending = outcome == "approve", outcome == "pending"
        row = self._row(case, int(case.amount * 100), number=number)
        row |= {
            "success": paid, "pending": pending, "error_occured": outcome == "error",
            "data": {"message": "Approved" if paid else "" if pending else "Do not honour",
                     "txn_response_code": "APPROVED" if paid else "DECLINED"},
        }  # fmt: skip
        row["order"]["paid_amount_cents"] = row["amount_cents"] if paid else 0
        case.data["rows"].append(row)
        case.names = (*case.names, f"transaction:{row['id']}")
        case.status, case.waiting = ("paid", False) if paid else ("open", True)
        name = str(row["id"])
        self.save(case, *([("authorize", case.amount, name), ("capture", case.amount, name)] if paid else []))
        if not pending:
            self._tell(case, row)

    def _row(self, case: Case, amount: int, *, number: int | None = None, parent: int | None = None) -> dict[str, Any]:
        now = self.now.strftime("%Y-%m-%dT%H:%M:%S.%f")
        order = {
            "id": int(case.id), "created_at": now, "delivery_needed": False, "amount_cents": int(case.amount * 100),
            "currency": case.currency, "merchant_order_id": case.data["asked"]["special_reference"],
        }  # fmt: skip
        return {
            "id": number or self._new_number(), "pending": False, "amount_cents": amount, "success": True,
            "is_auth": False, "is_capture": False, "is_standalone_payment": parent is None, "is_voided": False,
            "is_refunded": False, "is_3d_secure": True, "integration_id": case.data["asked"]["payment_methods"][0],
            "profile_id": 106, "has_parent_transaction": parent is not None, "order": order, "created_at": now,
            "currency": case.currency, "source_data": {"type": "card", "pan": "2346", "sub_type": "MasterCard"},
            "is_void": False, "is_refund": False, "error_occured": False, "is_live": False,
            "refunded_amount_cents": None, "is_captured": False, "captured_amount": None, "owner": 211,
            "parent_transaction": parent, "data": {"message": "Approved", "txn_response_code": "APPROVED"},
        }  # fmt: skip

    def _tell(self, case: Case, row: dict[str, Any]) -> None:
        url = with_query(
            case.data["asked"]["notification_url"], hmac=self._signed(signed_text(row, row["order"]["id"]))
        )
        body = to_json({"type": "TRANSACTION", "obj": row, "transaction_processed_callback_responses": ""}).encode()
        self.send_event(case, url, body, {"Content-Type": "application/json"})

    def _signed(self, text: str) -> str:
        return hmac.new(self.credentials["hmac_secret"].encode(), text.encode(), hashlib.sha512).hexdigest()

    def _new_number(self) -> int:
        return int(self.token(4), 16) + 10**9

    # -- the calls ----------------------------------------------------------------------------

    async def _create(self, request: web.Request, body: dict[str, Any]) -> tuple[int, Any]:
        amount = check_intention(body)
        if not set(body["payment_methods"]) <= {int(name) for name in self.credentials["integration_ids"].split(",")}:
            raise ApiError(404, {"detail": _NO_INTEGRATION})
        reference = f"reference:{body['special_reference']}"
        if self.case(reference) is not None:
            raise failed("special_reference", "This reference is used already.")
        number, secret = self._new_number(), f"egy_csk_test_{self.token()}"
        case = self.new_case(
            request, id=str(number), amount=Decimal(amount) / 100, currency=body["currency"],
            reference=body["special_reference"], account="106", names=(reference, secret), title="Paymob",
            data={"asked": body, "rows": [], "until": (self.now + timedelta(seconds=body["expiration"])).isoformat()},
        )  # fmt: skip
        self.save(case)
        return 201, {
            "payment_keys": [{"integration": body["payment_methods"][0], "key": self.token(), "order_id": number}],
            "redirection_url": body["redirection_url"], "intention_order_id": number, "id": f"pi_test_{self.token()}",
            "intention_detail": {"amount": amount, "currency": body["currency"], "items": body["items"]},
            "client_secret": secret, "special_reference": body["special_reference"], "confirmed": False,
            "status": "intended", "object": "paymentintention",
        }  # fmt: skip

    async def _page(self, request: web.Request) -> web.Response:
        """The unified checkout, for whoever brings the public key and an intention's secret."""
        case = self.case(request.query.get("clientSecret", ""))
        if case is None or request.query.get("publicKey") != self.credentials["public_key"]:
            return json_answer({"detail": "Not found."}, 404)
        return web.Response(status=302, headers={"Location": self.checkout_url(case)})

    async def _grant(self, request: web.Request, body: dict[str, Any]) -> tuple[int, Any]:
        if body.get("api_key") != self.credentials["api_key"]:
            raise ApiError(403, {"detail": "incorrect credentials"})
        token = self.token(24)
        self._tokens[token] = self.now + _TOKEN_LIFE
        return 201, {"token": token, "profile": {"id": 106}}

    async def _inquire(self, request: web.Request, body: dict[str, Any]) -> tuple[int, Any]:
        """The most recent transaction of an order."""
        order, reference = body.get("order_id"), body.get("merchant_order_id")
        case = self.case(str(order) if order else f"reference:{reference}")
        if case is None or not case.data["rows"]:
            raise ApiError(404, {"detail": "Not found."})
        return 200, case.data["rows"][-1]

    async def _transaction(self, request: web.Request, body: dict[str, Any]) -> tuple[int, Any]:
        return 200, self._found(request.match_info["id"])[1]

    def _found(self, number: Any) -> tuple[Case, dict[str, Any]]:
        case = self.case(f"transaction:{number}")
        if case is None:
            raise ApiError(404, {"detail": "Not found."})
        return case, next(row for row in case.data["rows"] if str(row["id"]) == str(number))

    async def _refund(self, request: web.Request, body: dict[str, Any]) -> tuple[int, Any]:
        amount = body.get("amount_cents")
        if type(body.get("transaction_id")) is not int or type(amount) is not int or amount <= 0:
            raise failed("amount_cents", "A valid integer is required.")
        case, payment = self._found(body["transaction_id"])
        before = payment["refunded_amount_cents"] or 0
        if not payment["success"] or payment["is_voided"] or payment["parent_transaction"] is not None:
            raise ApiError(400, {"message": "The transaction can not be refunded."})
        if before + amount > payment["amount_cents"]:
            raise failed("amount_cents", "The amount is more than what is left of the transaction.")
        payment |= {"is_refunded": True, "refunded_amount_cents": before + amount}
        return 201, self._followed(case, payment, amount, "is_refund")

    async def _void(self, request: web.Request, body: dict[str, Any]) -> tuple[int, Any]:
        """A payment of the same day is taken back whole."""
        case, payment = self._found(body.get("transaction_id"))
        today = payment["created_at"][:10] == self.now.strftime("%Y-%m-%d")
        if not payment["success"] or payment["is_voided"] or payment["is_refunded"] or not today:
            raise ApiError(400, {"message": "The transaction can not be voided."})
        payment["is_voided"] = True
        return 201, self._followed(case, payment, payment["amount_cents"], "is_void")

    def _followed(self, case: Case, payment: dict[str, Any], amount: int, kind: str) -> dict[str, Any]:
        row = self._row(case, amount, parent=payment["id"]) | {kind: True}
        case.data["rows"].append(row)
        case.names = (*case.names, f"transaction:{row['id']}")
        self.save(case, ("refund", Decimal(amount) / 100, str(row["id"])))
        self._tell(case, row)
        return row

    # -- whose call it is ---------------------------------------------------------------------

    def _answering(self, admits: Callable[[web.Request], None] | None, make: Make) -> Any:
        async def answered(request: web.Request) -> web.Response:
            try:
                if admits is not None:
                    admits(request)
                body = await json_body(request) if await request.read() else {}
                if not isinstance(body, dict):
                    raise ApiError(400, {"detail": "JSON parse error"})
                status, answer = await make(request, body)
                return json_answer(answer, status)
            except ApiError as no:
                return json_answer(no.body, no.status)

        return answered

    def _admits_key(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "")
        if not given:
            raise ApiError(401, {"detail": "Authentication credentials were not provided."})
        if not hmac.compare_digest(given.encode(), f"Token {self.credentials['secret_key']}".encode()):
            raise ApiError(401, {"detail": "Looks like the secret key is invalid"})

    def _admits_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or self._tokens.get(token, self.now) <= self.now:
            raise ApiError(401, {"detail": "Authentication credentials were not provided."})

    # -- the sandbox's own --------------------------------------------------------------------

    async def _replace(self, request: web.Request) -> web.Response:
        """Change fields of an order's last transaction: what else Paymob may hold of it."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None or not case.data["rows"]:
            return json_answer({"error": "no such transaction"}, 404)
        case.data["rows"][-1] |= body["fields"]
        self.save(case)
        return json_answer(case.data["rows"][-1])
