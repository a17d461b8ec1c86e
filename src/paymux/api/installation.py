"""Health, provider events and, in sandbox mode, the test clock (P1, C1, U3)."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response

from paymux.api.answers import MAX_BODY, answer, read_json
from paymux.api.authority import merchant
from paymux.connectors.contract import Incoming
from paymux.orders import provider_events, store
from paymux.orders.core import Core
from paymux.orders.errors import ApiError, BodyFaults, NotFound
from paymux.orders.views import instant
from paymux.platform.database import DatabaseUnavailable

router = APIRouter(include_in_schema=False)
sandbox_router = APIRouter(tags=["sandbox"])
MAX_ADVANCE = 10 * 366 * 86_400
WORKER_FRESH = 15


@router.get("/healthz")
async def alive() -> Response:
    """Alive."""
    return answer({"status": "ok"})


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """Ready: the database answers and a worker was seen lately."""
    core: Core = request.app.state.core
    state = {"database": False, "worker": False}
    review = None
    with contextlib.suppress(DatabaseUnavailable):
        async with core.database.connection() as held:
            state["database"] = True
            age = await held.fetchval("SELECT extract(epoch FROM now() - worker_seen_real)::int FROM installation")
            state["worker"] = age is not None and age < WORKER_FRESH
            if "verbose" in request.query_params:
                review = len(await store.orders_to_review(held, None))
    body: dict[str, object] = {"status": "ok" if all(state.values()) else "not ready", **state}
    if review is not None:
        body["ordersToReview"] = review
    return answer(body, 200 if all(state.values()) else 503)


@router.api_route("/provider-events/{event_key}", methods=["GET", "POST"])
async def provider_event(request: Request, event_key: str) -> Response:
    """A provider's event: verified, stored, answered; decided by a job (P1)."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise ApiError("The event is too large", code="body_too_large", status=413)
    event = Incoming(
        method=request.method, headers={k.lower(): v for k, v in request.headers.items()},
        query=dict(request.query_params), body=body,
    )  # fmt: skip
    accepted = await provider_events.receive(request.app.state.core, event_key, event)
    if accepted is None:
        raise NotFound("There is no such event address", code="not_found")
    if not accepted:
        raise ApiError("Unauthorized", code="event_not_authentic", status=401)
    return answer({"received": True})


@sandbox_router.post("/sandbox/clock", summary="Move the installation's time forwards")
async def clock(request: Request) -> Response:
    """Body `{"advance": seconds}`: everything that falls due meanwhile happens, once (C1)."""
    await merchant(request)
    core: Core = request.app.state.core
    body = await read_json(request)
    seconds = body.get("advance") if isinstance(body, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= MAX_ADVANCE:
        raise BodyFaults([f"advance must be a whole number of seconds from 0 to {MAX_ADVANCE}"])
    async with core.database.transaction() as tx:
        now = await core.clock.advance(tx, timedelta(seconds=seconds))
    return answer({"now": instant(now), "offset": int(core.clock.offset.total_seconds())})
