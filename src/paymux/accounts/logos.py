"""A merchant's own pictures of payment methods, in place of the neutral marks that paymux makes.

paymux brings along no provider's brand files: whoever has a provider's leave to show its logo puts it here.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from paymux.accounts import logo_store
from paymux.accounts.service import AccountFault
from paymux.audit import trail
from paymux.connectors.registry import provider_of
from paymux.platform.clock import Clock
from paymux.platform.database import Connection, Record
from paymux.platform.identifiers import new_id

MOST_BYTES = 65_536
"""The largest picture: `GET /options` with isCapable=true carries every one of them."""
_BEGINNINGS = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/webp", re.compile(rb"RIFF.{4}WEBP", re.S)),
    ("image/svg+xml", re.compile(rb"(\xef\xbb\xbf)?\s*<(svg[\s/>]|[?!].{0,1000}?<svg[\s/>])", re.S)),
)
# A picture needs none of these, and all that could make one do something, or fetch something, begins with one of them: in a
# file of its own, as an image, or written into a page, where HTML's looser rules hold (`<svg/onload=…>`).
_LIVELY = re.compile(
    b"|".join((
        rb"<!DOCTYPE|<!ENTITY|&#|<\?(?!xml\s)",  # what could write any of the others in other letters, or turn it into them
        rb"<([\w.-]+:)?(script|foreignObject|iframe|embed|object|handler|set|animate\w*)\b",
        rb"[\s/\"']on\w+\s*=",
        rb"\b(java|vb)script\s*:|\bdata:(?!image/)",
        rb"@import|(\b(href|src)\s*=|\burl\()\s*([\"']\s*)?(\w+:)?//",
    )),
    re.I,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture of a payment method; `content` in base64."""

    code: str
    id: str
    media_type: str
    content: str


def kind_of(content: bytes) -> str:
    """The media type of a picture. Raises AccountFault for what is none, is too large, or is more than a picture."""
    if len(content) > MOST_BYTES:
        raise AccountFault(f"the logo has {len(content)} bytes, and may have {MOST_BYTES}")
    found = next((media_type for media_type, beginning in _BEGINNINGS if beginning.match(content)), None)
    if found is None:
        raise AccountFault("the logo must be a PNG, JPEG, WebP or SVG picture")
    if found == "image/svg+xml" and _LIVELY.search(content):
        raise AccountFault(
            "the logo must be a picture only: no document type, scripts, handlers, animations, foreign objects or other sites"
        )
    return found


async def put(tx: Connection, clock: Clock, merchant_id: str, code: str, content: bytes) -> Logo:
    """Show this picture for a payment method, to this merchant's shoppers. Raises AccountFault, UnknownCode."""
    provider_of(code)
    logo = Logo(code, new_id("logo"), kind_of(content), base64.b64encode(content).decode())
    await logo_store.put(tx, merchant_id, code, logo.id, logo.media_type, logo.content, clock.now())
    await trail.record(tx, "logo.set", logo.id, merchant_id=merchant_id, code=code, media_type=logo.media_type)
    return logo


async def remove(tx: Connection, merchant_id: str, code: str) -> None:
    """Show the neutral mark again. Raises AccountFault when there is no other picture."""
    if not await logo_store.remove(tx, merchant_id, code):
        raise AccountFault(f"there is no logo of this merchant's own for {code}")
    await trail.record(tx, "logo.removed", code, merchant_id=merchant_id, code=code)


async def of_merchant(tx: Connection, merchant_id: str) -> dict[str, Logo]:
    """A merchant's own pictures, by code."""
    return {row["code"]: _logo(row) for row in await logo_store.of_merchant(tx, merchant_id)}


async def by_id(tx: Connection, logo_id: str) -> Logo | None:
    """The picture at a public address."""
    row = await logo_store.by_id(tx, logo_id)
    return _logo(row) if row else None


def _logo(row: Record) -> Logo:
    return Logo(row["code"], row["id"], row["media_type"], row["content"])
