"""A bulkhead per endpoint host, and one per merchant: who is slow or dead waits for himself and delays no other (W3).

A merchant names a URL with every order, and may name as many hosts as he likes: together they get a quarter of all places.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from yarl import URL

AT_ONCE = 4
AT_ONCE_WHILE_FAILING = 1
OF_ALL = 4
"""One merchant's deliveries get the so many-th part of all places."""
LONGEST_TURN = 30.0
KEPT_HOSTS = 10_000


@dataclass(slots=True)
class _Host:
    busy: int = 0
    failing: bool = False
    took: float = 0.02
    turn: float = 0.0


class EndpointFull(Exception):
    """As many deliveries as this host or merchant gets are under way: come back `after` that time."""

    def __init__(self, after: timedelta) -> None:
        super().__init__(f"come back after {after}")
        self.after = after


class EndpointLimits:
    """Counts this process's deliveries under way, per host, per merchant and in all (at most `in_all`)."""

    def __init__(self, in_all: int) -> None:
        self._in_all, self._busy = in_all, 0
        self._each, self._merchants = max(AT_ONCE, in_all // OF_ALL), Counter[str]()
        self._hosts: dict[str, _Host] = {}

    @contextmanager
    def place(self, url: str, merchant_id: str) -> Iterator[None]:
        """Hold a place for one delivery of a merchant's. Raises EndpointFull."""
        host = self._host(url)
        limit = AT_ONCE_WHILE_FAILING if host.failing else AT_ONCE
        if host.busy >= limit or self._merchants[merchant_id] >= self._each or self._busy >= self._in_all:
            raise EndpointFull(timedelta(seconds=self._next_turn(host, limit)))
        host.busy += 1
        self._busy += 1
        self._merchants[merchant_id] += 1
        begun = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            host.busy -= 1
            self._busy -= 1
            self._merchants -= Counter((merchant_id,))
            host.took = asyncio.get_running_loop().time() - begun

    def report(self, url: str, *, answered: bool) -> None:
        """Say whether the host answered: one that does not gets one place until it does."""
        self._host(url).failing = not answered

    def _host(self, url: str) -> _Host:
        parts = URL(url)
        name = f"{parts.raw_host}:{parts.port}"
        if name not in self._hosts:
            if len(self._hosts) >= KEPT_HOSTS:
                self._hosts = {kept: host for kept, host in self._hosts.items() if host.busy}
            self._hosts[name] = _Host()
        return self._hosts[name]

    @staticmethod
    def _next_turn(host: _Host, limit: int) -> float:
        # Those turned away come back one after the other, as fast as the host has been answering.
        now = asyncio.get_running_loop().time()
        host.turn = min(max(host.turn, now) + max(host.took / limit, 0.005), now + LONGEST_TURN)
        return host.turn - now
