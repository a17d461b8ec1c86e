"""Opening a checkout at Zip, and what is known of it before it is charged."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Cancelled, Declined, Expired, Item, NotThere, Pending, Redirect, Refused
from paymux.money import Money
from paymux.platform.http import CallFailed, Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, ONE
from tests.connectors.zip.conftest import Till, checkout, sample


async def sent(scripted: Scripted, order: Any) -> Any:
    """What the connector sends to open this order."""
    scripted.replays("checkout_created")
    opened = await scripted.connector.create_checkout(order, KEY)
    assert isinstance(opened, Redirect)
    return scripted.asked[-1][2]


@pytest.mark.parametrize("code", ["ZIP_AU", "ZIP_NZ", "ZIP_UK"])
async def test_a_checkout_leads_the_shopper_to_zip_and_moves_nothing(till: Till, code: str) -> None:
    till.code = code
    opened, own = await till.opens()
    assert opened.url.endswith(f"/checkout/zip/{opened.session}")
    assert isinstance(await till.connector.fetch(own), Pending)
    assert till.rows() == []


async def test_the_request_is_as_zips_own_sdk_makes_it(scripted: Scripted, till: Till) -> None:
    documented = sample("checkout_created")["request"]
    items = (Item(name="Test Product", quantity=1, unit_price=Decimal(100), total=Decimal(100), sku="QAS00BB"),)
    parts = {"shipping": Decimal(15), "tax": Decimal(5), "discount": Decimal(10)}
    body = await sent(scripted, till.counter.order("ZIP_AU", "110", items=items, **parts))
    assert body["order"]["amount"] == documented["order"]["amount"]
    told = {(item["type"], item["name"], item["amount"], item["quantity"]) for item in body["order"]["items"]}
    assert told == {(i["type"], i["name"], i["amount"], i["quantity"]) for i in documented["order"]["items"]}
    assert body["shopper"]["billing_address"].keys() >= documented["shopper"]["billing_address"].keys()
    assert body["config"].keys() == documented["config"].keys()
    assert scripted.headers[-1]["Zip-Version"] == "2017-03-01"
    assert scripted.headers[-1]["Authorization"] == "Bearer key"


async def test_the_same_reference_and_amount_open_the_same_checkout(till: Till) -> None:
    first, _ = await till.opens()
    again, _ = await till.opens()
    other, _ = await till.opens("99.00")
    assert first.session == again.session != other.session


async def test_a_line_that_does_not_multiply_exactly_goes_as_one_at_its_total(scripted: Scripted, till: Till) -> None:
    item = Item(name="Shirt", quantity=3, unit_price=Decimal("33.333333"), total=Decimal("100.00"))
    body = await sent(scripted, till.counter.order("ZIP_AU", items=(item,)))
    assert [(line["quantity"], line["amount"]) for line in body["order"]["items"]] == [(1, 100.00)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("+61 400 000 000", "+61 400 000 000"),
        ("(02) 9999-0000", "02 99990000"),
        ("", None),
        ("+6" * 30, "+" + "6" * 19),
    ],
)
async def test_a_telephone_number_goes_as_zip_takes_it(
    scripted: Scripted, till: Till, given: str, expected: str | None
) -> None:
    order = till.counter.order("ZIP_AU")
    body = await sent(
        scripted,
        replace(order, customer=replace(order.customer, phone=given), billing=replace(order.billing, phone="")),
    )
    assert body["shopper"].get("phone") == expected


async def test_where_there_is_no_state_the_city_stands_for_it(scripted: Scripted, till: Till) -> None:
    order = till.counter.order("ZIP_NZ")
    body = await sent(scripted, replace(order, billing=replace(order.billing, state="", region="", city="Auckland")))
    assert body["shopper"]["billing_address"]["state"] == "Auckland"


@pytest.mark.parametrize("changes", [{"shipping_method": "store pick-up"}, {"delivery": None}])
async def test_what_is_picked_up_names_no_address(scripted: Scripted, till: Till, changes: dict[str, Any]) -> None:
    body = await sent(scripted, till.counter.order("ZIP_AU", **changes))
    assert body["order"]["shipping"] == {"pickup": True}


async def test_an_amount_that_zip_cannot_hold_is_refused_before_anything_is_sent(
    scripted: Scripted, till: Till
) -> None:
    order = replace(till.counter.order("ZIP_AU"), total=Money(Decimal("100.001"), "AUD"))
    with pytest.raises(Refused):
        await scripted.connector.create_checkout(order, KEY)
    assert scripted.asked == []


async def test_a_wrong_key_is_a_clear_no_and_the_right_one_is_proved(till: Till) -> None:
    with pytest.raises(Refused) as no:
        await till.counter.connector("ZIP_AU", api_key="wrong").check()
    assert no.value.code == "unauthorized"
    assert "took the API key" in await till.connector.check()


LONGER = "sandbox-zip-private-key-of-a-merchant-with-shops-in-au-and-uk"


async def test_a_key_of_several_regions_says_which_ones(till: Till) -> None:
    said = await till.counter.connector("ZIP_UK", api_key=LONGER).check()
    assert said == "Zip took the API key of Sandbox Merchant; it is for the regions au, uk"
    with pytest.raises(Refused, match="for the regions au, uk: ask Zip for one for nz"):
        await till.counter.connector("ZIP_NZ", api_key=LONGER).check()
    with pytest.raises(Refused) as no:
        await till.counter.connector("ZIP_UK", api_key=LONGER + "x").check()
    assert no.value.code == "unauthorized"


async def test_a_short_key_of_another_country_is_doubted_aloud(till: Till) -> None:
    assert "ask Zip whether it is one for ZIP_UK" in await till.counter.connector("ZIP_UK").check()
    assert "ask Zip" not in await till.counter.connector("ZIP_AU").check()


async def test_a_checkout_in_pounds_is_sent_as_zips_own_modules_do(scripted: Scripted, till: Till) -> None:
    order = till.counter.order("ZIP_UK", "64.10")
    body = await sent(
        scripted, replace(order, billing=replace(order.billing, country="GB", state="", region="", city="Leeds"))
    )
    assert (body["order"]["amount"], body["order"]["currency"]) == (64.10, "GBP")
    assert body["shopper"]["billing_address"]["country"] == "GB"
    assert body["shopper"]["billing_address"]["state"] == "Leeds"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("approved", {"approved": True}), ("cancelled", {"left": True}), ("declined", {}), ("referred", {"completed": True}),
    ],
)  # fmt: skip
async def test_a_return_is_only_a_hint_and_names_the_checkout_without_its_region(
    till: Till, name: str, hint: dict[str, bool]
) -> None:
    own = checkout()
    assert till.connector.read_return(sample(f"return_{name}")["query"], own) == Ask(session=own.session, **hint)


async def test_a_return_of_another_checkout_stays_another_ones(till: Till) -> None:
    said = till.connector.read_return({"result": "approved", "checkoutId": "co_OTHER"}, checkout())
    assert isinstance(said, Ask)
    assert said.session == "co_OTHER"
    assert till.connector.read_return({}, checkout()) == Ask()


@pytest.mark.parametrize(("outcome", "kind"), [("decline", Declined), ("cancel", Cancelled)])
async def test_a_shopper_who_did_not_agree_ends_the_checkout(till: Till, outcome: str, kind: type[Any]) -> None:
    own = await till.decided(outcome)
    assert isinstance(await till.connector.fetch(own), kind)
    assert isinstance(await till.connector.confirm(own, KEY), kind)
    assert till.rows() == []


async def test_an_approval_that_is_not_charged_within_15_minutes_is_lost(till: Till) -> None:
    own = await till.decided()
    till.passes(minutes=15)
    assert isinstance(await till.connector.confirm(own, KEY), Expired)
    assert isinstance(await till.connector.fetch(own), Expired)


async def test_an_application_that_zip_looks_at_is_decided_later(till: Till) -> None:
    own = await till.decided("pending")
    assert isinstance(await till.connector.confirm(own, KEY), Pending)
    assert await till.settles("approve") == 200
    assert (await till.connector.confirm(own, KEY)).session == own.session


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("created", "Pending"), ("approved", "Approved"), ("completed", "Pending"), ("declined", "Declined"),
        ("cancelled", "Cancelled"), ("expired", "Expired"), ("a_new_word", "Pending"),
    ],
)  # fmt: skip
async def test_each_state_of_a_checkout(scripted: Scripted, state: str, kind: str) -> None:
    scripted.says(200, {"id": "au-co_1", "uri": "u", "state": state, "order": {"reference": "R-1001"}})
    report = await scripted.connector.fetch(checkout("au-co_1"))
    assert (type(report).__name__, report.session, report.reference) == (kind, "au-co_1", "R-1001")


async def test_a_checkout_that_zip_does_not_know_is_not_there(till: Till) -> None:
    with pytest.raises(NotThere):
        await till.connector.fetch(checkout("au-co_unknown"))
    assert isinstance(await till.connector.confirm(checkout("au-co_unknown"), KEY), Expired)


@pytest.mark.parametrize(
    "answer", [{}, [], "nonsense", {"id": "", "state": "created"}, {"id": "au-co_1", "state": "created"}]
)
async def test_an_answer_that_opens_nothing_is_unclear(scripted: Scripted, till: Till, answer: Any) -> None:
    scripted.says(201, answer)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("ZIP_AU"), ONE)


async def test_a_create_whose_answer_was_lost_opens_the_same_checkout_again(till: Till) -> None:
    await till.counter.order_fault("create", "error_after")
    with pytest.raises(CallFailed):
        await till.opens()
    await till.opens()
    assert len(till.counter.sandbox.store.cases("R-1001")) == 1
