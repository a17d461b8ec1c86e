"""Opening an order at QuadPay as the account takes its money, the shopper's return, and what the status tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Cancelled, Declined, Item, Paid, Pending, Refused
from paymux.platform.http import NotSent
from tests.connectors.partpay import Till, family_server
from tests.connectors.quadpay.conftest import checkout, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY


def documented(till: Till) -> Any:
    """The order of QuadPay's example, as the shop gives it."""
    order = till.counter.order("QUADPAY_US", "105.00")
    who = {"first_name": "Alycia", "last_name": "Washington", "email": "alycia.washington@example.com"}
    where = {"street": "123 Main St", "street2": "Apt 3", "city": "New York", "postal_code": "10001", "state": "NY"}
    item = Item(name="White sneakers", quantity=1, unit_price=Decimal(100), total=Decimal(100), sku="white-snkr-123")
    return replace(
        order, reference="98765", customer=replace(order.customer, **who, phone="9175551234"), shipping=Decimal(5),
        billing=replace(order.billing, **where), delivery=None, items=(item,),
        additional_data={"description": "Order #98765"},
    )  # fmt: skip


async def test_the_documented_order_is_what_is_sent_once_the_account_was_looked_at(
    scripted: Scripted, till: Till
) -> None:
    scripted.replays("configuration")
    scripted.replays("order_created")
    opened = await scripted.opens(documented(till))
    assert [call[:2] for call in scripted.asked] == [("GET", "/configuration"), ("POST", "/order")]
    assert scripted.asked[1][2] == sample("order_created")["request"] | {
        "merchant": {
            "redirectConfirmUrl": "https://paymux.example/return/otk_1?via=success",
            "redirectCancelUrl": "https://paymux.example/return/otk_1?via=cancel",
        }
    }
    assert (opened.session, opened.url) == ("qp_order_id", "https://checkout-ut.quadpay.com/checkout?token=qp_token")
    assert opened.state == {"token": "qp_token", "deferred": "yes"}
    assert opened.expires_at == datetime(2018, 5, 31, 4, 49, 23, 412293, UTC)


async def test_a_discount_is_a_line_less_than_nothing(scripted: Scripted, till: Till) -> None:
    scripted.replays("configuration")
    scripted.replays("order_created")
    await scripted.connector.create_checkout(replace(documented(till), discount=Decimal("35.69")), KEY)
    last = scripted.asked[1][2]["items"][-1]
    assert last == {"name": "Discount", "sku": "", "quantity": 1, "price": "-35.69"}


@pytest.mark.parametrize(
    ("live", "host"), [(True, "https://auth.quadpay.com"), (False, "https://auth-dev.quadpay.com")]
)
async def test_the_audience_is_that_of_the_environment(live: bool, host: str) -> None:
    async with family_server(sample, "QUADPAY_CA", "/oauth/token", live=live) as server:
        server.replays("configuration")
        assert await server.connector.check() == "read the account's configuration: payments from 50 to 950 CAD"
    assert [asked["audience"] for _, _, asked in server.granted] == [host]


def test_canada_has_a_host_of_its_own_and_the_token_one_in_common(till: Till) -> None:
    facts = till.counter.provider.facts
    assert facts.codes["QUADPAY_CA"].hosts["api"].live == "https://api.quadpay.ca"
    assert set(facts.codes["QUADPAY_CA"].hosts) == {"api"}
    assert facts.hosts["auth"].live == "https://quadpay.auth0.com"


@pytest.mark.parametrize(
    ("said", "deferred"),
    [
        ({"deferFundsCapture": True}, "yes"), ({"deferFundsCapture": False}, "no"), ({}, "no"),
        ({"captureFundsOnOrderCreation": True}, "no"), ({"captureFundsOnOrderCreation": False}, "yes"),
    ],
)  # fmt: skip
async def test_the_order_remembers_how_the_account_takes_its_money(
    scripted: Scripted, till: Till, said: dict[str, bool], deferred: str
) -> None:
    scripted.says(200, said)
    scripted.replays("order_created")
    opened = await scripted.opens(documented(till))
    assert opened.state["deferred"] == deferred


async def test_an_order_to_be_captured_later_is_refused_where_the_account_takes_at_once(
    scripted: Scripted, till: Till
) -> None:
    scripted.replays("configuration_at_once")
    with pytest.raises(Refused, match="at once") as no:
        await scripted.connector.create_checkout(replace(documented(till), auto_capture=False), KEY)
    assert no.value.code == "not_deferred"
    assert len(scripted.asked) == 1


@pytest.mark.parametrize(("status", "said"), [(500, "{}"), (200, "<html>")])
async def test_without_the_configuration_no_order_was_sent(
    scripted: Scripted, till: Till, status: int, said: str
) -> None:
    scripted.says(status, said)
    with pytest.raises(NotSent):
        await scripted.connector.create_checkout(documented(till), KEY)
    assert len(scripted.asked) == 1


async def test_an_amount_outside_the_accounts_limits_is_refused(till: Till) -> None:
    with pytest.raises(Refused, match="limits"):
        await till.opens("1500.01")


# -- the return and the status ----------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["approve", "pending"])
async def test_the_confirm_address_names_the_order_as_its_token(till: Till, outcome: str) -> None:
    checkout, query = await till.decides(outcome)
    assert query == {"via": "success", "token": checkout.session}
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, completed=True)


@pytest.mark.parametrize(("outcome", "kind"), [("decline", Declined), ("cancel", Cancelled), ("error", Declined)])
async def test_an_order_that_was_not_paid_ends(till: Till, outcome: str, kind: type) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == Ask(left=True)
    report = await till.connector.fetch(checkout)
    assert isinstance(report, kind)
    assert (report.session, report.reference) == (checkout.session, "R-1001")
    assert till.rows() == []


async def test_an_order_that_nobody_pays_is_abandoned_when_it_expires(till: Till) -> None:
    opened, checkout = await till.opens()
    assert isinstance(await till.connector.fetch(checkout), Pending)
    assert opened.expires_at is not None
    till.passes(hours=25)
    assert isinstance(await till.connector.fetch(checkout), Cancelled)


@pytest.mark.parametrize(("deferred", "captured"), [(True, None), (False, Decimal(100))])
async def test_an_approved_order_is_captured_unless_the_account_defers(
    till: Till, deferred: bool, captured: Decimal | None
) -> None:
    await till.call("POST", "/sandbox/configuration", {"deferFundsCapture": deferred})
    checkout, _ = await till.decides("approve")
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert (report.total, report.captured, report.voided) == (till.money("100.00"), captured, None)
    assert len(till.rows()) == (1 if deferred else 2)


async def test_the_documented_status_is_read(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_status")
    report = await scripted.connector.fetch(checkout(deferred="yes"))
    assert isinstance(report, Paid)
    assert (report.session, report.reference) == ("qp_order_id", "R508318305")
    assert (report.total, report.captured) == (till.money("359.04"), None)


async def test_the_amount_is_one_in_the_currency_of_the_accounts_country(till: Till) -> None:
    till.code = "QUADPAY_CA"
    checkout, _ = await till.decides("approve")
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert report.total is not None
    assert report.total.currency == "CAD"
    assert [currency for _, _, currency in till.counter.ledger()] == ["CAD"]
