"""`POST /token`, the customer session and the published keys, over HTTP (K2)."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from paymux.accounts import service, store
from paymux.accounts.access_tokens import AccessTokens
from tests.api.conftest import Holds, Newcomer
from tests.installation import Answer, Installation, Merchant

FORM = {
    "client_id": "demo-merchant", "client_secret": "demo-secret", "grant_type": "client_credentials", "scope": "api-user",
}  # fmt: skip


async def asks(installation: Installation, path: str = "/token", **changes: str | None) -> Answer:
    form = {name: value for name, value in (FORM | changes).items() if value is not None}
    return await installation.call("POST", installation.settings.base_url + path, data=form)


@pytest.mark.parametrize("path", ["/token", "/token/", "/token?expires_in=1"])
@pytest.mark.parametrize("extra", [{}, {"response_type": "token"}, {"something": "else"}])
async def test_a_form_with_the_right_secret_gets_a_token_of_24_hours(
    path: str, extra: dict[str, str], installation: Installation, holds: Holds
) -> None:
    answer = await asks(installation, path, **extra)
    assert answer.status == 200
    holds("Token", answer.body)
    assert {name: answer.body[name] for name in ("expires_in", "token_type", "scope")} == {
        "expires_in": 86_400, "token_type": "Bearer", "scope": "api-user",
    }  # fmt: skip
    assert "message" not in answer.body, "the real client takes a body with `message` for a failure"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_same_fields_are_taken_as_json(installation: Installation) -> None:
    answer = await installation.call("POST", f"{installation.settings.base_url}/token", json=FORM)
    assert (answer.status, answer.body["token_type"]) == (200, "Bearer")


@pytest.mark.parametrize("scope", ["api-user", "merchant", "api-user merchant"])
async def test_a_merchant_may_ask_for_his_two_scopes(scope: str, installation: Installation) -> None:
    assert (await asks(installation, scope=scope)).body["scope"] == scope


REFUSED: list[tuple[dict[str, str | None], int, str]] = [
    ({"grant_type": None}, 400, "invalid_request"),
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"client_id": None}, 400, "invalid_request"),
    ({"client_secret": ""}, 400, "invalid_request"),
    ({"scope": None}, 400, "invalid_scope"),
    ({"scope": ""}, 400, "invalid_scope"),
    ({"scope": " "}, 400, "invalid_scope"),
    ({"scope": "parent"}, 400, "invalid_scope"),
    ({"scope": "admin"}, 400, "invalid_scope"),
    ({"client_secret": "wrong"}, 401, "invalid_client"),
    ({"client_id": "nobody"}, 401, "invalid_client"),
    ({"client_id": "a\0b"}, 401, "invalid_client"),
]


@pytest.mark.parametrize(("changes", "status", "error"), REFUSED)
async def test_a_refusal_says_it_in_the_words_of_rfc_6749_and_with_a_message(
    changes: dict[str, Any], status: int, error: str, installation: Installation, holds: Holds
) -> None:
    answer = await asks(installation, **changes)
    assert (answer.status, answer.body["error"], answer.body["code"]) == (status, error, error)
    assert answer.body["message"] == answer.body["error_description"]
    assert "demo-secret" not in str(answer.body)
    holds("TokenError", answer.body)


STRANGE: list[tuple[str, bytes, int]] = [
    (
        "application/x-www-form-urlencoded",
        b"client_id=a&client_id=b&grant_type=client_credentials&client_secret=c",
        400,
    ),
    ("application/x-www-form-urlencoded", b"\xff\xfe=1", 400),
    ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % n for n in range(80)), 400),
    ("application/x-www-form-urlencoded", b"", 400),
    (
        "application/x-www-form-urlencoded",
        b"client_id=%zz%&grant_type=client_credentials&client_secret=%ff&scope=merchant",
        401,
    ),
    ("application/x-www-form-urlencoded", b"a" * 300_000, 413),
    ("application/json", b"[]", 400),
    ("application/json", b'{"client_id":1}', 400),
    ("application/json", b"{", 400),
    ("multipart/form-data", b"--x", 415),
    ("text/plain", b"client_id=a", 415),
]


@pytest.mark.parametrize(("kind", "body", "status"), STRANGE)
async def test_a_form_that_is_none_is_a_4xx_with_a_message(
    kind: str, body: bytes, status: int, installation: Installation
) -> None:
    url = f"{installation.settings.base_url}/token"
    answer = await installation.call("POST", url, data=body, headers={"Content-Type": kind})
    assert answer.status == status, answer.body
    assert answer.body["message"]
    assert answer.body["requestId"].startswith("req_")


async def test_guessing_is_slowed_down_for_that_caller_and_client_only(
    installation: Installation, newcomer: Newcomer
) -> None:
    victim = await newcomer()
    for _ in range(10):
        assert (await asks(installation, client_id=victim.client_id, client_secret="guess")).status == 401
    slowed = await asks(installation, client_id=victim.client_id, client_secret="guess")
    assert (slowed.status, slowed.body["code"]) == (429, "too_many_attempts")
    assert 1 <= int(slowed.headers["Retry-After"]) <= 61
    assert (await asks(installation)).status == 200, "another client is not slowed down"


async def test_guesses_that_come_all_at_once_learn_no_more_than_those_that_come_one_by_one(
    installation: Installation, newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, arrived, go = await newcomer(), 0, asyncio.Event()
    looked = service.client_secret_fits

    async def held(*about: Any) -> Any:
        nonlocal arrived
        arrived += 1
        await go.wait()
        return await looked(*about)

    monkeypatch.setattr(service, "client_secret_fits", held)
    guesses = [
        asyncio.create_task(asks(installation, client_id=victim.client_id, client_secret="no")) for _ in range(15)
    ]
    while arrived < 15:
        await asyncio.sleep(0.01)
    go.set()
    told = [(await guess).status for guess in guesses]
    assert (told.count(401), told.count(429)) == (10, 5)


async def test_a_right_guess_among_too_many_at_once_is_not_told(
    installation: Installation, newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, last = await newcomer(), asyncio.Event()
    arrived = asyncio.Event()
    looked = service.client_secret_fits

    async def held(tx: Any, keyring: Any, client_id: str, secret: str) -> Any:
        if secret == victim.client_secret:
            arrived.set()
            await last.wait()
        return await looked(tx, keyring, client_id, secret)

    monkeypatch.setattr(service, "client_secret_fits", held)
    right = asyncio.create_task(asks(installation, client_id=victim.client_id, client_secret=victim.client_secret))
    await arrived.wait()
    for _ in range(10):
        assert (await asks(installation, client_id=victim.client_id, client_secret="no")).status == 401
    last.set()
    assert (await right).status == 429


# -- what an access token is worth ------------------------------------------------------------------


def _part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


NONSENSE = [
    "", "x", "a.b.c", f"{_part('[]')}.{_part('{}')}.x", f"{_part('[' * 2500)}.{_part('{}')}.x", "x" * 5000,
    f"{_part('null')}..", f"{_part('{}')}.{_part('{}')}.", "\u00e9.\u00e9.\u00e9",
]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE)
async def test_a_token_that_is_nonsense_is_the_published_401(text: str, installation: Installation) -> None:
    headers = {"Authorization": f"Bearer {text}"}
    answer = await installation.call("GET", f"{installation.settings.base_url}/options", headers=headers)
    assert (answer.status, answer.body["statusCode"], answer.body["message"]) == (401, 401, "Unauthorized")
    assert "error" not in answer.body
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_an_expired_token_is_a_401_and_a_new_one_works(installation: Installation, merchant: Merchant) -> None:
    async with installation.database.connection() as held:
        row = (await store.signing_keys(held))[0]
    key = ECKey.import_key(installation.keyring.unseal(row["private_sealed"], "signing-key"))
    header, claims, _ = (await merchant.token()).split(".")
    read = [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (header, claims)]
    for ends, status in ((int(time.time()) - 60, 401), (int(time.time()) + 60, 200)):
        token = jwt.encode(read[0], read[1] | {"exp": ends}, key)
        url = f"{merchant.base}/options?amount=10&currency=AUD"
        answer = await installation.call("GET", url, headers={"Authorization": f"Bearer {token}"})
        assert answer.status == status


async def scoped(installation: Installation, scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {(await asks(installation, scope=scope)).body['access_token']}"}


PAYMENT_CALLS = [
    ("POST", "/orders"), ("POST", "/orders/ORD/capture"), ("POST", "/orders/ORD/void"), ("POST", "/orders/ORD/refund"),
    ("POST", "/orders/ORD/cancel"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), PAYMENT_CALLS)
async def test_taking_payments_needs_the_scope_api_user(method: str, path: str, installation: Installation) -> None:
    url = installation.settings.base_url + path
    answer = await installation.call(method, url, json={}, headers=await scoped(installation, "merchant"))
    assert (answer.status, answer.body["code"], answer.body["error"]) == (403, "forbidden", "Forbidden")


async def test_anybody_can_check_a_token_with_the_published_keys_also_after_a_rotation(
    installation: Installation, merchant: Merchant
) -> None:
    url = f"{merchant.base}/.well-known/jwks.json"
    old = await merchant.token()
    before = (await installation.call("GET", url)).body
    assert all("d" not in key for key in before["keys"]), "no private part is published"
    elsewhere = AccessTokens(installation.database, installation.keyring, installation.clock, installation.settings)
    await elsewhere.rotate()
    new = await elsewhere.grant(**{**FORM, "scope": "api-user"})
    after = (await installation.call("GET", url)).body
    assert {key["kid"] for key in before["keys"]} < {key["kid"] for key in after["keys"]}
    for token in (old, new["access_token"]):
        jwt.decode(token, KeySet.import_key_set(after), algorithms=["ES256"])
        answer = await installation.call(
            "GET", f"{merchant.base}/options?amount=10&currency=AUD", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status == 200


# -- customer sessions --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/merchants/customer/sessions", "/merchants/customer/sessions/"])
async def test_a_customer_session_is_made_and_never_repeats_the_identifier(
    path: str, merchant: Merchant, holds: Holds
) -> None:
    answer = await merchant.post(path, {"customerIdentifier": "a-hash-secret"})
    assert (answer.status, answer.body["ttl"]) == (201, 604_800)
    holds("Session", answer.body)
    claims = json.loads(base64.urlsafe_b64decode(answer.body["token"].split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == 604_800
    assert "a-hash-secret" not in json.dumps(claims)


@pytest.mark.parametrize("value", [None, "", 5, ["x"], "a\0b", "x" * 2000])
async def test_a_customer_session_needs_an_identifier_and_does_not_echo_it(value: Any, merchant: Merchant) -> None:
    answer = await merchant.post("/merchants/customer/sessions", {"customerIdentifier": value})
    assert answer.status == 400
    assert answer.body["message"][0].startswith("customerIdentifier ")
    assert "xx" not in str(answer.body["message"])
