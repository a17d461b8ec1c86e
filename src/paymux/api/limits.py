"""How often one client may call: writes per merchant, tokens per caller and client id (E3).

Each process counts for itself: behind a load balancer a client gets as often as much as there are processes.
"""

from __future__ import annotations

from collections.abc import Mapping

from paymux.orders.errors import ApiError
from paymux.platform.rate_limits import RateLimit
from paymux.platform.settings import Settings

BURST_SECONDS = 10.0


class TooManyRequests(ApiError):
    """One client calls too often; Retry-After says when it may go on. Nothing was written."""

    status, code = 429, "too_many_requests"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many requests; go on in {seconds} seconds")
        self.headers: Mapping[str, str] = {"Retry-After": str(seconds)}


class ClientLimits:
    """The limits of this process's clients: a steady rate, and ten seconds' worth of it at once."""

    def __init__(self, settings: Settings) -> None:
        self._writes = RateLimit(settings.write_rate, settings.write_rate * BURST_SECONDS)
        self._tokens = RateLimit(settings.token_rate, settings.token_rate * BURST_SECONDS)

    def write(self, merchant_id: str) -> None:
        """A merchant writes. Raises TooManyRequests."""
        _pass(self._writes, merchant_id)

    def token(self, caller: str, client_id: str) -> None:
        """A caller asks for a client's access token. Raises TooManyRequests.

        By the caller, too: a client id is no secret, and who floods us with somebody's must not lock him out.
        """
        _pass(self._tokens, f"{caller} {client_id}")


def _pass(limit: RateLimit, key: str) -> None:
    if seconds := limit.take(key):
        raise TooManyRequests(seconds)
