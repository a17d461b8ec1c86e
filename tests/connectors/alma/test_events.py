"""The IPN: whose it is, and that it only leads to asking.

The signature was made by `printf payment_11uwPpq2eBVJV3QmUjQ | openssl dgst -sha256 -hmac sk_test_paymux-sandbox`.
"""

from __future__ import annotations

import pytest

from paymux.connectors.contract import EventReading, Forged, Incoming
from tests.connectors.alma.conftest import Till, sample
from tests.connectors.scripted import Scripted

NAMED = sample("event_ipn")["query"]["pid"]
SIGNATURE = "ccdda72ee1e7393b051996e837e11dfff8a404e7e7800d5d5a3f2f8109bc3710"


def ipn(pid: str | None = NAMED, signature: str | None = SIGNATURE) -> Incoming:
    headers = {} if signature is None else {"x-alma-signature": signature}
    return Incoming(method="GET", headers=headers, query={} if pid is None else {"pid": pid}, body=b"")


def test_a_signature_made_elsewhere_is_accepted(scripted: Scripted) -> None:
    assert scripted.connector.verify_event(ipn()) is None


@pytest.mark.parametrize(
    "incoming",
    [
        ipn(signature=None),
        ipn(signature=""),
        ipn(signature=SIGNATURE.upper()),
        ipn(signature=SIGNATURE[:-1]),
        ipn(signature=SIGNATURE[:-1] + "1"),
        ipn(pid="payment_other"),
        ipn(pid=""),
        ipn(pid=None),
    ],
)
def test_any_other_signature_is_forged(scripted: Scripted, incoming: Incoming) -> None:
    with pytest.raises(Forged):
        scripted.connector.verify_event(incoming)


def test_another_accounts_key_is_forged_and_an_empty_one_signs_for_nobody(till: Till) -> None:
    for key in ("sk_test_other", ""):
        with pytest.raises(Forged):
            till.counter.connector("ALMA", api_key=key).verify_event(ipn())


def test_an_ipn_names_the_payment_and_proves_nothing_of_it(scripted: Scripted) -> None:
    assert scripted.connector.read_event(ipn()) == EventReading(session=NAMED, payment_id=NAMED)
    with pytest.raises(ValueError, match="without pid"):
        scripted.connector.read_event(ipn(pid=None))


async def test_the_simulator_tells_of_a_payment_by_a_signed_get(till: Till) -> None:
    checkout = await till.pays()
    (sent,) = await till.events(1)
    till.connector.verify_event(sent)
    assert (sent.method, sent.body) == ("GET", b"")
    assert till.connector.read_event(sent).session == checkout.session
