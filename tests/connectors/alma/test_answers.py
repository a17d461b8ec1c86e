"""Documented answers replayed, unknown words, and nonsense."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Cancelled, Checkout, Expired, Moved, NotThere, Paid, Pending, Refused
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.alma.conftest import sample
from tests.connectors.conftest import Counter
from tests.connectors.scripted import Scripted
from tests.connectors.till import ONE

PAYMENT = sample("payment_created")["answer"]
CHECKOUT = Checkout(
    session=PAYMENT["id"], reference="R-1001", total=Money(Decimal(100), "EUR"), auto_capture=True, get_token=False,
    country="FR", locale="fr_FR", expires_at=datetime(2026, 11, 25, tzinfo=UTC), order_id="ord_1",
)  # fmt: skip
NONSENSE = ["", "<html>Bad gateway", "null", "[]", "7", "{}", '{"id": 7}']


def of(**changes: Any) -> dict[str, Any]:
    return {**PAYMENT, **changes}


@pytest.mark.parametrize(
    ("state", "report"),
    [
        *((word, Pending) for word in ("not_ready", "not_started", "scored_no", "scored_maybe", "scored_yes")),
        *((word, Paid) for word in ("in_progress", "paid")),
        *((word, Paid) for word in ("late_dunning", "late_contact_customer", "default", "collection_done")),
        ("stopped", Pending),
        ("Paid", Pending),
        ("refused", Pending),
    ],
)
async def test_every_documented_state_has_its_meaning_and_an_unknown_one_is_asked_about_again(
    scripted: Scripted, state: str, report: type
) -> None:
    scripted.says(200, of(state=state))
    said = await scripted.connector.fetch(CHECKOUT)
    assert type(said) is report
    assert (said.session, said.reference) == (PAYMENT["id"], "R-1001")
    assert scripted.asked == [("GET", f"/v1/payments/{PAYMENT['id']}", None)]


@pytest.mark.parametrize(
    ("changes", "report"),
    [
        ({"expired_at": 1700172800}, Expired),
        ({"processing_status": "canceled", "cancelation_reason": "expired"}, Expired),
        ({"processing_status": "canceled", "cancelation_reason": "authorization_expired"}, Expired),
        ({"processing_status": "canceled"}, Expired),
        ({"processing_status": "canceled", "cancelation_reason": "requested_by_merchant"}, Cancelled),
        ({"processing_status": "canceled", "cancelation_reason": "requested_by_customer"}, Cancelled),
        ({"processing_status": "awaiting_authorization"}, Pending),
        ({"processing_status": "authorized"}, Pending),
        ({"processing_status": "word"}, Pending),
    ],
)
async def test_an_open_payment_is_dead_once_alma_says_so(
    scripted: Scripted, changes: dict[str, Any], report: type
) -> None:
    scripted.says(200, of(**changes))
    assert type(await scripted.connector.fetch(CHECKOUT)) is report


async def test_a_paid_payment_stays_one_whatever_else_is_said(scripted: Scripted) -> None:
    scripted.says(200, of(state="paid", expired_at=1700172800))
    assert isinstance(await scripted.connector.fetch(CHECKOUT), Paid)


async def test_the_documented_refund_names_its_id_and_the_totals(scripted: Scripted) -> None:
    documented = scripted.replays("payment_refunded")
    move = Counter.move(Money(Decimal(40), "EUR"), ONE, "100", description="returned")
    done = await scripted.connector.refund(CHECKOUT, move)
    assert isinstance(done, Moved)
    assert (done.provider_id, done.raw) == ("refund_1", documented["answer"])
    assert scripted.asked == [("POST", f"/v1/payments/{PAYMENT['id']}/refund", documented["request"])]


async def test_a_payment_without_its_list_of_refunds_still_tells_their_total(scripted: Scripted) -> None:
    scripted.says(200, of(state="paid", amount_already_refunded=1250))
    paid = await scripted.connector.fetch(CHECKOUT)
    assert isinstance(paid, Paid)
    assert (paid.refunded, paid.moves) == (Decimal("12.50"), None)


@pytest.mark.parametrize(
    ("changes", "reference"),
    [({"custom_data": []}, "R-1001"), ({"custom_data": None, "orders": []}, None), ({"custom_data": {"x": 1}}, "R-1001"),
     ({"custom_data": {"order_reference": 7}, "orders": None}, None), ({"custom_data": {"order_reference": "a"}}, "a")],
)  # fmt: skip
async def test_what_alma_does_not_say_is_not_filled_in(
    scripted: Scripted, changes: dict[str, Any], reference: str | None
) -> None:
    scripted.says(200, of(**changes))
    assert (await scripted.connector.fetch(CHECKOUT)).reference == reference


@pytest.mark.parametrize(
    "body",
    [
        *NONSENSE,
        *(
            json.dumps(of(**{name: value}))
            for name, value in (
                ("state", ""),
                ("state", ["paid"]),
                ("purchase_amount", None),
                ("purchase_amount", True),
                ("purchase_amount", -1),
                ("purchase_amount", 100.5),
                ("refunds", [{}]),
                ("refunds", [{"amount": "40"}]),
            )
        ),
    ],
)
async def test_a_payment_that_makes_no_sense_is_unclear(scripted: Scripted, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(CHECKOUT)


@pytest.mark.parametrize(
    "body",
    [
        *NONSENSE,
        json.dumps(of(state="paid")),
        json.dumps(of(refunds=[{"amount": 4000, "merchant_reference": "other"}])),
        json.dumps(of(refunds=[{"amount": 4001, "merchant_reference": ONE}])),
        json.dumps(of(id="payment_other", refunds=[{"amount": 4000, "merchant_reference": ONE}])),
    ],
)
async def test_a_refund_whose_answer_does_not_show_it_is_unclear(scripted: Scripted, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.refund(CHECKOUT, Counter.move(Money(Decimal(40), "EUR"), ONE, "100"))


@pytest.mark.parametrize("body", ["", "<html>Forbidden", "[]", '{"errors": "x"}', '{"message": "no"}'])
async def test_a_clear_no_stays_one_even_without_a_readable_error(scripted: Scripted, body: str) -> None:
    scripted.says(403, body)
    with pytest.raises(Refused) as no:
        await scripted.connector.fetch(CHECKOUT)
    assert no.value.code == "403"
    scripted.says(404, body)
    with pytest.raises(NotThere):
        await scripted.connector.fetch(CHECKOUT)
