"""One order at one provider's simulator, its connector called as the core calls it, but for whatever there is to call."""

from __future__ import annotations

import asyncio
import itertools
import re
import uuid
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from paymux.connectors.contract import (
    Approved,
    Ask,
    Checkout,
    Connector,
    Incoming,
    Move,
    MoveResult,
    NotThere,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Refused,
    Report,
)  # fmt: skip
from paymux.money import Money
from tests.conformance.field import Place, amount
from tests.connectors.conftest import Counter
from tests.installation import Form
from tests.places import ELSEWHERE, PLACES

T = TypeVar("T")
ZERO = Decimal(0)
STEPS = (0, 31, 121, 601, 3_601, 86_401)
"""Seconds by which the clock goes on until a provider has decided."""
_NUMBERS = itertools.count(1)


class NotBuilt(Exception):
    """The connector does not define this verb: the contract's own said so."""


class NotPaid(Exception):
    """The order did not become a payment: what the connector made of it last."""


async def built(call: Awaitable[T]) -> T:
    """The result of a connector's verb. Raises NotBuilt where the contract's own is still in its place."""
    try:
        return await call
    except NotImplementedError as absent:
        raise NotBuilt from absent


class Story:
    """An order from its opening on; `moved` is the witness, and not what the connector says."""

    def __init__(self, counter: Counter, code: str, place: Place, **changes: Any) -> None:
        number = next(_NUMBERS)
        self.counter = replace(counter, reference=f"P{number:07d}")
        self.code, self.place = code, place
        self.total = Money(amount(counter.provider.facts.codes[code]), place.currency)
        self.connector: Connector = self.counter.connector(code)
        self.order = self._order(number, changes)
        self.confirm_key = str(uuid.uuid4())
        self.captured_by_us = self.confirmed = self.waited = False
        self.returned: Report | Ask | None = None
        self.query: Mapping[str, str] = {}
        self.before = len(counter.inbox.received)
        self._read = 0

    def _order(self, number: int, changes: Mapping[str, Any]) -> OrderToPay:
        there = PLACES.get(self.place.country, ELSEWHERE)
        rule = self.counter.provider.facts.reference
        order = self.counter.order(self.code, str(self.total.amount), total=self.total, country=self.place.country)
        address = replace(
            order.billing, country=self.place.country, phone=there.phone, city=there.city, state=there.state,
            region=there.state, postal_code=there.postal_code,
        )  # fmt: skip
        id, own = f"ord_01m85f90b2e729x8dvz{number:07d}", self.counter.reference
        fits = len(own) <= rule.max_length and re.fullmatch(rule.pattern, own)
        now = self.counter.sandbox.clock.now()
        return replace(
            order, id=id, reference=own if fits else id, billing=address, delivery=address,
            customer=replace(order.customer, phone=there.phone), return_url=f"https://paymux.example/return/otk_{number}",
            created_at=now, expires_at=now + timedelta(hours=24),
            **changes,
        )  # fmt: skip

    # -- the witness --------------------------------------------------------------------------------

    def moved(self, kind: str) -> Decimal:
        """What moved at the provider: authorize, capture, void or refund."""
        return sum((amount for moved, amount, _ in self.counter.ledger() if moved == kind), ZERO)

    @property
    def untouched(self) -> bool:
        """Whether nothing has moved."""
        return not self.counter.ledger()

    def part(self, percent: int) -> Decimal:
        """A part of the total, in whole units."""
        return (self.total.amount * percent / 100).to_integral_value()

    def passes(self, seconds: float) -> None:
        """Let the simulator's time go on."""
        self.counter.sandbox.clock.offset += timedelta(seconds=seconds)

    # -- the shopper --------------------------------------------------------------------------------

    async def opens(self) -> Redirect:
        """Open the checkout. Raises Refused, also for a provider that declines the order at once."""
        opened = await self.connector.create_checkout(self.order, str(uuid.uuid4()))
        if not isinstance(opened, Redirect):
            raise Refused(opened.reason, opened.code)
        self.checkout: Checkout = self.counter.checkout(self.order, opened)
        self.opened = opened
        return opened

    async def decides(self, outcome: str) -> str:
        """Have the shopper decide; the URL that he comes back to us with, whatever became of his page."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as browser:
            page = await self._reaches(browser)
            async with browser.post(page, data={"outcome": outcome}, allow_redirects=False) as answer:
                back = answer.headers.get("Location", "")
        self.query = dict(URL(back).query)
        return back

    async def _reaches(self, browser: aiohttp.ClientSession) -> str:
        """Go on from the redirect, by redirects and form posts, to the provider's checkout page."""
        url, form = self.opened.url, self.opened.form
        for _ in range(6):
            method = "GET" if form is None else "POST"
            async with browser.request(method, url, data=form, allow_redirects=False) as answer:
                here, text = url, await answer.text()
                form = None
                if answer.status in (302, 303):
                    url = str(URL(url).join(URL(answer.headers["Location"])))
                    continue
            if here.startswith(f"{self.counter.base_url}/checkout/"):
                return here
            read = Form()
            read.feed(text)
            url, form = read.action or url, read.fields
        raise AssertionError(f"no checkout page was reached from {self.opened.url}")

    # -- what the core does ---------------------------------------------------------------------------

    async def pays(self) -> Paid:
        """Open the order, have the shopper approve, and do all that makes it paid. Raises Refused, or NotPaid."""
        if not hasattr(self, "opened"):
            await self.opens()
        await self.decides("approve")
        return await self.becomes_paid()

    async def becomes_paid(self) -> Paid:
        """From the shopper's return to the payment: the hint, our confirm, the provider's state, our capture."""
        self.returned = said = self.connector.read_return(self.query, self.checkout)
        signed = isinstance(said, Report) and self.counter.provider.facts.signed_return
        report = self._learns(said) if isinstance(said, Report) and signed else None
        if isinstance(said, Ask) and said.approved:
            report = await self._confirms()
        for seconds in STEPS:
            if seconds:
                self.passes(seconds)
            if not isinstance(report, Paid):
                report = await self.asks() or report
            if isinstance(report, Approved):
                report = await self._confirms()
            if isinstance(report, Paid) and not report.underway:
                await self.captures_at_once()
                return report
            if report is not None and not isinstance(report, Pending | Approved | Paid):
                break
            self.waited, report = True, None
        raise NotPaid(type(report).__name__ if report else "nothing")

    async def _confirms(self) -> Report | None:
        before, known = len(self.counter.ledger()), self.checkout.state
        try:
            report = await built(self.connector.confirm(self.checkout, self.confirm_key))
            if isinstance(report, Approved) and {**known, **report.state} != known:
                # It only found out what it needs: that is kept, and then it is called for the first time.
                self._learns(report)
                report = await built(self.connector.confirm(self.checkout, self.confirm_key))
        except NotBuilt:
            return None
        self.confirmed = self.confirmed or len(self.counter.ledger()) > before or isinstance(report, Paid)
        return self._learns(report)

    async def captures_at_once(self) -> None:
        """With autoCapture true an authorisation is captured at once, where the provider leaves that to us."""
        if self.order.auto_capture and self.moved("authorize") and not self.moved("capture"):
            await self.moves("capture", self.total.amount)
            self.captured_by_us = True

    async def asks(self) -> Report | None:
        """The state of the checkout: as the provider tells when asked, or else by its events. None: it tells nothing."""
        try:
            return self._learns(await built(self.connector.fetch(self.checkout)))
        except NotThere:
            return None
        except NotBuilt:
            return await self._told()

    async def _told(self) -> Report | None:
        told = None
        for event in (await self.events())[self._read :]:
            self._read += 1
            self.connector.verify_event(event)
            reading = self.connector.read_event(event)
            ours = reading.session == self.checkout.session or reading.reference == self.order.reference
            told = self._learns(reading.report) if reading.report and ours else told
        return told

    def _learns(self, report: Report) -> Report:
        if isinstance(report, Paid | Approved):
            self.checkout = replace(self.checkout, state={**self.checkout.state, **report.state})
        if isinstance(report, Paid):
            self.checkout = replace(self.checkout, payment_id=self.checkout.payment_id or report.payment_id)
        return report

    async def moves(self, kind: str, amount: Decimal) -> MoveResult:
        """Capture, void or refund a part or all, and wait until the witness has it. Raises Refused, and NotBuilt."""
        before = self.moved(kind)
        open_ = (
            self.moved("capture") - self.moved("refund")
            if kind == "refund"
            else self.moved("authorize") - self.moved("capture") - self.moved("void")
        )
        move = Move(
            key=str(uuid.uuid4()), reference=f"OP-{next(_NUMBERS)}", amount=Money(amount, self.total.currency),
            open=max(open_, amount), captured=self.moved("capture"), first=not before,
        )  # fmt: skip
        self.move = move
        done: MoveResult = await built(getattr(self.connector, kind)(self.checkout, move))
        for seconds in STEPS:
            self.passes(seconds)
            if self.moved(kind) != before:
                break
            await self.asks()
        return done

    # -- events ---------------------------------------------------------------------------------------

    async def events(self) -> list[Incoming]:
        """What the simulator has sent so far, once nothing is due any more."""
        return [incoming for _, incoming in await self.told()]

    async def told(self) -> list[tuple[str, Incoming]]:
        """The same with the paths that it was sent to."""
        sandbox = self.counter.sandbox
        async with asyncio.timeout(20):
            while sandbox.store.due_events(sandbox.clock.now()):
                await asyncio.sleep(0.02)
        inbox = self.counter.inbox
        return [
            (path, Incoming(method=method, headers=headers, query=query, body=body, path=path))
            for path, (method, headers, query, body) in zip(inbox.paths, inbox.received, strict=True)
        ][self.before :]
