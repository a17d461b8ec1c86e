"""What a connector **does**, whatever its facts claim: every capability of a code is tried at the simulator.

A capability counts as done when the provider's ledger, the witness, shows exactly what was asked for, and the connector
says the same. Nothing of paymux's core stands between, so nothing is refused beforehand: what is not declared is tried, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from paymux.connectors.contract import Approved, Connector, Forged, MoveKind, Paid, Redirect, Refused, Report
from paymux.money import InexactAmount
from paymux.platform.http import CallFailed
from paymux.sandbox.faults import Fault
from tests.conformance.authenticity import signed_return, worth_of
from tests.conformance.field import Place
from tests.conformance.findings import Did, Findings
from tests.conformance.story import ZERO, NotBuilt, NotPaid, Story, built
from tests.connectors.conftest import Counter, Inbox

WAYS = {"portal": "in the portal", "call": "by call", "order": "per order"}
"""The addresses that events come to, and what each says of the setting up; the first one is what a person has to do."""
METHODS = {
    "deferred_capture": "capture", "partial_capture": "capture", "multiple_captures": "capture", "partial_void": "void",
    "partial_refund": "refund", "multiple_refunds": "refund", "confirm_by_poll": "confirm", "cancel": "cancel_checkout",
    "status": "fetch",
}  # fmt: skip
"""The connector's method behind a capability, where it has another name."""


