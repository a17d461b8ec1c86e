"""Documented answers replayed, unknown words, and nonsense."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paymux.connectors.contract import Declined, NotThere, Paid, Pending, Redirect, Refused
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors.latitudepay.conftest import Scripted, sample
from tests.connectors.latitudepay.test_signatures import checkout_for
from tests.connectors.scripted import CONNECTORS
from tests.connectors.till import KEY, Till

CHECKOUT = checkout_for({"token": "4b1c6f0de1a24e0c9ad4a3b3a6c7d301", "reference": "R-1001"})
NONSENSE = ["", "<html><body>Bad gateway", "null", "[]", "7", '"x"', "{}"]


def test_every_sample_is_replayed_by_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    unused = [path.stem for path in (CONNECTORS / "latitudepay" / "samples").iterdir() if f'"{path.stem}"' not in tests]
    assert unused == []


async def test_the_documented_sale_is_opened_until_its_expiry(scripted: Scripted, till: Till) -> None:
    documented = scripted.replays("sale_created")
    opened = await scripted.connector.create_checkout(till.counter.order("LATITUDEPAY_AU"), KEY)
    assert isinstance(opened, Redirect)
    assert (opened.url, opened.session) == (documented["answer"]["paymentUrl"], documented["answer"]["token"])
    assert opened.expires_at == datetime(2029, 8, 24, 14, 15, 22, tzinfo=UTC)
    assert opened.form is None


async def test_the_documented_token_is_fetched_with_key_and_secret_and_used(scripted: Scripted) -> None:
    documented = sample("token_created")
    scripted.grant = (documented["status"], {"authToken": "xxxxxxxxxxxxxxxxxxxxxxxx", "expiryDate": "?"})
    scripted.replays("status_pending")
    await scripted.connector.fetch(CHECKOUT)
    assert scripted.granted == [("POST", "/v3/token", None)]
    assert scripted.headers[0]["Authorization"] == f"Bearer {documented['answer']['authToken']}"


@pytest.mark.parametrize(
    ("name", "kind"), [("status_approved", Paid), ("status_declined", Declined), ("status_pending", Pending)]
)
async def test_the_documented_statuses(scripted: Scripted, name: str, kind: type) -> None:
    documented = scripted.replays(name)
    report = await scripted.connector.fetch(CHECKOUT)
    assert scripted.asked[0][:2] == ("GET", f"/v3/sale/pos/{CHECKOUT.session}/status")
    assert isinstance(report, kind)
    assert (report.session, report.reference, report.raw) == (CHECKOUT.session, None, documented["answer"])
    if isinstance(report, Declined):
        assert (report.code, report.reason) == ("DECLINED", "Declined: Credit denied")


async def test_the_documented_cancel(scripted: Scripted) -> None:
    scripted.replays("sale_cancelled")
    await scripted.connector.cancel_checkout(CHECKOUT)
    assert scripted.asked == [("PUT", f"/v3/sale/{CHECKOUT.session}/cancel", None)]


async def test_the_documented_configuration(scripted: Scripted) -> None:
    scripted.replays("configuration")
    assert await scripted.connector.check() == "read the configuration of LatitudePay: payments from 20 to 1500"


async def test_the_documented_refusals_are_a_clear_no(scripted: Scripted, till: Till) -> None:
    order = till.counter.order("LATITUDEPAY_AU")
    documented = scripted.replays("sale_refused")
    with pytest.raises(Refused) as no:
        await scripted.connector.create_checkout(order, KEY)
    assert (no.value.code, no.value.reason) == ("401", documented["answer"]["error"])
    documented = scripted.replays("refund_refused")
    with pytest.raises(Refused) as no:
        await scripted.connector.refund(CHECKOUT, till.counter.move(Money(Decimal(1), "AUD"), KEY, "100"))
    assert no.value.reason == documented["answer"]["error"]
    refused = sample("token_refused")
    scripted.grant = (refused["status"], '{"error": "Invalid client credentials"}')
    with pytest.raises(Refused) as no:
        await scripted.connector.create_checkout(order, KEY)
    assert (no.value.code, no.value.reason) == ("401", refused["answer"]["error"])
    assert len(scripted.asked) == 2


async def test_the_simulator_words_its_refusals_as_documented(till: Till) -> None:
    with pytest.raises(Refused) as no:
        await till.opens("19.99")
    assert no.value.reason == sample("sale_refused")["answer"]["error"]
    wrong = till.counter.connector(till.code, client_secret="other")
    with pytest.raises(Refused) as no:
        await wrong.check()
    assert no.value.reason == sample("token_refused")["answer"]["error"]
    for amount in ("20.00", "1500.00"):
        till.counter.reference = f"R-{amount}"
        await till.connector.create_checkout(till.counter.order(till.code, amount), amount)
    with pytest.raises(Refused):
        await till.connector.create_checkout(till.counter.order(till.code, "1500.01"), "key-3")


@pytest.mark.parametrize("status", ["approved", "COMPLETED", "INPROGRESS", "BLOCKED", "SUCCESSFUL"])
async def test_an_unknown_status_is_asked_about_again_and_never_a_failure(scripted: Scripted, status: str) -> None:
    scripted.says(200, {"token": CHECKOUT.session, "status": status})
    report = await scripted.connector.fetch(CHECKOUT)
    assert isinstance(report, Pending)
    assert status in report.reason


async def test_a_status_of_another_sale_is_reported_under_its_own_token(scripted: Scripted) -> None:
    scripted.says(200, {"token": "another", "status": "APPROVED"})
    report = await scripted.connector.fetch(CHECKOUT)
    assert report.session == "another"
    scripted.says(200, {"status": "APPROVED"})
    assert (await scripted.connector.fetch(CHECKOUT)).session is None


@pytest.mark.parametrize(
    "body",
    [
        *NONSENSE,
        '{"token": "", "paymentUrl": "https://a.example"}',
        '{"token": 7, "paymentUrl": "https://a.example"}',
        '{"token": "t"}',
        '{"token": "t", "paymentUrl": "javascript:alert(1)"}',
        '{"token": "t", "paymentUrl": ["https://a.example"]}',
    ],
)
async def test_a_sale_that_lacks_what_it_must_have_is_unclear(scripted: Scripted, till: Till, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("LATITUDEPAY_AU"), KEY)


@pytest.mark.parametrize("expiry", ["soon", "", 7, None, "9999-99-99"])
async def test_an_expiry_that_can_not_be_read_is_none(scripted: Scripted, till: Till, expiry: Any) -> None:
    scripted.says(200, {"token": "t", "paymentUrl": "https://a.example", "expiryDate": expiry})
    opened = await scripted.connector.create_checkout(till.counter.order("LATITUDEPAY_AU"), KEY)
    assert isinstance(opened, Redirect)
    assert opened.expires_at is None


@pytest.mark.parametrize("body", [*NONSENSE, '{"status": ""}', '{"status": ["APPROVED"]}', '{"status": null}'])
async def test_a_poll_answered_with_nonsense_is_unclear(scripted: Scripted, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(CHECKOUT)


@pytest.mark.parametrize("body", [*NONSENSE, '{"refundId": ""}', '{"refundId": ["1"]}', '{"refundId": null}'])
async def test_a_refund_whose_answer_does_not_show_it_is_unclear(scripted: Scripted, till: Till, body: str) -> None:
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.refund(CHECKOUT, till.counter.move(Money(Decimal(1), "AUD"), KEY, "100"))


@pytest.mark.parametrize("body", [*NONSENSE, '{"authToken": ""}', '{"authToken": "a b"}', '{"authToken": 7}'])
async def test_without_an_access_token_nothing_was_sent(scripted: Scripted, till: Till, body: str) -> None:
    scripted.grant = (200, body)
    move = till.counter.move(Money(Decimal(1), "AUD"), KEY, "100")
    for call in (scripted.connector.fetch(CHECKOUT), scripted.connector.refund(CHECKOUT, move)):
        with pytest.raises(NotSent):
            await call
    assert scripted.asked == []


@pytest.mark.parametrize("status", [302, 408, 409, 425, 429, 500, 503])
async def test_answers_after_which_nobody_knows_are_unclear(scripted: Scripted, till: Till, status: int) -> None:
    scripted.says(status, {"error": "?"})
    with pytest.raises(Unclear):
        await scripted.connector.refund(CHECKOUT, till.counter.move(Money(Decimal(1), "AUD"), KEY, "100"))


@pytest.mark.parametrize("body", [*NONSENSE, '{"error": {"a": 1}}'])
async def test_a_clear_no_stays_one_even_without_a_readable_error(scripted: Scripted, body: str) -> None:
    scripted.says(403, body)
    with pytest.raises(Refused) as no:
        await scripted.connector.cancel_checkout(CHECKOUT)
    assert (no.value.code, no.value.reason) == ("403", "LatitudePay refused with 403")
    scripted.says(404, body)
    with pytest.raises(NotThere):
        await scripted.connector.fetch(CHECKOUT)
