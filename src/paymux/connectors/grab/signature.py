"""GrabPay's three ways to sign: requests and webhooks by HMAC, access tokens by proof of possession, PKCE.

An access token moves money for a year, so it is kept sealed: under a key made from the client secret, which itself is
kept encrypted and apart from the orders.
"""

from __future__ import annotations

import base64
import hashlib

from paymux.connectors import sealing
from paymux.connectors.signing import hmac_base64, hmac_bytes
from paymux.platform.database import to_json

_PURPOSE = "grab access token"


def url_safe(content: bytes) -> str:
    """Base64 in its URL form, without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def of_request(secret: str, method: str, content_type: str, date: str, path: str, body: bytes) -> str:
    """The signature of a request or webhook with the partner's secret. `path` has its query; a GET has no digest."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode() if method != "GET" and body else ""
    return hmac_base64(secret, "\n".join((method, content_type, date, path, digest, "")))


def of_possession(secret: str, token: str, now: int) -> str:
    """The `X-GID-AUX-POP` header: whoever uses an access token proves that he has the client's secret. `now`: seconds."""
    proof = {"sig": url_safe(hmac_bytes(secret, f"{now}{token}")), "time_since_epoch": now}
    return url_safe(to_json(proof).encode())


def verifier(secret: str, session: str) -> str:
    """The PKCE code verifier of a charge: nobody without the secret can make it, and nobody has to keep it."""
    return url_safe(hmac_bytes(secret, f"pkce {session}"))


def challenge(code_verifier: str) -> str:
    """The S256 challenge of a code verifier."""
    return url_safe(hashlib.sha256(code_verifier.encode()).digest())


def seal(secret: str, session: str, token: str) -> str:
    """An access token, sealed for one charge."""
    return sealing.seal(secret, _PURPOSE, session, token)


def unseal(secret: str, session: str, sealed: str) -> str | None:
    """The access token; None where it was sealed under another client secret or for another charge."""
    return sealing.unseal(secret, _PURPOSE, session, sealed)
