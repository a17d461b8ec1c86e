"""A person settles an operation while the machine is at it, or settles it wrongly (U1, U3, T4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from paymux.orders import calls, review
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import GateAt, Till


@asynccontextmanager
async def overdue_refund(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch, code: str, fault: str,
) -> AsyncIterator[str]:  # fmt: skip
    """A paid order whose refund R-1 of 60 has had no answer for longer than its provider says it takes; out of reach."""
    opened = await merchant.creates(code)
    reference = str(opened["orderReference"])
    await shopper.decides(opened["redirectUrl"], "approve")

    async def captured() -> bool:
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(captured)
    await installation.fault(code.lower(), "events", "no_event", reference)
    await installation.fault(code.lower(), "refund", fault, reference)
    assert (await merchant.refunds(reference, "60", "R-1")).body["refundStatus"] == "PENDING"
    with monkeypatch.context() as gone:
        gone.setitem(vars(installation.settings), "sandbox_base_url", "http://127.0.0.1:1")
        await installation.advance(86_401)

        async def listed() -> bool:
            await installation.advance(601)
            return (await merchant.details(reference))["needsReview"] is not None

        await eventually(listed)
        await installation.quiet()
        yield reference


async def test_a_person_does_not_settle_what_is_being_asked_about_at_that_moment(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually, gate_at: GateAt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Said to have failed between the question and the repeat, it would be made all the same, and counted by nobody."""
    async with overdue_refund(
        installation, merchant, shopper, eventually, monkeypatch, "SALESTILL", "error_before"
    ) as reference:
        gate = gate_at(calls, "_again", when=lambda _, taken, **__: taken.order.reference == reference)
    await installation.advance(3_601)
    await gate.reached.wait()
    with pytest.raises(ValueError, match="being asked about"):
        await review.resolve(installation.core, reference, "failed", "not in their portal", "")
    gate.open()

    async def done() -> bool:
        return bool((await merchant.details(reference))["refunds"][0]["status"] == "SUCCESSFUL")

    await eventually(done)
    details = await merchant.details(reference)
    assert (details["refundedAmount"], details["needsReview"], installation.balance(reference)) == ("60", None, 40)


async def test_a_refund_that_a_person_wrongly_called_failed_counts_when_the_provider_tells_of_it(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually, tills: Till,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """FAILED is final, and the money is gone: it is the provider's movement then (T4), and no second refund of it fits."""
    async with overdue_refund(
        installation, merchant, shopper, eventually, monkeypatch, "SALESTILL", "error_after"
    ) as reference:
        await review.resolve(installation.core, reference, "failed", "not in their portal", "")
    till = tills["SALESTILL"]
    for _ in range(2):
        till.tell(till.of(reference))

    async def counted() -> bool:
        return bool((await merchant.details(reference))["refundedAmount"] == "60")

    await eventually(counted)
    await installation.quiet()
    details = await merchant.details(reference)
    assert [(row["status"], row["initiator"]) for row in details["refunds"]] == [
        ("FAILED", "MERCHANT"), ("SUCCESSFUL", "PROVIDER"),
    ]  # fmt: skip
    assert details["refundedAmount"] == "60"
    assert (await merchant.refunds(reference, "60", "R-2")).body["code"] == "over_refund"
