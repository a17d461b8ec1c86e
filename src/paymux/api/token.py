"""`POST /token`, the customer session and the published keys (K2)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from paymux.accounts import access_tokens
from paymux.accounts.failed_attempts import FailedAttempts
from paymux.api.answers import answer, marks, read_json
from paymux.api.authority import merchant
from paymux.api.documents import BAD, operation
from paymux.api.limits import ClientLimits
from paymux.orders.core import Core
from paymux.orders.errors import ApiError
from paymux.orders.schemas import Body, Text, read_body

router = APIRouter(tags=["access"])
_FORM = "application/x-www-form-urlencoded"
_PRIVATE = {"Cache-Control": "no-store"}


class CustomerSession(Body):
    """The body of `POST /merchants/customer/sessions`. The identifier is never echoed nor logged."""

    customer_identifier: Text = Field(min_length=1, description="Your id of the customer, or `anonymous`.")


class TokenForm(BaseModel):
    """The form of `POST /token`. The same fields are taken as JSON, too."""

    client_id: str
    client_secret: str
    grant_type: str = Field(description="Always `client_credentials`.")
    scope: str = Field(description="`api-user` to take payments, `merchant` to read options and orders only.")
    response_type: str = Field("token", description="Tolerated and ignored.")


class TooManyAttempts(ApiError):
    """Too many wrong secrets from this address for this client id."""

    status, code = 429, "too_many_attempts"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many failed attempts; try again in {seconds} seconds")
        self.headers: Mapping[str, str] = {"Retry-After": str(seconds)}


@router.post(
    "/token", **operation("create_token", TokenForm, 200, {400, 401, 413, 415, 429}, form=_FORM, open_to_all=True)
)
async def token(request: Request) -> Response:
    """An access token for a client id and secret, valid 24 hours. Errors carry RFC 6749's `error` and a `message`."""
    attempts: FailedAttempts = request.app.state.failed_attempts
    tokens: access_tokens.AccessTokens = request.app.state.access_tokens
    caller, client_id = request.client.host if request.client else "", ""
    try:
        given = await _form(request)
        client_id = given.get("client_id", "")[:200]
        _may_try(attempts, caller, client_id)
        limits: ClientLimits = request.app.state.client_limits
        limits.token(caller, client_id)
        issued = await tokens.grant(
            client_id=client_id, client_secret=given.get("client_secret", ""), grant_type=given.get("grant_type", ""),
            scope=given.get("scope", ""),
        )  # fmt: skip
    except access_tokens.TokenRefused as no:
        if no.error == "invalid_client":
            _may_try(attempts, caller, client_id)
            attempts.failed(caller, client_id)
        body = {
            "statusCode": no.status,
            "message": no.description,
            "error": no.error,
            "error_description": no.description,
        }
        return answer(body | marks(request, no.error), no.status, _PRIVATE)
    _may_try(attempts, caller, client_id)
    attempts.succeeded(caller, client_id)
    return answer(issued, 200, _PRIVATE)


def _may_try(attempts: FailedAttempts, caller: str, client_id: str) -> None:
    """Raises TooManyAttempts. Asked before the secret is looked at, and again after: guesses that come all at once must not
    learn more than those that come one by one."""
    if seconds := attempts.wait(caller, client_id):
        raise TooManyAttempts(seconds)


async def _form(request: Request) -> Mapping[str, str]:
    """The fields, each once. Raises TokenRefused for a form that can't be read, ApiError 413, 415."""
    kind = request.headers.get("content-type", _FORM).split(";")[0].strip().lower()
    if kind == "application/json":
        raw = await read_json(request)
        if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
            raise access_tokens.TokenRefused("invalid_request", "the body must be an object of strings", 400)
        return raw
    if kind != _FORM:
        raise ApiError(f"Content-Type must be {_FORM}", code="unsupported_media_type", status=415)
    try:
        pairs = parse_qsl((await request.body()).decode("ascii"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise access_tokens.TokenRefused("invalid_request", "the body is not a form", 400) from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise access_tokens.TokenRefused("invalid_request", "a field must not be given twice", 400)
    return fields


@router.post("/merchants/customer/sessions", **operation("create_customer_session", CustomerSession, 201, BAD | {429}))
async def customer_session(request: Request) -> Response:
    """A session token for widgets and `customerToken`; it carries a keyed digest of the identifier only."""
    owner = await merchant(request, "api-user", "merchant")
    body = read_body(CustomerSession, await read_json(request))
    core: Core = request.app.state.core
    session, ttl = access_tokens.issue_customer_session(core.keyring, owner.id, body.customer_identifier)
    return answer({"token": session, "ttl": ttl}, 201, _PRIVATE)


@router.get("/.well-known/jwks.json", **operation("get_keys", None, 200, set(), open_to_all=True))
async def keys(request: Request) -> Response:
    """The public keys of our access tokens."""
    tokens: access_tokens.AccessTokens = request.app.state.access_tokens
    return answer(await tokens.jwks(), 200, {"Cache-Control": "max-age=300"})
