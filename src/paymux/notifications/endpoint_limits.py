"""A bulkhead and a circuit breaker per endpoint, a bulkhead per host and merchant: who is slow or dead delays no other (W3).

An endpoint is a merchant's host. Many merchants may be at one host, and each waits for his own answers; the host as a
whole gets half of all places. A merchant names a URL with every order, and may name as many hosts as he likes: together
they get a third of all places.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

from yarl import URL

from paymux.platform.lanes import Breaker, BreakerOpen, Passage
from paymux.platform.shares import Turns

AT_ONCE = 4
FAILURES = 3
"""After so many tries in a row that nobody answered, an endpoint is left alone for PAUSE seconds; then one is made."""
PAUSE = 5.0
OF_ALL_PER_HOST = 2
OF_ALL_PER_MERCHANT = 3
"""A host's, and one merchant's, deliveries get the so many-th part of all places."""
KEPT = 10_000


@dataclass(slots=True)
class _Bound:
    """So many deliveries at once, of whatever it bounds."""

    at_once: int
    busy: int = 0
    turns: Turns = field(default_factory=Turns)
    breaker: Breaker = field(default_factory=lambda: Breaker(FAILURES, PAUSE))
    """Used of an endpoint's alone."""

    @contextmanager
    def held(self) -> Iterator[None]:
        self.busy += 1
        begun = monotonic()
        try:
            yield
        finally:
            self.busy -= 1
            self.turns.held(monotonic() - begun)


class EndpointFull(Exception):
    """Nothing goes there now: as many deliveries as it gets are under way, or it is dead. Come back `after` that time."""

    def __init__(self, after: timedelta) -> None:
        super().__init__(f"come back after {after}")
        self.after = after


class EndpointLimits:
    """Counts this process's deliveries under way, per endpoint, host and merchant, and in all (at most `in_all`)."""

    def __init__(self, in_all: int) -> None:
        self._in_all = _Bound(in_all)
        self._per_host = max(AT_ONCE, in_all // OF_ALL_PER_HOST)
        self._per_merchant = max(AT_ONCE, in_all // OF_ALL_PER_MERCHANT)
        self._bounds: dict[tuple[str, str], _Bound] = {}

    @contextmanager
    def place(self, url: str, merchant_id: str) -> Iterator[Passage]:
        """Hold a place for one delivery of a merchant's, which says whether it was answered. Raises EndpointFull."""
        parts = URL(url)
        host = f"{parts.raw_host}:{parts.port}"
        endpoint = self._bound(merchant_id, host, AT_ONCE)
        bounds = (
            endpoint,
            self._bound("", host, self._per_host),
            self._bound(merchant_id, "", self._per_merchant),
            self._in_all,
        )
        if full := [bound for bound in bounds if bound.busy >= bound.at_once]:
            raise EndpointFull(max(bound.turns.next(bound.at_once) for bound in full))
        try:
            with endpoint.breaker.passage() as call, ExitStack() as held:
                for bound in bounds:
                    held.enter_context(bound.held())
                yield call
        except BreakerOpen as no:
            # Of those that wait for it one tries when its time has come, and what it finds is known to the next.
            raise EndpointFull(max(timedelta(seconds=no.left), endpoint.turns.next(1))) from None

    def _bound(self, merchant_id: str, host: str, at_once: int) -> _Bound:
        name = merchant_id, host
        if name not in self._bounds:
            if len(self._bounds) >= KEPT:
                self._bounds = {kept: one for kept, one in self._bounds.items() if one.busy}
            self._bounds[name] = _Bound(at_once)
        return self._bounds[name]
