"""How both directions of the contract are signed: Standard Webhooks, with a secret per provider account.

Standard Webhooks signs `{webhook-id}.{webhook-timestamp}.{body}`. A body alone does not say which call it belongs
to, so the `webhook-id` of our requests ends with a digest of method, path and Idempotency-Key: what is signed
can't be replayed as another call, nor under another key. Events have ids with another prefix, so that neither
direction's messages pass for the other's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime

from standardwebhooks import Webhook, WebhookVerificationError

from paymux.connectors.contract import Forged, Refused

VERSION = "2026-11-01"
VERSION_HEADER = "Paymux-Contract-Version"

_PREFIX = "whsec_"
_EVENT_PREFIX = "evt_"


def open_secret(secret: str) -> Webhook:
    """The signer of a `whsec_…` secret. Raises Refused for one that is not 24 to 64 bytes in base64."""
    try:
        size = len(base64.b64decode(secret.removeprefix(_PREFIX), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not secret.startswith(_PREFIX) or not 24 <= size <= 64:
        raise Refused("The secret must be whsec_ and 24 to 64 random bytes in base64.", "bad_secret")
    return Webhook(secret)


def signed_headers(signer: Webhook, method: str, target: str, key: str, body: bytes, at: datetime) -> dict[str, str]:
    """The three headers of a request. `target` is path and query below the endpoint, `key` its Idempotency-Key or "".

    `at` is aware and real time: the other side compares it with its own clock (C1).
    """
    digest = hashlib.sha256(f"{method}\n{target}\n{key}".encode()).hexdigest()
    message = f"req_{secrets.token_hex(12)}_{digest}"
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signer.sign(message, at, body.decode()),
    }


def verified_event(signer: Webhook, headers: Mapping[str, str], body: bytes) -> str:
    """The id of an event signed at most five minutes ago. Raises Forged."""
    message = headers.get("webhook-id", "")
    if not message.startswith(_EVENT_PREFIX):
        raise Forged("webhook-id is not that of an event")
    try:
        signer.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as fault:
        raise Forged(str(fault) or "the signature can't be read") from fault
    return message
