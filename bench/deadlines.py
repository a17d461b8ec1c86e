"""How long a worker needs for many orders whose deadlines pass at the same moment (C1: 1,000 within 10 s).

The orders are opened over HTTP, the test clock moves once beyond their time-outs, and the seconds count until the last
of them is CANCELLED: asked for at the provider, its checkout closed there, decided, and its webhook enqueued.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

import aiohttp
import asyncpg
import uvloop

from bench.installation import Installation, installed
from bench.load import order

TIMEOUT = 600
AT_ONCE = 16


def main() -> None:
    """Measure, and print seconds and CPU per process."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--orders", type=int, default=1000)
    asked.add_argument("--code", default="PLANPAY_AU")
    chosen = asked.parse_args()
    with installed() as made:
        uvloop.run(_measure(made, chosen.orders, chosen.code))


async def _measure(made: Installation, count: int, code: str) -> None:
    headers = {"Authorization": f"Bearer {made.access_token()}", "Content-Type": "application/json"}
    waiting = iter(range(count))

    async def open_orders(http: aiohttp.ClientSession) -> None:
        for _ in waiting:
            body = json.dumps({**order(), "bnplProvider": code, "cancellationTimeout": TIMEOUT})
            async with http.post(f"{made.base}/orders", data=body, headers=headers) as answer:
                if answer.status != 201:
                    raise RuntimeError(f"an order was answered {answer.status}: {await answer.text()}")

    database = await asyncpg.connect(made.url)
    async with aiohttp.ClientSession() as http:
        await asyncio.gather(*(open_orders(http) for _ in range(AT_ONCE)))
        before, began = made.cpu(), time.perf_counter()
        async with http.post(f"{made.base}/sandbox/clock", json={"advance": TIMEOUT + 1}, headers=headers) as answer:
            answer.raise_for_status()
        moved = time.perf_counter() - began
        while await database.fetchval("SELECT count(*) FROM orders WHERE status <> 'CANCELED'"):
            await asyncio.sleep(0.1)
    took = time.perf_counter() - began
    used = {name: seconds - before[name] for name, seconds in made.cpu().items()}
    print(f"{count} deadlines of {code}: {took:.1f} s, of which the clock's move {moved:.1f} s")
    print("CPU per deadline: " + ", ".join(f"{name} {1000 * seconds / count:.1f} ms" for name, seconds in used.items()))
    await database.close()


if __name__ == "__main__":
    main()
