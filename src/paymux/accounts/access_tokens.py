"""Access tokens: JWTs of 24 hours, signed with a rotatable key (K2). And the customer session tokens."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey
from joserfc.jwt import ClaimsOption

from paymux.accounts import service, store
from paymux.audit import trail
from paymux.platform.clock import Clock
from paymux.platform.database import Connection, Database, Record
from paymux.platform.encryption import KeyRing
from paymux.platform.settings import Settings

LIFE = 86_400
SESSION_LIFE = 604_800
CLOCKS_APART = 10
MAX_TOKEN = 4096
KEYS_FRESH = 60.0
"""Seconds after which a process reads its signing keys again, for others may have rotated them."""
AUDIENCE = "paymux"
ALGORITHM = "ES256"
SCOPES = ("api-user", "merchant")
_SEALED_FOR = "signing-key"


class TokenRefused(Exception):
    """`POST /token` says no, in the words of RFC 6749 section 5.2."""

    def __init__(self, error: str, description: str, status: int) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


class TokenInvalid(Exception):
    """An access token that is not one of ours, or not any more."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who an access token stands for."""

    merchant_id: str
    client_id: str
    scopes: tuple[str, ...]


class AccessTokens:
    """Issues and verifies access tokens; keeps the keys of this process, re-read when an unknown one shows up."""

    def __init__(self, database: Database, keyring: KeyRing, clock: Clock, settings: Settings) -> None:
        self._database, self._keyring, self._clock = database, keyring, clock
        self._issuer, self._claims = settings.base_url, _expected_claims(settings.base_url)
        self._private: ECKey | None = None
        self._public: dict[str, ECKey] = {}
        self._lock = asyncio.Lock()
        self._read_at = 0.0
        self._looked_at = 0.0
        """When the last look at the database began: whoever asked before it has been answered by it."""

    async def grant(self, *, client_id: str, client_secret: str, grant_type: str, scope: str) -> dict[str, Any]:
        """The answer of `POST /token`. Raises TokenRefused."""
        if grant_type != "client_credentials":
            error = "unsupported_grant_type" if grant_type else "invalid_request"
            raise TokenRefused(error, "grant_type must be client_credentials", 400)
        if not client_id or not client_secret:
            raise TokenRefused("invalid_request", "client_id and client_secret are required", 400)
        scopes = tuple(dict.fromkeys(scope.split()))
        if not scopes or any(one not in SCOPES for one in scopes):
            raise TokenRefused("invalid_scope", f"scope must be {' or '.join(SCOPES)}", 400)
        async with self._database.connection() as held:
            merchant = await service.client_secret_fits(held, self._keyring, client_id[:200], client_secret[:500])
        if merchant is None:
            raise TokenRefused("invalid_client", "client_id or client_secret is wrong", 401)
        key = await self._signing_key()
        now = int(self._clock.real().timestamp())
        claims = {
            "iss": self._issuer, "aud": AUDIENCE, "sub": merchant.client_id, "merchant_id": merchant.id,
            "scope": " ".join(scopes), "iat": now, "exp": now + LIFE, "jti": secrets.token_hex(8),
        }  # fmt: skip
        token = jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}, claims, key)
        return {"access_token": token, "expires_in": LIFE, "token_type": "Bearer", "scope": " ".join(scopes)}

    async def verify(self, token: str) -> Principal:
        """Whose access token this is. Raises TokenInvalid."""
        if len(token) > MAX_TOKEN:
            raise TokenInvalid("too long")
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
            found = jwt.decode(token, await self._public_key(kid), algorithms=[ALGORITHM])
            self._claims.validate(found.claims)
        except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as fault:
            raise TokenInvalid(type(fault).__name__) from fault
        claims = found.claims
        return Principal(str(claims["merchant_id"]), str(claims["sub"]), tuple(str(claims["scope"]).split()))

    async def jwks(self) -> dict[str, Any]:
        """The public keys, as published at `/.well-known/jwks.json`."""
        await self._signing_key()
        async with self._database.connection() as held:
            return {"keys": [row["public_jwk"] for row in await store.signing_keys(held)]}

    async def rotate(self, *, compromised: bool = False) -> str:
        """Sign with a new key from now on; what the old one signed stays valid until it ends. The new key's id.

        Another process goes on signing with the old key for KEYS_FRESH seconds, or until it meets the first token of the
        new one. `compromised`: nothing that an old key signed is believed any more, by any process after that time.
        """
        async with self._lock:
            async with self._database.transaction() as tx:
                await store.lock_signing_keys(tx)
                await store.retire_signing_keys(tx)
                if compromised:
                    await store.drop_retired_signing_keys(tx)
                rows = await self._stored_keys(tx)
                await trail.record(tx, "signing_key.rotated", str(rows[0]["kid"]), compromised=compromised)
            self._keep(rows)
        return str(rows[0]["kid"])

    @property
    def _stale(self) -> bool:
        return self._private is None or time.monotonic() - self._read_at >= KEYS_FRESH

    async def _signing_key(self) -> ECKey:
        async with self._lock:
            if self._stale:
                await self._load()
            assert self._private is not None
            return self._private

    async def _public_key(self, kid: object) -> ECKey:
        """The key of this id. An unknown one leads to a look at the database; those who ask meanwhile share the next one."""
        if not isinstance(kid, str):
            raise TokenInvalid("no kid")
        if kid not in self._public or self._stale:
            asked = time.monotonic()
            async with self._lock:
                if self._stale or (kid not in self._public and self._looked_at <= asked):
                    await self._load()
        if kid not in self._public:
            raise TokenInvalid("unknown kid")
        return self._public[kid]

    async def _load(self) -> None:
        began = time.monotonic()
        async with self._database.transaction() as tx:
            rows = await self._stored_keys(tx)
        # Only after the commit: a key that others can't see must sign nothing.
        self._keep(rows)
        self._looked_at = began

    async def _stored_keys(self, tx: Connection) -> list[Record]:
        """The keys of the database, the one to sign with first; made when there is none, by one process only."""
        rows = await store.signing_keys(tx)
        if not rows or rows[0]["retired_real"] is not None:
            await store.lock_signing_keys(tx)
            rows = await store.signing_keys(tx)
        if not rows or rows[0]["retired_real"] is not None:
            made = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM, "kid": secrets.token_hex(8)})
            sealed = self._keyring.seal(made.as_pem(private=True).decode(), _SEALED_FOR)
            await store.add_signing_key(tx, made.kid or "", sealed, dict(made.as_dict(private=False)))
            await trail.record(tx, "signing_key.made", made.kid or "")
            rows = await store.signing_keys(tx)
        return rows

    def _keep(self, rows: list[Record]) -> None:
        pem = self._keyring.unseal(rows[0]["private_sealed"], _SEALED_FOR)
        self._private = ECKey.import_key(pem, {"kid": rows[0]["kid"], "use": "sig", "alg": ALGORITHM})
        self._public = {row["kid"]: ECKey.import_key(row["public_jwk"]) for row in rows}
        self._read_at = time.monotonic()


def _expected_claims(issuer: str) -> jwt.JWTClaimsRegistry:
    there: ClaimsOption = {"essential": True}
    return jwt.JWTClaimsRegistry(
        leeway=CLOCKS_APART, iss={"essential": True, "value": issuer}, aud={"essential": True, "value": AUDIENCE},
        exp=there, iat=there, sub=there, merchant_id=there, scope=there,
    )  # fmt: skip


def issue_customer_session(keyring: KeyRing, merchant_id: str, identifier: str) -> tuple[str, int]:
    """A customer session token and its life in seconds. The identifier may be a secret: only a keyed digest is kept."""
    now = int(Clock.real().timestamp())
    key = OctKey.import_key(keyring.digest("customer-session-key"))
    claims = {
        "customerIdentifier": keyring.digest(f"customer|{merchant_id}|{identifier}"), "merchantId": merchant_id,
        "iat": now, "exp": now + SESSION_LIFE,
    }  # fmt: skip
    return jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, key), SESSION_LIFE
