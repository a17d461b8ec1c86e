"""Notifications and webhooks: whose they are, and that they only lead to asking.

The tokens were made by `openssl dgst -sha256 -hmac sandbox-tamara-notification-token`.
"""

from __future__ import annotations

import json

import pytest

from paymux.connectors.contract import EventReading, Forged, Incoming
from tests.connectors.scripted import Scripted
from tests.connectors.tamara.conftest import Till, sample
from tests.connectors.till import ONE

CLAIMS = "eyJpc3MiOiJUYW1hcmEiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0"
HS256 = f"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.{CLAIMS}.sjhyDUIFyBQhqwF-tjqhEZILaI9kS7RjAAspWaQVBbw"
UNSIGNED = f"eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.{CLAIMS}."
HS512 = (
    f"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzUxMiJ9.{CLAIMS}."
    "lmvXBHVJP3euk0chbxh0y-kXZibv2iIPMSy_1VlfaosagJ6eNl4y44qKFDXNZaKTObrYkPzB8JSwVy6nscaArw"
)
NAMES = EventReading(
    session="0ac038ef-de4a-491c-828e-b02ec0d4582d",
    payment_id="0ac038ef-de4a-491c-828e-b02ec0d4582d",
    reference="R-1001",
)


def event(body: bytes = b"{}", authorization: str | None = None, token: str | None = None) -> Incoming:
    headers = {} if authorization is None else {"authorization": authorization}
    return Incoming(method="POST", headers=headers, query={} if token is None else {"tamaraToken": token}, body=body)


def test_a_token_signed_elsewhere_is_accepted_from_header_and_query(scripted: Scripted) -> None:
    scripted.connector.verify_event(event(authorization=f"Bearer {HS256}"))
    scripted.connector.verify_event(event(token=HS256))


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", UNSIGNED, HS512, HS256[:-1], HS256[:-1] + "A", HS256.replace("eyJpc3M", "eyJpc3N")]
)
def test_any_other_token_is_forged(scripted: Scripted, token: str) -> None:
    for incoming in (event(authorization=f"Bearer {token}"), event(token=token)):
        with pytest.raises(Forged):
            scripted.connector.verify_event(incoming)


def test_no_token_and_another_scheme_are_forged(scripted: Scripted) -> None:
    for incoming in (event(), event(authorization="Basic eDp5"), event(authorization="")):
        with pytest.raises(Forged):
            scripted.connector.verify_event(incoming)


def test_another_accounts_token_is_forged_and_an_empty_one_signs_for_nobody(till: Till) -> None:
    for secret in ("another-account-of-the-sandbox", ""):
        connector = till.counter.connector("TAMARA_SA", notification_token=secret)
        with pytest.raises(Forged):
            connector.verify_event(event(authorization=f"Bearer {HS256}"))


@pytest.mark.parametrize("name", ["event_notification", "event_webhook"])
def test_the_documented_events_name_the_order_and_prove_nothing_of_it(scripted: Scripted, name: str) -> None:
    body = json.dumps(sample(name)["event"]).encode()
    assert scripted.connector.read_event(event(body)) == NAMES


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"order_id": 7}', b'{"order_id": ""}', b"\xff"])
def test_a_body_that_names_no_order_can_not_be_read(scripted: Scripted, body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 any kind of it
        scripted.connector.read_event(event(body))


async def test_the_simulator_tells_of_every_step_with_its_token(till: Till) -> None:
    checkout = await till.captures()
    await till.moves("refund", checkout, "10.00", ONE)
    sent = await till.events(4)
    words = set()
    for incoming in sent:
        till.connector.verify_event(incoming)
        assert incoming.query["tamaraToken"] == incoming.headers["authorization"].removeprefix("Bearer ")
        assert till.connector.read_event(incoming).session == checkout.session
        said = json.loads(incoming.body)
        words.add(said.get("event_type") or said["order_status"])
    assert words == {"approved", "order_authorised", "order_captured", "order_refunded"}
