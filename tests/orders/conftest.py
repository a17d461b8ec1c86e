"""An installation that has providers of every kind beside its own, and gates that hold one side of a race."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from paymux.connectors import registry
from paymux.orders.core import Core
from tests.installation import Installation
from tests.orders import till

MOVES = "void refund partial_refund multiple_refunds"
PARTS = "partial_capture multiple_captures partial_void"


@pytest.fixture(scope="module")
async def installation(
    new_database: Callable[[], Awaitable[str]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """A whole installation with the throw-away providers, shared by a module's tests."""
    parent = tmp_path_factory.mktemp("tills")
    every = "create confirm capture void refund charge_token"
    moves = "capture void refund"
    kinds = [
        # captures by itself; everything can be asked for
        till.kind(parent, "salestill", able=f"status cancel deferred_capture {PARTS} {MOVES}", idempotent=every,
                  readable=moves, lists="keys", tells="header"),
        # paid by our confirm; a confirm can be read
        till.kind(parent, "confirmtill", able=f"status cancel confirm {MOVES}", idempotent=every,
                  readable=f"confirm {moves}", lists="keys", tells="header", decides_within=7200),
        # the same, but only a repeat can tell of a confirm
        till.kind(parent, "repeattill", able=f"status cancel confirm {MOVES}", idempotent=every, readable=moves),
        # only authorises: we capture at once
        till.kind(parent, "aftertill", able=f"status cancel capture_after_authorisation {MOVES}", idempotent=every,
                  readable=moves, lists="moves", authorisation=604_800),
        # neither idempotent nor readable
        till.kind(parent, "blindtill", able=f"status deferred_capture {PARTS} {MOVES}"),
        # repeats are safe, nothing can be read
        till.kind(parent, "oncetill", able=f"deferred_capture {PARTS} {MOVES}", idempotent=moves, tells="header"),
        # the same, and it refunds once whatever the key
        till.kind(parent, "naturaltill", able=f"deferred_capture {PARTS} {MOVES}", idempotent=moves, once="refund",
                  replays=moves, tells="header"),
        # readable, but a repeat moves twice
        till.kind(parent, "readtill", able=f"status deferred_capture {PARTS} {MOVES}", readable=moves, lists="moves",
                  tells="header"),
        # sends events that anybody could send
        till.kind(parent, "hinttill", able=f"status {MOVES}", idempotent=every, readable=moves, tells="unsigned"),
        # one capture only
        till.kind(parent, "onecapturetill", able=f"status deferred_capture partial_capture {MOVES}", idempotent=every,
                  readable=moves, tells="header"),
        # one capture only, and no void
        till.kind(parent, "novoidtill", able="status deferred_capture partial_capture refund", idempotent=every),
        # nothing can be given back
        till.kind(parent, "keeptill", able="status cancel", idempotent=every, tells="header"),
        # authorisations that last half a day
        till.kind(parent, "shorttill", able=f"status deferred_capture {PARTS} {MOVES}", idempotent=every, readable=moves,
                  authorisation=43_200),
        # the same, and it voids by itself what they leave open, in the same word
        till.kind(parent, "voidingtill", able=f"status deferred_capture {PARTS} {MOVES}", idempotent=every, readable=moves,
                  authorisation=43_200, declares="voids_what_expires"),
        # its returns are signed, and it can be asked all the same
        till.kind(parent, "signedtill", able=f"status deferred_capture {PARTS} {MOVES}", idempotent=every, readable=moves,
                  declares="signed_return"),
    ]  # fmt: skip
    before = registry._extra
    for folder in kinds:
        registry.register_folder(folder)
    running = Installation(tmp_path_factory.mktemp("home"), await new_database())
    try:
        await running.start()
        yield running
    finally:
        await running.stop()
        registry._extra = before


@dataclass
class Till:
    """The simulators of the throw-away providers, by code."""

    installation: Installation

    def __getitem__(self, code: str) -> Any:
        return self.installation.sandbox.simulators[code.lower()]


@pytest.fixture
def tills(installation: Installation) -> Till:
    return Till(installation)


@pytest.fixture
def refusing(tills: Till, request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Lets a provider refuse a verb for the rest of the test: `refusing("AFTERTILL", "capture")`."""

    def refuse(code: str, verb: str) -> None:
        tills[code].refuse.add(verb)
        request.addfinalizer(lambda: tills[code].refuse.discard(verb))

    return refuse


@dataclass
class Gate:
    """Holds the first who comes to a named point, until it is opened."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    taken: bool = False

    async def hold(self) -> None:
        if not self.taken:
            self.taken = True
            self.reached.set()
            await asyncio.wait_for(self.opened.wait(), 30)

    def open(self) -> None:
        self.opened.set()


GateAt = Callable[..., Gate]


@pytest.fixture
def gate_at(monkeypatch: pytest.MonkeyPatch) -> GateAt:
    """Puts a gate before (or after) a function: `gate_at(decide, "deciding", when=…)`; `when` sees its arguments."""

    def put(owner: Any, name: str, *, when: Callable[..., bool] = lambda *_, **__: True, after: bool = False) -> Gate:
        gate, real = Gate(), getattr(owner, name)

        async def gated(*args: Any, **more: Any) -> Any:
            if not after and when(*args, **more):
                await gate.hold()
            answer = await real(*args, **more)
            if after and when(*args, **more):
                await gate.hold()
            return answer

        monkeypatch.setattr(owner, name, gated)
        return gate

    return put


@pytest.fixture
def blocked(installation: Installation) -> Callable[[], Awaitable[bool]]:
    """Whether some connection waits for another's lock right now."""

    async def ask() -> bool:
        async with installation.database.connection() as held:
            return bool(
                await held.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                    " WHERE NOT l.granted AND a.datname = current_database())"
                )
            )

    return ask


@pytest.fixture
def other_process(installation: Installation) -> Core:
    """The means of a second process of the same installation."""
    return replace(installation.core, holder="proc_other")
