"""Who is calling: the Bearer access token, its merchant and its scopes (K2)."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request

from paymux.accounts import access_tokens
from paymux.accounts import service as accounts
from paymux.accounts.model import Merchant
from paymux.api.limits import ClientLimits
from paymux.orders.core import Core
from paymux.orders.errors import ApiError
from paymux.platform.acting import Actor, acting_as


class Unauthorized(ApiError):
    """No access token, or one that is not valid (any more)."""

    status, code = 401, "unauthorized"
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        super().__init__("Unauthorized")


async def principal(request: Request) -> access_tokens.Principal:
    """Whose token this is. Raises ApiError 401."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthorized
    verifier: access_tokens.AccessTokens = request.app.state.access_tokens
    try:
        found = await verifier.verify(token.strip())
    except access_tokens.TokenInvalid:
        raise Unauthorized from None
    acting_as(Actor("merchant", found.client_id, request.scope["state"].get("request_id")))
    return found


async def merchant(request: Request, *scopes: str) -> Merchant:
    """The merchant behind the access token. Raises ApiError 401, 403 for a scope too narrow, 429 for too many writes."""
    found = await principal(request)
    if scopes and not set(scopes) & set(found.scopes):
        raise ApiError(f"The access token needs scope {' or '.join(scopes)}", code="forbidden", status=403)
    if request.method != "GET" and not request.url.path.endswith("/details"):
        limits: ClientLimits = request.app.state.client_limits
        limits.write(found.merchant_id)
    core: Core = request.app.state.core
    async with core.database.connection() as held:
        owner = await accounts.known_merchant(held, found.merchant_id)
    if owner is None:
        raise Unauthorized
    return owner
