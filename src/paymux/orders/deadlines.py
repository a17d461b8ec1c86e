"""When an unpaid order ends, and how long until a provider is asked again (D2, U1)."""

from __future__ import annotations

from datetime import datetime, timedelta

from paymux.orders.model import Order

FIRST_POLL = timedelta(seconds=30)
LAST_POLL = timedelta(seconds=600)
DEFAULT_DEADLINE = timedelta(hours=24)


def backoff(tries: int) -> timedelta:
    """How long until the next question: 30 s doubling to 600 s (U1)."""
    return min(FIRST_POLL * (1 << min(tries, 10)), LAST_POLL)


def deadline_of(order: Order) -> datetime:
    """When an unpaid order is cancelled (D2)."""
    return chosen_deadline(order) or order.checkout_expires_at or order.created_at + DEFAULT_DEADLINE


def chosen_deadline(order: Order) -> datetime | None:
    """The deadline that the merchant's own time-outs set; None where he left it to the checkout's expiry (D2)."""
    if order.completed_at is not None and order.checkout_session_timeout is not None:
        return order.completed_at + timedelta(seconds=order.checkout_session_timeout)
    if order.cancellation_timeout is not None:
        return order.created_at + timedelta(seconds=order.cancellation_timeout)
    return None
