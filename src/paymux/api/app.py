"""The API process: FastAPI, what every request passes, and how faults are answered."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from paymux import __version__
from paymux.accounts.access_tokens import AccessTokens
from paymux.accounts.failed_attempts import FailedAttempts
from paymux.api import api_document, installation, options, orders, token
from paymux.api.answers import error_answer
from paymux.api.edge import RETRY_AFTER, Edge
from paymux.api.limits import ClientLimits
from paymux.api.readiness import Readiness
from paymux.checkout import shopper_pages
from paymux.orders.core import Core
from paymux.orders.errors import ApiError, OutcomeOpen
from paymux.platform.database import CommitUnknown, DatabaseUnavailable
from paymux.platform.rate_limits import RateLimit

log = structlog.get_logger()
_UNTOLD: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
"""Newer versions of FastAPI tell of each request to whatever OpenTelemetry is set up around them: its whole path and query,
which hold shoppers' keys and data, and what exceptions say. Our own log is the only one that knows what to leave out."""


def make_app(core: Core) -> FastAPI:
    """The application over opened means; closing them is the caller's."""
    app = FastAPI(
        title="paymux Merchant API", version=__version__, redirect_slashes=False, docs_url=None, redoc_url=None,
        description="One API for every buy-now-pay-later and alternative payment method.", telemetry=_UNTOLD,
    )  # fmt: skip
    app.state.core = core
    app.state.access_tokens = AccessTokens(core.database, core.keyring, core.clock, core.settings)
    app.state.failed_attempts = FailedAttempts()
    app.state.readiness = Readiness(core.database)
    app.state.client_limits = ClientLimits(core.settings)
    app.state.asked_by_shoppers = RateLimit(shopper_pages.ASKS_A_SECOND, shopper_pages.ASKS)
    routers = (token.router, options.router, orders.router, installation.router, shopper_pages.router)
    for router in (*routers, api_document.router):
        app.include_router(router)
    if core.settings.sandbox:
        app.include_router(installation.sandbox_router)
    app.add_middleware(Edge, settings=core.settings, database=core.database)
    if core.settings.trusted_proxies:
        # The client's address is believed from these peers only, and only their nearest untrusted hop.
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(core.settings.trusted_proxies))
    _errors(app)
    api_document.install(app)
    return app


def _errors(app: FastAPI) -> None:
    @app.exception_handler(ApiError)
    async def refused(request: Request, fault: ApiError) -> Response:
        return error_answer(request, fault.status, fault.message, fault.code, fault.headers)

    @app.exception_handler(DatabaseUnavailable)
    async def unavailable(request: Request, fault: DatabaseUnavailable) -> Response:
        log.warning("database.unavailable", reason=str(fault))
        message = "The database can't be reached or is too busy; nothing was done"
        return error_answer(request, 503, message, "unavailable", {"Retry-After": RETRY_AFTER})

    @app.exception_handler(CommitUnknown)
    async def perhaps_done(request: Request, fault: CommitUnknown) -> Response:
        log.warning("database.commit_unknown", reason=str(fault))
        return await refused(request, OutcomeOpen())

    @app.exception_handler(HTTPException)
    async def routing(request: Request, fault: HTTPException) -> Response:
        if fault.status_code in (404, 405):
            # The published service answers a wrong method as it answers a wrong path.
            return error_answer(request, 404, f"Cannot {request.method} {request.url.path}", "not_found")
        return error_answer(request, fault.status_code, str(fault.detail), "bad_request", fault.headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, fault: ClientDisconnect) -> Response:
        return error_answer(request, 400, "The connection ended before the whole body came", "bad_request")

    @app.exception_handler(Exception)
    async def broken(request: Request, fault: Exception) -> Response:
        log.error("request.failed", path=request.url.path, fault=type(fault).__name__, exc_info=fault)
        return error_answer(request, 500, "Internal server error", "internal_error")
