"""Aplazo's notifications: a signed token that names the cart, and leads to asking."""

from __future__ import annotations

import pytest

from paymux.connectors.contract import EventReading, Forged, Incoming
from tests.connectors.aplazo.conftest import API_TOKEN, Till, notification, sample

# b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
# HEAD=$(printf '%s' '{"typ":"JWT","alg":"HS512"}' | b64)
# CLAIMS=$(printf '%s' '{"loanId":155789,"status":"Activo","cartId":"cart-123-abc"}' | b64)
# printf '%s' "$HEAD.$CLAIMS" | openssl dgst -sha512 -hmac 93e28f44-e352-42df-af84-7a9ffc9f5734 -binary | b64
HEAD = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzUxMiJ9"
CLAIMS = "eyJsb2FuSWQiOjE1NTc4OSwic3RhdHVzIjoiQWN0aXZvIiwiY2FydElkIjoiY2FydC0xMjMtYWJjIn0"
SIGNED = "zsA6T0wj5GMO80MUZtCgm65QV1IICVcn9KhQt8SZ76gJF755k8tXSFpDy7LpqduXIWY3uAiWELH1UlvCeT5gpw"
# The claims of another cart, and what the same commands give with -sha256 and "alg":"HS256".
OTHERS = "eyJsb2FuSWQiOjEsInN0YXR1cyI6IkFjdGl2byIsImNhcnRJZCI6ImNhcnQtOTk5In0"
WEAKER = ("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9", "lYs1K1atkhbfTcxBtbBrW1v__qU4c4mUlcdcbEAbEew")
NONE = "eyJhbGciOiJub25lIn0"


async def test_a_token_that_another_program_signed_is_accepted_and_names_the_cart(till: Till) -> None:
    event = notification(f"{HEAD}.{CLAIMS}.{SIGNED}")
    assert till.connector.verify_event(event) is None
    assert till.connector.read_event(event) == EventReading(session=sample("notification")["body"]["cartId"])


@pytest.mark.parametrize(
    "token",
    [
        f"{HEAD}.{OTHERS}.{SIGNED}", f"{HEAD}.{CLAIMS}.", f"{HEAD}.{CLAIMS}.{SIGNED[:-2]}", f"{HEAD}.{CLAIMS}",
        f"{WEAKER[0]}.{CLAIMS}.{WEAKER[1]}", f"{NONE}.{CLAIMS}.", "", "...", "é.é.é",
    ],
)  # fmt: skip
async def test_any_other_token_is_forged(till: Till, token: str) -> None:
    with pytest.raises(Forged):
        till.connector.verify_event(notification(token))


async def test_another_merchants_token_or_none_is_forged(till: Till) -> None:
    other = till.counter.connector("APLAZO_MX", api_token=API_TOKEN + "x")
    with pytest.raises(Forged):
        other.verify_event(notification(f"{HEAD}.{CLAIMS}.{SIGNED}"))
    with pytest.raises(Forged):
        till.connector.verify_event(Incoming(method="POST", headers={}, query={}, body=b"\xff"))


async def test_what_the_body_says_is_not_read_for_nobody_signed_it(till: Till) -> None:
    event = notification(f"{HEAD}.{CLAIMS}.{SIGNED}", b'{"status":"Activo","loanId":1,"cartId":"cart-999"}')
    assert till.connector.read_event(event).session == "cart-123-abc"


@pytest.mark.parametrize("claims", ["", "!", "e30", "W10", "bm90IGpzb24", "_w"])
async def test_a_token_that_names_no_cart_can_not_be_read(till: Till, claims: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        till.connector.read_event(notification(f"{HEAD}.{claims}.{SIGNED}"))
    with pytest.raises(ValueError, match="no token"):
        till.connector.read_event(notification(claims))


async def test_what_is_told_after_a_payment_is_signed_as_documented(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    (event,) = await till.events()
    assert till.connector.verify_event(event) is None
    assert till.connector.read_event(event) == EventReading(session=checkout.session)
