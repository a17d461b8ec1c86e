"""Affirm in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal
from typing import NoReturn

import pytest
from aiohttp import web

from paymux.connectors.affirm.rules import ApiError
from tests.connectors.journey import Shop


@pytest.mark.parametrize("code", ["AFFIRM_US", "AFFIRM_CAD"])
async def test_an_order_of_each_code_is_captured_and_partly_refunded(code: str, shop: Shop) -> None:
    order = await shop.sells(code, "64.10")
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.balance == Decimal("24.10")


async def test_an_authorised_order_is_captured_in_two_parts(shop: Shop) -> None:
    order = await shop.sells("AFFIRM_US", autoCapture=False)
    assert order.balance == 0
    await order.captures("30")
    assert order.balance == 30
    await order.captures("70", "C-2")
    assert order.balance == 100
    assert (await order.details())["captureStatus"] == "CAPTURED"


async def test_a_first_capture_that_is_in_conflict_has_failed_and_may_be_claimed_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.sells("AFFIRM_US", autoCapture=False)

    def in_conflict(_: web.Request) -> NoReturn:
        raise ApiError(409, "conflict", "The transaction is being reviewed.")

    with monkeypatch.context() as now:
        now.setattr(shop.installation.sandbox.simulators["affirm"], "_open", in_conflict)
        answer = await order.captures("100")
    assert (answer.status, answer.body["message"]) == (422, "The transaction is being reviewed.")
    assert (await order.captures("100", "C-2")).body["status"] == "SUCCESSFUL"
    assert order.balance == 100
