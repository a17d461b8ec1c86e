"""Opening a payment, the shopper's decision, and closing a payment that nobody made."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Cancelled, Expired, Item, NotThere, Paid, Pending, Refused
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.alma.conftest import Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY


async def test_a_shopper_who_pays_his_first_instalment_has_made_a_sale_in_full(till: Till) -> None:
    checkout = await till.pays("64.10")
    paid = await till.paid_now(checkout)
    assert (paid.session, paid.reference, paid.total) == (checkout.session, "R-1001", Money(Decimal("64.10"), "EUR"))
    assert (paid.captured, paid.refunded) == (Decimal("64.10"), 0)
    assert till.counter.ledger() == [
        ("authorize", Decimal("64.10"), "EUR"),
        ("capture", Decimal("64.10"), "EUR"),
    ]


async def test_a_payment_in_one_instalment_is_paid_at_once(till: Till) -> None:
    opened, checkout = await till.opens(additional_data={"installmentsCount": 1, "deferredDays": 15})
    await till.counter.shopper(opened.url, "approve")
    paid = await till.paid_now(checkout)
    assert paid.raw is not None
    assert (paid.raw["state"], paid.raw["deferred_days"]) == ("paid", 15)


async def test_the_request_says_what_the_official_clients_say_in_whole_cents(scripted: Scripted, till: Till) -> None:
    documented = scripted.replays("payment_created")
    order = till.counter.order("ALMA", "100.50", additional_data={"installmentsCount": 4}, locale="fr_FR")
    opened = await scripted.opens(order)
    assert (opened.session, opened.url) == (documented["answer"]["id"], documented["answer"]["url"])
    ((method, path, body),) = scripted.asked
    assert (method, path) == ("POST", "/v1/payments")
    assert scripted.headers[0]["Authorization"] == "Alma-Auth sk_test_paymux-sandbox"
    payment = body["payment"]
    assert (payment["purchase_amount"], payment["installments_count"], payment["locale"]) == (10050, 4, "fr")
    assert payment["return_url"] == f"{order.return_url}?via=success"
    assert payment["customer_cancel_url"] == f"{order.return_url}?via=cancel"
    assert payment["failure_return_url"] == f"{order.return_url}?via=failure"
    assert (payment["ipn_callback_url"], payment["expires_after"]) == (order.events_url, 1440)
    assert payment["cart"]["items"] == [
        {"title": "Shirt", "quantity": 1, "unit_price": 10050, "line_price": 10050, "sku": "S-1"}
    ]
    assert payment["custom_data"] == {"order_reference": "R-1001"}
    assert body["order"] == {"merchant_reference": "R-1001"}
    assert body["customer"]["email"] == "ada@shop.example"


@pytest.mark.parametrize(
    ("life", "minutes"), [(timedelta(seconds=61), 2), (timedelta(0), 1), (timedelta(days=9), 2880)]
)
async def test_the_page_lives_as_long_as_the_order_but_two_days_at_most(
    scripted: Scripted, till: Till, life: timedelta, minutes: int
) -> None:
    scripted.replays("payment_created")
    order = till.counter.order("ALMA")
    changed = till.counter.order("ALMA", created_at=order.created_at, expires_at=order.created_at + life)
    await scripted.connector.create_checkout(changed, KEY)
    assert scripted.asked[0][2]["payment"]["expires_after"] == minutes


async def test_a_line_that_does_not_multiply_exactly_goes_at_its_total(scripted: Scripted, till: Till) -> None:
    item = Item(name="Nail", quantity=3, unit_price=Decimal("0.3333"), total=Decimal("1.00"), sku="")
    scripted.replays("payment_created")
    await scripted.connector.create_checkout(till.counter.order("ALMA", "1.00", items=(item,)), KEY)
    assert scripted.asked[0][2]["payment"]["cart"]["items"] == [
        {"title": "Nail", "quantity": 1, "unit_price": 100, "line_price": 100}
    ]


async def test_a_refused_payment_tells_almas_own_sentence(scripted: Scripted, till: Till) -> None:
    scripted.replays("error_message")
    with pytest.raises(Refused) as no:
        await scripted.connector.create_checkout(till.counter.order("ALMA"), KEY)
    assert (no.value.code, no.value.reason) == ("400", "purchase_amount is invalid")


@pytest.mark.parametrize("change", [{"url": ""}, {"url": "javascript:1"}, {"id": ""}, {"purchase_amount": "100"}])
async def test_a_payment_that_nobody_can_be_sent_to_is_unclear(
    scripted: Scripted, till: Till, change: dict[str, Any]
) -> None:
    scripted.says(200, {**sample("payment_created")["answer"], **change})
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("ALMA"), KEY)


@pytest.mark.parametrize(
    ("outcome", "ask", "report"),
    [
        ("approve", {"completed": True}, Paid),
        ("decline", {"left": True}, Pending),
        ("cancel", {"left": True}, Pending),
        ("pending", {"completed": True}, Pending),
        ("error", {"left": True}, Pending),
    ],
)
async def test_the_return_is_a_hint_and_the_payment_tells(
    till: Till, outcome: str, ask: dict[str, Any], report: type
) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, **ask)
    said = await till.connector.fetch(checkout)
    assert isinstance(said, report)
    assert (said.session, said.reference) == (checkout.session, "R-1001")


async def test_a_payment_that_nobody_made_expires(till: Till) -> None:
    _, checkout = await till.opens()
    till.passes(hours=23)
    assert isinstance(await till.connector.fetch(checkout), Pending)
    till.passes(hours=2)
    assert isinstance(await till.connector.fetch(checkout), Expired)


async def test_a_cancelled_payment_can_not_be_made_any_more(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.connector.cancel_checkout(checkout)
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.fetch(checkout), Cancelled)
    assert till.rows() == []


async def test_cancelling_again_does_no_harm_and_a_paid_one_is_refused(till: Till) -> None:
    _, checkout = await till.opens()
    await till.connector.cancel_checkout(checkout)
    await till.connector.cancel_checkout(checkout)
    with pytest.raises(Refused):
        await till.connector.cancel_checkout(await till.pays())


async def test_a_payment_that_alma_does_not_know_is_not_there(till: Till) -> None:
    opened, _ = await till.opens()
    unknown = till.counter.checkout(till.counter.order("ALMA"), opened, session="payment_other")
    for call in (till.connector.fetch(unknown), till.connector.cancel_checkout(unknown)):
        with pytest.raises(NotThere):
            await call


@pytest.mark.parametrize(
    ("tampered", "reference", "amount"), [({"amount": "1.00"}, "R-1001", "1.00"), ({"reference": "x"}, "x", "100.00")]
)
async def test_what_is_reported_is_what_alma_says_and_never_ours(
    till: Till, tampered: dict[str, str], reference: str, amount: str
) -> None:
    checkout = await till.pays()
    assert (await till.call("POST", "/sandbox/tamper", {"id": checkout.session, **tampered}))[0] == 200
    paid = await till.paid_now(checkout)
    assert (paid.reference, paid.total) == (reference, till.money(amount))


async def test_the_check_reads_the_account_and_needs_the_key(till: Till) -> None:
    assert await till.connector.check() == "read the account of paymux sandbox: payments from 1.00 EUR to 10000.00 EUR"
    with pytest.raises(Refused):
        await till.counter.connector("ALMA", api_key="sk_test_other").check()
