"""A connector of PartPay's family at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.connectors import till as tills
from tests.connectors.scripted import Sample, Scripted, served


@dataclass
class Till(tills.Till):
    """One order's way through a simulator of the family."""

    async def call(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """Call the provider's API, or the sandbox's own routes, by plain HTTP."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.request(method, path, body, **headers)

    async def granted(self, **changes: str) -> tuple[int, Any]:
        """Ask for an access token, some of what is asked for changed."""
        own = {**self.simulator.credentials, "audience": self.simulator.audience, "grant_type": "client_credentials"}
        return await self.request("POST", f"-auth{self.simulator.grant_path}", own | changes)


@asynccontextmanager
async def family_server(sample: Sample, code: str, grant_path: str, *, live: bool = False) -> AsyncIterator[Scripted]:
    """A server, and the connector of a code that takes it for the provider."""
    server = Scripted(sample, authorization="Bearer granted", grant_path=grant_path)
    credentials = {"client_id": "c", "client_secret": "s"}
    async with served(server, code, credentials, {"api": "", "auth": ""}) as server:
        server.connector = server.altered(live=live)
        yield server
