"""Refunds at ShopBack: accepted first; of a whole payment the order tells when it is made."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Moved, NotThere, Paid, Refused, Underway
from paymux.platform.http import Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.shopback.conftest import UUID, Till, sample
from tests.connectors.till import ONE, TWO

SALE = [("authorize", Decimal(100)), ("capture", Decimal(100))]


async def test_a_part_is_sent_as_documented_and_counts_once_accepted(scripted: Scripted, till: Till) -> None:
    documented = sample("refund")
    scripted.replays("refund")
    move = till.counter.move(till.money("20.50"), ONE, "100.00", description=documented["request"]["description"])
    done = await scripted.connector.refund(till.checkout(), move)
    assert scripted.asked == [("POST", f"/merchant/order/{UUID}/refund", documented["request"])]
    assert scripted.headers[0]["X-ShopBack-Idempotent-Id"] == ONE
    assert isinstance(done, Moved)
    assert done.provider_id == documented["answer"]["requestId"]


async def test_a_refund_without_a_description_has_its_reference_and_a_long_one_is_cut(
    scripted: Scripted, till: Till
) -> None:
    scripted.replays("refund", "refund")
    plain = till.counter.move(till.money("20.50"), ONE, "100.00")
    for move in (plain, replace(plain, description="x" * 2000)):
        await scripted.connector.refund(till.checkout(), move)
    assert [body["description"] for _, _, body in scripted.asked] == [plain.reference, "x" * 1024]


async def test_a_whole_refund_is_under_way_until_the_order_says_so(scripted: Scripted, till: Till) -> None:
    scripted.replays("refund", type="FULL")
    move = till.counter.move(till.money("100.00"), ONE, "100.00")
    done = await scripted.connector.refund(till.checkout(), move)
    assert isinstance(done, Underway)
    assert done.provider_id == sample("refund")["answer"]["requestId"]
    scripted.replays("order_status", status="APPROVED")
    scripted.replays("order_status", status="REFUNDED")
    told = [await scripted.connector.fetch(till.checkout()) for _ in (1, 2)]
    assert [report.refunded for report in told if isinstance(report, Paid)] == [None, Decimal(100)]


@pytest.mark.parametrize("amount", ["20.50", "100.00"])
async def test_a_refund_that_is_done_at_once_is_done(scripted: Scripted, till: Till, amount: str) -> None:
    scripted.replays("refund", status="DONE", requestId=None)
    done = await scripted.connector.refund(till.checkout(), till.counter.move(till.money(amount), ONE, "100.00"))
    assert isinstance(done, Moved)
    assert done.provider_id == ONE


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("REJECTED", "invalid_order_status"), ("REJECTED", "refund_amount_too_large"), ("FAILED", "refund_limit_exceeded"),
        ("REJECTED", "no_active_merchant_fee_schema_found"), ("FAILED", ""), ("REJECTED", None),
    ],
)  # fmt: skip
async def test_a_rejected_refund_is_a_clear_no_with_shopbacks_code(
    scripted: Scripted, till: Till, status: str, code: str | None
) -> None:
    scripted.replays("refund", status=status, code=code, message="not this one", requestId=None)
    with pytest.raises(Refused, match="not this one") as no:
        await scripted.connector.refund(till.checkout(), till.counter.move(till.money("20.50"), ONE, "100.00"))
    assert no.value.code == (code or status)


@pytest.mark.parametrize(
    ("http", "changes"),
    [
        (200, {"status": "REJECTED", "code": "duplicated_request"}), (200, {"status": "FAILED", "code": "in_process"}),
        (200, {"status": "IN_PROCESS", "code": None}), (200, {"status": "RETRY_NEEDED"}), (200, {"status": ""}),
        (409, {}), (412, {"code": "duplicated_request"}), (500, {}), (429, {}),
    ],
)  # fmt: skip
async def test_a_refund_of_which_nobody_knows_what_became_is_unclear(
    scripted: Scripted, till: Till, http: int, changes: dict[str, Any]
) -> None:
    scripted.says(http, sample("refund")["answer"] | {"requestId": None} | changes)
    with pytest.raises(Unclear):
        await scripted.connector.refund(till.checkout(), till.counter.move(till.money("20.50"), ONE, "100.00"))


@pytest.mark.parametrize(("http", "kind"), [(412, Refused), (404, NotThere), (400, Refused), (401, Refused)])
async def test_an_error_is_a_clear_no(scripted: Scripted, till: Till, http: int, kind: type[Refused]) -> None:
    scripted.says(http, sample("error")["answer"] | {"errorMessages": "Unable to Refund Order in status [INITIATED]"})
    with pytest.raises(kind, match=r"status \[INITIATED\]"):
        await scripted.connector.refund(till.checkout(), till.counter.move(till.money("20.50"), ONE, "100.00"))


async def test_parts_are_refunded_until_nothing_is_left(till: Till) -> None:
    checkout = await till.decided()
    assert isinstance(await till.tries("refund", checkout, "40.00", ONE), Moved)
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert paid.refunded is None
    with pytest.raises(Refused, match="larger than what is left") as no:
        await till.tries("refund", checkout, "60.01", "k-2", open="60.00")
    assert no.value.code == "refund_amount_too_large"
    assert isinstance(await till.tries("refund", checkout, "60.00", TWO, open="60.00"), Moved)
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert paid.refunded == 100
    with pytest.raises(Refused, match=r"Unable to Refund Order in status \[REFUNDED\]"):
        await till.tries("refund", checkout, "1.00", "k-4", open="0.00")
    assert till.rows() == [*SALE, ("refund", Decimal(40)), ("refund", Decimal(60))]


async def test_an_order_that_is_not_paid_can_not_be_refunded(till: Till) -> None:
    _, checkout = await till.opens()
    with pytest.raises(Refused, match=r"status \[INITIATED\]"):
        await till.tries("refund", checkout, "40.00")


@pytest.mark.parametrize("fault", ["error_after", "malformed"])
async def test_a_refund_whose_answer_was_lost_is_made_once(till: Till, fault: str) -> None:
    checkout = await till.decided()
    await till.loses_track("refund", fault, checkout, "40.00")
    assert isinstance(await till.tries("refund", checkout, "40.00"), Moved)
    assert till.rows() == [*SALE, ("refund", Decimal(40))]


async def test_a_refund_in_the_portal_shows_once_all_is_given_back(till: Till) -> None:
    checkout = await till.decided()
    await till.request("POST", "/sandbox/portal-refund", {"id": checkout.session, "amount": "100.00"})
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert paid.refunded == 100
