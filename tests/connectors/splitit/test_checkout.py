"""Opening a plan: what Splitit is sent, and what it says until the card is authorised."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Ask,
    Cancelled,
    Incoming,
    NotThere,
    Paid,
    Pending,
    Redirect,
    Refused,
)  # fmt: skip
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.splitit.conftest import CREDENTIALS, Till, checkout, sample
from tests.connectors.till import KEY, TWO


async def test_a_plan_carries_the_order_its_shopper_and_its_addresses(till: Till) -> None:
    order = till.order()
    opened, _ = await till.opens(locale="de_DE_formal")
    (exchange,) = till.exchanges
    assert exchange.headers["X-Splitit-IdempotencyKey"] == KEY
    assert exchange.sent == {
        "AutoCapture": True,
        "Shopper": {
            "FullName": "Ada Byron", "Email": "ada@shop.example", "PhoneNumber": "+61400000000", "Culture": "de-DE",
        },
        "PlanData": {
            "TotalAmount": 100.0, "Currency": "EUR", "TerminalId": "sandbox-terminal", "PurchaseMethod": "ECommerce",
            "RefOrderNumber": "R-1001",
        },
        "BillingAddress": {
            "AddressLine1": "1 High Street", "City": "Sydney", "Country": "DE", "State": "NSW", "Zip": "2000",
        },
        "RedirectUrls": {
            "Succeeded": f"{order.return_url}?via=success", "Failed": f"{order.return_url}?via=failure",
            "Cancel": f"{order.return_url}?via=cancel",
        },
        "EventsEndpoints": {"CreateSucceeded": order.events_url},
    }  # fmt: skip
    assert opened.session == exchange.answer.json()["InstallmentPlanNumber"]


async def test_the_same_key_opens_the_same_plan(till: Till) -> None:
    first, _ = await till.opens()
    again, _ = await till.opens()
    other, _ = await till.opens(key=TWO)
    assert first.session == again.session != other.session
    with pytest.raises(Refused, match="Same Idempotency key"):
        await till.opens("90.00")


@pytest.mark.parametrize(
    ("amount", "currency"), [("100.00", "USD"), ("6410", "JPY"), ("12.340", "KWD")]
)  # fmt: skip
async def test_an_amount_is_a_number_with_the_currencys_decimals(till: Till, amount: str, currency: str) -> None:
    total = Money(Decimal(amount), currency)
    await till.opens(total=total)
    assert Decimal(str(till.exchanges[-1].sent["PlanData"]["TotalAmount"])) == total.amount


async def test_an_amount_that_the_currency_cannot_hold_is_never_sent(till: Till) -> None:
    with pytest.raises(Refused):
        await till.opens(total=Money(Decimal("10.5"), "JPY"))
    assert till.exchanges == []


async def test_the_merchant_chooses_the_numbers_of_instalments(till: Till) -> None:
    more = {"numberOfInstallments": Decimal(6), "displayedInstallmentOptions": [3, 6]}
    await till.opens(additional_data=more)
    sent = till.exchanges[-1].sent
    assert sent["PlanData"]["NumberOfInstallments"] == 6
    assert sent["UxSettings"] == {"DisplayedInstallmentOptions": [3, 6]}


@pytest.mark.parametrize(
    "more",
    [{"numberOfInstallments": 0}, {"numberOfInstallments": Decimal("2.5")}, {"displayedInstallmentOptions": ["3"]}],
)
async def test_a_number_of_instalments_that_is_none_is_refused_before_anything_is_sent(
    till: Till, more: dict[str, Any]
) -> None:
    with pytest.raises(Refused, match="number of instalments"):
        await till.opens(additional_data=more)
    assert till.exchanges == []


async def test_a_locale_without_a_country_is_no_culture(till: Till) -> None:
    await till.opens(locale="ja")
    assert "Culture" not in till.exchanges[-1].sent["Shopper"]


async def test_the_documented_plan_is_opened(scripted: Scripted, till: Till) -> None:
    scripted.replays("plan_initiated")
    opened = await scripted.connector.create_checkout(till.counter.order("SPLITIT"), KEY)
    assert isinstance(opened, Redirect)
    assert (opened.session, opened.url) == (
        "62787747637784516814", "https://checkout.sandbox.splitit.com/62787747637784516814",
    )  # fmt: skip
    form = {
        "grant_type": "client_credentials", "scope": "api.v3", "client_id": CREDENTIALS["client_id"],
        "client_secret": CREDENTIALS["client_secret"],
    }  # fmt: skip
    assert scripted.granted == [("POST", "/connect/token", form)]


@pytest.mark.parametrize(
    "body", ["<html>", {"Status": "Initialized"}, {"InstallmentPlanNumber": "1", "CheckoutUrl": "x"}]
)
async def test_an_answer_without_plan_or_address_is_unclear(scripted: Scripted, till: Till, body: Any) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("SPLITIT"), KEY)


@pytest.mark.parametrize(("status", "fault"), [(400, Refused), (500, NotSent)])
async def test_without_an_access_token_nothing_left(scripted: Scripted, status: int, fault: type[Exception]) -> None:
    scripted.grant = (status, {"error": "invalid_client"})
    with pytest.raises(fault):
        await scripted.connector.fetch(checkout())
    assert scripted.asked == []


async def test_a_token_that_is_nonsense_means_that_nothing_left(scripted: Scripted) -> None:
    scripted.grant = (200, {})
    with pytest.raises(NotSent):
        await scripted.connector.fetch(checkout())


async def test_the_check_proves_the_credentials(till: Till) -> None:
    assert "access token" in await till.connector.check()
    with pytest.raises(Refused, match="client id"):
        await till.counter.connector("SPLITIT", client_secret="wrong").check()


# -- until it is paid -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("decline", "the card was refused; another one may do"), ("cancel", "the form is open"),
        ("pending", "the form is open"), ("error", "the form is open"),
    ],
)  # fmt: skip
async def test_a_plan_that_is_not_authorised_waits_for_the_shopper(till: Till, outcome: str, reason: str) -> None:
    report = await till.connector.fetch(await till.decided(outcome))
    assert isinstance(report, Pending)
    assert (report.reason, report.reference, report.completed) == (reason, "R-1001", False)
    assert till.rows() == []


async def test_another_card_may_do_after_the_first_was_refused(till: Till) -> None:
    own = await till.decided("decline")
    assert await till.settles("approve") == 200
    assert (await till.paid_now(own)).captured == 100


async def test_the_form_lives_an_hour(till: Till) -> None:
    opened, own = await till.opens()
    till.passes(minutes=61)
    assert await till.counter.shopper(opened.url, "approve") == {"via": "failure"}
    assert isinstance(await till.connector.fetch(own), Pending)


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        ("approve", Ask(completed=True)), ("pending", Ask(completed=True)), ("decline", Ask(left=True)),
        ("error", Ask(left=True)), ("cancel", Ask(left=True)),
    ],
)  # fmt: skip
async def test_a_return_is_a_hint_only(till: Till, outcome: str, hint: Ask) -> None:
    opened, own = await till.opens()
    query = await till.counter.shopper(opened.url, outcome)
    assert till.connector.read_return(query, own) == hint


@pytest.mark.parametrize("status", ["Initialized", "Canceled"])
async def test_a_plan_cancelled_before_any_authorization_has_paid_nothing(scripted: Scripted, status: str) -> None:
    scripted.says(200, {"InstallmentPlanNumber": "1", "Status": status, "Authorization": {"Status": "NA"}})
    report = await scripted.connector.fetch(checkout())
    assert isinstance(report, Pending if status == "Initialized" else Cancelled)


async def test_an_unknown_status_is_pending(scripted: Scripted) -> None:
    scripted.says(200, {"InstallmentPlanNumber": "1", "Status": "Delayed", "OriginalAmount": 100, "Currency": "USD"})
    report = await scripted.connector.fetch(checkout())
    assert report == Pending(
        session="1", reason="unknown plan status Delayed", completed=True, raw=report.raw
    )  # fmt: skip


async def test_an_unknown_plan_is_not_there(till: Till) -> None:
    _, own = await till.opens()
    with pytest.raises(NotThere):
        await till.connector.fetch(replace(own, session="1"))


# -- events -----------------------------------------------------------------------------------


async def test_create_succeeded_is_told_to_the_orders_own_url_and_proves_nothing(till: Till, eventually: Any) -> None:
    own = await till.decided()

    async def told() -> Any:
        return till.counter.inbox.received

    ((method, headers, query, body),) = await eventually(told)
    assert query == {"RefOrderNumber": "R-1001", "InstallmentPlanNumber": own.session}
    event = Incoming(method=method, headers=headers, query=query, body=body)
    assert till.connector.verify_event(event) is None
    reading = till.connector.read_event(event)
    assert (reading.session, reading.report) == (own.session, None)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_documented_event_names_its_plan(till: Till, method: str) -> None:
    event = Incoming(method=method, headers={}, query=sample("event_create_succeeded")["query"], body=b"")
    assert till.connector.read_event(event).session == "111222333444555"


def test_an_event_that_names_nothing_cannot_be_read(till: Till) -> None:
    with pytest.raises(ValueError, match="neither"):
        till.connector.read_event(Incoming(method="GET", headers={}, query={}, body=b"{}"))


async def test_only_a_verified_authorization_counts(scripted: Scripted) -> None:
    scripted.replays("plan_active")
    scripted.says(200, {"IsAuthorized": False})
    report = await scripted.connector.fetch(checkout(payment_id=None))
    assert isinstance(report, Pending)
    assert report.completed
    scripted.replays("plan_active")
    scripted.says(200, {"IsAuthorized": True, "AuthorizationAmount": 100.0})
    assert isinstance(await scripted.connector.fetch(checkout(payment_id=None)), Paid)
    assert [path.rpartition("/")[2] for _, path, _ in scripted.asked[1::2]] == ["verifyauthorization"] * 2
