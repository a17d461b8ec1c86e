"""Opening and cancelling an order at Laybuy, the shopper's return, and how an unconfirmed order stands."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Address,
    Approved,
    Ask,
    Broken,
    Cancelled,
    Declined,
    Expired,
    Item,
    NotThere,
    OrderToPay,
    Pending,
    Refused,
)
from paymux.platform.http import Unclear
from tests.connectors.laybuy.conftest import TOKEN, Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY


def documented(till: Till) -> OrderToPay:
    """The order of Laybuy's example, as the shop gives it."""
    order: OrderToPay = till.counter.order("LAYBUY_NZ", "149.98")
    customer = replace(
        order.customer, first_name="Jenny", last_name="Smith", email="jenny.smith@example.com", phone="021000000"
    )
    return replace(
        order, reference="REF-ORD10001", customer=customer, shipping=Decimal("10.00"), discount=Decimal("20.00"),
        items=(Item(name="Blue Widget", quantity=2, unit_price=Decimal("79.99"), total=Decimal("159.98"), sku="Item-100001"),),
        billing=Address(street="123 Crown Street", city="Auckland", postal_code="1010", country="NZ"),
        delivery=Address(
            first_name="Timmy", last_name="Smith", street="Level 4, Goodsmiths Building", street2="123 Crown Street",
            city="Auckland", postal_code="1010", country="NZ", phone="0976543211",
        ),
    )  # fmt: skip


async def test_the_documented_order_is_what_is_sent(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_created")
    opened = await scripted.opens(documented(till))
    ((method, path, body),) = scripted.asked
    assert (method, path) == ("POST", "/order/create")
    expected = sample("order_created")["request"]
    for name in ("amount", "currency", "merchantReference", "customer", "billingAddress"):
        assert body[name] == expected[name]
    assert body["returnUrl"] == "https://paymux.example/return/otk_1"
    assert body["shippingAddress"].items() <= expected["shippingAddress"].items()
    assert [(line["quantity"], line["price"]) for line in body["items"]] == [(2, 79.99), (1, 10), (1, -20)]
    assert (opened.session, opened.url) == (TOKEN, sample("order_created")["answer"]["paymentUrl"])


async def test_tax_is_named_and_is_a_line_too_so_that_the_items_sum_up(till: Till) -> None:
    order = till.counter.order("LAYBUY_NZ", "115.00", tax=Decimal("15.00"))
    item = Item(name="Shirt", quantity=3, unit_price=Decimal("33.3333"), total=Decimal("100.00"), sku="")
    opened = await till.connector.create_checkout(replace(order, items=(item,)), KEY)
    assert opened.session


async def test_an_error_is_a_clear_no_in_laybuys_words(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_refused")
    with pytest.raises(Refused, match="Amount is below the minimum") as no:
        await scripted.connector.create_checkout(documented(till), KEY)
    assert no.value.code == "ERROR"


@pytest.mark.parametrize("said", ["<html>", "[]", {"result": "SUCCESS"}, {"token": "t", "paymentUrl": "https://x"}])
async def test_an_answer_without_an_order_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(documented(till), KEY)


async def test_wrong_credentials_are_refused_and_right_ones_are_told(till: Till) -> None:
    assert "took the merchant id" in await till.connector.check()
    with pytest.raises(Refused) as no:
        await till.counter.connector("LAYBUY_NZ", api_key="other").check()
    assert no.value.code == "401"


# -- the return -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "status", "hint"),
    [
        ("approve", "SUCCESS", {"approved": True}), ("cancel", "CANCELLED", {"left": True}),
        ("decline", "DECLINED", {}), ("error", "DECLINED", {}), ("pending", None, {}),
    ],
)  # fmt: skip
async def test_the_return_is_a_hint_that_names_the_token(
    till: Till, outcome: str, status: str | None, hint: dict[str, bool]
) -> None:
    checkout, query = await till.decides(outcome)
    assert query.get("status") == status
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, **hint)


async def test_a_return_that_names_another_token_says_so(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    assert till.connector.read_return({"status": "SUCCESS", "token": "other"}, checkout).session == "other"
    assert till.connector.read_return({}, checkout) == Ask()


# -- how it stands ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("WAITING", Pending), ("PROCESSING", Approved), ("COMPLETED", Pending), ("CANCELLED", Cancelled),
        ("DECLINED", Declined), ("EXPIRED", Expired), ("ERROR", Broken), ("cancelled", Cancelled), ("ON_HOLD", Pending),
    ],
)  # fmt: skip
async def test_every_documented_word_is_known_and_any_other_is_pending(
    scripted: Scripted, till: Till, word: str, kind: type
) -> None:
    scripted.replays("order_not_found")
    scripted.says(200, {"result": "SUCCESS", "status": word})
    report = await scripted.connector.fetch(till.checkout())
    assert type(report) is kind
    assert [path for _, path, _ in scripted.asked] == ["/order/merchant/1728950142", "/order/status/1728950142"]


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [("approve", Approved), ("decline", Declined), ("cancel", Cancelled), ("error", Broken), ("pending", Pending)],
)
async def test_an_order_that_is_not_confirmed_is_not_paid(till: Till, outcome: str, kind: type) -> None:
    checkout, _ = await till.decides(outcome)
    assert type(await till.connector.fetch(checkout)) is kind
    assert till.rows() == []


async def test_an_order_that_nobody_agrees_to_expires(till: Till) -> None:
    _, checkout = await till.opens()
    till.passes(hours=3)
    assert isinstance(await till.connector.fetch(checkout), Expired)


async def test_an_order_that_laybuy_does_not_know_is_not_there(till: Till) -> None:
    with pytest.raises(NotThere):
        await till.connector.fetch(till.checkout())


# -- cancelling -------------------------------------------------------------------------------


async def test_a_cancelled_order_is_not_paid_any_more_and_cancelling_again_does_no_harm(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.connector.cancel_checkout(checkout)
    await till.connector.cancel_checkout(checkout)
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.confirm(checkout, KEY), Cancelled)
    assert till.rows() == []


async def test_a_completed_order_is_not_cancelled(scripted: Scripted, till: Till) -> None:
    scripted.replays("cancel_too_late")
    scripted.says(200, {"result": "SUCCESS", "status": "COMPLETED"})
    with pytest.raises(Refused, match="already been completed"):
        await scripted.connector.cancel_checkout(till.checkout())
    assert scripted.asked[0][:2] == ("GET", f"/order/cancel/{TOKEN}")


async def test_an_unknown_token_is_not_there(scripted: Scripted, till: Till) -> None:
    scripted.replays("cancel_unknown")
    scripted.says(200, {"result": "SUCCESS", "status": "WAITING"})
    with pytest.raises(NotThere):
        await scripted.connector.cancel_checkout(till.checkout())