class Probe:
    """Tries everything with one code in one place. Each try has orders of its own."""

    def __init__(self, counter: Counter, code: str, place: Place) -> None:
        self.counter, self.code, self.place = counter, code, place
        self.found = Findings()
        self.confirming: dict[str, Any] = {}

    def story(self, **changes: Any) -> Story:
        return Story(self.counter, self.code, self.place, **changes)

    def has(self, name: str) -> bool:
        return self.found.did.get(name) is Did.DONE

    async def run(self) -> Findings:
        """Try everything, in an order in which each builds on what was found before."""
        for names, attempt in (
            (("sale",), self._sale), (("deferred_capture",), self._deferred),
            (("partial_capture", "multiple_captures"), self._captures), (("void",), self._void),
            (("partial_void",), self._partial_void), (("refund",), self._refund),
            (("partial_refund", "multiple_refunds"), self._refunds), (("token",), self._token),
            (("recover_confirm",), self._recovery), (("confirm_by_poll",), self._early_confirm),
            (("cancel",), self._cancel), (("check",), self._check),
        ):  # fmt: skip
            await self._tried(names, attempt)
        for outcome in ("decline", "cancel", "error"):
            await self._unpaid(outcome)
        try:
            await self._events()
        except (Refused, NotPaid, NotBuilt, CallFailed, Forged) as fault:
            self.found.odd.append(f"events: {type(fault).__name__} {fault}")
        return self.found

    async def _tried(self, names: tuple[str, ...], attempt: Callable[[], Awaitable[None]]) -> None:
        """Make an attempt; how it ended goes for those of its capabilities that it has not settled itself."""
        ended = Did.OTHERWISE
        try:
            await attempt()
        except NotBuilt:
            ended = Did.ABSENT
        except (Refused, InexactAmount):
            ended = Did.REFUSED
        except Exception as fault:  # whatever a connector raises here, the capability is not there, and this is why
            self.found.why |= {name: f"{type(fault).__name__} {fault}" for name in names}
        for name in names:
            self.found.did.setdefault(name, ended if self._is_built(name) else Did.ABSENT)

    def _is_built(self, name: str) -> bool:
        """Whether the connector defines the method of a capability; some are no method, but how an order is opened."""
        method = METHODS.get(name, name)
        own = getattr(self.counter.provider.connector, method, None)
        return own is None or own is not getattr(Connector, method)

    def _says(self, name: str, holds: bool, otherwise: Did = Did.OTHERWISE) -> bool:
        self.found.did[name] = Did.DONE if holds else otherwise
        return holds

    # -- paying ---------------------------------------------------------------------------------------

    async def _sale(self) -> None:
        story = self.story()
        paid = await story.pays()
        await self._tried(("confirm",), lambda: self._confirm(story))
        self._says("capture_after_authorisation", story.captured_by_us, Did.ABSENT)
        self.found.settles_later = story.waited and not isinstance(story.returned, Report)
        total = story.total.amount
        self._says("sale", story.moved("authorize") == story.moved("capture") == total)
        self._looks_at_the_return(story)
        if paid.total is not None and paid.total != story.total:
            self.found.odd.append(f"sale: reported {paid.total}")
        await self._tried(("status",), lambda: self._status(story))

    async def _confirm(self, story: Story) -> None:
        """Whether it was our confirm that made the payment. Some need it for what brings a token only."""
        if story.confirmed:
            self.found.did["confirm"], self.confirming = Did.DONE, {"get_token": story.order.get_token}
        elif not self.has("confirm"):
            await built(story.connector.confirm(story.checkout, story.confirm_key))
            raise AssertionError("a confirm that nothing needs")

    def _looks_at_the_return(self, story: Story) -> None:
        self.found.signed_return = self.found.signed_return or signed_return(story)

    async def _status(self, story: Story) -> None:
        said = await built(story.connector.fetch(story.checkout))
        told = isinstance(said, Approved) or (isinstance(said, Paid) and said.total in (None, story.total))
        captured = said.captured if isinstance(said, Paid) else None
        self._says("status", told and captured in (None, story.moved("capture")))

    async def _paid(self) -> Story:
        """A captured payment, by whichever way there is."""
        story = self.story(auto_capture=self.has("sale"))
        await story.pays()
        if not self.has("sale"):
            await story.moves("capture", story.total.amount)
        return story

    async def _held(self) -> Story:
        """An authorisation of which nothing is captured. Raises Refused where orders are captured at once."""
        story = self.story(auto_capture=False)
        await story.pays()
        if story.moved("capture") or not story.moved("authorize"):
            raise Refused("captured at once")
        return story

    async def _deferred(self) -> None:
        story = await self._held()
        await story.moves("capture", story.total.amount)
        self._says("deferred_capture", story.moved("capture") == story.moved("authorize") == story.total.amount)

    # -- captures and voids -----------------------------------------------------------------------------

    async def _captures(self) -> None:
        story = await self._held()
        first, second = story.part(30), story.part(20)
        await story.moves("capture", first)
        if not self._says("partial_capture", story.moved("capture") == first):
            return
        await story.moves("capture", second)
        self._says("multiple_captures", story.moved("capture") == first + second)

    async def _void(self) -> None:
        story = await self._held()
        await story.moves("void", story.total.amount)
        self._says("void", (story.moved("void"), story.moved("capture")) == (story.total.amount, ZERO))

    async def _partial_void(self) -> None:
        story = await self._held()
        part = story.part(40)
        await story.moves("void", part)
        if self._says("partial_void", story.moved("void") == part):
            await story.moves("capture", story.total.amount - part)
            self._says("partial_void", story.moved("capture") == story.total.amount - part)

    # -- refunds ----------------------------------------------------------------------------------------

    async def _refund(self) -> None:
        story = await self._paid()
        done = await story.moves("refund", story.total.amount)
        self._says("refund", story.moved("refund") == story.total.amount)
        await self._tried(("find_move",), lambda: self._find_move(story, done.provider_id))

    async def _refunds(self) -> None:
        story = await self._paid()
        part = story.part(40)
        await story.moves("refund", part)
        if not self._says("partial_refund", story.moved("refund") == part):
            return
        await story.moves("refund", part)
        self._says("multiple_refunds", story.moved("refund") == 2 * part)

    async def _find_move(self, story: Story, provider_id: str | None) -> None:
        move = story.move
        found = await built(story.connector.find_move(story.checkout, MoveKind.REFUND, move.key, provider_id))
        # Some tell of a refund only what became of it.
        self._says("find_move", found is not None and found.amount in (move.amount.amount, ZERO))

    # -- tokens -----------------------------------------------------------------------------------------

    async def _token(self) -> None:
        story = self.story(auto_capture=self.has("sale"), get_token=True)
        paid = await story.pays()
        if not self.has("confirm"):
            self.found.did.pop("confirm", None)
            await self._tried(("confirm",), lambda: self._confirm(story))
        token = paid.token
        for _ in range(3):
            said = await story.asks() if token is None else None
            token = said.token if isinstance(said, Paid) else token
        if self._says("token", token is not None, Did.ABSENT) and token is not None:
            await self._tried(("charge_token",), lambda: self._charge(token.value))
        else:
            await self._tried(("charge_token",), lambda: self._charge("no token of anybody"))

    async def _charge(self, token: str) -> None:
        story = self.story(customer_present=True)
        report = await built(story.connector.charge_token(story.order, token, str(uuid.uuid4())))
        if not isinstance(report, Paid):
            raise NotPaid(type(report).__name__)
        charged = Redirect(url="", session=report.session or report.payment_id, state=report.state)
        story.checkout = self.counter.checkout(story.order, charged, payment_id=report.payment_id)
        await story.captures_at_once()
        self._says("charge_token", story.moved("capture") == story.total.amount)

    # -- what goes wrong, and what is not paid ------------------------------------------------------------

    async def _recovery(self) -> None:
        """Our confirm is done, and its answer lost: it is found again, or undone."""
        story = self.story(**self.confirming)
        await story.opens()
        if not self.has("confirm"):
            await built(story.connector.recover_confirm(story.checkout, story.confirm_key))
            raise AssertionError("a confirm that does nothing is recovered")
        await story.decides("approve")
        await self._fault(story, "confirm", "error_after")
        with suppress(CallFailed):
            await story.becomes_paid()
        report = await built(story.connector.recover_confirm(story.checkout, story.confirm_key))
        kept = story.moved("authorize") - story.moved("void") - story.moved("refund")
        self._says("recover_confirm", kept == (story.total.amount if isinstance(report, Paid) else 0))

    async def _fault(self, story: Story, operation: str, fault: str) -> None:
        """Order a fault for one order."""
        self.counter.sandbox.faults.order(
            Fault(self.counter.provider.name, operation, fault, 1, story.counter.reference)
        )

    async def _early_confirm(self) -> None:
        """Before the shopper agreed a confirm does no harm. Only documentation makes that safe: tried where it is claimed."""
        if not self.counter.provider.facts.capabilities.confirm_by_poll:
            raise NotBuilt
        story = self.story()
        await story.opens()
        with suppress(Refused):
            report = await built(story.connector.confirm(story.checkout, story.confirm_key))
            assert not isinstance(report, Paid)
        harmless = story.untouched
        await story.decides("approve")
        await story.becomes_paid()
        self._says("confirm_by_poll", harmless and story.moved("capture") == story.total.amount)

    async def _cancel(self) -> None:
        """A checkout that we have closed can't be paid, and closing it again does no harm."""
        story = self.story()
        await story.opens()
        await built(story.connector.cancel_checkout(story.checkout))
        with suppress(Refused):
            await story.connector.cancel_checkout(story.checkout)
        await story.decides("approve")
        with suppress(NotPaid, Refused, CallFailed):
            await story.becomes_paid()
        self._says("cancel", story.untouched)

    async def _unpaid(self, outcome: str) -> None:
        """A shopper who does not pay moves nothing."""
        story = self.story()
        try:
            await story.opens()
            await story.decides(outcome)
            await story.becomes_paid()
        except (NotPaid, Refused, CallFailed):
            pass
        except NotBuilt:
            self.found.odd.append(f"{outcome}: needs a verb that is not built")
        if not story.untouched:
            moved = ", ".join(f"{kind} {amount}" for kind, amount, _ in story.counter.ledger())
            self.found.odd.append(f"{outcome}: {moved}")
        self._looks_at_the_return(story)

    async def _check(self) -> None:
        """The right credentials are told from wrong ones."""
        good = await built(self.counter.connector(self.code).check())
        names = [name for name, fact in self.counter.provider.facts.credentials.items() if fact.required]
        noticed = [name for name in names if await self._is_noticed(name)]
        self._says("check", bool(good and noticed))

    async def _is_noticed(self, name: str) -> bool:
        try:
            await self.counter.connector(self.code, **{name: "wrong"}).check()
        except Refused:
            return True
        except (CallFailed, ValueError):
            return False
        return False

    # -- events -------------------------------------------------------------------------------------------

    async def _events(self) -> None:
        """To which of three addresses events come: the order's, one registered by a call, one from the portal."""
        inbox = self.counter.inbox
        own = Inbox(f"{inbox.url}/portal", inbox.received, inbox.paths)
        counter, first = replace(self.counter, inbox=own), len(inbox.received)
        await self._tried(("set_up_events",), lambda: self._set_up(counter, f"{inbox.url}/call"))
        story = Story(counter, self.code, self.place, events_url=f"{inbox.url}/order", auto_capture=self.has("sale"))
        await story.pays()
        if not self.has("sale"):
            await story.moves("capture", story.total.amount)
        if self.has("refund"):
            await story.moves("refund", story.total.amount)
        told = (await story.told())[first - story.before :]
        ways = {way for way in WAYS for path, _ in told if f"/{way}" in path}
        self.found.events_set_up = next((named for way, named in WAYS.items() if way in ways), "none")
        self.found.events = worth_of(story.connector, [event for _, event in told])

    async def _set_up(self, counter: Counter, url: str) -> None:
        for _ in range(2):
            await built(counter.connector(self.code).set_up_events(url))
        self._says("set_up_events", True)
