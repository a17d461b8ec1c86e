"""What a simulator is, and what the sandbox lends it: store, ledger, clock, events, checkout page.

A simulator is a provider's HTTP API as its merchants see it, written from the provider's documentation
and not from our connector: it checks authentication, signatures, required fields, amounts in the
provider's unit, idempotency and states as the provider would, and answers with the provider's own errors.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from yarl import URL

from paymux.platform.clock import Clock
from paymux.platform.database import from_json, to_json
from paymux.sandbox.faults import Faults
from paymux.sandbox.store import Case, LedgerRow, SandboxStore

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Outcome = Literal["approve", "decline", "cancel", "pending", "error"]
OUTCOMES: tuple[Outcome, ...] = ("approve", "decline", "cancel", "pending", "error")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
LABEL = "X-Paymux-Sandbox-Label"


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the provider's API. `operation` names it for faults; None: faults never strike it.

    Where one path serves several operations, `others` are those whose requests have these bytes in their body.
    `host` is the name of the host in `provider.toml` that serves it.
    """

    method: str
    path: str
    handler: Handler
    operation: str | None = None
    host: str = "api"
    others: Mapping[str, bytes] = field(default_factory=dict)

    def operation_of(self, body: bytes) -> str | None:
        """The operation that a request with this body is; None: faults never strike it."""
        return next((name for name, mark in self.others.items() if mark in body), self.operation)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the sandbox lends a simulator."""

    store: SandboxStore
    faults: Faults
    clock: Clock
    base_url: str
    """The sandbox's own base URL."""


class Simulator(ABC):
    """One provider, played. Subclass it in the connector's `simulator.py`."""

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    colour: ClassVar[str] = ""
    ink: ClassVar[str] = ""
    credentials: ClassVar[Mapping[str, str]] = {}
    """The credentials that it accepts, with the field names of `provider.toml`."""
    refused_customers: ClassVar[Mapping[tuple[str, str | None], str]] = {}
    """What it finds wrong with a customer, as the provider is known to: a field of an order and a value of it (None: left
    out), and how its answer names the field. Whatever else is odd it takes as it is."""
    acknowledgement: ClassVar[str] = ""
    """The JSON by which it knows that an event was taken; where it is empty, any 2xx will do."""
    refuses_known_keys: bool = False
    """Whether a call with the key of an earlier one is refused instead of given the first answer: what a provider may do that
    only says that such a call moves nothing twice (`[idempotent]` without `replays`)."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    @abstractmethod
    def routes(self) -> list[Route]:
        """The provider's calls."""

    @abstractmethod
    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """The shopper decides on the checkout page; return the URL to send the browser to.

        `pending` leaves the provider undecided (a later `settle` decides it) and sends the shopper back;
        `error` is the provider's own technical failure as the shopper meets it.
        """

    @abstractmethod
    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide a pending case without a browser (`POST /control/settle`)."""

    async def form_checkout(self, request: web.Request) -> Case:
        """The case of a checkout that a browser's form POST opens, for providers without a create call."""
        raise web.HTTPNotFound

    async def opened_by_form(self, request: web.Request) -> web.StreamResponse:
        """The handler of the route that such forms are posted to: it sends the browser on to the checkout page."""
        case = await self.form_checkout(request)
        return web.Response(status=303, headers={"Location": self.checkout_url(case)})

    # -- what the sandbox lends ----------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The installation's time."""
        return self.desk.clock.now()

    def base(self, host: str = "api") -> str:
        """The base URL of one of this provider's hosts, as the sandbox serves it."""
        return f"{self.desk.base_url}/{self.name}" + ("" if host == "api" else f"-{host}")

    def checkout_url(self, case: Case) -> str:
        """The page where the shopper decides."""
        return f"{self.desk.base_url}/checkout/{self.name}/{case.id}"

    def new_case(
        self,
        request: web.Request,
        *,
        id: str,
        amount: Decimal,
        currency: str,
        reference: str,
        account: str,
        **more: Any,
    ) -> Case:
        """A case labelled with paymux's merchant and order reference where the request carries the label."""
        label = read_label(request)
        return Case(
            id=id, amount=amount, currency=currency, account=account,
            reference=label.get("reference") or reference, merchant=label.get("merchant", ""),
            code=label.get("code", ""), **more,
        )  # fmt: skip

    def case(self, name: str) -> Case | None:
        """The case with this id or further name."""
        return self.desk.store.case(self.name, name)

    def save(self, case: Case, *moved: tuple[str, Decimal, str]) -> None:
        """Keep a case and what it moved: (kind, amount in major units, provider's id of the movement).

        A sale is an `authorize` and a `capture`. Everything is on disk when this returns.
        """
        rows = tuple(LedgerRow(kind, amount, provider_reference) for kind, amount, provider_reference in moved)
        self.desk.store.save(self.name, case, rows, self.now)

    def send_event(
        self, case: Case, url: str, body: bytes, headers: Mapping[str, str], *, method: str = "POST"
    ) -> None:
        """Send an event to the merchant, subject to the faults ordered for `events`. Retried until it is acknowledged."""
        fault = self.desk.faults.strike(self.name, "events", case.reference)
        due, now = self.now, self.now
        if fault == "no_event":
            return
        if fault == "late_event":
            due = now + timedelta(seconds=120)
        if fault == "reordered_events":
            due = now + timedelta(seconds=2)
        for _ in range(2 if fault == "duplicate_event" else 1):
            self.desk.store.queue_event(due, url, method, dict(headers), body, self.acknowledgement)

    def tampering(self, reference: str) -> Handler:
        """The handler of a route by which a test makes a case one of another amount, currency, reference or status.

        The reference is what `case.data` has under this name.
        """

        async def tamper(request: web.Request) -> web.Response:
            body = await json_body(request)
            case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
            if case is None:
                return json_answer({"error": "no such case"}, 404)
            case.amount = Decimal(str(body.get("amount", case.amount)))
            case.currency, case.status = str(body.get("currency", case.currency)), str(body.get("status", case.status))
            case.data[reference] = str(body.get("reference", case.data[reference]))
            self.save(case)
            return json_answer({"id": case.id})

        return tamper

    @staticmethod
    def token(size: int = 16) -> str:
        """A random id, hexadecimal, of so many bytes."""
        return secrets.token_hex(size)


def read_label(request: web.Request) -> dict[str, str]:
    """The label that paymux puts on its calls in sandbox mode, and on the URL of a form that a browser posts: merchant,
    reference, code, and `events`: the event URL that a merchant would enter in the provider's portal."""
    return dict(parse_qsl(request.headers.get(LABEL) or request.query.get(LABEL, "")))


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer with exact decimals."""
    return web.Response(text=to_json(body), status=status, content_type="application/json", headers=dict(headers or {}))


async def json_body(request: web.Request) -> Any:
    """The JSON body of a request, numbers with a point as decimals; None when it is no JSON."""
    try:
        return from_json(await request.read())
    except ValueError:
        return None


class ErrorAnswer(Exception):
    """A provider's answer that is an error: its HTTP status, the provider's code for it, and a sentence."""

    def __init__(self, status: int, code: str | int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def reachable(url: Any) -> bool:
    """Whether a provider would take this for an address to send a browser or an event to: https, and since a sandbox may
    be reached so, http to a loopback address."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def with_query(url: str, **fields: str) -> str:
    """A URL with query fields added."""
    return str(URL(url).update_query(fields))


__all__ = [
    "OUTCOMES", "Case", "Desk", "ErrorAnswer", "Handler", "Outcome", "Route", "Simulator", "json_answer", "json_body", "reachable",
    "read_label", "with_query",
]  # fmt: skip
