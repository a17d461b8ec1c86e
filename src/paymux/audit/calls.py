"""Calls to providers that were made and are not written yet: the next decision on their order writes them.

No call waits for the database, and none costs a transaction of its own: a decision follows every call anyway. What a
process had not written when it died is lost with it; the operation that the call stood for is a committed row (U1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from paymux.connectors.provider_http import CallMade
from paymux.platform.identifiers import new_id

log = structlog.get_logger()
MOST_SUBJECTS = 5_000
MOST_CALLS = 200


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """A call, and what it was made for. Its id is its own from the beginning, so that it is written once."""

    account_id: str
    order_id: str | None
    operation_id: str | None
    made: CallMade
    id: str = field(default_factory=lambda: new_id("pcl"))


class CallJournal:
    """One process's calls, by the order (or, outside of any order, the account) that they were made for."""

    def __init__(self) -> None:
        self._calls: dict[str, list[ProviderCall]] = {}

    def recorder(
        self, account_id: str, order_id: str | None = None, operation_id: str | None = None
    ) -> Callable[[CallMade], None]:
        """What a connector's way out is given: it keeps each call here."""

        def keep(made: CallMade) -> None:
            self._keep(order_id or account_id, ProviderCall(account_id, order_id, operation_id, made))

        return keep

    def take(self, subject: str) -> list[ProviderCall]:
        """The calls of an order or account, to be written now."""
        return self._calls.pop(subject, [])

    def put_back(self, subject: str, calls: list[ProviderCall]) -> None:
        """They could not be written, or nobody knows: the transaction was rolled back, or its COMMIT got no answer."""
        if calls:
            self._calls[subject] = [*calls, *self._calls.get(subject, [])]

    def _keep(self, subject: str, call: ProviderCall) -> None:
        calls = self._calls.setdefault(subject, [])
        calls.append(call)
        if len(calls) > MOST_CALLS or len(self._calls) > MOST_SUBJECTS:
            # Nobody decides on these any more, or the database has been away for long: memory has an end.
            oldest = next(iter(self._calls))
            log.warning("provider_calls.dropped", subject=oldest, calls=len(self._calls.pop(oldest)))
