"""PayJustNow's signatures: the one that it published, and that nothing else passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paymux.connectors.contract import Forged, Incoming
from tests.connectors.payjustnow.conftest import SIGNING_KEY, Till, callback, sample

# PayJustNow's own example. The same from another program:
# printf '%s' '{"json":"bodypayloadoftherequest"}' |
#   openssl dgst -sha256 -hmac b9d9d345-2f99-4db9-86c7-ef52509dc29c -binary | base64
PUBLISHED = "60brkjy0NWMql+ljwLE5pq4c+eXbzD8C+uMyzgcoIcA="
# The same command with '{"name":"Café"}' and the simulator's key; node gives it, too, for each white space below:
# createHmac("sha256", key).update('{"name":\u2003"Café"}'.replace(/\s/g, "")).digest("base64")
WITH_LETTERS = "O4J38zyz5gtcMEhdLkq0UqX6n5sagp6uIk+wGlSQ5I4="


def event(body: str, signature: str) -> Incoming:
    return Incoming(method="POST", headers={"x-signature": signature}, query={}, body=body.encode())


async def test_the_published_signature_is_accepted_and_is_over_the_body_without_white_space(till: Till) -> None:
    documented = sample("signature")
    assert documented["signature"] == PUBLISHED
    connector = till.counter.connector("PAYJUSTNOW_SA", signing_key=documented["secret_signing_key"])
    for payload in (documented["payload"], '{\r\n\t"json" : "body payload of the request"\n}\n'):
        assert connector.verify_event(event(payload, PUBLISHED)) is None


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\u00a0", "\u2003", "\u2028", "\ufeff", "\u3000"])
async def test_white_space_is_what_javascript_takes_for_it(till: Till, space: str) -> None:
    assert till.connector.verify_event(event(f'{{"name":{space}"Café"}}', WITH_LETTERS)) is None


@pytest.mark.parametrize("kept", ["\u200b", "\x1c", "\x85"])
async def test_what_javascript_takes_for_no_white_space_is_signed(till: Till, kept: str) -> None:
    with pytest.raises(Forged):
        till.connector.verify_event(event(f'{{"name":{kept}"Café"}}', WITH_LETTERS))


@pytest.mark.parametrize("changed", ["body", "signature", "key", "header"])
async def test_a_callback_with_a_changed_part_is_forged(till: Till, changed: str) -> None:
    told = callback(sample("status_paid")["answer"])
    till.connector.verify_event(told)
    if changed == "body":
        told = replace(told, body=told.body.replace(b"300000", b"300001"))
    elif changed == "key":
        told = callback(told.body, SIGNING_KEY + "x")
    else:
        told = replace(told, headers={} if changed == "header" else {"x-signature": PUBLISHED})
    with pytest.raises(Forged):
        till.connector.verify_event(told)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]"])
async def test_a_body_of_any_bytes_without_a_signature_is_forged(till: Till, body: bytes) -> None:
    with pytest.raises(Forged):
        till.connector.verify_event(Incoming(method="POST", headers={}, query={}, body=body))
