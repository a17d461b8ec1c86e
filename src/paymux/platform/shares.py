"""Places that many share: whoever is slow or dead waits for himself, and leaves the others theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from paymux.platform.jobs import NotYet

LONGEST_TURN = 30.0
KEPT_TURNS = 1_000


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


class JobPlaces:
    """A bulkhead per provider among the jobs of one process.

    Of `jobs` places a quarter at most goes to what calls one provider, or `calls` where that is less; half to all such
    jobs together. Webhooks get three eighths (`Deliverer`), and what calls nobody has the rest, whoever hangs.
    """

    def __init__(self, jobs: int, calls: int) -> None:
        self._each = min(jobs // 4, calls)
        self._shares = Shares(jobs // 2, self._each)
        self._turns: dict[str, Turns] = {}

    @contextmanager
    def place(self, provider: str) -> Iterator[None]:
        """Hold a place for what calls a provider. Raises NotYet, and then nothing may have been begun."""
        if provider not in self._turns and len(self._turns) >= KEPT_TURNS:
            self._turns.clear()
        turns = self._turns.setdefault(provider, Turns())
        if not self._shares.take(provider):
            raise NotYet(f"as many jobs as may call {provider} at once are at it", turns.next(self._each))
        begun = monotonic()
        try:
            yield
        finally:
            self._shares.give_back(provider)
            turns.held(monotonic() - begun)
