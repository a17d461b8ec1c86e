"""Sezzle's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors import scripted as servers
from tests.connectors import till as tills
from tests.connectors.scripted import samples_of, served
from tests.connectors.till import checkout_of

ORDER = "12a34bc5-6de7-890f-g123-4hi1238jk902"

sample = samples_of("sezzle")


def checkout(**changes: Any) -> Checkout:
    """A checkout of the documented order, to be captured later."""
    known = {"reference": "ord_12345", "auto_capture": False, **changes}
    return checkout_of(ORDER, "100.00", "USD", "US", **known)


@dataclass
class Till(tills.Till):
    """One order's way through Sezzle's simulator."""

    code: str = "SEZZLE"

    async def holds(self, amount: str = "", **changes: Any) -> Checkout:
        return await self.decided("approve", amount, auto_capture=False, **changes)

    async def calls(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Call the simulator as any merchant's software could, with an access token that is good unless given."""
        if token is None:
            keys = {"public_key": "sz_pub_paymux_sandbox", "private_key": "sz_pr_paymux_sandbox"}
            _, granted = await self.request("POST", "/authentication", keys)
            token = granted["token"]
        return await self.request(method, path, body, Authorization=f"Bearer {token}")


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("sezzle"))


class Scripted(servers.Scripted):
    def shows(self, status: str = "completed", intent: str = "AUTH", **authorization: Any) -> None:
        """Give the documented order, with its authorization changed."""
        held = {**sample("order_authorized")["answer"]["authorization"], **authorization}
        self.replays(
            "order_authorized", checkout_status=status, intent=intent,
            authorization={name: value for name, value in held.items() if value is not None},
        )  # fmt: skip


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    granted = sample("access_token")
    server = Scripted(
        sample, authorization="Bearer example-token", grant_path="/v2/authentication",
        grant=(granted["status"], granted["answer"]),
    )  # fmt: skip
    credentials = {"public_key": "sz_pub_example", "private_key": "sz_pr_example"}
    async with served(server, "SEZZLE", credentials, {"api": "/v2"}) as server:
        yield server
