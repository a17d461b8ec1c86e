"""What happens to the installation meanwhile: kills, crash points, faults, moods of the endpoint, a moving clock, forgeries."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from bench.torture.endpoint import MOODS, Endpoint
from bench.torture.installation import CRASH_POINTS, PIECES, Installation
from bench.torture.story import METHODS

CALL_FAULTS = ("timeout_before", "timeout_after", "error_before", "error_after", "reset_after", "malformed", "slow")
EVENT_FAULTS = ("duplicate_event", "late_event", "no_event", "reordered_events")
OPERATIONS = ("create", "confirm", "status", "capture", "void", "refund", "cancel", "charge_token")
ADVANCES = (30, 60, 120, 600, 3600, 14_400)


class Trouble:
    """Makes trouble until it is cancelled. `faults` counts what was ordered, by kind."""

    def __init__(self, installation: Installation, endpoint: Endpoint, rng: random.Random) -> None:
        self.at, self.endpoint, self.rng = installation, endpoint, rng
        self.faults: Counter[str] = Counter()
        self.crashes = 0
        self.advanced = 0

    async def make(self, until: float) -> None:
        """Make trouble until the loop's time `until`."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            self._repeat(until, loop, (0.3, 1.0), self._provider_fault),
            self._repeat(until, loop, (5.0, 12.0), self._kill),
            self._repeat(until, loop, (2.0, 5.0), self._crash_point),
            self._repeat(until, loop, (3.0, 9.0), self._mood),
            self._repeat(until, loop, (6.0, 14.0), self._clock),
            self._repeat(until, loop, (1.0, 4.0), self._forgery),
        )

    async def _repeat(self, until, loop, pause, what) -> None:  # type: ignore[no-untyped-def]
        while loop.time() < until:
            await asyncio.sleep(min(self.rng.uniform(*pause), max(0.0, until - loop.time())))
            if loop.time() < until:
                await what()

    async def _provider_fault(self) -> None:
        operation = self.rng.choice((*OPERATIONS, "events", "events"))
        fault = self.rng.choice(EVENT_FAULTS if operation == "events" else CALL_FAULTS)
        order = {"provider": self.rng.choice(METHODS)[0], "operation": operation, "fault": fault,
                 "times": self.rng.choice((1, 1, 2, 3))}  # fmt: skip
        if (await self.at.ask("POST", self.at.sandbox + "/control/faults", json=order)).status == 201:
            self.faults[fault] += 1

    async def _kill(self) -> None:
        if self.rng.random() < 0.08:
            await self.at.kill_all()
        else:
            self.at.kill(self.rng.choice((*PIECES, *3 * ("serve", "worker"))))

    async def _crash_point(self) -> None:
        point = self.rng.choice(CRASH_POINTS)
        armed = self.at.crash_folder / point
        if not armed.exists():
            self.at.crash_at(point)
            self.crashes += 1

    async def _mood(self) -> None:
        self.endpoint.mood = self.rng.choice(("healthy", *MOODS))

    async def _clock(self) -> None:
        seconds = self.rng.choice(ADVANCES)
        while not await self.at.advance(seconds):
            await asyncio.sleep(0.2)
        self.advanced += seconds

    async def _forgery(self) -> None:
        """Somebody who guesses: an event for no account, a return for no order, a callback with a body of his own."""
        guess = f"{self.rng.getrandbits(128):032x}"
        where = self.rng.choice(("/provider-events/", "/return/", "/checkout/")) + guess
        method = "POST" if where.startswith("/provider-events") else "GET"
        answer = await self.at.ask(
            method, self.at.base + where, data=b'{"status":"paid"}' if method == "POST" else None
        )
        if answer.status in (200, 201, 303):
            raise AssertionError(f"a forgery at {where} was taken")
        self.faults["forgery"] += 1

    async def end(self) -> None:
        """No more trouble: faults taken back, nothing armed, the endpoint healthy."""
        self.endpoint.mood = "healthy"
        self.crashes -= self.at.crashed()
        await self.at.ready()
        await self.at.must("DELETE", self.at.sandbox + "/control/faults")
