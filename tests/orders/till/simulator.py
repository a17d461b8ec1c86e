"""The throw-away provider. A test can make it refuse a verb, lose an answer, or move money by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Desk, Outcome, Route, Simulator, json_answer, json_body, with_query

_TOTALS = {"capture": "captured", "void": "voided", "refund": "refunded", "chargeback": "refunded"}
_DECIDED = {"decline": "declined", "cancel": "cancelled", "error": "failed", "pending": "pending"}


class TillSimulator(Simulator):
    credentials: ClassVar[dict[str, str]] = {"key": "till-key"}

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.refuse: set[str] = set()
        self.says = "refused here"
        """The reason that it gives when it refuses a movement."""
        self.lock_out: set[str] = set()
        """Verbs whose callers' credentials it does not know any more."""
        self.once_forgets: set[str] = set()
        """Verbs whose keys it does not know again."""
        self.checks = False
        """A payment goes through a fraud check first."""
        self.calls: list[tuple[str, str]] = []
        """Every call: (verb, reference)."""
        self.told = 0

    def routes(self) -> list[Route]:
        moves = ("capture", "void", "refund")
        return [
            Route("POST", "/checkouts", self._create, "create"),
            Route("POST", "/charges", self._charge, "charge_token"),
            Route("GET", "/checkouts/{id}", self._read, "status"),
            Route("POST", "/checkouts/{id}/confirm", self._confirm, "confirm"),
            Route("POST", "/checkouts/{id}/cancel", self._cancel, "cancel"),
            *(Route("POST", f"/checkouts/{{id}}/{verb}", self._mover(verb), verb) for verb in moves),
        ]

    def of(self, reference: str) -> Case:
        """The newest case of an order."""
        case = self.case(f"reference:{reference}")
        assert case is not None
        return case

    def count(self, verb: str, reference: str) -> int:
        """How often a verb was called for an order."""
        return self.calls.count((verb, reference))

    # -- calls ------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request)
        self.calls.append(("create", body["reference"]))
        if "create" in self.refuse:
            return json_answer({"reason": "refused here", "code": "no"}, 422)
        if body["once"] and (known := self.case(f"key:{body['key']}")):
            return json_answer(self._shown(known))
        return json_answer(self._shown(self._new(request, body)))

    def _new(self, request: web.Request, body: dict[str, Any]) -> Case:
        id = f"co-{self.token(6)}"
        case = self.new_case(
            request, id=id, amount=Decimal(body["amount"]), currency=body["currency"], reference=body["reference"],
            account=self.name, status="open", names=(f"key:{body['key']}", f"reference:{body['reference']}"),
        )  # fmt: skip
        case.data = {**body, "until": None, "moves": [], "done": {}, "expired": "0"}
        case.data |= {"captured": "0", "voided": "0", "refunded": "0"}
        self.save(case)
        return case

    async def _charge(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request)
        self.calls.append(("charge_token", body["reference"]))
        if body["once"] and (known := self.case(f"key:{body['key']}")):
            return json_answer(self._shown(known))
        case = self._new(request, body)
        self.pay(case)
        return json_answer(self._shown(case))

    async def _read(self, request: web.Request) -> web.StreamResponse:
        case = self.case(request.match_info["id"])
        if case is None:
            return json_answer({}, 404)
        self.calls.append(("status", case.reference))
        return json_answer(self._shown(case))

    async def _confirm(self, request: web.Request) -> web.StreamResponse:
        case, body = self.case(request.match_info["id"]), await json_body(request)
        assert case is not None
        self.calls.append(("confirm", case.reference))
        if body["once"] and body["key"] in case.data["done"]:
            return json_answer(self._shown(case))
        if "confirm" in self.refuse or case.status not in ("approved", "paid"):
            return json_answer({"reason": "refused here", "code": "no"}, 422)
        case.data["done"][body["key"]] = case.id
        self.pay(case)
        return json_answer(self._shown(case))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        case = self.case(request.match_info["id"])
        assert case is not None
        self.calls.append(("cancel", case.reference))
        if case.status in ("paid", "checking"):
            return json_answer({"reason": "paid", "code": "paid"}, 409)
        case.status = "cancelled"
        self.save(case)
        self.tell(case)
        return json_answer({})

    def _mover(self, verb: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def move(request: web.Request) -> web.StreamResponse:
            case, body = self.case(request.match_info["id"]), await json_body(request)
            assert case is not None
            self.calls.append((verb, case.reference))
            if verb in self.lock_out:
                return json_answer({"reason": "unknown key", "code": "key"}, 401)
            if body["once"] and body["key"] in case.data["done"] and verb not in self.once_forgets:
                return json_answer({"id": case.data["done"][body["key"]]})
            amount = Decimal(body["amount"])
            if verb in self.refuse or amount > self._left(case, verb):
                return json_answer({"reason": self.says, "code": "no"}, 422)
            id = self.move(case, verb, amount, body["key"])
            return json_answer({"id": id})

        return move

    @staticmethod
    def _left(case: Case, verb: str) -> Decimal:
        sums = {name: Decimal(case.data[name]) for name in ("captured", "voided", "refunded", "expired")}
        if verb in ("refund", "chargeback"):
            return sums["captured"] - sums["refunded"]
        return case.amount - sums["captured"] - sums["voided"] - sums["expired"]

    # -- what a test, or the shopper, makes happen ------------------------------------------------

    def pay(self, case: Case) -> None:
        """The shopper's money is there: authorised, or captured with it."""
        if case.status == "paid":
            return
        case.status, case.waiting = "checking" if self.checks else "paid", self.checks
        self.save(case, ("authorize", case.amount, case.id))
        if case.data["capture"] and not self.checks:
            self.move(case, "capture", case.amount, None)
        else:
            self.tell(case)

    def move(self, case: Case, verb: str, amount: Decimal, key: str | None = None) -> str:
        """Money moves: by our call, or (without a key) by the provider's own doing."""
        id = f"mv-{self.token(6)}"
        case.data[_TOTALS[verb]] = str(Decimal(case.data[_TOTALS[verb]]) + amount)
        case.data["moves"].append({"id": id, "kind": verb, "amount": str(amount), "key": key, "status": "done"})
        if key is not None:
            case.data["done"][key] = id
        self.save(case, (verb, amount, id))
        self.tell(case)
        return id

    def tell(self, case: Case) -> None:
        """Send an event with the whole state, if paymux asked for events."""
        if case.data["events_url"]:
            self.told += 1
            body = to_json(self._shown(case) | {"number": self.told}).encode()
            self.send_event(case, case.data["events_url"], body, {"X-Key": self.credentials["key"]})

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        await self.settle(case, outcome)
        via = {"approved": "approved", "cancelled": "cancel"}.get(case.status, "done")
        return with_query(case.data["return_url"], session=case.id, via=via)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        if case.status == "checking":
            case.status, case.waiting = "paid" if outcome == "approve" else "declined", False
            self.save(case)
            if outcome == "approve" and case.data["capture"]:
                self.move(case, "capture", case.amount, None)
            else:
                self.tell(case)
        elif outcome == "approve" and case.data["confirm"]:
            case.status = "approved"
            self.save(case)
        elif outcome == "approve":
            self.pay(case)
        else:
            case.status, case.waiting = _DECIDED[outcome], outcome == "pending"
            self.save(case)
            self.tell(case)

    def _shown(self, case: Case) -> dict[str, Any]:
        kept = ("captured", "voided", "refunded", "expired", "moves", "until")
        return {
            "id": case.id, "reference": case.data["reference"], "status": case.status, "url": self.checkout_url(case),
            "amount": str(case.amount), "currency": case.currency, **{name: case.data[name] for name in kept},
        }  # fmt: skip
