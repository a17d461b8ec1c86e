"""Paymob's own Python client, paymob 1.0.0, at the simulator: its address, its Authorization and its sample's texts for numbers.

It offers more, at paths that Paymob's documents no longer have. It sets up the logging of the whole process that imports it,
so it runs in one of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

CLIENT = """
import json, sys
import paymob
base, key, asked = json.load(sys.stdin)
paymob.base_url = base
print(json.dumps(paymob.accept.Intention.create(secret_key=key, **asked)))
"""


class Shop:
    """A merchant with Paymob's client, and his shopper at Paymob's page."""

    def __init__(self, counter: Any) -> None:
        self.counter = counter
        self.credentials = counter.sandbox.simulators["paymob"].credentials

    async def intends(self, key: str = "", **changes: Any) -> Any:
        """An intention of 300 pounds, its numbers as the client's documentation writes them."""
        asked = {
            "amount": "30000", "currency": "EGP", "special_reference": "R-1001", "expiration": 3600,
            "payment_methods": [int(name) for name in self.credentials["integration_ids"].split(",")],
            "items": [{"name": "Watch", "amount": "30000", "description": "Smart Watch", "quantity": "1"}],
            "billing_data": {
                "first_name": "Ada", "last_name": "Byron", "email": "ada@shop.example", "phone_number": "+201000000000",
            },
            "notification_url": self.counter.inbox.url, "redirection_url": "https://shop.example/back", **changes,
        }  # fmt: skip
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        given = [f"{self.counter.base_url}/paymob", key or self.credentials["secret_key"], asked]
        out, said = await client.communicate(json.dumps(given).encode())
        assert client.returncode == 0, said.decode()
        return json.loads(out)


@pytest.fixture
async def shop(counter_of: Callable[[str], Any]) -> Shop:
    return Shop(await counter_of("paymob"))


async def test_it_makes_an_intention_that_the_shopper_pays(shop: Shop) -> None:
    intended = await shop.intends()
    assert (intended["status"], intended["special_reference"]) == ("intended", "R-1001")
    assert (intended["intention_detail"]["amount"], intended["intention_detail"]["currency"]) == (30000, "EGP")
    assert all((intended["id"], intended["client_secret"], intended["payment_keys"], intended["intention_order_id"]))
    page = f"{shop.counter.base_url}/checkout/paymob/{intended['intention_order_id']}"
    back = await shop.counter.shopper(page, "approve")
    assert (back["success"], back["merchant_order_id"], back["amount_cents"]) == ("true", "R-1001", "30000")
    assert [(kind, f"{amount:.2f}") for kind, amount, _ in shop.counter.ledger()] == [
        ("authorize", "300.00"), ("capture", "300.00"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": "egy_sk_test_other"}, {"detail": "Looks like the secret key is invalid"}),
        ({"amount": "300.5"}, {"amount": ["A valid integer is required."]}),
        ({"amount": ""}, {"amount": ["This field is required."]}),
        ({"billing_data": {}}, {"billing_data": ["This field is required."]}),
    ],
)
async def test_it_is_told_what_is_wrong(shop: Shop, changes: dict[str, Any], said: Any) -> None:
    assert await shop.intends(**changes) == said
