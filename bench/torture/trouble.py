"""What happens to the installation meanwhile: kills, crash points, faults, moods of the endpoint, a moving clock, forgeries."""

from __future__ import annotations

import asyncio
import base64
import random
from collections import Counter

from bench.torture.endpoint import MOODS, Endpoint
from bench.torture.installation import CRASH_POINTS, PIECES, Installation
from bench.torture.story import METHODS

CALL_FAULTS = ("timeout_before", "timeout_after", "error_before", "error_after", "reset_after", "malformed", "slow")
EVENT_FAULTS = ("duplicate_event", "late_event", "no_event", "reordered_events")
OPERATIONS = ("create", "confirm", "status", "capture", "void", "refund", "cancel", "charge_token")
SOLE_WAY = {"HUMM_AU": ("create", "refund", "refund", "events")}
"""What faults strike where nothing can be asked: there an event is late, twice or out of order, but it comes. Nobody can
know of a payment that a provider never tells of, so such a one repeats its events until they are taken."""
ADVANCES = (30, 60, 120, 600, 3600, 14_400)
PAST_EXPIRY = 29 * 86_400
"""Seconds after which every authorisation in this traffic has expired: Afterpay's after 13 days, Klarna's after 28."""
EXPIRIES = (0.4, 0.8)
"""When the clock jumps so far, as parts of the whole time: rarely, for a delivery has ten tries in three days."""
ON_THE_WAY = (60, 600, 3600, 14_400, 86_400)
"""The steps before it. Nobody lives through four weeks at once: a provider forgets within two days what was never asked about."""
STEP = 12.0
"""Seconds between them: longer, in all, than the lease of a call whose process was killed, which real time counts."""
FORGERIES = ("guessed", "replayed", "tampered", "tampered", "truncated", "huge", "misdirected")
HUGE = 300_000


class Trouble:
    """Makes trouble until it is cancelled. `faults` counts what was ordered, by kind."""

    def __init__(self, installation: Installation, endpoint: Endpoint, rng: random.Random) -> None:
        self.at, self.endpoint, self.rng = installation, endpoint, rng
        self.faults: Counter[str] = Counter()
        self.crashes = 0
        self.advanced = 0
        self._weeks = 0

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
            *(self._expiry(loop.time() + part * (until - loop.time())) for part in EXPIRIES),
        )

    async def _repeat(self, until, loop, pause, what) -> None:  # type: ignore[no-untyped-def]
        while loop.time() < until:
            await asyncio.sleep(min(self.rng.uniform(*pause), max(0.0, until - loop.time())))
            if loop.time() < until:
                await what()

    async def _provider_fault(self) -> None:
        code = self.rng.choice(METHODS)[0]
        operation = self.rng.choice(SOLE_WAY.get(code, (*OPERATIONS, "events", "events")))
        faults = EVENT_FAULTS if operation == "events" else CALL_FAULTS
        fault = self.rng.choice([fault for fault in faults if fault != "no_event" or code not in SOLE_WAY])
        order = {"provider": code, "operation": operation, "fault": fault, "times": self.rng.choice((1, 1, 2, 3))}
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
        mood = self.rng.choice(("healthy", *MOODS))
        if not self._weeks:
            self.endpoint.mood = mood

    async def _clock(self) -> None:
        await self._advance(self.rng.choice(ADVANCES))

    async def _expiry(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))
        # A webhook is given up after three days, and listed: no endpoint that is to hear of everything is down for weeks.
        self._weeks += 1
        self.endpoint.mood = "healthy"
        for seconds in (*ON_THE_WAY, PAST_EXPIRY):
            await self._advance(seconds)
            await asyncio.sleep(STEP)
        self._weeks -= 1

    async def _advance(self, seconds: int) -> None:
        while not await self.at.advance(seconds):
            await asyncio.sleep(0.2)
        self.advanced += seconds

    async def _forgery(self) -> None:
        """A stranger: who guesses an address, or has seen a provider's event and sends it again, changed, cut or elsewhere."""
        kind = self.rng.choice(FORGERIES)
        seen = await self.at.ask("GET", self.at.sandbox + "/control/events")
        if kind == "guessed" or seen.status != 200 or not seen.body:
            await self._guess()
            return
        event, other = self.rng.choice(seen.body), self.rng.choice(seen.body)
        url, body = event["url"], base64.b64decode(event["body"])
        headers = event["headers"]
        if kind == "tampered":
            # What proves the sender he can't have: every header is a little off, and the event says something else.
            headers = {name: _off(value) for name, value in headers.items()}
            url, body = _other(url, self.rng), _other(body.decode("latin-1"), self.rng).encode("latin-1")
        elif kind == "truncated":
            body = body[: self.rng.randrange(len(body) or 1)]
        elif kind == "huge":
            body += b" " * HUGE
        elif kind == "misdirected":
            url = other["url"].partition("?")[0] + "".join(url.partition("?")[1:])
        method = "POST" if kind == "huge" else event["method"]
        answer = await self.at.ask(method, url, data=body or None, headers=headers)
        if kind == "huge" and 200 <= answer.status < 300:
            raise AssertionError(f"a huge event was answered {answer.status}")
        self.faults[f"{kind} event"] += 1

    async def _guess(self) -> None:
        guess = f"{self.rng.getrandbits(128):032x}"
        where = self.rng.choice(("/provider-events/", "/return/", "/checkout/")) + guess
        method = "POST" if where.startswith("/provider-events") else "GET"
        answer = await self.at.ask(
            method, self.at.base + where, data=b'{"status":"paid"}' if method == "POST" else None
        )
        if answer.status in (200, 201, 303):
            raise AssertionError(f"a guess at {where} was taken")
        self.faults["guessed address"] += 1

    async def end(self) -> None:
        """No more trouble: faults taken back, nothing armed, the endpoint healthy."""
        self.endpoint.mood = "healthy"
        self.crashes -= self.at.crashed()
        await self.at.ready()
        await self.at.must("DELETE", self.at.sandbox + "/control/faults")


def _off(value: str) -> str:
    """A header's value with its last letter changed; a media type stays what it is."""
    if "/" in value or not value:
        return value
    return value[:-1] + ("x" if value[-1] != "x" else "y")


def _other(text: str, rng: random.Random) -> str:
    """A text with one of its digits changed, behind the first `?` if it is a URL: an amount, an id, a time."""
    places = [
        n
        for n, letter in enumerate(text)
        if letter.isdigit() and (not text.startswith("http") or n > text.find("?") > 0)
    ]
    if not places:
        return text
    place = rng.choice(places)
    return text[:place] + str((int(text[place]) + rng.randint(1, 9)) % 10) + text[place + 1 :]
