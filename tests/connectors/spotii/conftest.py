"""Spotii's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from paymux.connectors.contract import Checkout
from tests.connectors import scripted as servers
from tests.connectors import till as tills
from tests.connectors.scripted import samples_of, served
from tests.connectors.till import checkout_of

REFERENCE = "5deb4f318bcf9-000540022"
KEYS = {"public_key": "sandbox-public", "private_key": "sandbox-private"}

sample = samples_of("spotii")


@dataclass
class Till(tills.Till):
    """One order's way through Spotii's simulator."""

    code: str = "SPOTII"
    usual: str = "300.00"

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of the documented reference and amount."""
        return checkout_of(REFERENCE, "100.00", "AED", "AE", reference=REFERENCE, **changes)

    async def call(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """Call Spotii's API, or the sandbox's own routes, by plain HTTP."""
        return await self.request(method, path, body, Authorization=f"Bearer {token}")

    async def token(self) -> str:
        """An access token, by plain HTTP."""
        status, answer = await self.request("POST", "-auth/api/v1.0/merchant/authentication/", KEYS)
        assert status == 200
        return str(answer["token"])


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("spotii"))


class Scripted(servers.Scripted):
    async def answer(self, request: web.Request) -> web.Response:
        assert request.path != self.grant_path or "Authorization" not in request.headers
        return await super().answer(request)


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted(
        sample, authorization="Bearer temporary-bearer-token",
        grant_path="/auth/api/v1.0/merchant/authentication/", grant=(200, sample("authenticated")["answer"]),
    )  # fmt: skip
    async with served(server, "SPOTII", KEYS, {"api": "", "auth": "/auth"}) as server:
        yield server
