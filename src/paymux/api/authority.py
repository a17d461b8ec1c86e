"""Who is calling: the Bearer access token, its merchant and its scopes (K2)."""

from __future__ import annotations

from fastapi import Request

from paymux.accounts import access_tokens
from paymux.accounts import service as accounts
from paymux.accounts.model import Merchant
from paymux.orders.core import Core
from paymux.orders.errors import ApiError


async def principal(request: Request) -> access_tokens.Principal:
    """Whose token this is. Raises ApiError 401."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise ApiError("Unauthorized", code="unauthorized", status=401)
    verifier: access_tokens.AccessTokens = request.app.state.access_tokens
    try:
        return await verifier.verify(token.strip())
    except access_tokens.TokenInvalid:
        raise ApiError("Unauthorized", code="unauthorized", status=401) from None


async def merchant(request: Request, *scopes: str) -> Merchant:
    """The merchant behind the access token. Raises ApiError 401, 403 for a scope too narrow."""
    found = await principal(request)
    if scopes and not set(scopes) & set(found.scopes):
        raise ApiError(f"The access token needs scope {' or '.join(scopes)}", code="forbidden", status=403)
    core: Core = request.app.state.core
    async with core.database.connection() as held:
        return await accounts.merchant_by_id(held, found.merchant_id)
