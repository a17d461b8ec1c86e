"""Opening an order at Payflex, the shopper's return, and what the status tells."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Ask,
    Cancelled,
    Declined,
    Item,
    NotThere,
    Paid,
    Pending,
    Refused,
)
from paymux.platform.http import NotSent, Unclear
from tests.connectors.partpay import Till, family_server
from tests.connectors.payflex.conftest import checkout, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY


def documented(till: Till, **changes: Any) -> Any:
    """The order of Payflex's example, as the shop gives it."""
    order = till.counter.order("PAYFLEX_SA", "299.99")
    who = {"first_name": "Jane", "last_name": "Smith", "email": "jane.smith@example.com", "phone": "+27821234567"}
    where = {"street": "12 Main Street", "street2": "Apt 3", "city": "Cape Town", "postal_code": "8001"}
    item = Item(name="Blue T-Shirt", quantity=2, unit_price=Decimal("99.99"), total=Decimal("199.98"), sku="SKU-001")
    return replace(
        order, reference="12345", customer=replace(order.customer, **who), billing=replace(order.billing, **where),
        delivery=None, items=(item,), additional_data={"description": "Order from Example Store"}, **changes,
    )  # fmt: skip


async def test_the_documented_order_is_what_is_sent(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_created")
    opened = await scripted.opens(documented(till))
    ((method, path, body),) = scripted.asked
    assert (method, path) == ("POST", "/order/productSelect")
    expected = sample("order_created")["request"] | {
        "merchant": {
            "redirectConfirmUrl": "https://paymux.example/return/otk_1?via=success",
            "redirectCancelUrl": "https://paymux.example/return/otk_1?via=cancel",
        }
    }
    assert body == expected
    assert (opened.session, opened.url) == ("ord_abc123xyz", "https://checkout.payflex.co.za/order/ord_abc123xyz")
    assert (opened.state, opened.expires_at) == ({"token": "tok_xyz789abc"}, None)


async def test_an_access_token_is_asked_for_once_for_the_documented_audience(scripted: Scripted, till: Till) -> None:
    for _ in range(2):
        scripted.replays("order_created")
        await scripted.connector.create_checkout(documented(till), KEY)
    expected = {"client_id": "c", "client_secret": "s", "grant_type": "client_credentials"}
    assert scripted.granted == [("POST", "/auth/merchant", expected | {"audience": "https://auth-dev.payflex.co.za"})]


async def test_a_live_account_asks_for_the_production_audience() -> None:
    async with family_server(sample, "PAYFLEX_SA", "/auth/merchant", live=True) as server:
        server.replays("configuration")
        assert await server.connector.check() == "read the account's configuration: payments from 50 to 20000 ZAR"
    assert server.granted[0][2]["audience"] == sample("token_created")["request"]["audience"]


@pytest.mark.parametrize(
    ("status", "said", "fault"), [(401, "{}", Refused), (200, "{}", NotSent), (503, "down", NotSent)]
)
async def test_without_an_access_token_nothing_was_sent(
    scripted: Scripted, till: Till, status: int, said: str, fault: type[Exception]
) -> None:
    scripted.grant = (status, said)
    with pytest.raises(fault):
        await scripted.connector.create_checkout(documented(till), KEY)
    assert scripted.asked == []


async def test_an_order_that_is_not_opened_is_refused_though_the_status_is_200(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_not_opened")
    with pytest.raises(Refused, match="Merchant not configured"):
        await scripted.connector.create_checkout(documented(till), KEY)


@pytest.mark.parametrize("said", ["<html>maintenance</html>", "{}", '{"orderId": "1"}', '{"redirectUrl": "https://x"}'])
async def test_an_answer_without_an_order_is_unclear(scripted: Scripted, till: Till, said: str) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(documented(till), KEY)


async def test_a_refusal_keeps_payflexs_own_code(till: Till) -> None:
    with pytest.raises(Refused) as no:
        await till.opens(return_url="/relative")
    assert no.value.code == "CRM006"


async def test_an_amount_that_rand_cannot_hold_is_refused_and_not_rounded(till: Till) -> None:
    with pytest.raises(Refused, match="more decimals"):
        await till.opens("100.001")


# -- the return -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        ("approve", {"completed": True}), ("pending", {"completed": True}),
        ("decline", {"left": True}), ("cancel", {"left": True}), ("error", {"left": True}),
    ],
)  # fmt: skip
async def test_the_return_is_a_hint_that_names_the_order(till: Till, outcome: str, hint: dict[str, bool]) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, **hint)


async def test_a_return_that_names_another_order_says_so(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    read = till.connector.read_return
    assert read({"via": "success", "orderId": "other", "token": checkout.state["token"]}, checkout).session == "other"
    assert read({"via": "success", "token": "other"}, checkout).session == "other"
    assert read({"via": "success", "token": checkout.state["token"]}, checkout).session == checkout.session
    assert read({}, checkout) == Ask()


# -- the status -------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "kind"), [("decline", Declined), ("cancel", Cancelled), ("error", Declined)])
async def test_an_order_that_was_not_paid_ends(till: Till, outcome: str, kind: type) -> None:
    checkout, _ = await till.decides(outcome)
    report = await till.connector.fetch(checkout)
    assert isinstance(report, kind)
    assert (report.session, report.reference) == (checkout.session, "R-1001")
    assert till.rows() == []


async def test_an_approved_order_is_a_sale(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert (report.session, report.reference, report.payment_id) == (checkout.session, "R-1001", checkout.session)
    assert (report.total, report.captured, report.refunded) == (till.money("100.00"), Decimal(100), None)
    assert till.rows() == [("authorize", Decimal(100)), ("capture", Decimal(100))]


async def test_a_cheaper_payment_and_another_reference_are_told_as_payflex_names_them(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.call("POST", "/sandbox/tamper", {"id": checkout.session, "amount": "1", "reference": "R-9"})
    await till.counter.shopper(opened.url, "approve")
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert (report.total, report.reference) == (till.money("1"), "R-9")


async def test_the_documented_status_is_read(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_approved")
    report = await scripted.connector.fetch(checkout("ord_abc123xyz"))
    assert scripted.asked == [("GET", "/order/ord_abc123xyz", None)]
    assert isinstance(report, Paid)
    assert (report.total, report.reference) == (till.money("299.99"), "12345")


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("Created", Pending), ("Initiated", Pending), ("Declined", Declined), ("Abandoned", Cancelled),
        ("Cancelled", Cancelled), ("SomethingNew", Pending), ("approved", Pending),
    ],
)  # fmt: skip
async def test_every_documented_word_is_known_and_any_other_is_pending(
    scripted: Scripted, till: Till, word: str, kind: type
) -> None:
    scripted.says(200, {"orderId": "o", "orderStatus": word, "merchantReference": "R-1001", "amount": 100})
    report = await scripted.connector.fetch(checkout("o"))
    assert type(report) is kind
    assert report.raw is not None


@pytest.mark.parametrize(
    "said", ["[]", "{}", {"orderId": "o", "orderStatus": "Approved"}, {"orderStatus": "Approved", "amount": 1}]
)
async def test_a_status_that_makes_no_sense_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(checkout("o"))


async def test_an_order_that_payflex_does_not_know_is_not_there(till: Till) -> None:
    with pytest.raises(NotThere):
        await till.connector.fetch(checkout("../order"))
