"""`make bench`: how many orders a second a whole installation on this machine opens, and what that costs.

Starts a fresh installation (embedded PostgreSQL with fsync and synchronous commit, API, worker, sandbox as processes of
their own), drives `POST /orders` over HTTP, and lets pgbench do what an order does to the same database in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import urllib.request

import asyncpg
import psutil

from bench import memory, pgbench, start, statements
from bench.installation import Installation, installed
from bench.load import Load, drive, order

WARM_UP = 2.0
_GUARANTEES = ("fsync", "synchronous_commit", "full_page_writes")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--clients", type=int, default=8, help="merchants that order at once")
    parser.add_argument("--seconds", type=float, default=8, help="how long each round takes")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of orders, each followed by one of pgbench")
    parser.add_argument("--no-start", action="store_true", help="don't measure the start of `paymux dev`")
    asked = parser.parse_args()
    print(f"{os.cpu_count()} CPUs, {psutil.virtual_memory().total / 1e9:.0f} GB, Python {platform.python_version()}")
    with installed() as installation:
        _measure(installation, asked.clients, asked.seconds, asked.rounds)
    if not asked.no_start:
        print()
        print(start.table(*start.first_and_second(), "paymux dev"))


def _measure(installation: Installation, clients: int, seconds: float, rounds: int) -> None:
    token = installation.access_token()
    drive(installation.base, token, clients, WARM_UP)
    script, number, transactions = _script(installation, token)
    guarantees = asyncio.run(_settings(installation.url))
    print(", ".join(f"{name} {value}" for name, value in guarantees.items()))
    print(f"an order: {number} statements in {transactions} transactions, then repeated by pgbench")
    print()
    print(
        f"  {'clients':>7}{'orders/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'failed':>8}{'pgbench/s':>11}{'ratio':>7}   CPU ms an order"
    )
    rates, alones = [], []
    for _ in range(rounds):
        before = installation.cpu()
        load = drive(installation.base, token, clients, seconds)
        spent = {name: (after - before[name]) * 1000 for name, after in installation.cpu().items()}
        alone, _ = pgbench.orders_per_second(installation.url, script, clients, max(int(seconds), 1))
        rates.append(load.rate)
        alones.append(alone)
        print(_row(load, alone, spent))
    print()
    print(f"  best of each: {max(rates):.1f} orders/s, {max(alones):.1f} by pgbench: {max(rates) / max(alones):.2f}")
    print()
    print(memory.table(_memory(installation)))


def _row(load: Load, alone: float, spent: dict[str, float]) -> str:
    failed = sum(number for status, number in load.statuses.items() if status != 201)
    cost = ", ".join(f"{name} {value / max(load.statuses[201], 1):.1f}" for name, value in spent.items())
    return (
        f"  {load.clients:>7}{load.rate:>10.1f}{load.percentile(0.5):>9.1f}{load.percentile(0.99):>9.1f}{failed:>8}"
        f"{alone:>11.1f}{load.rate / alone:>7.2f}   {cost}"
    )


def _script(installation: Installation, token: str) -> tuple[str, int, int]:
    """pgbench's script, its statements, and its transactions (those outside of BEGIN and COMMIT count as one each)."""

    def open_one() -> None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        asked = urllib.request.Request(f"{installation.base}/orders", json.dumps(order()).encode(), headers)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            answer.read()

    log = installation.home / "postgres" / "log"
    one, other = (statements.captured(installation.url, log, "serve", open_one) for _ in range(2))
    return statements.script(installation.url, one, other), len(one), statements.transactions(one)


async def _settings(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        return {name: await connection.fetchval(f"SHOW {name}") for name in _GUARANTEES}
    finally:
        await connection.close()


def _memory(installation: Installation) -> dict[str, memory.Memory]:
    return {name: memory.of_all(family) for name, family in installation.families().items()}


if __name__ == "__main__":
    main()
