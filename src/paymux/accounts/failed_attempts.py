"""Guessing a client secret is slowed down: per caller and client id, in this process, in real time (E3)."""

from __future__ import annotations

from collections import deque
from time import monotonic

FREE = 10
WINDOW = 60.0
REMEMBERED = 10_000


class FailedAttempts:
    """Counts failed attempts of the last minute. A success does not count, so a shop that works is never slowed."""

    def __init__(self) -> None:
        self._failed: dict[tuple[str, str], deque[float]] = {}

    def wait(self, caller: str, client_id: str) -> int:
        """Whole seconds until this caller may try this client id again; 0: now."""
        times = self._failed.get((caller, client_id))
        if times is None or len(times) < FREE:
            return 0
        return max(0, int(times[0] + WINDOW - monotonic()) + 1) if monotonic() - times[0] < WINDOW else 0

    def failed(self, caller: str, client_id: str) -> None:
        """Remember a failed attempt."""
        if len(self._failed) >= REMEMBERED:
            self._forget()
        times = self._failed.setdefault((caller, client_id), deque(maxlen=FREE))
        times.append(monotonic())

    def _forget(self) -> None:
        since = monotonic() - WINDOW
        self._failed = {who: times for who, times in self._failed.items() if times[-1] > since}
        while len(self._failed) >= REMEMBERED:
            self._failed.pop(next(iter(self._failed)))
