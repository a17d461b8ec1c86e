"""The README's five minutes, block by block as it stands there, against a running installation."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Eventually
from tests.installation import Installation

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.S | re.M)
MARK = "-- end of block --"


def objects(text: str) -> list[Any]:
    """Every JSON value that a line of the output holds."""
    return [json.loads(line, parse_float=Decimal) for line in text.splitlines() if line.startswith(("[", "{"))]


@pytest.fixture(scope="module")
async def tour(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block of the tour printed."""
    script = f"\necho '{MARK}'\n".join(BLOCKS[1:])
    for written, meant in (
        ("localhost:8080", f"127.0.0.1:{installation.settings.port}"),
        ("localhost:8090", f"127.0.0.1:{installation.settings.sandbox_port}"),
        (".venv/bin/paymux", f"{sys.executable} -m paymux"),
        ("sleep 5", "sleep 1"),
    ):
        assert written in script
        script = script.replace(written, meant)
    environment = {
        **os.environ, "PAYMUX_DATABASE_URL": installation.settings.database_url,
        "PAYMUX_HOME": str(installation.settings.home),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script, cwd=tmp_path_factory.mktemp("tour"), env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return out.decode().split(MARK)


def test_the_readme_starts_with_two_commands() -> None:
    assert [line.split("#")[0].strip() for line in BLOCKS[0].splitlines()] == ["make run", "make test"]


async def test_the_tour_pays_refunds_and_shows_what_really_moved(tour: list[str]) -> None:
    options, created, paid_silently, looked, broken, webhook = tour
    assert "AFTERPAY_AU" in {option["name"] for option in objects(options)[0]}
    assert objects(created)[0]["paymentStatus"] == "pending"
    assert paid_silently.strip() == ""
    order, refund, details, ledger = objects(looked)
    assert (order["status"], order["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    assert (refund["refundStatus"], refund["refundedAmount"]) == ("SUCCESSFUL", 40)
    assert details["refundedAmount"] == "40"
    assert [(row["kind"], Decimal(row["amount"])) for row in ledger] == [
        ("authorize", Decimal(100)), ("capture", Decimal(100)), ("refund", Decimal(40)),
    ]  # fmt: skip
    assert objects(broken)[1]["refundStatus"] == "PENDING"
    assert ["webhookUrl", "http://127.0.0.1:9000/"] in [line.split() for line in webhook.splitlines()]


async def test_the_lost_refund_of_the_tour_is_found_and_moved_once(
    tour: list[str], installation: Installation, eventually: Eventually
) -> None:
    reference = objects(tour[1])[0]["orderReference"]

    async def known() -> bool:
        refunds = (await installation.merchant.details(reference))["refunds"]
        return {row["refundId"]: row["status"] for row in refunds} == {"R-1": "SUCCESSFUL", "R-2": "SUCCESSFUL"}

    await eventually(known)
    assert installation.balance(reference) == Decimal(50)
