"""A service that speaks paymux's open contract, as docs/generic-contract.openapi.yaml tells it; only of the sandbox.

Test shoppers, by the part of the e-mail address before the @: `declined` is refused at create and at a charge,
`pending` leaves a charge undecided, `notoken` gets no token, `slow`'s captures, voids and refunds stay pending
until they are settled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.connectors.generic.simulated_rules import (
    SECRET,
    Charge,
    CheckoutOrder,
    Fail,
    MoveOrder,
    Order,
    answer,
    authenticate,
    failure,
    fingerprint,
    parse,
    sign_event,
)
from paymux.money import Money
from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_body, with_query

FINGERPRINT = web.RequestKey("FINGERPRINT", str)
AUTHORISATION_LASTS = timedelta(days=7)
Work = Callable[[web.Request], Awaitable[web.Response]]
Moved = tuple[str, Decimal, str]


class GenericSimulator(Simulator):
    """The contract's provider side."""

    credentials: ClassVar[dict[str, str]] = {"secret": SECRET}

    def routes(self) -> list[Route]:
        calls: list[tuple[str, str, Work, str]] = [
            ("POST", "/checkouts", self._create, "create"),
            ("GET", "/checkouts", self._find, "status"),
            ("GET", "/checkouts/{checkout}", self._read, "status"),
            ("POST", "/checkouts/{checkout}/cancel", self._cancel, "cancel"),
            ("POST", "/checkouts/{checkout}/captures", self._capture, "capture"),
            ("POST", "/checkouts/{checkout}/voids", self._void, "void"),
            ("POST", "/checkouts/{checkout}/refunds", self._refund, "refund"),
            ("POST", "/charges", self._charge, "charge_token"),
            ("GET", "/operations/{key}", self._operation, "status"),
        ]
        return [
            *(Route(method, path, self._signed(work), operation) for method, path, work, operation in calls),
            Route("POST", "/sandbox/provider-refund", self._provider_refund),
            Route("POST", "/sandbox/tamper", self._tamper),
        ]

    def _signed(self, work: Work) -> Work:
        async def call(request: web.Request) -> web.Response:
            try:
                body = await request.read()
                authenticate(request, body, request.raw_path.removeprefix(f"/{self.name}"))
                request[FINGERPRINT] = fingerprint(request, body)
                return await work(request)
            except Fail as fault:
                return failure(fault)

        return call

    # -- checkouts ----------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.Response:
        order = parse(CheckoutOrder, await json_body(request))
        if repeated := self._repeated(request):
            return answer(self._shown(repeated), 201)
        self._demand_new(order)
        case = self._opened(request, order, "create")
        case.data |= {
            "save_token": order.save_token,
            "expires_at": order.expires_at.isoformat(),
            "urls": order.urls.model_dump(mode="json"),
        }
        self.save(case)
        return answer(self._shown(case), 201)

    def _demand_new(self, order: Order) -> None:
        if order.customer.email.startswith("declined@"):
            raise Fail(422, "declined", "This shopper can't pay with us.")
        if self.case(f"order:{order.order_id}"):
            raise Fail(409, "duplicate_order", "There is a checkout of this order_id already.")

    def _opened(self, request: web.Request, order: Order, kind: str) -> Case:
        id, key = f"co_{self.token(10)}", request.headers["Idempotency-Key"]
        case = self.new_case(
            request, id=id, amount=order.total.amount, currency=order.total.currency, reference=order.reference,
            account=self.name, status="open", title=f"{order.provider} (sandbox)",
            names=(f"order:{order.order_id}", f"key:{key}"),
        )  # fmt: skip
        case.code = case.code or order.provider
        case.data = {
            "order_id": order.order_id, "reference": order.reference, "capture": order.capture, "save_token": False,
            "shopper": order.customer.email.split("@")[0], "urls": {}, "expires_at": None, "payment": None,
            "token": None, "token_failure": None, "reason": "", "code": "", "operations": [], "asked": {},
        }  # fmt: skip
        self._note(case, request, id, kind, case.amount)
        return case

    async def _find(self, request: web.Request) -> web.Response:
        case = self._current(f"order:{request.query.get('order_id', '')}")
        return answer({"checkouts": [self._shown(case)] if case else []})

    async def _read(self, request: web.Request) -> web.Response:
        return answer(self._shown(self._demanded(request)))

    async def _cancel(self, request: web.Request) -> web.Response:
        case = self._demanded(request)
        if self._repeated(request) or case.status in ("cancelled", "declined", "expired", "failed"):
            return answer(self._shown(case))
        if case.status == "paid":
            raise Fail(409, "wrong_state", "The checkout is paid.")
        case.status, case.waiting = "cancelled", False
        self._note(case, request, case.id, "cancel", case.amount)
        self.save(case)
        self._tell(case)
        return answer(self._shown(case))

    async def _charge(self, request: web.Request) -> web.Response:
        order = parse(Charge, await json_body(request))
        if repeated := self._repeated(request):
            return answer(self._shown(repeated), 201)
        self._demand_new(order)
        if not self.case(f"token:{order.token}"):
            raise Fail(422, "token_not_valid", "We know no such token.")
        case = self._opened(request, order, "charge")
        case.data["urls"] = order.urls.model_dump(mode="json")
        if case.data["shopper"] == "pending":
            case.status = "pending"
            self.save(case)
        else:
            self._pay(case)
        return answer(self._shown(case), 201)

    # -- money --------------------------------------------------------------------------------

    async def _capture(self, request: web.Request) -> web.Response:
        return await self._move(request, "capture")

    async def _void(self, request: web.Request) -> web.Response:
        return await self._move(request, "void")

    async def _refund(self, request: web.Request) -> web.Response:
        return await self._move(request, "refund")

    async def _move(self, request: web.Request, kind: str) -> web.Response:
        order, case = parse(MoveOrder, await json_body(request)), self._demanded(request)
        if self._repeated(request):
            return answer(self._listed(case, request.headers["Idempotency-Key"]), 201)
        payment = case.data["payment"]
        if payment is None:
            raise Fail(409, "wrong_state", "The checkout is not paid.")
        if order.amount.currency != case.currency or order.amount.amount <= 0:
            raise Fail(400, "invalid_request", "amount must be above 0 and in the payment's currency.")
        left = _refundable(payment) if kind == "refund" else _open(payment)
        left -= _underway(case, ("refund",) if kind == "refund" else ("capture", "void"))
        if kind != "refund" and left == 0:
            raise Fail(409, "wrong_state", "Nothing is open any more.")
        if order.amount.amount > left:
            raise Fail(422, "over_limit", f"Only {left} {case.currency} is left to {kind}.")
        id = f"{kind[:2]}_{self.token(10)}"
        slow = case.data["shopper"] == "slow"
        self._note(case, request, id, kind, order.amount.amount, "pending" if slow else "done")
        if slow:
            case.waiting = True
            self.save(case)
        else:
            _add(payment, kind, order.amount.amount)
            self.save(case, (kind, order.amount.amount, id))
            self._tell(case)
        return answer(self._listed(case, request.headers["Idempotency-Key"]), 201)

    async def _operation(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        case = self._current(f"key:{key}")
        if case is None:
            raise Fail(404, "not_found", "We know no operation with this key.")
        return answer(self._listed(case, key))

    def _pay(self, case: Case) -> None:
        payment, now = f"pay_{self.token(8)}", self.now
        automatic = case.data["capture"] == "automatic"
        case.status, case.waiting, case.names = "paid", False, (*case.names, payment)
        case.data["payment"] = {
            "id": payment, "authorised": str(case.amount), "captured": str(case.amount if automatic else Decimal(0)),
            "voided": "0", "refunded": "0", "expired": "0", "until": (now + AUTHORISATION_LASTS).isoformat(),
        }  # fmt: skip
        moved: list[Moved] = [("authorize", case.amount, payment)]
        if automatic:
            id = f"ca_{self.token(10)}"
            case.data["operations"].append(_operation(id, None, "capture", case.amount))
            moved.append(("capture", case.amount, id))
        if case.data["save_token"] and case.data["shopper"] == "notoken":
            case.data |= {"token_failure": "The shopper's agreement could not be kept."}
        elif case.data["save_token"]:
            case.data["token"] = f"tok_{self.token()}"
            case.names = (*case.names, f"token:{case.data['token']}")
        self.save(case, *moved)
        self._tell(case)

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        case = self._aged(case)
        if case.status == "open" and outcome == "pending":
            case.status = "pending"
            self.save(case)
            self._tell(case)
        elif case.status in ("open", "pending") and case.waiting:
            self._decide(case, outcome)
        back = {"paid": "success", "pending": "success", "cancelled": "cancel"}.get(case.status, "failure")
        return with_query(case.data["urls"][back], checkout_id=case.id)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        case = self._aged(case)
        if case.status in ("open", "pending") and case.waiting:
            self._decide(case, outcome)
        elif case.status == "paid" and case.waiting:
            self._finish(case, outcome == "approve")

    def _finish(self, case: Case, done: bool) -> None:
        moved: list[Moved] = []
        for kept in case.data["operations"]:
            if kept["status"] == "pending" and done:
                kept["status"] = "done"
                _add(case.data["payment"], kept["kind"], Decimal(kept["amount"]))
                moved.append((kept["kind"], Decimal(kept["amount"]), kept["id"]))
            elif kept["status"] == "pending":
                kept |= {"status": "failed", "reason": "The bank sent it back."}
        case.waiting = False
        self.save(case, *moved)
        self._tell(case)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        if outcome == "pending":
            return
        if outcome == "approve":
            self._pay(case)
            return
        words = {
            "decline": ("declined", "Our checks said no.", "risk"),
            "cancel": ("cancelled", "", ""),
            "error": ("failed", "Our ledger did not answer.", "ledger"),
        }
        case.status, case.data["reason"], case.data["code"] = words[outcome]
        case.waiting = False
        self.save(case)
        self._tell(case)

    # -- for tests ----------------------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        case, amount = self._current(str(body["id"])), Decimal(body["amount"])
        if case is None or case.data["payment"] is None or not 0 < amount <= _refundable(case.data["payment"]):
            return failure(Fail(409, "wrong_state", "Not refundable."))
        payment, id = case.data["payment"], f"re_{self.token(10)}"
        _add(payment, "refund", amount)
        case.data["operations"].append(_operation(id, None, "refund", amount))
        self.save(case, ("refund", amount, id))
        self._tell(case)
        return answer(self._shown(case), 201)

    async def _tamper(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return failure(Fail(404, "not_found", "No such checkout."))
        case.amount, case.currency = Decimal(body.get("amount", case.amount)), body.get("currency", case.currency)
        case.data |= {name: body[name] for name in ("reference", "order_id") if name in body}
        self.save(case)
        return answer(self._shown(case), 200)

    # -- what it keeps --------------------------------------------------------------------------

    def _current(self, name: str) -> Case | None:
        case = self.case(name)
        return self._aged(case) if case else None

    def _demanded(self, request: web.Request) -> Case:
        id = request.match_info["checkout"]
        case = self._current(id)
        if case is None or case.id != id:
            raise Fail(404, "not_found", "We know no such checkout.")
        return case

    def _aged(self, case: Case) -> Case:
        payment, expires_at = case.data["payment"], case.data["expires_at"]
        if case.status == "open" and expires_at and self.now >= datetime.fromisoformat(expires_at):
            case.status, case.waiting = "expired", False
            self.save(case)
            self._tell(case)
        elif payment and _open(payment) > 0 and self.now >= datetime.fromisoformat(payment["until"]):
            payment["expired"] = str(_open(payment))
            self.save(case)
            self._tell(case)
        return case

    def _repeated(self, request: web.Request) -> Case | None:
        key = request.headers["Idempotency-Key"]
        case = self._current(f"key:{key}")
        if case is not None and case.data["asked"][key] != request[FINGERPRINT]:
            raise Fail(422, "idempotency_key_reused", "This Idempotency-Key came with another request.")
        return case

    def _note(
        self, case: Case, request: web.Request, id: str, kind: str, amount: Decimal, status: str = "done"
    ) -> None:
        key = request.headers["Idempotency-Key"]
        case.names = (*case.names, f"key:{key}")
        case.data["asked"][key] = request[FINGERPRINT]
        case.data["operations"].append(_operation(id, key, kind, amount, status))

    def _listed(self, case: Case, key: str) -> dict[str, Any]:
        return next(said for said in self._operations(case) if said["key"] == key)

    def _operations(self, case: Case) -> list[dict[str, Any]]:
        about = {"order_id": case.data["order_id"], "checkout_id": case.id}
        return [
            {**kept, **about, "amount": _sum(Decimal(kept["amount"]), case.currency)}
            for kept in case.data["operations"]
        ]

    def _shown(self, case: Case) -> dict[str, Any]:
        data, payment = case.data, case.data["payment"]
        payable = case.status == "open" and data["expires_at"] is not None
        paid = payment and {
            "id": payment["id"],
            "authorised": _sum(Decimal(payment["authorised"]), case.currency),
            **{name: _text(payment[name], case.currency) for name in ("captured", "voided", "refunded", "expired")},
            "authorised_until": payment["until"],
            "operations": [o for o in self._operations(case) if o["kind"] in ("capture", "void", "refund")],
        }
        return {
            "id": case.id, "order_id": data["order_id"], "reference": data["reference"], "status": case.status,
            "url": self.checkout_url(case) if payable else None, "total": _sum(case.amount, case.currency),
            "expires_at": data["expires_at"], "reason": data["reason"], "code": data["code"], "payment": paid,
            "token": data["token"] and {"value": data["token"], "expires_at": None},
            "token_failure": data["token_failure"],
        }  # fmt: skip

    def _tell(self, case: Case) -> None:
        url = case.data["urls"].get("events")
        if url:
            event = {"type": "checkout.updated", "timestamp": self.now.isoformat(), "data": self._shown(case)}
            body = to_json(event).encode()
            # The receiver compares with its own real clock, whatever the sandbox's says.
            self.send_event(case, url, body, sign_event(body, self.desk.clock.real(), self.token(12)))


def _operation(id: str, key: str | None, kind: str, amount: Decimal, status: str = "done") -> dict[str, Any]:
    return {"id": id, "key": key, "kind": kind, "amount": str(amount), "status": status, "reason": ""}


def _open(payment: dict[str, str]) -> Decimal:
    gone = sum((Decimal(payment[name]) for name in ("captured", "voided", "expired")), Decimal(0))
    return Decimal(payment["authorised"]) - gone


def _refundable(payment: dict[str, str]) -> Decimal:
    return Decimal(payment["captured"]) - Decimal(payment["refunded"])


def _underway(case: Case, kinds: tuple[str, ...]) -> Decimal:
    kept = case.data["operations"]
    return sum((Decimal(o["amount"]) for o in kept if o["status"] == "pending" and o["kind"] in kinds), Decimal(0))


def _add(payment: dict[str, str], kind: str, amount: Decimal) -> None:
    total = {"capture": "captured", "void": "voided", "refund": "refunded"}[kind]
    payment[total] = str(Decimal(payment[total]) + amount)


def _sum(amount: Decimal, currency: str) -> dict[str, str]:
    return {"amount": _text(amount, currency), "currency": currency}


def _text(amount: Decimal | str, currency: str) -> str:
    return Money(Decimal(amount), currency).text
