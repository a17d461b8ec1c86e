"""A connector to throw away: the three files of a folder, written by a test and by nobody listed.

Its provider sells at once and refunds; it signs nothing, tells nothing, and names no limits.
"""

from __future__ import annotations

from pathlib import Path

FACTS = """
name = "paperpay"
title = "Paper Pay"
summary = "A provider that exists for one test."
confidence = "B"
set_up = ["Nothing."]

[hosts.api]
live = "https://api.paperpay.example"
test = "https://test.paperpay.example"

[codes.PAPERPAY_NZ]
title = "Paper Pay"
countries = ["NZ"]
currencies = ["NZD"]
min = 5
max = 900
required = ["customer.email"]
instalments = { count = 3, weeks = 2 }
terms = "{count} payments of {currency} {instalment} with {title}."

[capabilities]
sale = true
deferred_capture = true
partial_capture = true
multiple_captures = true
refund = true
partial_refund = true
multiple_refunds = true
status = true

[idempotent]
create = true
capture = true
refund = true

[readable]
capture = true
refund = true

[times]
checkout = 3600

[credentials.key]
title = "Key"

[events]
kind = "none"
set_up = "none"
"""

CONNECTOR = '''
"""Paper Pay."""

from decimal import Decimal

from paymux.connectors.contract import (
    Ask, Cancelled, Connector, Declined, Moved, MoveKind, Paid, Pending, ProviderMove, Redirect, Refused,
)
from paymux.money import Money


class PaperPay(Connector):
    async def create_checkout(self, order, key):
        body = {
            "sum": order.total.text, "currency": order.total.currency, "reference": order.reference,
            "back": order.return_url, "capture": order.auto_capture,
        }
        slip = (await self._send("POST", "/slips", body, key)).json()
        return Redirect(url=slip["page"], session=slip["id"])

    def read_return(self, query, checkout):
        return Ask(session=query.get("slip"))

    async def fetch(self, checkout):
        slip = (await self._send("GET", f"/slips/{checkout.session}")).json()
        said = {"session": slip["id"], "reference": slip["reference"], "raw": slip}
        if slip["state"] == "paid":
            moves = [
                ProviderMove(kind=MoveKind(m["kind"]), amount=Decimal(m["sum"]), provider_id=m["id"], key=m["key"])
                for m in slip["moves"]
            ]
            captured = sum((m.amount for m in moves if m.kind is MoveKind.CAPTURE), Decimal(0))
            refunded = sum((m.amount for m in moves if m.kind is MoveKind.REFUND), Decimal(0))
            total = Money(Decimal(slip["sum"]), slip["currency"])
            return Paid(
                payment_id=slip["id"], total=total, captured=captured, refunded=refunded, moves=tuple(moves), **said
            )
        ended = {"refused": Declined(reason="refused", **said), "left": Cancelled(**said)}
        return ended.get(slip["state"], Pending(**said))

    async def capture(self, checkout, move):
        return await self._move(checkout, "capture", move)

    async def refund(self, checkout, move):
        return await self._move(checkout, "refund", move)

    async def _move(self, checkout, kind, move):
        body = {"kind": kind, "sum": move.amount.text}
        made = (await self._send("POST", f"/slips/{checkout.session}/{kind}", body, move.key)).json()
        return Moved(provider_id=made["id"])

    async def _send(self, method, path, body=None, key=""):
        headers = {"Authorization": self.credentials["key"], "Idempotency-Key": key}
        answer = await self.http.send(method, self.url(path), headers=headers, json=body)
        if answer.status >= 400:
            raise Refused(answer.json()["error"])
        return answer
'''

SIMULATOR = '''
"""Paper Pay, played."""

from decimal import Decimal

from paymux.sandbox.simulator import Route, Simulator, json_answer, json_body, with_query


class PaperPaySimulator(Simulator):
    credentials = {"key": "paper"}

    def routes(self):
        return [
            Route("POST", "/slips", self._create, "create"),
            Route("GET", "/slips/{slip}", self._read, "status"),
            Route("POST", "/slips/{slip}/capture", self._move, "capture"),
            Route("POST", "/slips/{slip}/refund", self._move, "refund"),
        ]

    async def _create(self, request):
        if request.headers.get("Authorization") != "paper":
            return json_answer({"error": "who are you?"}, 401)
        body, key = await json_body(request), request.headers["Idempotency-Key"]
        case = self.case(f"key:{key}")
        if case is None:
            case = self.new_case(
                request, id=self.token(), amount=Decimal(body["sum"]), currency=body["currency"],
                reference=body["reference"], account="paper", names=(f"key:{key}",),
                data={"asked": body, "moves": []},
            )
            self.save(case)
        return json_answer({"id": case.id, "page": self.checkout_url(case)}, 201)

    async def _read(self, request):
        case = self.case(request.match_info["slip"])
        return json_answer({
            "id": case.id, "state": case.status, "sum": str(case.amount), "currency": case.currency,
            "reference": case.data["asked"]["reference"], "moves": case.data["moves"],
        })

    async def _move(self, request):
        case, body = self.case(request.match_info["slip"]), await json_body(request)
        key = request.headers["Idempotency-Key"]
        made = next((move for move in case.data["moves"] if move["key"] == key), None)
        if made is None:
            if case.status != "paid":
                return json_answer({"error": "not paid"}, 409)
            made = self._moved(case, body["kind"], Decimal(body["sum"]), key)
            self.save(case, (made["kind"], Decimal(made["sum"]), made["id"]))
        return json_answer(made, 201)

    def _moved(self, case, kind, amount, key):
        made = {"id": self.token(4), "kind": kind, "sum": str(amount), "key": key}
        case.data["moves"].append(made)
        return made

    async def shopper(self, case, outcome):
        await self.settle(case, outcome)
        return with_query(case.data["asked"]["back"], slip=case.id)

    async def settle(self, case, outcome):
        if not case.waiting or outcome == "pending":
            return
        case.status = {"approve": "paid", "cancel": "left"}.get(outcome, "refused")
        case.waiting = False
        moved = []
        if case.status == "paid":
            moved.append(("authorize", case.amount, case.id))
            if case.data["asked"]["capture"]:
                moved.append(("capture", case.amount, self._moved(case, "capture", case.amount, None)["id"]))
        self.save(case, *moved)
'''


FORGETFUL = {
    "provider.toml": [
        ('name = "paperpay"', 'name = "inkpay"'),
        ("PAPERPAY_NZ", "INKPAY_NZ"),
        ("capture = true\nrefund = true\n\n[readable]", "capture = true\n\n[readable]"),
        ("capture = true\nrefund = true\n\n[times]", "capture = true\n\n[times]"),
    ],
    "connector.py": [
        ("captured=captured, refunded=refunded, moves=tuple(moves)", "captured=captured"),
    ],
    "simulator.py": [],
}
"""What makes it a provider that forgets refunds: neither repeated safely nor told of afterwards."""


def write(folder: Path, *, forgetful: bool = False) -> Path:
    """Write the connector as `paperpay`, or a forgetful one as `inkpay`, into a folder; its own folder."""
    made = folder / ("inkpay" if forgetful else "paperpay")
    made.mkdir()
    for name, text in (("provider.toml", FACTS), ("connector.py", CONNECTOR), ("simulator.py", SIMULATOR)):
        for old, new in FORGETFUL[name] if forgetful else ():
            assert old in text
            text = text.replace(old, new)
        (made / name).write_text(text)
    return made
