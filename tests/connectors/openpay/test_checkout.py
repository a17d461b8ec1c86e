"""Opening an order at Openpay by a form, the shopper's return, and how an order and its plan stand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paymux.connectors.contract import Approved, Ask, Cancelled, NotThere, Paid, Pending, Refused
from paymux.platform.http import Unclear
from tests.connectors.openpay.conftest import PLAN, Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY


async def test_the_documented_order_is_what_is_sent_and_its_form_goes_to_the_browser(
    scripted: Scripted, till: Till
) -> None:
    scripted.replays("order_opened")
    opened = await scripted.opens(till.counter.order("OPENPAY_AU", "10.34"))
    assert scripted.asked == [("POST", "/v1/merchant/orders", sample("order_opened")["request"])]
    assert (opened.session, opened.url) == (PLAN, "https://retailer.myopenpay.com.au/websalestraining/")
    assert opened.form == {"TransactionToken": "Al5dE65ZExKP8jDF", "JamPlanID": PLAN}


@pytest.mark.parametrize("drop", ["orderId", "nextAction", "formPost", "formPostUrl", "formFields"])
async def test_an_answer_without_a_form_is_unclear(scripted: Scripted, till: Till, drop: str) -> None:
    text = json.dumps(sample("order_opened")["answer"]).replace(f'"{drop}"', '"other"')
    scripted.says(201, text)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("OPENPAY_AU", "10.34"), KEY)


async def test_an_order_outside_of_the_limits_is_refused_in_openpays_words(till: Till) -> None:
    with pytest.raises(Refused, match="outside of the limits") as no:
        await till.opens("0.99")
    assert no.value.code == "422"


async def test_the_limits_are_told_by_the_check_and_wrong_credentials_are_refused(till: Till) -> None:
    assert "from 1.00 to 20000.00 AUD" in await till.connector.check()
    with pytest.raises(Refused) as no:
        await till.counter.connector("OPENPAY_AU", auth_token="other").check()
    assert no.value.code == "401"


# -- the return -------------------------------------------------------------------------------


async def test_the_documented_return_is_a_hint_that_a_capture_is_due(scripted: Scripted, till: Till) -> None:
    hint = scripted.connector.read_return(sample("returned")["query"], till.checkout())
    assert hint == Ask(session=PLAN, approved=True)


@pytest.mark.parametrize(
    ("outcome", "approved", "left"),
    [("approve", True, False), ("cancel", False, True), ("decline", False, False), ("error", False, False),
     ("pending", False, False)],
)  # fmt: skip
async def test_the_return_is_a_hint_of_this_plan(till: Till, outcome: str, approved: bool, left: bool) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, approved=approved, left=left)


# -- how an order stands ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "kind"), [("approve", Approved), ("cancel", Cancelled), ("decline", Pending), ("pending", Pending)]
)
async def test_an_order_stands_as_the_shopper_decided(till: Till, outcome: str, kind: type[Any]) -> None:
    checkout, _ = await till.decides(outcome)
    assert type(await till.connector.fetch(checkout)) is kind
    assert till.rows() == []


@pytest.mark.parametrize(
    ("order", "plan", "kind"),
    [
        ("Pending", "Lodged", Approved), ("Approved", "Active", Paid), ("Approved", "Finished", Paid),
        ("Approved", "Refunded", Paid), ("Approved", "Errored", Pending), ("Approved", "Lodged", Pending),
        ("Pending", "Active", Pending), ("Pending", None, Pending), ("Declined", "Errored", Pending),
        ("Cancelled", None, Pending),
    ],
)  # fmt: skip
async def test_only_documented_pairs_of_words_decide(
    scripted: Scripted, till: Till, order: str, plan: str | None, kind: type[Any]
) -> None:
    scripted.says(200, sample("order_active")["answer"] | {"orderStatus": order, "planStatus": plan})
    report = await scripted.connector.fetch(till.checkout())
    assert (type(report), report.session) == (kind, PLAN)


async def test_a_paid_order_names_its_price_until_the_payment_is_known(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_active", "order_active")
    first = await scripted.connector.fetch(till.checkout())
    later = await scripted.connector.fetch(till.checkout(payment_id=PLAN))
    assert isinstance(first, Paid)
    assert isinstance(later, Paid)
    assert (first.total, first.captured) == (till.money("10.34"), till.money("10.34").amount)
    assert (later.total, later.captured) == (None, None)


async def test_the_error_of_a_cancelled_order_and_an_unknown_order_are_told_apart(
    scripted: Scripted, till: Till
) -> None:
    scripted.replays("order_cancelled")
    scripted.says(404, {"title": "Not Found"})
    assert isinstance(await scripted.connector.fetch(till.checkout()), Cancelled)
    with pytest.raises(NotThere):
        await scripted.connector.fetch(till.checkout())
