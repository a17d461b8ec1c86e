"""PayJustNow's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import Checkout, Incoming
from tests.connectors import scripted as base
from tests.connectors import till as tills
from tests.connectors.till import KEY, LOST, NEVER_CAME, ONE, TWO, checkout_of

__all__ = ["KEY", "LOST", "NEVER_CAME", "ONE", "TWO"]

ACCOUNT, SIGNING_KEY = "1", "05bea2b2-a3a0-49c6-99ab-79cd1527ec22"
CREDENTIALS = {"merchant_account_id": ACCOUNT, "signing_key": SIGNING_KEY}
TOKEN = "v2.1.5d44cf8d-0357-4ec1-b541-f32164962435"

sample = base.samples_of("payjustnow")


def signed(content: bytes, key: str = SIGNING_KEY) -> str:
    """The signature of a body whose white space is plain."""
    return base64.b64encode(hmac.new(key.encode(), b"".join(content.split()), hashlib.sha256).digest()).decode()


def callback(body: Mapping[str, Any] | bytes, key: str = SIGNING_KEY) -> Incoming:
    """A signed callback."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Incoming(method="POST", headers={"x-signature": signed(content, key)}, query={}, body=content)


@dataclass
class Till(tills.Till):
    """One order's way through PayJustNow's simulator."""

    code: str = "PAYJUSTNOW_SA"
    currency: str = "ZAR"

    def checkout(self, session: str = TOKEN) -> Checkout:
        """A checkout of 3000 rand, as the sample's is."""
        return checkout_of(session, "3000.00", "ZAR", "ZA", reference="yourorderref")

    async def call(self, name: str, body: Any, account: str = ACCOUNT, key: str = SIGNING_KEY) -> tuple[int, Any, str]:
        """Call PayJustNow's API by plain HTTP; the status, the body, and whether it says to be a replay."""
        content = body if isinstance(body, bytes) else json.dumps(body, indent=2).encode()
        headers = {
            "X-Merchant-Account-ID": account, "X-Signature": signed(content, key), "Content-Type": "application/json",
        }  # fmt: skip
        url = f"{self.counter.base_url}/payjustnow/v2/{name}"
        async with aiohttp.ClientSession() as http, http.post(url, data=content, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers.get("idempotent-replay", "")


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("payjustnow"))


class Scripted(base.Scripted):
    def admits(self, request: web.Request) -> None:
        assert request.headers["X-Merchant-Account-ID"] == ACCOUNT
        assert request.headers["Content-Type"] == "application/json"

    async def answer(self, request: web.Request) -> web.Response:
        assert request.headers["X-Signature"] == signed(await request.read())
        return await super().answer(request)


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with base.served(Scripted(sample), "PAYJUSTNOW_SA", CREDENTIALS) as server:
        yield server
