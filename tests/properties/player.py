"""Plays a story on a running installation, as merchant, shopper, provider and clock; then lets everything settle."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from yarl import URL

from tests.installation import Answer, Installation
from tests.properties import stories as s

_NUMBERS = itertools.count(1)
# Answers that the contract knows for a merchant's call (E3); anything else is a defect.
EXPECTED = {200, 201, 400, 404, 409, 422, 502}
# Long enough for every poll, deadline, expiry and retry; the first ones so short that nothing expires meanwhile.
PAUSES = (61, 121, 601, 1_801, 14_400, 86_400, 86_400, 864_000)
ROUNDS = 30
HOUR = 3_600
UNCLAIMED = {400, 404, 409}  # after these nothing was written, and the reference is free


@dataclass
class Life:
    """One order of a story: what was asked for, and what its people have seen of it."""

    ordered: s.Ordered
    body: dict[str, Any]
    key: str
    created: Answer | None = None
    page: str = ""
    last_return: str = ""
    left_pending: bool = False
    told_paid: bool = False
    checkouts: set[str] = field(default_factory=set)
    portal_refunds: Decimal = Decimal(0)
    first: dict[tuple[str, str], tuple[str, Answer]] = field(default_factory=dict)
    token: str | None = None

    @property
    def reference(self) -> str:
        reference: str = self.body["orderReference"]
        return reference

    @property
    def path(self) -> str:
        return f"/orders/{self.reference}"


class Player:
    """Plays one story. What it sees that can't be right at any moment it asserts at once; the rest: `judgement`."""

    def __init__(self, installation: Installation, story: s.Story) -> None:
        self.installation, self.story = installation, story
        self.merchant = installation.merchant
        self.lives: list[Life] = []
        self.sandbox = installation.settings.sandbox_base_url

    async def play(self) -> None:
        """The whole story, and its settling."""
        self.installation.inbox.received.clear()
        for ordered in self.story.orders:
            await self._create(ordered)
        for step in self.story.steps:
            if self.story.calm:
                await self.idle()
            await self._step(step)
        await self.settle()

    async def _step(self, step: s.Step) -> None:
        if isinstance(step, s.Together):
            await asyncio.gather(self._step(step.one), self._step(step.other))
            return
        match step:
            case s.Passes(seconds):
                await self._pass(seconds)
            case s.ShopFalls():
                self.installation.inbox.status = 500
            case s.ShopRises():
                self.installation.inbox.status = 200
            case _:
                await self._about(self.lives[step.order], step)

    async def _about(self, life: Life, step: s.Single) -> None:
        match step:
            case s.Pays(_, outcome):
                if await self._decides(life, outcome):
                    await self._returns(life, life.last_return)
            case s.Decides(_, outcome):
                await self._decides(life, outcome)
            case s.Returns(_, bare):
                if life.last_return:
                    await self._returns(life, str(URL(life.last_return).with_query(None)) if bare else life.last_return)
            case s.ReturnsAs(_, other):
                said = self.lives[other].last_return
                if said and life.last_return:
                    url = URL(life.last_return, encoded=True)
                    await self._returns(life, str(url.with_query(URL(said, encoded=True).query)))
            case s.Moves(_, kind, amount, name):
                await self._move(life, kind, amount, name)
            case s.Cancels():
                _expected(await self.merchant.post(f"{life.path}/cancel", {}))
            case s.Repeats(_, with_key):
                await self._repeat(life, with_key=with_key)
            case s.Charges(_, fault):
                await self._charge(life, fault)
            case s.Reads():
                _expected(await self.merchant.get(life.path))
                _expected(await self.merchant.get(f"{life.path}/details"))
            case s.Settles(_, outcome):
                await self._settle(life, outcome)
            case s.ProviderRefunds(_, amount):
                await self._provider_refund(life, amount)
            case s.Strikes(_, operation, fault, times):
                await self.installation.fault(life.ordered.code, operation, fault, life.reference, times)

    # -- the merchant --------------------------------------------------------------------------

    async def _create(self, ordered: s.Ordered, **more: Any) -> Life:
        number = next(_NUMBERS)
        body = self.merchant.order(
            ordered.code, s.TOTAL, orderReference=f"LIFE-{number}", autoCapture=ordered.auto_capture,
            getToken=ordered.get_token or None, cancellationTimeout=ordered.cancellation_timeout,
            checkoutSessionTimeout=ordered.session_timeout, **more,
        )  # fmt: skip
        body["customer"] = {**body["customer"], "email": f"{ordered.shopper}@shop.example"}
        if ordered.code == "TABBY_AE":
            body["customer"]["phoneNumber"] = "+971500000001"
        life = Life(ordered, body, key=f"key-{number}")
        self.lives.append(life)
        if ordered.create_fault is not None:
            operation = "charge_token" if "token" in more else "create"
            await self.installation.fault(ordered.code, operation, ordered.create_fault, life.reference)
        life.created = _expected(await self.merchant.post("/orders", body, **{"Idempotency-Key": life.key}))
        assert life.created.status in (201, 422), life.created
        if life.created.status == 201:
            self._show(life, life.created.body["redirectUrl"])
        return life

    def _show(self, life: Life, page: str) -> None:
        """The shopper gets to know the address of a page."""
        if page.startswith(f"{self.sandbox}/checkout/"):
            life.checkouts.add(page.rpartition("/")[2])
        elif life.page:
            return
        life.page = page

    async def _repeat(self, life: Life, *, with_key: bool) -> None:
        assert life.created is not None
        if with_key:
            again = _expected(await self.merchant.post("/orders", life.body, **{"Idempotency-Key": life.key}))
            before, now = ({k: v for k, v in a.body.items() if k != "requestId"} for a in (life.created, again))
            assert (again.status, now) == (life.created.status, before)
        else:
            again = _expected(await self.merchant.post("/orders", life.body))
            assert (again.status, again.body["code"]) == (409, "duplicate_reference"), again

    async def _move(self, life: Life, kind: s.MoveKind, amount: str, name: str) -> Answer:
        call = {"capture": self.merchant.captures, "void": self.merchant.voids, "refund": self.merchant.refunds}[kind]
        answer = _expected(await call(life.reference, amount, name))
        known = life.first.get((kind, name))
        if known is None:
            if answer.status not in UNCLAIMED:
                life.first[kind, name] = (amount, answer)
        elif known[0] != amount:
            assert answer.status in (400, 409), (known, answer)
        elif not (answer.status == 409 and answer.body["code"] == "in_progress"):
            same_answer(known[1], answer)
        return answer

    async def _charge(self, life: Life, fault: str | None) -> None:
        events = self.installation.inbox.events(life.reference, "ORDER_ASYNC_CALLBACK")
        token = next((e["data"]["token"] for e in events if e["data"].get("token")), None)
        if token is not None:
            ordered = s.Ordered(life.ordered.code, create_fault=fault, shopper=life.ordered.shopper)
            await self._create(ordered, token=token, customerPresent=False)

    # -- the shopper ---------------------------------------------------------------------------

    async def _decides(self, life: Life, outcome: s.Outcome) -> bool:
        """Whether the provider sends the shopper back to us."""
        page = life.page
        if page.startswith(f"{self.merchant.base}/checkout/"):
            answer = await self.installation.call("GET", page)
            assert answer.status in (200, 303), answer
            page = answer.headers.get("Location", "")
            self._show(life, page)
        if not page.startswith(self.sandbox):
            return False
        answer = await self.installation.call("POST", page, data={"outcome": outcome})
        assert answer.status == 303, answer
        life.left_pending |= outcome == "pending"
        if not answer.headers["Location"].startswith(self.merchant.base):
            return False
        life.last_return = answer.headers["Location"]
        return True

    async def _returns(self, life: Life, url: str) -> None:
        answer = await self.installation.call("GET", URL(url, encoded=True))
        assert answer.status == 303, answer
        query = URL(answer.headers["Location"]).query
        assert query["reference"] == life.reference
        if query["status"] == "SUCCESSFUL":
            life.told_paid = True
            authorised = [amount for kind, amount in self.installation.ledger(life.reference) if kind == "authorize"]
            assert authorised == [Decimal(s.TOTAL)], f"told paid, but the provider holds {authorised}"
        else:
            assert not life.told_paid, f"first SUCCESSFUL, then {query['status']}"

    # -- the provider --------------------------------------------------------------------------

    async def _settle(self, life: Life, outcome: s.Outcome) -> bool:
        """Whether something was waiting. A checkout whose address nobody ever got can't be paid by anybody."""
        waiting = self.installation.store.waiting(life.reference)
        if waiting and waiting[0][1].id not in life.checkouts and waiting[0][1].status != "paid":
            return False
        body = {"reference": life.reference, "outcome": outcome}
        answer = await self.installation.call("POST", f"{self.sandbox}/control/settle", json=body)
        assert answer.status in (200, 404), answer
        return answer.status == 200

    async def _provider_refund(self, life: Life, amount: str) -> None:
        for simulator, case in self.installation.store.cases(life.reference):
            text = f"{amount}.00" if simulator == "tabby" else amount
            url = f"{self.sandbox}/{simulator}/sandbox/provider-refund"
            answer = await self.installation.call("POST", url, json={"id": case.id, "amount": text})
            assert answer.status < 500, answer
            if answer.status < 300:
                life.portal_refunds += Decimal(amount)

    def untold_refunds(self, life: Life) -> Decimal:
        """What was refunded in the portal of a provider that tells nobody, or whose event was lost."""
        lost = any(isinstance(step, s.Strikes) and step.fault == "no_event" for step in self.story.steps)
        return life.portal_refunds if lost or life.ordered.code not in s.TELLING else Decimal(0)

    # -- quiet ---------------------------------------------------------------------------------

    async def idle(self) -> None:
        """Wait until everything that is due has been done: jobs, and the provider's events."""
        ends, quiet = time.monotonic() + 30, 0
        while quiet < 2:
            assert time.monotonic() < ends, "the installation does not come to rest"
            quiet = quiet + 1 if not await self._busy() else 0
            await asyncio.sleep(0.01)

    async def _busy(self) -> bool:
        async with self.installation.database.connection() as held:
            now = await self.installation.clock.refresh(held)
            jobs: int = await held.fetchval(
                "SELECT count(*) FROM pgqueuer WHERE status = 'picked' OR (status = 'queued' AND execute_after <= now())"
            )
        return bool(jobs or self.installation.store.due_events(now))

    async def _pass(self, seconds: int) -> None:
        """Let time pass, and call again on the way for what got no answer: in one leap its provider would forget its key.

        Who runs repeats it after half a minute. What becomes of it after an outage of an hour is told elsewhere
        (`tests/orders/test_unknown_outcomes.py`).
        """
        gone = 0
        while gone < min(seconds, HOUR):
            due = await self._next_repeat()
            if due is None:
                break
            step = min(seconds - gone, max(1, int(due) + 1))
            await self.installation.advance(step)
            await self.idle()
            gone += step
        if gone < seconds:
            await self.installation.advance(seconds - gone)

    async def _next_repeat(self) -> float | None:
        """Seconds until an operation without an answer is asked about or called again; None when none is."""
        async with self.installation.database.connection() as held:
            due: float | None = await held.fetchval(
                "SELECT extract(epoch FROM min(t.due_at) - now() - clock_offset) FROM installation, timers t"
                " JOIN orders o ON o.id = t.order_id WHERE o.reference = ANY($1) AND t.what = 'operation'"
                " GROUP BY clock_offset",
                [life.reference for life in self.lives],
            )
        return due

    async def settle(self) -> None:
        """No faults any more, the provider decides what it left open, and time passes until nothing is to come."""
        await self.installation.call("DELETE", f"{self.sandbox}/control/faults")
        self.installation.inbox.status = 200
        for number in range(ROUNDS):
            await self.idle()
            for life in self.lives:
                if life.left_pending or self._moves_slowly(life):
                    await self._settle(life, life.ordered.verdict)
            await self.idle()
            due = await self._next_due()
            if due is None:
                return
            pause = PAUSES[min(number, len(PAUSES) - 1)]
            await self.installation.advance(max(pause, int(due) + 1))

    def _moves_slowly(self, life: Life) -> bool:
        return any(case.waiting and case.status == "paid" for _, case in self.installation.store.cases(life.reference))

    async def _next_due(self) -> float | None:
        """Seconds until the next thing is due for one of this story's orders; None when nothing is to come."""
        ids = [life.reference for life in self.lives]
        async with self.installation.database.connection() as held:
            due: float | None = await held.fetchval(
                "SELECT extract(epoch FROM min(due) - now() - clock_offset) FROM installation, ("
                " SELECT t.due_at AS due FROM timers t JOIN orders o ON o.id = t.order_id WHERE o.reference = ANY($1)"
                " UNION ALL SELECT d.next_at FROM deliveries d JOIN outbox_events e ON e.id = d.event_id"
                " JOIN orders o ON o.id = e.order_id WHERE o.reference = ANY($1) AND d.state = 'waiting') dues"
                " GROUP BY clock_offset",
                ids,
            )
        return None if due is None else max(float(due), 0)


def same_answer(first: Answer, again: Answer) -> None:
    """What a repeated reference may answer: the same, or how a pending one ended (I2)."""
    if first.status == 201 and _status(first) == "PENDING":
        assert again.status in (201, 422, 502), (first, again)
    else:
        assert (again.status, _said(again)) == (first.status, _said(first))


def _status(answer: Answer) -> str:
    return str(answer.body.get("status") or answer.body.get("refundStatus"))


def _said(answer: Answer) -> dict[str, Any]:
    return {name: value for name, value in answer.body.items() if name != "requestId"}


def _expected(answer: Answer) -> Answer:
    assert answer.status in EXPECTED, answer
    return answer
