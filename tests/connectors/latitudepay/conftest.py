"""LatitudePay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from tests.connectors import scripted as servers
from tests.connectors.scripted import samples_of, served
from tests.connectors.till import Till

SECRET = "sandbox-latitudepay-secret"


sample = samples_of("latitudepay")


def signed(text: str, secret: str = SECRET) -> str:
    """The provider's signature over a text that is already stripped."""
    return hmac.new(secret.encode(), base64.b64encode(text.encode()), hashlib.sha256).hexdigest()


def told(token: str, reference: str = "R-1001", result: str = "COMPLETED", message: str = "ok") -> dict[str, str]:
    """A return as the provider signs it; the message without white space."""
    text = f"token{token}reference{reference}message{message}result{result}"
    return {"token": token, "reference": reference, "message": message, "result": result, "signature": signed(text)}


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("latitudepay"), "LATITUDEPAY_AU")


class Scripted(servers.Scripted):
    async def answer(self, request: web.Request) -> web.Response:
        # printf 'key:sandbox-latitudepay-secret' | openssl base64
        proof = "Basic a2V5OnNhbmRib3gtbGF0aXR1ZGVwYXktc2VjcmV0"
        assert request.path != self.grant_path or request.headers["Authorization"] == proof
        return await super().answer(request)


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    grant = {"authToken": "t-1", "expiryDate": "2023-01-01T00:00:00Z"}
    server = Scripted(sample, grant_path="/v3/token", grant=(200, grant))
    credentials = {"client_key": "key", "client_secret": SECRET}
    async with served(server, "LATITUDEPAY_AU", credentials) as server:
        yield server
