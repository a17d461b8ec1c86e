"""Token buckets, one per key, in this process and in real time (C1): so much a second, and a burst of it at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import monotonic

REMEMBERED = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """Lets `rate` a second through per key, and `burst` at once. A rate of 0 is no limit.

    Of keys that nobody uses any more nothing is kept: a bucket that has filled up again is as good as a new one. Should
    more keys than REMEMBERED be in use at once, those longest unused are forgotten, so that memory has a bound.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, max(burst, 1.0)
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, key: str) -> int:
        """Whole seconds until this key may go on; 0: now. Takes nothing."""
        bucket = self._buckets.get(key)
        if bucket is None or not self._rate:
            return 0
        lacking = 1.0 - self._now_left(bucket)
        return math.ceil(lacking / self._rate) if lacking > 0 else 0

    def take(self, key: str) -> int:
        """Take one if there is one: 0; else the whole seconds until there is."""
        if not self._rate:
            return 0
        if seconds := self.wait(key):
            return seconds
        self.spend(key)
        return 0

    def spend(self, key: str) -> None:
        """Take one, whether there is one or not: what has happened counts."""
        if not self._rate:
            return
        bucket = self._buckets.pop(key, None)
        left = self._burst if bucket is None else self._now_left(bucket)
        if len(self._buckets) >= REMEMBERED:
            self._forget()
        # Put back at the end: the dictionary's order is that of the last use.
        self._buckets[key] = _Bucket(max(left - 1.0, 0.0), monotonic())

    def _now_left(self, bucket: _Bucket) -> float:
        return min(self._burst, bucket.left + (monotonic() - bucket.at) * self._rate)

    def _forget(self) -> None:
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if self._now_left(bucket) < self._burst}
        while len(self._buckets) >= REMEMBERED:
            del self._buckets[next(iter(self._buckets))]
