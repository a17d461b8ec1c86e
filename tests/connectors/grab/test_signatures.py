"""Signatures of requests and webhooks, proof of possession, PKCE, and the sealed access token."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paymux.connectors.contract import Forged, Refused
from paymux.connectors.grab import signature
from tests.connectors.grab.conftest import SECRET, Till, sample
from tests.connectors.till import KEY


def test_a_request_is_signed_as_the_official_library_signs_it() -> None:
    known = sample("signatures")["request"]
    made = signature.of_request(
        known["secret"], known["method"], known["content_type"], known["date"], known["path"], known["body"].encode()
    )
    assert made == known["signature"]


def test_possession_is_proved_as_the_official_library_proves_it() -> None:
    known = sample("signatures")["possession"]
    assert signature.of_possession(known["client_secret"], known["access_token"], known["time"]) == known["header"]


def test_the_challenge_is_that_of_the_standard() -> None:
    # RFC 7636, appendix B.
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert signature.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_verifier_is_one_charges_own_and_needs_the_secret() -> None:
    made = {signature.verifier(secret, session) for secret in ("a", "b") for session in ("1", "2")}
    assert len(made) == 4
    assert all(43 <= len(one) <= 128 for one in made)


def test_a_sealed_token_opens_for_its_charge_and_secret_only() -> None:
    sealed = signature.seal("secret", "charge", "token")
    assert "token" not in sealed
    assert sealed != signature.seal("secret", "charge", "token")
    assert signature.unseal("secret", "charge", sealed) == "token"
    for secret, session, given in (("other", "charge", sealed), ("secret", "other", sealed), ("secret", "charge", "A")):
        assert signature.unseal(secret, session, given) is None


async def test_nothing_that_is_kept_shows_code_or_token(till: Till) -> None:
    checkout, back = await till.decides("approve")
    report = await till.connector.fetch(checkout)
    token = till.counter.sandbox.simulators["grab"].case(checkout.session).data["token"]
    assert back["code"]
    assert token
    kept = repr((report, checkout))
    for secret in (back["code"], token, SECRET):
        assert secret not in kept


async def test_a_webhook_is_verified_over_the_path_that_was_called(till: Till) -> None:
    await till.decides("approve")
    (event,) = await till.events(1)
    assert till.connector.verify_event(event) is None
    for forged in (
        replace(event, path="/provider-events/another"),
        replace(event, body=event.body.replace(b"10000", b"10001")),
        replace(event, headers={**event.headers, "date": "Thu, 17 Jan 2019 02:45:06 GMT"}),
        replace(event, headers={name: said for name, said in event.headers.items() if name != "authorization"}),
    ):
        with pytest.raises(Forged):
            till.connector.verify_event(forged)


@pytest.mark.parametrize("field", ["partner_id", "partner_secret"])
async def test_another_partner_is_refused(till: Till, field: str) -> None:
    connector = till.counter.connector("GRAB_SG", **{field: "another"})
    with pytest.raises(Refused) as no:
        await connector.create_checkout(till.counter.order("GRAB_SG"), KEY)
    assert no.value.code == "unauthorized"
    with pytest.raises(Refused):
        await connector.check()
    assert "knows" in await till.connector.check()
