"""What Grab demands of a request, and how it signs: for the simulator."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

_ID = re.compile(r"[a-zA-Z0-9\-_]{1,32}")
CURRENCIES = {"SG": "SGD", "MY": "MYR"}
_SKEW = timedelta(minutes=5)


class ApiError(Exception):
    """An error answer: HTTP status and Grab's reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def b64url(content: bytes) -> str:
    """Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def digest(secret: str, message: str) -> bytes:
    """HMAC-SHA256."""
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).digest()


def signature(secret: str, method: str, content_type: str, date: str, path: str, body: bytes) -> str:
    """The HMAC signature of requests and webhooks."""
    hashed = "" if method == "GET" else base64.b64encode(hashlib.sha256(body).digest()).decode()
    payload = f"{method}\n{content_type}\n{date}\n{path}\n{hashed}\n"
    return base64.b64encode(digest(secret, payload)).decode()


def check_date(date: str, real_now: datetime) -> None:
    """A request is refused when its clock is more than five minutes off."""
    try:
        off = abs(parsedate_to_datetime(date) - real_now)
    except (ValueError, TypeError):
        raise ApiError(401, "unauthorized") from None
    if off > _SKEW:
        raise ApiError(401, "unauthorized")


def check_possession(secret: str, header: str, token: str, real_now: datetime) -> None:
    """`X-GID-AUX-POP`: made for this token, by whoever has the client's secret, just now."""
    try:
        proof = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
        then = proof["time_since_epoch"]
        good = hmac.compare_digest(proof["sig"], b64url(digest(secret, f"{then}{token}")))
        if not good or abs(real_now.timestamp() - then) > _SKEW.total_seconds():
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise ApiError(401, "unauthorized") from None


def identifier(body: dict[str, Any], name: str) -> str:
    """An id of the partner's."""
    given = body.get(name)
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise ApiError(400, f"invalid {name}")
    return given


def amount(body: dict[str, Any]) -> int:
    """An amount in minor units."""
    given = body.get("amount")
    if not isinstance(given, int) or isinstance(given, bool) or given <= 0:
        raise ApiError(400, "invalid amount")
    return given


def check_charge(body: dict[str, Any], merchant: str) -> tuple[str, int, str]:
    """Check a charge or a refund: its id, amount in minor units and currency."""
    identifier(body, "partnerGroupTxID")
    session, minor, currency = identifier(body, "partnerTxID"), amount(body), body.get("currency")
    if body.get("merchantID") != merchant:
        raise ApiError(409, "invalid_merchant")
    if currency not in CURRENCIES.values():
        raise ApiError(409, "currency_mismatch")
    if len(str(body.get("description", ""))) > 255:
        raise ApiError(400, "invalid description")
    return session, minor, str(currency)
