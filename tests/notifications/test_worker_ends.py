"""A worker that ends lets go of the merchants' endpoints: what it leaves open is told as an error at every Ctrl-C."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.conftest import Eventually
from tests.installation import Installation


async def test_a_worker_that_ends_leaves_no_connection_to_an_endpoint_open(
    tmp_path: Path, new_database: Callable[[], Awaitable[str]], eventually: Eventually
) -> None:
    left: list[str] = []
    running = Installation(tmp_path, await new_database())
    await running.start()
    await running.merchant.creates("AFTERPAY_AU")

    async def told() -> bool:
        return bool(running.inbox.received)

    await eventually(told)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: left.append(str(context["message"])))
    await running.stop()
    gc.collect()
    loop.set_exception_handler(None)
    assert left == []
