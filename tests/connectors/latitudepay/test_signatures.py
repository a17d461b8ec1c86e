"""The signature of what is sent, of the return and of the callback: whole it proves, tampered it proves nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from paymux.connectors.contract import Ask, Checkout, Declined, Forged, Incoming, Item, Paid, Report
from paymux.connectors.latitudepay import connector as latitudepay
from paymux.connectors.latitudepay.sale_rules import keys_and_values, signature_of
from paymux.money import Money
from paymux.platform.database import from_json
from tests.connectors.latitudepay.conftest import SECRET, Scripted, sample, signed, told
from tests.connectors.till import KEY, Till

RETURNS = [("return_completed", Paid), ("return_failed", Declined), ("return_unknown", None)]


def checkout_for(query: Mapping[str, str]) -> Checkout:
    return Checkout(
        session=query["token"], reference=query["reference"], total=Money(Decimal(100), "AUD"), auto_capture=True,
        get_token=False, country="AU", locale="en_AU", expires_at=datetime(2029, 8, 24, tzinfo=UTC), order_id="ord_1",
    )  # fmt: skip


def callback(query: Mapping[str, str], method: str = "GET") -> Incoming:
    return Incoming(method=method, headers={}, query=query, body=b"")


# -- what is sent ----------------------------------------------------------------------------------


def test_the_providers_own_example_has_the_providers_own_signature() -> None:
    published = sample("signed_sale")
    glued = latitudepay._glued(from_json(published["body"]))
    assert latitudepay._signature(glued, published["secret"]) == published["signature"]


def test_the_simulator_comes_to_the_same_signature_by_its_own_way() -> None:
    published = sample("signed_sale")
    glued = keys_and_values(published["body"].encode())
    assert signature_of(glued, published["secret"]) == published["signature"]


async def test_the_documented_sale_is_sent_with_its_signature(scripted: Scripted, till: Till) -> None:
    documented = scripted.replays("sale_created")
    item = Item(name="Shirt", quantity=1, unit_price=Decimal(130), total=Decimal(130), sku="S-1")
    order = till.counter.order(
        "LATITUDEPAY_AU", "144.89", items=(item,), tax=Decimal("6.9"), shipping=Decimal("7.99"),
        events_url="https://paymux.example/provider-events/pac_1",
    )  # fmt: skip
    await scripted.connector.create_checkout(order, KEY)
    ((method, path, body),), (headers,) = scripted.asked, scripted.headers
    assert (method, path) == ("POST", f"/v3/sale/online?signature={documented['signature']}")
    assert body == documented["request"]
    assert headers["X-Idempotency-Key"] == KEY
    assert headers["Authorization"] == "Bearer t-1"
    media_type = "application/com.latitudepay.ecom-v3.0+json"
    assert (headers["Accept"], headers["Content-Type"], headers["api-version"]) == (media_type, media_type, "v3")


async def test_what_is_signed_is_what_is_sent_whatever_it_says(scripted: Scripted, till: Till) -> None:
    order = till.counter.order("LATITUDEPAY_AU")
    odd = replace(order.billing, street='1 "High" \\ Street', street2="\tFlat 2\n", city="Cité d'Été", state="")
    item = Item(name='Shirt: {"blue", [new]}', quantity=3, unit_price=Decimal("0.3333"), total=Decimal("1.00"))
    scripted.replays("sale_created")
    await scripted.connector.create_checkout(replace(order, billing=odd, delivery=odd, items=(item,)), KEY)
    ((_, path, said),) = scripted.asked
    assert said["billingAddress"]["addressLine1"] == "1 High Street, Flat 2"
    assert said["billingAddress"]["cityTown"] == "Cité d'Été"
    assert said["products"] == [
        {
            "name": "Shirt: { blue , [new]}",
            "price": {"amount": 1, "currency": "AUD"},
            "quantity": 1,
            "taxIncluded": False,
        }
    ]
    # By hand: keys and values as they stand in the text that was sent.
    stripped: list[str] = []
    _strip(json.loads(scripted.bodies[0], parse_float=_Plain, parse_int=_Plain), stripped)
    encoded = base64.b64encode("".join("".join(stripped).split()).encode())
    assert path.partition("signature=")[2] == hmac.digest(SECRET.encode(), encoded, hashlib.sha256).hex()


class _Plain(str):
    """A number as it was written."""


def _strip(value: Any, into: list[str]) -> None:
    if isinstance(value, dict):
        for name, part in value.items():
            into.append(name)
            _strip(part, into)
    elif isinstance(value, list):
        for part in value:
            _strip(part, into)
    elif value is None or isinstance(value, bool):
        into.append(json.dumps(value))
    elif isinstance(value, _Plain):
        into.append(value)
    else:
        into.append(json.dumps(value)[1:-1])


@pytest.mark.parametrize(
    ("amount", "number"),
    [("100.00", b"100"), ("100.50", b"100.5"), ("20", b"20"), ("1000", b"1000"), ("20.05", b"20.05")],
)
async def test_amounts_are_numbers_in_their_shortest_form(
    scripted: Scripted, till: Till, amount: str, number: bytes
) -> None:
    scripted.replays("sale_created")
    await scripted.connector.create_checkout(till.counter.order("LATITUDEPAY_AU", amount), KEY)
    assert b'"totalAmount":{"amount":' + number + b',"currency":"AUD"}' in scripted.bodies[0]


@pytest.mark.parametrize("path", ["/v3/sale/online", "/v3/sale/{token}/refund"])
@pytest.mark.parametrize("how", ["none", "empty", "other secret", "other body"])
async def test_the_simulator_takes_nothing_without_the_right_signature(till: Till, path: str, how: str) -> None:
    checkout = await till.decided()
    documented = sample("sale_created" if path.endswith("online") else "refund_created")
    body = json.dumps(documented["request"]).encode()
    if how == "other body":
        body = body.replace(b"10.5", b"99").replace(b"144.89", b"20")
    query = {"none": "", "empty": "?signature=", "other secret": f"?signature={signed('x', 'other')}"}
    query["other body"] = f"?signature={documented['signature']}"
    url = f"{till.counter.base_url}/latitudepay{path.format(token=checkout.session)}{query[how]}"
    before, media_type = till.counter.ledger(), "application/com.latitudepay.ecom-v3.0+json"
    simulator = till.counter.sandbox.simulators["latitudepay"]
    bearer = simulator._bearer(int(simulator.now.timestamp()) + 60)
    headers = {"Authorization": f"Bearer {bearer}", "Accept": media_type, "Content-Type": media_type}
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as answer:
        assert (answer.status, await answer.json()) == (400, {"error": "Invalid signature"})
    assert till.counter.ledger() == before


# -- the return and the callback -------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), RETURNS)
async def test_the_documented_returns_are_proved_by_their_signature(
    scripted: Scripted, name: str, kind: type[Report] | None
) -> None:
    query = sample(name)["query"]
    said = scripted.connector.read_return(query, checkout_for(query))
    if kind is None:
        assert said == Ask(session=query["token"])
        return
    assert isinstance(said, kind)
    assert (said.session, said.reference) == (query["token"], "R-1001")
    assert said.raw == {name: value for name, value in query.items() if name != "signature"}


async def test_the_documented_callback_is_proved_by_its_signature(scripted: Scripted) -> None:
    documented = sample("callback_completed")
    event = callback(documented["query"], documented["method"])
    assert scripted.connector.verify_event(event) is None
    reading = scripted.connector.read_event(event)
    assert (reading.session, reading.reference) == (documented["query"]["token"], "R-1001")
    assert isinstance(reading.report, Paid)


@pytest.mark.parametrize("field", ["token", "reference", "message", "result", "signature"])
@pytest.mark.parametrize("how", ["changed", "taken away", "emptied"])
async def test_a_tampered_return_or_callback_is_forged(scripted: Scripted, field: str, how: str) -> None:
    genuine = sample("return_failed")["query"]
    changed = {**genuine, "result": "COMPLETED"} if field == "result" else {**genuine, field: genuine[field] + "1"}
    query = {
        "changed": changed,
        "taken away": {name: value for name, value in genuine.items() if name != field},
        "emptied": {**genuine, field: ""},
    }[how]
    with pytest.raises(Forged):
        scripted.connector.verify_event(callback(query))
    with pytest.raises(ValueError):  # noqa: PT011
        scripted.connector.read_event(callback(query))
    if (field, how) == ("signature", "taken away"):
        # A browser without the signed fields proves nothing and says nothing wrong.
        assert scripted.connector.read_return(query, checkout_for(genuine)) == Ask(session=genuine["token"])
    else:
        with pytest.raises(Forged):
            scripted.connector.read_return(query, checkout_for(genuine))


async def test_a_return_that_says_nothing_is_a_hint_to_ask(scripted: Scripted) -> None:
    checkout = checkout_for(sample("return_failed")["query"])
    for query in ({}, {"token": ""}, {"result": "COMPLETED"}):
        assert scripted.connector.read_return(query, checkout) == Ask()


async def test_a_signature_of_another_secret_or_in_capitals_is_forged(scripted: Scripted) -> None:
    query = sample("return_completed")["query"]
    text = "".join(name + value for name, value in query.items() if name != "signature").replace(" ", "")
    assert signed(text) == query["signature"]
    for wrong in (signed(text, "other"), query["signature"].upper(), "ü", query["signature"][:-1]):
        with pytest.raises(Forged):
            scripted.connector.verify_event(callback({**query, "signature": wrong}))


async def test_fields_that_nobody_signed_change_nothing(scripted: Scripted) -> None:
    query = {**sample("return_completed")["query"], "amount": "1.00", "wc-api": "x"}
    assert isinstance(scripted.connector.read_return(query, checkout_for(query)), Paid)


@pytest.mark.parametrize("result", ["UNKNOWN", "completed", "APPROVED", "", "PENDING"])
async def test_a_signed_result_that_is_not_documented_as_deciding_is_asked_about(
    scripted: Scripted, result: str
) -> None:
    query = told("t-1", result=result)
    assert scripted.connector.read_return(query, checkout_for(query)) == Ask(session="t-1")
    assert scripted.connector.read_event(callback(query)).report is None


@pytest.mark.parametrize("escaped", [False, True])
async def test_a_message_beyond_ascii_is_proved_in_either_form(scripted: Scripted, escaped: bool) -> None:
    message = 'Café "paid"'
    text = json.dumps(message)[1:-1] if escaped else message
    signature = signed(f"tokent-1referenceR-1001message{text}resultCOMPLETED".replace(" ", ""))
    query = {**told("t-1"), "message": message, "signature": signature}
    assert scripted.connector.verify_event(callback(query)) is None
    with pytest.raises(Forged):
        scripted.connector.verify_event(callback({**query, "message": "Cafe paid"}))
