"""The sandbox's web application: every simulator, the checkout page, and the controls for tests.

`/control/*` and the test clock exist in the sandbox only; nothing here is ever loaded in live mode.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web
from jinja2 import Environment, PackageLoader, select_autoescape
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from paymux.connectors.registry import Provider, UnknownCode, all_providers, provider_of, simulator_module
from paymux.money import InexactAmount, Money, plain
from paymux.platform.clock import Clock
from paymux.platform.database import from_json
from paymux.platform.settings import Settings
from paymux.sandbox.faults import CALL_FAULTS, EVENT_FAULTS, OPERATIONS, Fault, Faults
from paymux.sandbox.simulator import OUTCOMES, Case, Desk, Outcome, Route, Simulator, json_answer, json_body, read_label
from paymux.sandbox.store import QueuedEvent, SandboxStore

log = structlog.get_logger()

RefreshClock = Callable[[], Awaitable[None]]
_EVENT_RETRY = (1, 5, 30, 120, 600)
_SHOWN_EVENTS = 100


class Sandbox:
    """All simulators over one store. `refresh` re-reads the installation's clock; by default it is the real time."""

    def __init__(
        self,
        settings: Settings,
        store: SandboxStore,
        clock: Clock,
        *,
        refresh: RefreshClock | None = None,
        found: dict[str, Provider] | None = None,
    ) -> None:
        self.settings, self.clock, self.store = settings, clock, store
        self.faults = Faults()
        self._sent: deque[dict[str, object]] = deque(maxlen=_SHOWN_EVENTS)
        self._refresh = refresh
        self.desk = Desk(store, self.faults, clock, settings.sandbox_base_url)
        self.pages = Environment(loader=PackageLoader("paymux.sandbox", "pages"), autoescape=select_autoescape())
        self.simulators: dict[str, Simulator] = {}
        for name, provider in (found if found is not None else all_providers()).items():
            module = simulator_module(provider)
            kinds = [
                item
                for item in vars(module).values()
                if isinstance(item, type) and issubclass(item, Simulator) and item.__module__ == module.__name__
            ]
            if len(kinds) != 1:
                raise ValueError(f"{name}/simulator.py: expected one Simulator, found {len(kinds)}")
            kinds[0].name, kinds[0].title = name, provider.facts.title
            kinds[0].colour, kinds[0].ink = provider.facts.colour, provider.facts.ink
            self.simulators[name] = kinds[0](self.desk)

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=1024 * 1024)
        app.cleanup_ctx.append(self._deliver_while_running)
        for name, simulator in self.simulators.items():
            for route in simulator.routes():
                prefix = f"/{name}" + ("" if route.host == "api" else f"-{route.host}")
                app.router.add_route(route.method, prefix + route.path, self._guarded(name, route))
            app.router.add_get(f"/checkout/{name}/{{case}}", self._page(simulator))
            app.router.add_post(f"/checkout/{name}/{{case}}", self._decide(simulator))
        app.router.add_get("/", self._index)
        app.router.add_get("/control/simulators", self._list_simulators)
        app.router.add_get("/control/ledger", self._show_ledger)
        app.router.add_get("/control/events", self._show_events)
        app.router.add_get("/control/faults", self._list_faults)
        app.router.add_post("/control/faults", self._order_fault)
        app.router.add_delete("/control/faults", self._clear_faults)
        app.router.add_post("/control/settle", self._settle)
        app.router.add_get("/healthz", self._alive)
        return app

    async def tick(self) -> None:
        """Learn the installation's time."""
        if self._refresh is not None:
            await self._refresh()

    # -- the provider's own calls, with faults ---------------------------------------------------

    def _guarded(self, name: str, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def call(request: web.Request) -> web.StreamResponse:
            await self.tick()
            operation = route.operation_of(await request.read())
            reference = read_label(request).get("reference")
            fault = operation and self.faults.strike(name, operation, reference)
            if not fault:
                return await route.handler(request)
            if fault == "timeout_before":
                await asyncio.sleep(self.settings.sandbox_hold)
                return json_answer({"error": "timeout"}, 504)
            if fault == "error_before":
                return json_answer({"error": "internal error"}, 500)
            answer = await route.handler(request)
            if fault == "timeout_after":
                await asyncio.sleep(self.settings.sandbox_hold)
                return json_answer({"error": "timeout"}, 504)
            if fault == "error_after":
                return json_answer({"error": "internal error"}, 500)
            if fault == "reset_after":
                if request.transport is not None:
                    request.transport.abort()
                return answer
            if fault == "malformed":
                return web.Response(text="<html><body>Bad gateway</bo", content_type="text/html")
            await asyncio.sleep(self.settings.sandbox_slow)
            return answer

        return call

    # -- the checkout page -----------------------------------------------------------------------

    def _page(self, simulator: Simulator) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def show(request: web.Request) -> web.Response:
            await self.tick()
            case = simulator.case(request.match_info["case"])
            if case is None:
                return self._html("gone.html", 404, title=simulator.title)
            return self._html("checkout.html", 200, title=_title(simulator, case), colour=simulator.colour,
                              ink=simulator.ink, case=case, amount=_amount(case))  # fmt: skip

        return show

    def _decide(self, simulator: Simulator) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def decide(request: web.Request) -> web.Response:
            await self.tick()
            case = simulator.case(request.match_info["case"])
            if case is None:
                return self._html("gone.html", 404, title=simulator.title)
            outcome = _outcome(str((await request.post()).get("outcome", "")))
            if outcome is None:
                return json_answer({"error": f"outcome must be one of {', '.join(OUTCOMES)}"}, 400)
            raise web.HTTPSeeOther(await simulator.shopper(case, outcome))

        return decide

    def _html(self, page: str, status: int, **fields: object) -> web.Response:
        return web.Response(
            text=self.pages.get_template(page).render(**fields),
            status=status,
            content_type="text/html",
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )

    # -- controls --------------------------------------------------------------------------------

    async def _index(self, request: web.Request) -> web.Response:
        return self._html("index.html", 200, simulators=self.simulators.values())

    async def _alive(self, request: web.Request) -> web.Response:
        return json_answer({"status": "ok"})

    async def _list_simulators(self, request: web.Request) -> web.Response:
        return json_answer(
            [
                {
                    "provider": name,
                    "title": simulator.title,
                    "baseUrl": simulator.base(),
                    "hosts": {
                        host: simulator.base(host) for host in sorted({r.host for r in simulator.routes()} | {"api"})
                    },
                    "credentials": dict(simulator.credentials),
                }
                for name, simulator in self.simulators.items()
            ]
        )

    async def _show_ledger(self, request: web.Request) -> web.Response:
        return json_answer(self.store.ledger(request.query.get("reference")))

    async def _show_events(self, request: web.Request) -> web.Response:
        return json_answer(list(self._sent))

    async def _list_faults(self, request: web.Request) -> web.Response:
        return json_answer([_shown(fault) for fault in self.faults.listed()])

    async def _order_fault(self, request: web.Request) -> web.Response:
        try:
            order = FaultOrder.model_validate(await json_body(request))
        except ValidationError as fault:
            return json_answer({"error": _wrong(fault)}, 400)
        known = EVENT_FAULTS if order.operation == "events" else CALL_FAULTS
        if order.fault not in known:
            return json_answer({"error": f"fault must be one of {', '.join(sorted(known))} for {order.operation}"}, 400)
        name = order.provider
        if name not in self.simulators:
            try:
                name = provider_of(order.provider)[0].name
            except UnknownCode:
                return json_answer({"error": f"provider {order.provider!r} is neither a connector nor a code"}, 400)
        ordered = Fault(name, order.operation, order.fault, order.times, order.reference)
        self.faults.order(ordered)
        return json_answer(_shown(ordered), 201)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.faults.clear()
        return json_answer([])

    async def _settle(self, request: web.Request) -> web.Response:
        await self.tick()
        try:
            order = SettleOrder.model_validate(await json_body(request))
        except ValidationError as fault:
            return json_answer({"error": _wrong(fault)}, 400)
        outcome = _outcome(order.outcome)
        if outcome is None or outcome == "pending":
            return json_answer({"error": "outcome must be approve, decline, cancel or error"}, 400)
        # The newest alone: an older one is a checkout whose answer was lost, and nobody has the address of its page.
        name, case = next(iter(self.store.cases(order.reference)), ("", None))
        if case is None or not case.waiting:
            return json_answer({"error": f"nothing is waiting for {order.reference!r}"}, 404)
        await self.simulators[name].settle(case, outcome)
        return json_answer({"provider": name, "reference": order.reference, "outcome": outcome})

    # -- events ----------------------------------------------------------------------------------

    async def _deliver_while_running(self, app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._deliver_events())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _deliver_events(self) -> None:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                try:
                    await self.tick()
                    due = self.store.due_events(self.clock.now())
                    if due:
                        await asyncio.gather(*(self._deliver(session, event) for event in due))
                        continue
                except Exception:
                    log.exception("sandbox.events_failed")
                await asyncio.sleep(0.1)

    async def _deliver(self, session: aiohttp.ClientSession, event: QueuedEvent) -> None:
        shown = base64.b64encode(event.body).decode()
        self._sent.append(
            {"url": event.url, "method": event.method, "headers": event.headers, "body": shown, "tries": event.tries}
        )
        try:
            async with session.request(
                event.method, event.url, headers=event.headers, data=event.body or None, allow_redirects=False
            ) as answer:
                delivered = answer.status < 300
                if delivered and event.wanted:
                    delivered = from_json(await answer.read()) == from_json(event.wanted)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            delivered = False
        if delivered:
            self.store.event_delivered(event.number)
        elif event.tries < len(_EVENT_RETRY):
            again = self.clock.now() + timedelta(seconds=_EVENT_RETRY[event.tries])
            self.store.event_failed(event.number, again)
        else:
            self.store.event_failed(event.number, None)


class FaultOrder(BaseModel):
    """The body of `POST /control/faults`."""

    model_config = ConfigDict(extra="forbid")

    provider: str
    operation: str
    fault: str
    times: int = Field(1, ge=1, le=100_000)
    reference: str | None = None

    @field_validator("operation")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in OPERATIONS:
            raise ValueError(f"must be one of {', '.join(sorted(OPERATIONS))}")
        return value


class SettleOrder(BaseModel):
    """The body of `POST /control/settle`."""

    reference: str
    outcome: str


def _outcome(word: str) -> Outcome | None:
    return next((outcome for outcome in OUTCOMES if outcome == word), None)


def _title(simulator: Simulator, case: Case) -> str:
    """What the shopper knows the payment method as: its code's own name where the code is known."""
    try:
        return provider_of(case.code)[1].title
    except UnknownCode:
        return case.title or simulator.title


def _amount(case: Case) -> str:
    try:
        return Money(case.amount, case.currency).text
    except InexactAmount:
        return plain(case.amount)


def _wrong(fault: ValidationError) -> list[str]:
    """What is wrong with a control's body: `operation: must be one of …`."""
    said = [(".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in fault.errors()]
    return [f"{place}: {what}" if place else "the body must be a JSON object" for place, what in said]


def _shown(fault: Fault) -> dict[str, object]:
    return {
        "provider": fault.simulator,
        "operation": fault.operation,
        "fault": fault.fault,
        "times": fault.times,
        "reference": fault.reference,
    }


def open_store(home: Path) -> SandboxStore:
    """The sandbox's own store in the installation's home."""
    return SandboxStore(home / "sandbox" / "witness.db")


__all__ = ["Case", "Sandbox", "open_store"]
