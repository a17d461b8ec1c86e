"""Opening a payment at Volt, the shopper's return, how a payment stands, and notifications of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Ask,
    Broken,
    Cancelled,
    Declined,
    EventReading,
    Expired,
    Forged,
    Incoming,
    NotThere,
    Paid,
    Pending,
    Refused,
)
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY
from tests.connectors.volt.conftest import SECRET, Till, notification, sample

RETURN = "https://paymux.example/return/otk_1"


@pytest.mark.parametrize(
    ("currency", "system", "member"),
    [("EUR", "OPEN_BANKING_EU", "openBankingEU"), ("GBP", "OPEN_BANKING_UK", "openBankingUK")],
)
async def test_what_is_sent_names_the_order_in_minor_units_and_the_currencys_payment_system(
    scripted: Scripted, till: Till, currency: str, system: str, member: str
) -> None:
    scripted.says(201, sample("payment")["answer"])
    order = till.counter.order("VOLT", "100.00", total=Money(Decimal("100.05"), currency))
    opened = await scripted.opens(order)
    assert (opened.session, opened.url) == ("497f6eca-6276-4993-bfeb-53cbbbba6f08", "https://vo.lt/AB1XF")
    ((method, path, sent),), (headers,) = scripted.asked, scripted.headers
    assert (method, path) == ("POST", "/gateway/payments")
    assert (headers["Idempotency-Key"], headers["X-Volt-Api-Version"]) == (KEY, "1")
    assert headers["X-Volt-Initiation-Channel"] == "hosted"
    assert len(sent["payer"].pop("reference")) == 32
    assert sent == {
        "currency": currency,
        "amount": 10005,
        "internalReference": "R-1001",
        "paymentSystem": system,
        member: {"type": "GOODS"},
        "payer": {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example"},
        "communication": {
            "notifications": {"url": order.events_url},
            "return": {
                "urls": {way: {"url": f"{RETURN}?via={way}"} for way in ("success", "failure", "pending", "cancel")}
            },
        },
    }


async def test_a_refusal_names_the_fields_at_fault(scripted: Scripted, till: Till) -> None:
    scripted.replays("validation")
    with pytest.raises(
        Refused, match=r"Validation exception; transformerCode: Transformer code does not exist\."
    ) as no:
        await scripted.connector.create_checkout(till.counter.order("VOLT"), KEY)
    assert no.value.code == "400"


@pytest.mark.parametrize("page", ["", "javascript:alert(1)"])
async def test_a_payment_without_a_page_is_unclear(scripted: Scripted, till: Till, page: str) -> None:
    answer = sample("payment")["answer"]
    scripted.says(201, answer | {"paymentInitiationFlow": {"status": "X", "details": {"redirect": {"url": page}}}})
    with pytest.raises(Unclear, match="page"):
        await scripted.connector.create_checkout(till.counter.order("VOLT"), KEY)


async def test_credentials_are_checked_by_an_access_token(till: Till) -> None:
    assert "access token" in await till.connector.check()
    with pytest.raises(Refused, match="Invalid credentials"):
        await till.counter.connector("VOLT", password="wrong").check()


async def test_a_token_is_asked_for_and_read_as_documented(scripted: Scripted, till: Till) -> None:
    documented = sample("token")
    scripted.grant = (documented["status"], documented["answer"])
    scripted.authorization = f"Bearer {documented['answer']['access_token']}"
    scripted.says(201, sample("payment")["answer"])
    await scripted.opens(till.counter.order("VOLT"))
    ((_, _, sent),) = scripted.granted
    assert sent.keys() == documented["request"].keys()
    assert sent["grant_type"] == documented["request"]["grant_type"]


# -- the return -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        ("approve", Ask(completed=True)), ("pending", Ask(completed=True)), ("cancel", Ask(left=True)),
        ("decline", Ask()), ("error", Ask()),
    ],
)  # fmt: skip
async def test_the_return_is_only_a_hint(till: Till, outcome: str, hint: Ask) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == hint


# -- how it stands ----------------------------------------------------------------------------


async def test_a_payment_counts_once_its_money_was_received(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference, paid.payment_id) == (checkout.session, "R-1001", checkout.session)
    assert (paid.total, paid.captured, paid.underway) == (Money(Decimal(100), "EUR"), Decimal(100), False)


async def test_a_payment_that_the_bank_took_on_is_not_there_yet(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    await till.becomes(checkout, status="COMPLETED")
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert (paid.underway, paid.captured) == (True, None)
    await till.becomes(checkout, status="NOT_RECEIVED")
    assert isinstance(await till.connector.fetch(checkout), Declined)


@pytest.mark.parametrize(
    ("status", "kind", "completed"),
    [
        ("SETTLED", Paid, None), ("REFUSED_BY_BANK", Declined, None), ("REFUSED_BY_RISK", Declined, None),
        ("CANCELLED_BY_USER", Cancelled, None), ("ABANDONED_BY_USER", Expired, None), ("FAILED", Broken, None),
        ("ERROR_AT_BANK", Broken, None), ("PROVIDER_COMMUNICATION_ERROR", Broken, None),
        ("DELAYED_AT_BANK", Pending, True), ("AUTHORISED_BY_USER", Pending, True), ("APPROVED_BY_RISK", Pending, True),
        ("NEW_PAYMENT", Pending, False), ("BANK_REDIRECT", Pending, False),
        ("ADDITIONAL_AUTHORIZATION_REQUIRED", Pending, False), ("SOMETHING_NEW", Pending, False),
    ],
)  # fmt: skip
async def test_every_documented_status_is_read_and_an_unknown_one_is_pending(
    scripted: Scripted, till: Till, status: str, kind: type, completed: bool | None
) -> None:
    _, checkout = await till.opens()
    scripted.says(200, sample("payment")["answer"] | {"status": status})
    report = await scripted.connector.fetch(checkout)
    assert isinstance(report, kind)
    assert (report.session, report.reference) == ("497f6eca-6276-4993-bfeb-53cbbbba6f08", "H35X48Y4FWOD6G3S")
    if isinstance(report, Pending):
        assert report.completed is completed


async def test_a_payment_that_volt_does_not_know_is_not_there(till: Till) -> None:
    _, checkout = await till.opens()
    with pytest.raises(NotThere, match="not found"):
        await till.connector.fetch(replace(checkout, session="none"))


# -- notifications ----------------------------------------------------------------------------


async def test_the_published_signature_is_accepted(till: Till) -> None:
    documented = sample("signature")
    event = Incoming(method="POST", headers=documented["headers"], query={}, body=documented["body"].encode())
    connector = till.counter.connector("VOLT", notification_secret=documented["secret"])
    assert connector.verify_event(event) is None


@pytest.mark.parametrize("changed", ["body", "x-volt-timed", "user-agent", "x-volt-signed", "secret"])
async def test_a_notification_with_a_changed_part_is_forged(till: Till, changed: str) -> None:
    event = notification(sample("notifications")["completed"])
    till.connector.verify_event(event)
    if changed == "body":
        event = replace(event, body=event.body.replace(b"COMPLETED", b"RECEIVED"))
    elif changed == "secret":
        event = notification(event.body, SECRET + "x")
    else:
        event = replace(event, headers={**event.headers, changed: "Volt/3.0"})
    with pytest.raises(Forged):
        till.connector.verify_event(event)


async def test_a_notification_without_headers_is_forged(till: Till) -> None:
    with pytest.raises(Forged):
        till.connector.verify_event(Incoming(method="POST", headers={}, query={}, body=b"\xff"))


async def test_a_notification_of_a_payment_is_a_reason_to_ask(till: Till) -> None:
    documented = sample("notifications")
    for name, payment in (
        ("completed", "292d48f6-90f3-450b-93eb-0b480b8b70dd"), ("received", "75809566-3fbe-4f14-bd8d-e6cd49ecedb7"),
    ):  # fmt: skip
        assert till.connector.read_event(notification(documented[name])) == EventReading(session=payment)


async def test_what_is_sent_after_a_payment_is_signed_as_volt_signs(till: Till, eventually: Any) -> None:
    checkout, _ = await till.decides("approve")

    async def came() -> Any:
        return till.counter.inbox.received if len(till.counter.inbox.received) == 2 else None

    for method, headers, query, body in await eventually(came):
        event = Incoming(method=method, headers=headers, query=query, body=body)
        assert till.connector.verify_event(event) is None
        assert till.connector.read_event(event) == EventReading(session=checkout.session)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"\xff", b'{"status": "RECEIVED"}', b'{"refund": "1", "status": "X"}']
)
async def test_a_notification_that_names_no_payment_can_not_be_read(till: Till, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        till.connector.read_event(notification(body))
