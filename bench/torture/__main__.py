"""`make torture`: traffic, trouble, settling, audit; prints a table and exits 1 on any breach."""

from __future__ import annotations

import argparse
import asyncio
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.torture.audit import audit, settle
from bench.torture.endpoint import Endpoint
from bench.torture.installation import Installation
from bench.torture.judgement import PROMISES, Findings
from bench.torture.story import Storyteller
from bench.torture.trouble import Trouble


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="how long the traffic and the trouble last")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same choices")
    parser.add_argument("--shops", type=int, default=6, help="how many merchants' clerks work at once")
    parser.add_argument("--keep", action="store_true", help="leave the home folder for a look")
    return parser.parse_args()


async def _run(
    given: argparse.Namespace, home: Path
) -> tuple[Findings, Installation, list[Storyteller], Trouble, float]:
    at = Installation(home, given.seed)
    endpoint = Endpoint(random.Random(f"{given.seed}:endpoint"))
    await endpoint.start()
    try:
        await at.start()
        _paymux(home, "merchants", "set", "demo-merchant", "--webhook-url", endpoint.url)
        tellers = [
            Storyteller(at, endpoint, random.Random(f"{given.seed}:{n}"), f"T{given.seed}-{n}")
            for n in range(given.shops)
        ]
        trouble = Trouble(at, endpoint, random.Random(f"{given.seed}:trouble"))
        began = time.monotonic()
        until = asyncio.get_running_loop().time() + given.minutes * 60

        async def work(teller: Storyteller) -> None:
            while asyncio.get_running_loop().time() < until:
                await teller.tell()

        await asyncio.gather(trouble.make(until), *(work(teller) for teller in tellers))
        await trouble.end()
        for teller in tellers:
            await teller.ask_again()
        orders = [order for teller in tellers for order in teller.orders]
        await settle(at, endpoint, orders)
        return await audit(at, endpoint, orders), at, tellers, trouble, time.monotonic() - began
    finally:
        await at.stop()
        await endpoint.stop()


def _paymux(home: Path, *arguments: str) -> None:
    import os

    environment = {**os.environ, "PAYMUX_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "paymux", *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)


def main() -> int:
    """Run it; 1 on any breach."""
    given, console = _arguments(), Console()
    home = Path(tempfile.mkdtemp(prefix="paymux-torture-"))
    found, at, tellers, trouble, seconds = asyncio.run(_run(given, home))
    _print(console, given, found, at, tellers, trouble, seconds)
    if given.keep or found.breaches:
        console.print(f"The home folder with the log: {home}")
    else:
        shutil.rmtree(home, ignore_errors=True)
    return 1 if found.breaches else 0


def _print(
    console: Console, given: argparse.Namespace, found: Findings, at: Installation, tellers: list[Storyteller],
    trouble: Trouble, seconds: float,
) -> None:  # fmt: skip
    table = Table("promise", "breaches", title=f"make torture --minutes {given.minutes:g} --seed {given.seed}")
    for promise in PROMISES:
        table.add_row(promise, str(len(found.breaches.get(promise, []))))
    console.print(table)
    for promise, breaches in found.breaches.items():
        for breach in breaches[:20]:
            console.print(f"[red]{promise}[/red]: {breach}", highlight=False)
    orders = sum(len(teller.orders) for teller in tellers)
    calls = sum(teller.calls for teller in tellers)
    console.print(
        f"{orders} orders {dict(found.statuses)}, {calls} calls, {found.operations} operations, {found.events} events told,"
        f" {found.expired} authorisations expired, {found.for_a_person} calls listed for a person\n"
        f"survived: kill -9 of {at.kills}, {trouble.crashes} crash points, {sum(trouble.faults.values())} faults"
        f" {dict(trouble.faults)}; clock moved {trouble.advanced / 3600:.1f} h; {seconds:.0f} s in all on {platform.machine()}",
        highlight=False,
    )


if __name__ == "__main__":
    sys.exit(main())
