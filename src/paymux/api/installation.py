"""Health, provider events and, in sandbox mode, the test clock (P1, C1, U3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field

from paymux.api.answers import BodyTooLarge, answer, read_json
from paymux.api.authority import merchant
from paymux.api.documents import operation
from paymux.api.readiness import Readiness
from paymux.audit import trail
from paymux.connectors.contract import Incoming
from paymux.orders import provider_events
from paymux.orders.core import Core
from paymux.orders.errors import ApiError, BodyFaults, NotFound
from paymux.orders.schemas import Body, Whole, read_body
from paymux.orders.views import instant
from paymux.platform.database import Connection

router = APIRouter(tags=["installation"])
sandbox_router = APIRouter(tags=["sandbox"])
MAX_ADVANCE = 10 * 366 * 86_400
MAX_OFFSET = timedelta(days=100 * 366)
LONGEST_SIZE = 16
"""Digits of a length that somebody may have meant."""


class MoveClock(Body):
    """Seconds to move the installation's time forwards by; 0 only tells it."""

    advance: Annotated[Whole, Field(ge=0, le=MAX_ADVANCE)]


@router.get("/healthz", **operation("alive", None, 200, set(), open_to_all=True))
async def alive() -> Response:
    """Alive."""
    return answer({"status": "ok"})


@router.get("/readyz", **operation("ready", None, 200, set(), open_to_all=True))
async def ready(request: Request) -> Response:
    """Ready: the database answers and a worker was seen lately."""
    readiness: Readiness = request.app.state.readiness
    state = await readiness.state()
    counts = await readiness.counts() if state["database"] and "verbose" in request.query_params else {}
    body: dict[str, object] = {"status": "ok" if all(state.values()) else "not ready", **state, **counts}
    return answer(body, 200 if all(state.values()) else 503)


@router.get(
    "/provider-events/{event_key}", **operation("provider_event_by_get", None, 200, {401, 404}, open_to_all=True)
)
@router.post(
    "/provider-events/{event_key}", **operation("provider_event", None, 200, {401, 404, 413}, open_to_all=True)
)
async def provider_event(request: Request, event_key: str) -> Response:
    """A provider's event, in the provider's own form: verified, stored, answered at once; decided by a job."""
    # A proxy may have cut a prefix off: what the provider called is below our public URL.
    query = f"?{request.url.query}" if request.url.query else ""
    path = f"{urlsplit(request.app.state.core.settings.base_url).path}/provider-events/{event_key}{query}"
    body = bytearray()
    event = Incoming(
        method=request.method, headers={k.lower(): v for k, v in request.headers.items()},
        query=dict(request.query_params), body=b"", path=path,
    )  # fmt: skip
    # What PostgreSQL can't hold as text is nobody's address.
    known = "\0" not in event_key
    try:
        async for part in request.stream():
            body += part
    except BodyTooLarge:
        said = event.headers.get("content-length", "")
        if known:
            size = int(said) if said.isdigit() and len(said) < LONGEST_SIZE else None
            await provider_events.receive_beginning(
                request.app.state.core, event_key, replace(event, body=bytes(body)), size
            )
        raise
    event = replace(event, body=bytes(body))
    try:
        wanted = await provider_events.receive(request.app.state.core, event_key, event) if known else None
    except provider_events.NotAuthentic as no:
        raise ApiError("Unauthorized", code="event_not_authentic", status=401) from no
    if wanted is None:
        raise NotFound("There is no such event address", code="not_found")
    return answer(wanted)


@sandbox_router.post("/sandbox/clock", **operation("move_clock", MoveClock, 200, {400, 413, 415, 429}))
async def clock(request: Request) -> Response:
    """Move the installation's time forwards: everything that falls due meanwhile happens, once (sandbox mode only)."""
    owner = await merchant(request, "api-user", "merchant")
    core: Core = request.app.state.core
    by = timedelta(seconds=read_body(MoveClock, await read_json(request)).advance)

    async def advance(tx: Connection) -> datetime:
        await core.clock.stand_still(tx)
        await core.clock.refresh(tx)
        if core.clock.offset + by > MAX_OFFSET:
            raise BodyFaults([f"advance must leave the clock at most {MAX_OFFSET.days} days ahead"])
        now = await core.clock.advance(tx, by)
        if by:
            seconds = int(by.total_seconds())
            await trail.record(tx, "clock.advanced", "installation", merchant_id=owner.id, seconds=seconds)
        return now

    now = await core.database.decided(advance)
    return answer({"now": instant(now), "offset": int(core.clock.offset.total_seconds())})
