"""`POST /token`, the customer session and the published keys (K2; merchant-api section 2)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field

from paymux.accounts import access_tokens
from paymux.api.answers import MAX_BODY, answer, read_json
from paymux.api.authority import merchant
from paymux.api.documents import BAD, operation
from paymux.orders.core import Core
from paymux.orders.errors import ApiError
from paymux.orders.schemas import Body, Text, read_body

router = APIRouter(tags=["access"])


class CustomerSession(Body):
    """The body of `POST /merchants/customer/sessions`. The identifier is never echoed nor logged."""

    customer_identifier: Text = Field(min_length=1)


class TokenForm(Body):
    """The form of `POST /token`; JSON is taken, too."""

    client_id: str = Field(alias="client_id")
    client_secret: str = Field(alias="client_secret")
    grant_type: str = Field(alias="grant_type")
    scope: str = Field("api-user", alias="scope")


@router.post("/token", **operation("create_token", TokenForm, 200, {400, 401, 413}))
async def token(request: Request) -> Response:
    """An access token for a client id and secret, valid 24 hours."""
    given = await _form(request)
    tokens: access_tokens.AccessTokens = request.app.state.access_tokens
    try:
        issued = await tokens.grant(
            client_id=given.get("client_id", ""), client_secret=given.get("client_secret", ""),
            grant_type=given.get("grant_type", ""), scope=given.get("scope", ""),
        )  # fmt: skip
    except access_tokens.TokenRefused as no:
        body = {
            "error": no.error,
            "error_description": no.description,
            "message": no.description,
            "statusCode": no.status,
        }
        return answer(body, no.status, {"Cache-Control": "no-store"})
    return answer(issued, 200, {"Cache-Control": "no-store"})


async def _form(request: Request) -> dict[str, str]:
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > MAX_BODY:
        raise ApiError("The body is too large", code="body_too_large", status=413)
    if request.headers.get("content-type", "").startswith("application/json"):
        raw = await read_json(request)
        return {k: v for k, v in raw.items() if isinstance(v, str)} if isinstance(raw, dict) else {}
    return {key: value for key, value in (await request.form()).items() if isinstance(value, str)}


@router.post("/merchants/customer/sessions", **operation("create_customer_session", CustomerSession, 201, BAD))
async def customer_session(request: Request) -> Response:
    """A session token for widgets and `customerToken`; it carries a keyed digest of the identifier only."""
    owner = await merchant(request, "api-user", "merchant")
    body = read_body(CustomerSession, await read_json(request))
    core: Core = request.app.state.core
    session, ttl = access_tokens.issue_customer_session(core.keyring, owner.id, body.customer_identifier)
    return answer({"token": session, "ttl": ttl}, 201)


@router.get("/.well-known/jwks.json", include_in_schema=False)
async def keys(request: Request) -> Response:
    """The public keys of our access tokens."""
    tokens: access_tokens.AccessTokens = request.app.state.access_tokens
    return answer(await tokens.jwks(), 200, {"Cache-Control": "max-age=300"})
