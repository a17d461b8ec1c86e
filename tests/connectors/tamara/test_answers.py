"""Documented answers replayed, unknown words, and nonsense."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Approved,
    Cancelled,
    Checkout,
    Declined,
    Expired,
    Moved,
    NotThere,
    Paid,
    Pending,
    Refused,
)
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.conftest import Counter
from tests.connectors.scripted import Scripted
from tests.connectors.tamara.conftest import sample
from tests.connectors.till import KEY, ONE

SAR = {"amount": 300, "currency": "SAR"}
ORDER = sample("order_details")["answer"]
CHECKOUT = Checkout(
    session=ORDER["order_id"], reference="R-1001", total=Money(Decimal(300), "SAR"), auto_capture=True, get_token=False,
    country="SA", locale="en_AU", expires_at=datetime(2026, 11, 25, tzinfo=UTC), order_id="ord_1",
)  # fmt: skip
NONSENSE = ["", "<html>Bad gateway", "null", "[]", "7", "{}", '{"order_id": 7}']


def of(**changes: Any) -> dict[str, Any]:
    return {**ORDER, **changes}


async def test_the_documented_authorisation_is_open_and_the_auto_captured_one_is_a_sale(scripted: Scripted) -> None:
    for name, captured in (("order_authorised", 0), ("order_auto_captured", 300)):
        documented = scripted.replays(name)
        paid = await scripted.connector.confirm(CHECKOUT, KEY)
        assert isinstance(paid, Paid)
        assert (paid.total, paid.captured, paid.raw) == (Money(Decimal(300), "SAR"), captured, documented["answer"])
    path = f"/orders/{CHECKOUT.session}/authorise"
    assert scripted.asked == [("POST", path, {"order_id": CHECKOUT.session})] * 2


async def test_the_documented_capture_cancel_and_refund_name_their_ids(scripted: Scripted) -> None:
    canceled = "870e3e2e-e88a-4933-9ec0-7f7b8ed65e0c"
    for verb, name, id, path, order in (
        ("capture", "order_captured", "capture_id", "/payments/capture", CHECKOUT.session),
        ("void", "order_canceled", "cancel_id", f"/orders/{canceled}/cancel", canceled),
        ("refund", "order_refunded", "refund_id", f"/payments/simplified-refund/{CHECKOUT.session}", CHECKOUT.session),
    ):
        documented = scripted.replays(name)
        move = Counter.move(Money(Decimal(300), "SAR"), ONE, "300", description="returned")
        done = await getattr(scripted.connector, verb)(Checkout(**{**_fields(CHECKOUT), "session": order}), move)
        assert isinstance(done, Moved)
        assert done.provider_id == documented["answer"][id]
        method, asked, body = scripted.asked[-1]
        assert (method, asked, body["total_amount"]) == ("POST", path, SAR)
    assert (body["comment"], body["merchant_refund_id"]) == ("returned", ONE)
    assert scripted.asked[0][2]["order_id"] == CHECKOUT.session
    assert scripted.asked[0][2]["shipping_info"].keys() == {"shipped_at", "shipping_company"}


async def test_the_documented_order_tells_its_amounts_and_moves(scripted: Scripted) -> None:
    scripted.replays("order_details")
    paid = await scripted.connector.fetch(CHECKOUT)
    assert isinstance(paid, Paid)
    assert (paid.captured, paid.refunded, paid.voided) == (300, 100, 0)
    assert [(str(move.kind), move.amount) for move in paid.moves or ()] == [("capture", 300), ("refund", 100)]
    assert scripted.asked[0][:2] == ("GET", f"/merchants/orders/{CHECKOUT.session}")


@pytest.mark.parametrize(
    ("status", "report"),
    [
        ("new", Pending),
        ("on_hold", Pending),
        ("approved", Approved),
        ("declined", Declined),
        ("expired", Expired),
        ("canceled", Cancelled),
        *((word, Paid) for word in ("authorised", "updated", "partially_captured", "fully_captured")),
        *((word, Paid) for word in ("partially_refunded", "fully_refunded")),
    ],
)
async def test_every_documented_status_has_its_meaning(scripted: Scripted, status: str, report: type) -> None:
    scripted.says(200, of(status=status))
    assert type(await scripted.connector.fetch(CHECKOUT)) is report


@pytest.mark.parametrize("status", ["reversed", "Authorised", "paid"])
async def test_an_unknown_status_is_asked_about_again_and_never_a_failure(scripted: Scripted, status: str) -> None:
    scripted.says(200, of(status=status))
    report = await scripted.connector.fetch(CHECKOUT)
    assert isinstance(report, Pending)
    assert report.completed
    scripted.says(200, {**sample("order_authorised")["answer"], "status": status})
    assert isinstance(await scripted.connector.confirm(CHECKOUT, KEY), Pending)


async def test_transactions_that_php_writes_as_an_empty_list_are_none(scripted: Scripted) -> None:
    scripted.says(200, of(transactions=[]))
    paid = await scripted.connector.fetch(CHECKOUT)
    assert isinstance(paid, Paid)
    assert paid.moves is None


@pytest.mark.parametrize(
    "body",
    [
        *NONSENSE,
        *(
            json.dumps(of(**{name: value}))
            for name, value in (
                ("status", ""),
                ("total_amount", None),
                ("total_amount", {"amount": True, "currency": "SAR"}),
                ("total_amount", {"amount": -1, "currency": "SAR"}),
                ("total_amount", {"amount": "NaN", "currency": "SAR"}),
                ("captured_amount", None),
                ("transactions", {"refunds": [{}]}),
            )
        ),
    ],
)
async def test_an_order_that_makes_no_sense_is_unclear(scripted: Scripted, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(CHECKOUT)


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
@pytest.mark.parametrize("body", [*NONSENSE, json.dumps({"order_id": "other", "capture_id": "c", "cancel_id": "c",
                                                         "refund_id": "r", "status": "canceled"})])  # fmt: skip
async def test_a_move_whose_answer_does_not_show_it_is_unclear(scripted: Scripted, verb: str, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await getattr(scripted.connector, verb)(CHECKOUT, Counter.move(Money(Decimal(5), "SAR"), ONE, "300"))


async def test_a_cancel_that_only_reduced_the_order_is_unclear(scripted: Scripted) -> None:
    scripted.replays("order_updated")
    with pytest.raises(Unclear):
        await scripted.connector.void(CHECKOUT, Counter.move(Money(Decimal(100), "SAR"), ONE, "300"))


@pytest.mark.parametrize("body", ["", "<html>Forbidden", "[]", '{"errors": "x"}', '{"message": "no"}'])
async def test_a_clear_no_stays_one_even_without_a_readable_error(scripted: Scripted, body: str) -> None:
    scripted.says(403, body)
    with pytest.raises(Refused) as no:
        await scripted.connector.confirm(CHECKOUT, KEY)
    assert no.value.code == "403"
    scripted.says(404, body)
    with pytest.raises(NotThere):
        await scripted.connector.fetch(CHECKOUT)


def _fields(checkout: Checkout) -> dict[str, Any]:
    return {name: getattr(checkout, name) for name in checkout.__dataclass_fields__}
