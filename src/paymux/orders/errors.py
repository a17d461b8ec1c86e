"""What the Merchant API answers when it says no: a status, a stable word, a sentence that says what to do (E1, E3)."""

from __future__ import annotations

from collections.abc import Mapping


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
