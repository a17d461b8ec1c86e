"""Drives `POST /orders` with so many clients at once, each sending its next order when it has its answer."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import uvloop

_WHO = {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000"}
_ADDRESS = {
    **_WHO, "streetAddress": "1 High Street", "streetAddress2": "", "city": "Sydney", "country": "AU", "state": "NSW",
    "region": "NSW", "postalCode": "2000",
}  # fmt: skip
_RUN = secrets.token_hex(4)
_NUMBERS = itertools.count(1)


def order() -> dict[str, object]:
    """The body of a usual order: two lines, both addresses, a reference of its own."""
    return {
        "orderReference": f"BENCH-{_RUN}-{next(_NUMBERS)}", "bnplProvider": "AFTERPAY_AU", "purchaseCountry": "AU",
        "purchaseCurrency": "AUD", "locale": "en_AU", "orderAmount": 110, "shippingAmount": 10,
        "orderItems": [
            {"name": "Shirt", "quantity": 1, "sku": "S-1", "unitPrice": 60, "totalAmount": 60},
            {"name": "Socks", "quantity": 4, "sku": "S-2", "unitPrice": 10, "totalAmount": 40},
        ],
        "customer": _WHO, "billingAddress": _ADDRESS, "shippingAddress": _ADDRESS,
        "dynamicRedirectUrl": "https://shop.example/return",
    }  # fmt: skip


@dataclass
class Load:
    """What a round brought: seconds of every answer, and how often each status came."""

    seconds: float
    clients: int
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Orders that were created, per second."""
        return self.statuses[201] / self.seconds

    def percentile(self, share: float) -> float:
        """The latency in milliseconds below which this share of the answers came."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


def drive(base: str, token: str, clients: int, seconds: float) -> Load:
    """Drive for so long; answers that come after the end don't count."""
    return uvloop.run(_drive(base, token, clients, seconds))


async def _drive(base: str, token: str, clients: int, seconds: float) -> Load:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    load = Load(seconds, clients)
    ends = time.perf_counter() + seconds

    async def shop(session: aiohttp.ClientSession) -> None:
        while (began := time.perf_counter()) < ends:
            async with session.post(f"{base}/orders", data=json.dumps(order()).encode(), headers=headers) as answer:
                await answer.read()
            ended = time.perf_counter()
            if ended <= ends:
                load.latencies.append(ended - began)
                load.statuses[answer.status] += 1

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        await asyncio.gather(*(shop(session) for _ in range(clients)))
    return load
