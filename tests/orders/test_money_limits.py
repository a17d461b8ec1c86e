"""M5 and design 5: limits under the order's lock, operations in flight included; totals that events account for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.orders.decide import Deciding, deciding
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till
from tests.orders.test_statuses import paid


@pytest.mark.parametrize("amount", ["0", "-1", "-0.01"])
async def test_amounts_to_move_are_above_zero(amount: str, merchant: Merchant, shopper: Shopper) -> None:
    """field.md thread 13: negative refunds were accepted."""
    deferred, captured = (
        await paid(merchant, shopper, "SALESTILL", autoCapture=False),
        await paid(merchant, shopper, "SALESTILL"),
    )
    for move, reference in ((merchant.captures, deferred), (merchant.voids, deferred), (merchant.refunds, captured)):
        assert (await move(reference, amount, "M-1")).status == 400


async def test_captured_and_voided_never_exceed_what_was_authorised_and_refunded_never_what_was_captured(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=False)
    assert (await merchant.captures(reference, "50", "C-1")).status == 201
    assert (await merchant.voids(reference, "30", "V-1")).status == 201
    assert (await merchant.captures(reference, "20.01", "C-2")).body["code"] == "over_capture"
    assert (await merchant.voids(reference, "20.01", "V-2")).body["code"] == "over_void"
    assert (await merchant.refunds(reference, "50.01", "R-1")).body["code"] == "over_refund"
    assert (await merchant.refunds(reference, "50", "R-2")).status == 201
    assert (await merchant.refunds(reference, "0.01", "R-3")).body["code"] == "over_refund"
    assert installation.balance(reference) == 0


async def test_a_refund_in_another_currency_is_refused(merchant: Merchant, shopper: Shopper) -> None:
    reference = await paid(merchant, shopper, "SALESTILL")
    body = {"refundReference": "R-1", "refundAmount": {"amount": 10, "currency": "NZD"}}
    answer = await merchant.post(f"/orders/{reference}/refund", body)
    assert (answer.status, answer.body["code"]) == (400, "currency_mismatch")


@pytest.mark.parametrize("first", ["captures", "voids"])
async def test_an_operation_in_flight_holds_its_amount(
    first: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await paid(merchant, shopper, "BLINDTILL", autoCapture=False)
    await installation.fault("blindtill", first.removesuffix("s"), "timeout_before", reference)
    assert (await getattr(merchant, first)(reference, "60", "M-1")).body["status"] == "PENDING"
    assert (await merchant.captures(reference, "41", "M-2")).body["code"] == "over_capture"
    assert (await merchant.voids(reference, "41", "M-3")).body["code"] == "over_void"
    assert (await merchant.captures(reference, "40", "M-4")).status == 201


async def test_more_than_there_can_be_is_cut_to_it_and_listed(
    merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, "SALESTILL")
    till = tills["SALESTILL"]
    till.move(till.of(reference), "refund", Decimal(130))

    async def listed() -> Any:
        return (await merchant.details(reference))["needsReview"]

    assert await eventually(listed) == "the provider's refund of 130 is more than the 100 that there can be"
    assert (await merchant.details(reference))["refundedAmount"] == "100"


async def test_the_totals_on_the_row_are_what_the_events_add_up_to(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """field.md thread 6: amounts decide, and they are accounted for."""
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=False)
    till = tills["SALESTILL"]
    await merchant.captures(reference, "50", "C-1")
    await merchant.voids(reference, "20", "V-1")
    await merchant.refunds(reference, "10", "R-1")
    till.move(till.of(reference), "chargeback", Decimal(15))

    async def told() -> bool:
        return bool((await merchant.details(reference))["refundedAmount"] == "25")

    await eventually(told)
    async with installation.database.connection() as held:
        rows = await held.fetch(
            "SELECT kind, sum(e.amount) AS total FROM order_events e JOIN orders o ON o.id = order_id"
            " WHERE o.reference = $1 AND e.amount IS NOT NULL GROUP BY kind",
            reference,
        )
    added = {row["kind"]: int(row["total"]) for row in rows}
    assert added == {"authorised": 100, "capture": 50, "void": 20, "refund": 10, "chargeback": 15}
    assert (await merchant.details(reference))["needsReview"] is None


async def test_a_total_that_no_event_accounts_for_is_listed(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=False)

    async def wrong(desk: Deciding) -> None:
        await desk.change(captured=Decimal(30))

    async with installation.database.connection() as held:
        order_id = await held.fetchval("SELECT id FROM orders WHERE reference = $1", reference)
    await deciding(installation.core, order_id, "test", wrong)
    assert (await merchant.details(reference))["needsReview"] == "the order's totals differ from its events"
