"""MyFatoorah's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.connectors.contract import Checkout, Underway
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import ONE, checkout_of

CREDENTIALS = {"api_token": "sandbox-myfatoorah-token", "webhook_secret": "sandbox-myfatoorah-webhook-secret"}


sample = samples_of("myfatoorah")


def invoice(*tries: str, **changes: Any) -> dict[str, Any]:
    """The answer for an invoice of 100 KWD for R-1001 with tries of these statuses."""
    data = {
        "InvoiceId": 4711, "InvoiceStatus": "Pending", "CustomerReference": "R-1001", "InvoiceDisplayValue": "100.000 KD",
        "InvoiceTransactions": [
            {"PaymentId": f"0707{n}", "TransactionStatus": status, "Error": None} for n, status in enumerate(tries)
        ],
    } | changes  # fmt: skip
    return {"IsSuccess": True, "Message": "", "ValidationErrors": None, "Data": data}


def checkout(**changes: Any) -> Checkout:
    """The checkout of that invoice."""
    return checkout_of("4711", "100", "KWD", "KW", **changes)


@dataclass
class Till(tills.Till):
    """One order's way through MyFatoorah's simulator."""

    code: str = "MYFATOORAH_KW"

    async def refunds(self, checkout: Checkout, amount: str, key: str = ONE) -> Underway:
        done = await self.tries("refund", checkout, amount, key)
        assert isinstance(done, Underway)
        return done

    async def call(self, path: str, body: Any, token: str = CREDENTIALS["api_token"]) -> tuple[int, Any]:
        """Call the simulator as somebody else would."""
        return await self.request("POST", path, body, Authorization=f"Bearer {token}")


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("myfatoorah"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted(sample, authorization=f"Bearer {CREDENTIALS['api_token']}")
    async with served(server, "MYFATOORAH_KW", CREDENTIALS) as server:
        yield server
