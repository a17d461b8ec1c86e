"""A sale from its creation to its result: return, callback and status."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Declined, Incoming, NotThere, Paid, Pending, Redirect, Refused
from paymux.platform.http import NotSent, Unclear
from tests.connectors.latitudepay.conftest import told
from tests.connectors.till import KEY, LOST, NEVER_CAME, ONE, Till

SALE = [("authorize", Decimal("100.00"), "AUD"), ("capture", Decimal("100.00"), "AUD")]


async def event(till: Till) -> Incoming:
    """The callback that the simulator sends, once it has arrived."""
    return (await till.events())[0]


async def test_a_shopper_who_agrees_has_paid_by_the_signed_return_alone(till: Till) -> None:
    checkout, query = await till.decides("approve")
    paid = till.connector.read_return(query, checkout)
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference, paid.payment_id) == (checkout.session, "R-1001", checkout.session)
    assert (paid.total, paid.captured) == (None, None)
    assert till.counter.ledger() == SALE


async def test_the_callback_alone_proves_the_payment(till: Till) -> None:
    checkout = await till.decided()
    callback = await event(till)
    assert (callback.method, callback.body) == ("GET", b"")
    assert till.connector.verify_event(callback) is None
    reading = till.connector.read_event(callback)
    assert (reading.session, reading.reference) == (checkout.session, "R-1001")
    assert isinstance(reading.report, Paid)


async def test_the_status_alone_tells_of_the_payment(till: Till) -> None:
    paid = await till.connector.fetch(await till.decided())
    assert isinstance(paid, Paid)
    assert (paid.total, paid.captured, paid.reference, paid.refunded, paid.moves) == (None, None, None, None, None)
    assert paid.raw is not None
    assert paid.raw["status"] == "APPROVED"


@pytest.mark.parametrize("outcome", ["decline", "cancel"])
async def test_a_shopper_who_is_refused_or_gives_up_has_declined(till: Till, outcome: str) -> None:
    checkout, query = await till.decides(outcome)
    returned, asked = till.connector.read_return(query, checkout), await till.connector.fetch(checkout)
    assert isinstance(returned, Declined)
    assert isinstance(asked, Declined)
    assert (returned.code, asked.code) == ("FAILED", "DECLINED")
    assert returned.reason == asked.reason
    assert isinstance(till.connector.read_event(await event(till)).report, Declined)
    assert till.counter.ledger() == []


async def test_a_technical_failure_is_unknown_in_the_return_and_final_in_the_status(till: Till) -> None:
    checkout, query = await till.decides("error")
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session)
    assert till.connector.read_event(await event(till)).report is None
    assert isinstance(await till.connector.fetch(checkout), Declined)
    assert till.counter.ledger() == []


@pytest.mark.parametrize(("later", "kind"), [("approve", Paid), ("decline", Declined), ("cancel", Declined)])
async def test_an_undecided_sale_is_pending_until_it_is_settled(till: Till, later: str, kind: type) -> None:
    checkout, query = await till.decides("pending")
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session)
    assert isinstance(await till.connector.fetch(checkout), Pending)
    assert await till.settles(later) == 200
    assert isinstance(await till.connector.fetch(checkout), kind)
    assert till.counter.ledger() == (SALE if later == "approve" else [])


async def test_a_decided_sale_just_sends_the_shopper_back(till: Till) -> None:
    opened, checkout = await till.opens()
    for outcome in ("approve", "approve", "cancel"):
        query = await till.counter.shopper(opened.url, outcome)
        assert isinstance(till.connector.read_return(query, checkout), Paid)
    assert till.counter.ledger() == SALE


async def test_a_sale_that_expired_can_no_more_be_paid(till: Till) -> None:
    opened, checkout = await till.opens()
    assert opened.expires_at is not None
    assert opened.expires_at > datetime.now(UTC)
    till.passes(hours=24)
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.fetch(checkout), Declined)
    assert till.counter.ledger() == []


async def test_a_cancelled_checkout_can_no_more_be_paid_and_a_paid_one_not_cancelled(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.connector.cancel_checkout(checkout)
    query = await till.counter.shopper(opened.url, "approve")
    assert isinstance(till.connector.read_return(query, checkout), Declined)
    assert till.counter.ledger() == []
    with pytest.raises(Refused):
        await till.connector.cancel_checkout(checkout)
    till.counter.reference = "R-1002"
    order = till.counter.order(till.code)
    second = await till.connector.create_checkout(order, ONE)
    assert isinstance(second, Redirect)
    await till.counter.shopper(second.url, "approve")
    with pytest.raises(Refused):
        await till.connector.cancel_checkout(till.counter.checkout(order, second))


async def test_the_published_example_order_is_payable(till: Till) -> None:
    example = json.loads((Path(__file__).parents[2] / "order-example.json").read_text())
    facts = till.counter.provider.facts.codes["LATITUDEPAY_AU"]
    for path in facts.required:
        value: Any = example
        for name in path.split("."):
            value = value[name]
        assert value
    assert facts.min <= Decimal(str(example["orderAmount"])) <= facts.max


async def test_genoapay_is_paid_in_new_zealand_dollars(till: Till) -> None:
    till.code = "GENOAPAY"
    checkout, query = await till.decides("approve", "35.50")
    assert isinstance(till.connector.read_return(query, checkout), Paid)
    assert isinstance(await till.connector.fetch(checkout), Paid)
    assert till.counter.ledger() == [
        ("authorize", Decimal("35.5"), "NZD"),
        ("capture", Decimal("35.5"), "NZD"),
    ]


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_create_without_an_answer_is_unclear_and_its_repeat_opens_one_sale(till: Till, fault: str) -> None:
    order = till.counter.order(till.code)
    await till.counter.order_fault("create", fault)
    with pytest.raises(Unclear):
        await till.connector.create_checkout(order, KEY)
    first = await till.connector.create_checkout(order, KEY)
    assert await till.connector.create_checkout(order, KEY) == first
    assert len(till.counter.sandbox.store.cases("R-1001")) == 1
    assert till.counter.ledger() == []


async def test_a_slow_create_is_waited_for(till: Till) -> None:
    await till.counter.order_fault("create", "slow")
    assert isinstance(await till.connector.create_checkout(till.counter.order(till.code), KEY), Redirect)


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_status_without_an_answer_is_unclear(till: Till, fault: str) -> None:
    checkout = await till.decided()
    await till.counter.order_fault("status", fault)
    with pytest.raises(Unclear):
        await till.connector.fetch(checkout)
    assert isinstance(await till.connector.fetch(checkout), Paid)


async def test_nothing_is_sent_where_nobody_listens(till: Till) -> None:
    till.counter.base_url = "http://127.0.0.1:9"
    with pytest.raises(NotSent):
        await till.connector.create_checkout(till.counter.order(till.code), KEY)


@pytest.mark.parametrize("wrong", [{"client_key": "other"}, {"client_secret": "other"}])
async def test_wrong_credentials_are_refused(till: Till, wrong: dict[str, str]) -> None:
    checkout, query = await till.decides("approve")
    connector = till.counter.connector(till.code, **wrong)
    with pytest.raises(Refused) as no:
        await connector.create_checkout(till.counter.order(till.code), KEY)
    assert (no.value.code, no.value.reason) == ("401", "Invalid client credentials")
    for call in (connector.fetch(checkout), connector.cancel_checkout(checkout), connector.check()):
        with pytest.raises(Refused):
            await call
    assert query["result"] == "COMPLETED"


async def test_an_unknown_sale_is_not_there(till: Till) -> None:
    _, checkout = await till.opens()
    other = replace(checkout, session="00ff")
    with pytest.raises(NotThere):
        await till.connector.fetch(other)
    till.code = "GENOAPAY"
    with pytest.raises(NotThere):
        await till.connector.fetch(checkout)


async def test_the_check_tells_the_accounts_limits(till: Till) -> None:
    assert await till.connector.check() == "read the configuration of LatitudePay: payments from 20 to 1500"


async def test_a_sale_of_another_order_is_reported_as_such(till: Till) -> None:
    opened, checkout = await till.opens()
    assert await till.post("/sandbox/tamper", id=checkout.session, reference="other", amount="1.00") == 200
    query = await till.counter.shopper(opened.url, "approve")
    paid = till.connector.read_return(query, checkout)
    assert isinstance(paid, Paid)
    assert (paid.reference, checkout.reference) == ("other", "R-1001")
    assert till.counter.ledger()[0] == ("authorize", Decimal("1.00"), "AUD")


async def test_another_sales_return_names_its_own_session(till: Till) -> None:
    _, checkout = await till.opens()
    paid = till.connector.read_return(told("another-sale"), checkout)
    assert isinstance(paid, Paid)
    assert paid.session == "another-sale"
