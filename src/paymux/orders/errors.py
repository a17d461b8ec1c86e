"""What the Merchant API answers when it says no: a status, a stable word, a sentence that says what to do (E1, E3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from paymux.platform.database import DatabaseUnavailable


class ApiError(Exception):
    """An answer that is an error. `message` is one sentence, or every fault of a body."""

    status = 400
    code = "bad_request"
    headers: Mapping[str, str] = {}

    def __init__(self, message: str | list[str], *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message if isinstance(message, str) else "; ".join(message))
        self.message = message
        self.code = code or self.code
        self.status = status or self.status


class BodyFaults(ApiError):
    """Every fault of a body, each naming its field's path (E2)."""

    code = "validation_failed"

    def __init__(self, faults: list[str], *, code: str | None = None) -> None:
        super().__init__(faults, code=code)


class NotFound(ApiError):
    status, code = 404, "order_not_found"


class Conflict(ApiError):
    """The order's state does not allow it, or a reference is used."""

    status, code = 409, "conflict"


class InProgress(Conflict):
    code = "in_progress"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is still in progress; ask again in a few seconds")


class ProviderRefused(ApiError):
    status, code = 422, "provider_refused"


class ProviderUnreachable(ApiError):
    status, code = 502, "provider_unreachable"


class Unavailable(ApiError):
    status, code = 503, "unavailable"


class OutcomeOpen(ApiError):
    """The database was lost after something had been claimed, or may have been: 503 would deny it (E4)."""

    status, code = 500, "outcome_open"

    def __init__(self) -> None:
        super().__init__(
            "The database was lost on the way. What you asked for may have been done, or goes on by itself:"
            " repeat the same call, with the same reference, until it is done or refused"
        )


@contextmanager
def once_claimed() -> Iterator[None]:
    """From a committed claim on, a lost database is no 503 any more: that says that nothing was written."""
    try:
        yield
    except DatabaseUnavailable as fault:
        raise OutcomeOpen from fault
