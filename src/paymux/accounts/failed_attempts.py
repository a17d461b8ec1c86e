"""Guessing a client secret is slowed down: per caller and client id, and per caller alone, in this process (E3)."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from paymux.platform.rate_limits import REMEMBERED, RateLimit

WINDOW = 60.0
PER_CLIENT = 10
PER_CALLER = 100


class FailedAttempts:
    """Counts failed attempts. A success does not count, so a shop that works is never slowed.

    A caller may fail ten times a minute with one client id, and a hundred times with all together. The latter does not
    hold up a client id that this caller has used with the right secret: shops that share an address, behind a proxy that
    nobody named, are not locked out by the one among them that guesses.
    """

    def __init__(self) -> None:
        self._per_client = RateLimit(PER_CLIENT / WINDOW, PER_CLIENT)
        self._per_caller = RateLimit(PER_CALLER / WINDOW, PER_CALLER)
        self._known: dict[str, None] = {}

    def wait(self, caller: str, client_id: str) -> int:
        """Whole seconds until this caller may try this client id again; 0: now."""
        caller = _network(caller)
        pair = f"{caller} {client_id}"
        alone = 0 if pair in self._known else self._per_caller.wait(caller)
        return max(alone, self._per_client.wait(pair))

    def failed(self, caller: str, client_id: str) -> None:
        """Remember a failed attempt."""
        caller = _network(caller)
        self._per_client.spend(f"{caller} {client_id}")
        self._per_caller.spend(caller)

    def succeeded(self, caller: str, client_id: str) -> None:
        """Remember that this caller knows this client id's secret."""
        pair = f"{_network(caller)} {client_id}"
        self._known.pop(pair, None)
        self._known[pair] = None
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]


def _network(caller: str) -> str:
    """The part of an address that one person holds: of IPv6 the first half, whose other half anybody picks at will."""
    try:
        address = ip_address(caller)
    except ValueError:
        return caller
    if not isinstance(address, IPv6Address):
        return caller
    return str(address.ipv4_mapped) if address.ipv4_mapped else address.exploded[:19]
