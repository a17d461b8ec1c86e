"""Affirm's checkout events: their signature, and what they are about."""

from __future__ import annotations

import pytest

from paymux.connectors.contract import Approved, Forged, Incoming
from tests.connectors.affirm.conftest import Till, sample

BODY = b"checkout_token=JVIGTPXUKYT7NY4H&event=confirmed&order_id=R-1001"
# printf '1597184450.<BODY>' | openssl dgst -sha512 -hmac affirm-demo-private
SIGNATURE = (
    "ea6eb2f6490c7ba767d8fe024669483347de5d1d4c51746ea150632e3c7ac6d0"
    "e266282e1f9484f922c69db42b0a28e8e515790f168179bdd216ece27711f351"
)


def event(body: bytes, signature: str = "") -> Incoming:
    return Incoming(method="POST", headers={"x-affirm-signature": signature}, query={}, body=body)


@pytest.mark.parametrize("form", ["t=1597184450,v0={}", "t=1597184450, v0=00, v0={}"])
def test_an_event_signed_as_affirm_signs_is_accepted(till: Till, form: str) -> None:
    assert till.connector.verify_event(event(BODY, form.format(SIGNATURE))) is None


@pytest.mark.parametrize(
    "header", ["", "t=1597184450", f"t=1597184451,v0={SIGNATURE}", f"v0={SIGNATURE}", f"t=1597184450,v1={SIGNATURE}"]
)
def test_an_event_signed_otherwise_is_forged(till: Till, header: str) -> None:
    with pytest.raises(Forged):
        till.connector.verify_event(event(BODY, header))


def test_an_event_that_was_changed_is_forged(till: Till) -> None:
    with pytest.raises(Forged):
        till.connector.verify_event(event(BODY + b"2", f"t=1597184450,v0={SIGNATURE}"))


def test_the_documented_event_says_that_its_loan_was_confirmed(till: Till) -> None:
    reading = till.connector.read_event(event(sample("checkout_event")["body"].encode()))
    assert (reading.session, reading.reference) == ("JVIGTPXUKYT7NY4H", "JKLMO4321")
    assert isinstance(reading.report, Approved)
    assert reading.report.session == "JVIGTPXUKYT7NY4H"


@pytest.mark.parametrize("word", ["opened", "approved", "not_approved", "more_information_needed", "later"])
def test_any_other_event_only_leads_to_asking(till: Till, word: str) -> None:
    reading = till.connector.read_event(event(f"checkout_token=JVIG&event={word}".encode()))
    assert (reading.session, reading.report) == ("JVIG", None)


@pytest.mark.parametrize("body", [b"", b"event=confirmed", b"{}", b"\xff"])
def test_an_event_that_names_no_checkout_cannot_be_read(till: Till, body: bytes) -> None:
    with pytest.raises(ValueError, match="names no checkout"):
        till.connector.read_event(event(body))


async def test_the_simulators_events_are_signed_as_the_connector_expects(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    sent = (await till.events())[0]
    till.connector.verify_event(sent)
    reading = till.connector.read_event(sent)
    assert reading.session == checkout.session
    assert isinstance(reading.report, Approved)
