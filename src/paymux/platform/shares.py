"""Places that many share: whoever is slow or dead waits for himself, and leaves the others theirs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

LONGEST_TURN = 30.0


class Shares:
    """Counts who holds how many of `in_all` places.

    A name gets `each` of them at most, and never more than are still free. So the first that hangs gets its share, the
    next ones less and less, and it takes many of them at once to leave nothing for anybody else.
    """

    def __init__(self, in_all: int, each: int) -> None:
        self._in_all, self._each = in_all, max(each, 1)
        self._busy = Counter[str]()

    def take(self, name: str) -> bool:
        """Take a place for a name; False where it gets none now."""
        if self._busy[name] >= min(self._each, self._in_all - self._busy.total()):
            return False
        self._busy[name] += 1
        return True

    def give_back(self, name: str) -> None:
        """Give back a place that was taken."""
        self._busy -= Counter((name,))


@dataclass(slots=True)
class Turns:
    """Whoever was turned away comes back in his turn: one after the other, as fast as places have become free."""

    took: float = 0.02
    """Seconds for which a place was held, the last ones counting most."""
    last: float = 0.0

    def held(self, seconds: float) -> None:
        """Say for how long a place was held."""
        self.took += (seconds - self.took) / 4

    def next(self, places: int) -> timedelta:
        """How long the next one waits, where so many places are used at once; LONGEST_TURN seconds at most."""
        now = monotonic()
        self.last = min(max(self.last, now) + max(self.took / places, 0.005), now + LONGEST_TURN)
        return timedelta(seconds=self.last - now)
