"""The API process: FastAPI, its middlewares and what it opens and closes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from paymux import __version__
from paymux.accounts.access_tokens import AccessTokens
from paymux.api import installation, options, orders, token
from paymux.api.answers import error_answer
from paymux.checkout import shopper_pages
from paymux.orders.core import Core
from paymux.orders.errors import ApiError
from paymux.platform.database import DatabaseUnavailable
from paymux.platform.identifiers import new_id

log = structlog.get_logger()


class TrailingSlash:
    """Every path works with and without a trailing slash, and never by a redirect (H2). Adds a request id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if len(path) > 1 and path.endswith("/"):
                scope["path"] = path.rstrip("/") or "/"
                scope.pop("raw_path", None)
            scope.setdefault("state", {})["request_id"] = new_id("req")
        await self.app(scope, receive, send)


def make_app(core: Core) -> FastAPI:
    """The application over opened means; closing them is the caller's."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(
        title="paymux Merchant API", version=__version__, lifespan=lifespan, redirect_slashes=False,
        description="One API for every buy-now-pay-later and alternative payment method.",
    )  # fmt: skip
    app.state.core = core
    app.state.access_tokens = AccessTokens(core.database, core.keyring, core.clock, core.settings)
    for router in (token.router, options.router, orders.router, installation.router, shopper_pages.router):
        app.include_router(router)
    if core.settings.sandbox:
        app.include_router(installation.sandbox_router)
    app.add_middleware(TrailingSlash)
    _errors(app)
    _document(app)
    return app


def _errors(app: FastAPI) -> None:
    @app.exception_handler(ApiError)
    async def refused(request: Request, fault: ApiError) -> Response:
        return error_answer(request, fault.status, fault.message, fault.code)

    @app.exception_handler(DatabaseUnavailable)
    async def unavailable(request: Request, fault: DatabaseUnavailable) -> Response:
        log.warning("database.unavailable", reason=str(fault))
        return error_answer(
            request, 503, "The database can't be reached; nothing was done", "unavailable", {"Retry-After": "2"}
        )

    @app.exception_handler(HTTPException)
    async def routing(request: Request, fault: HTTPException) -> Response:
        message = fault.detail
        if fault.status_code == 404:
            message = f"Cannot {request.method} {request.url.path}"
        code = {404: "not_found", 405: "method_not_allowed"}.get(fault.status_code, "bad_request")
        return error_answer(request, fault.status_code, message, code, fault.headers)

    @app.exception_handler(Exception)
    async def broken(request: Request, fault: Exception) -> Response:
        log.error("request.failed", path=request.url.path, fault=type(fault).__name__, exc_info=fault)
        return error_answer(request, 500, "Internal server error", "internal_error")


def _document(app: FastAPI) -> None:
    describe = app.openapi

    def openapi() -> dict[str, object]:
        document = describe()
        document.setdefault("components", {})["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        }
        return document

    app.openapi = openapi  # type: ignore[method-assign]
