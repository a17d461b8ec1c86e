"""Access tokens: given for the right secret only, and only ours are believed."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from paymux.accounts import service, store
from paymux.accounts.access_tokens import AccessTokens, Principal, TokenInvalid, TokenRefused, issue_customer_session
from paymux.accounts.model import NewMerchant
from paymux.platform.clock import Clock
from paymux.platform.database import Database
from paymux.platform.encryption import KeyRing
from paymux.platform.settings import Settings


@pytest.fixture
def tokens(database: Database, keyring: KeyRing, clock: Clock, settings: Settings) -> AccessTokens:
    return AccessTokens(database, keyring, clock, settings)


@pytest.fixture
def elsewhere(database: Database, keyring: KeyRing, clock: Clock, settings: Settings) -> AccessTokens:
    """Another process of the same installation."""
    return AccessTokens(database, keyring, clock, settings)


async def granted(tokens: AccessTokens, shop: NewMerchant, scope: str = "api-user", **changes: str) -> dict[str, Any]:
    form = {
        "client_id": shop.merchant.client_id, "client_secret": shop.client_secret, "grant_type": "client_credentials",
        "scope": scope,
    }  # fmt: skip
    return await tokens.grant(**(form | changes))


def part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return read


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def signed(database: Database, keyring: KeyRing, token: str, header: dict[str, Any], **claims: Any) -> str:
    """A token with other claims, signed with the installation's own key; a claim of None is left out."""
    async with database.connection() as held:
        row = (await store.signing_keys(held))[0]
    key = ECKey.import_key(keyring.unseal(row["private_sealed"], "signing-key"))
    changed = {name: value for name, value in (part(token, 1) | claims).items() if value is not None}
    return jwt.encode(part(token, 0) | header, changed, key)


async def test_a_token_says_who_where_what_and_until_when(
    tokens: AccessTokens, shop: NewMerchant, settings: Settings
) -> None:
    answer = await granted(tokens, shop, "api-user merchant api-user")
    claims = part(answer["access_token"], 1)
    assert {name: answer[name] for name in ("expires_in", "token_type", "scope")} == {
        "expires_in": 86_400, "token_type": "Bearer", "scope": "api-user merchant",
    }  # fmt: skip
    assert claims["exp"] - claims["iat"] == 86_400
    assert (claims["iss"], claims["aud"], claims["sub"]) == (settings.base_url, "paymux", shop.merchant.client_id)
    assert part(answer["access_token"], 0).keys() == {"alg", "kid", "typ"}
    assert await tokens.verify(answer["access_token"]) == Principal(
        shop.merchant.id, shop.merchant.client_id, ("api-user", "merchant")
    )


async def test_two_tokens_of_one_second_differ(tokens: AccessTokens, shop: NewMerchant) -> None:
    assert (await granted(tokens, shop))["access_token"] != (await granted(tokens, shop))["access_token"]


REFUSED: list[tuple[dict[str, str], str, int]] = [
    ({"grant_type": ""}, "invalid_request", 400),
    ({"grant_type": "password"}, "unsupported_grant_type", 400),
    ({"client_id": ""}, "invalid_request", 400),
    ({"client_secret": ""}, "invalid_request", 400),
    ({"scope": ""}, "invalid_scope", 400),
    ({"scope": "admin"}, "invalid_scope", 400),
    ({"scope": "api-user parent"}, "invalid_scope", 400),
    ({"client_secret": "wrong"}, "invalid_client", 401),
    ({"client_id": "nobody"}, "invalid_client", 401),
    ({"client_id": "a\x00b"}, "invalid_client", 401),
    ({"client_id": "\ud800", "client_secret": "\ud800"}, "invalid_client", 401),
]


@pytest.mark.parametrize(("changes", "error", "status"), REFUSED)
async def test_a_refusal_has_the_words_of_rfc_6749(
    changes: dict[str, str], error: str, status: int, tokens: AccessTokens, shop: NewMerchant
) -> None:
    with pytest.raises(TokenRefused) as refused:
        await granted(tokens, shop, **changes)
    assert (refused.value.error, refused.value.status) == (error, status)


async def test_an_unknown_client_and_a_wrong_secret_are_told_apart_by_nothing(
    tokens: AccessTokens, shop: NewMerchant
) -> None:
    said = set()
    for changes in ({"client_id": "nobody"}, {"client_secret": "wrong"}):
        with pytest.raises(TokenRefused) as refused:
            await granted(tokens, shop, **changes)
        said.add(refused.value.description)
    assert len(said) == 1


FORGED: list[tuple[str, dict[str, Any]]] = [
    ("another issuer", {"iss": "https://other.example"}),
    ("no issuer", {"iss": None}),
    ("another audience", {"aud": "other"}),
    ("no audience", {"aud": None}),
    ("no end", {"exp": None}),
    ("ended", {"exp": int(time.time()) - 60}),
    ("an end that is text", {"exp": "never"}),
    ("from the future", {"iat": int(time.time()) + 3600}),
    ("not valid yet", {"nbf": int(time.time()) + 3600}),
    ("no merchant", {"merchant_id": None}),
    ("no scope", {"scope": None}),
    ("no client", {"sub": None}),
]


@pytest.mark.parametrize(("what", "claims"), FORGED, ids=[what for what, _ in FORGED])
async def test_claims_are_checked_even_under_our_own_signature(
    what: str, claims: dict[str, Any], tokens: AccessTokens, shop: NewMerchant, database: Database, keyring: KeyRing
) -> None:
    token = (await granted(tokens, shop))["access_token"]
    assert await tokens.verify(await signed(database, keyring, token, {}))
    with pytest.raises(TokenInvalid):
        await tokens.verify(await signed(database, keyring, token, {}, **claims))


async def test_only_our_own_key_and_algorithm_count(tokens: AccessTokens, shop: NewMerchant) -> None:
    token = (await granted(tokens, shop))["access_token"]
    header, claims = part(token, 0), part(token, 1)
    stranger = ECKey.generate_key("P-256")
    public = (await tokens.jwks())["keys"][0]
    as_secret = OctKey.import_key(json.dumps(public))
    unsigned = ".".join(
        base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode()
        for one in ({**header, "alg": "none"}, claims)
    )
    for forged in (
        jwt.encode(header, claims, stranger),
        jwt.encode({**header, "kid": "unknown"}, claims, stranger),
        jwt.encode({name: header[name] for name in ("alg", "typ")}, claims, stranger),
        jwt.encode({**header, "alg": "HS256"}, claims, as_secret),
        f"{unsigned}.",
        f"{unsigned}.{token.split('.')[2]}",
    ):
        with pytest.raises(TokenInvalid):
            await tokens.verify(forged)


async def test_a_token_that_is_changed_anywhere_is_refused(
    tokens: AccessTokens, shop: NewMerchant, rival: NewMerchant
) -> None:
    token, other = [(await granted(tokens, one))["access_token"] for one in (shop, rival)]
    head, claims, signature = token.split(".")
    promoted = part(token, 1) | {"scope": "api-user merchant parent grandparent"}
    stolen = part(token, 1) | {"merchant_id": rival.merchant.id}
    for changed in (
        f"{head}.{encoded(promoted)}.{signature}", f"{head}.{encoded(stolen)}.{signature}",
        f"{head}.{other.split('.')[1]}.{signature}", f"{head}.{claims}.{other.split('.')[2]}", f"{head}.{claims}.",
        f"{head}.{claims}", f"{head}.{claims}.{signature[:-4]}", f"{head}.{claims}.{signature[:-8]}AAAAAAAA",
        f"{encoded(part(token, 0) | {'x': 1})}.{claims}.{signature}", f"{token}.{token}",
        f"{head}.{claims}.{'A' * len(signature)}",
    ):  # fmt: skip
        with pytest.raises(TokenInvalid):
            await tokens.verify(changed)
    assert (await tokens.verify(token)).merchant_id == shop.merchant.id


HEADS: list[tuple[str, dict[str, Any]]] = [
    ("no algorithm", {"alg": "none"}), ("nOnE", {"alg": "nOnE"}), ("an empty one", {"alg": ""}), ("none at all", {"alg": None}),
    ("a list", {"alg": ["ES256"]}), ("a shared secret's", {"alg": "HS256"}), ("another key's", {"alg": "RS256"}),
    ("another curve's", {"alg": "ES384"}), ("what must be understood", {"crit": ["paymux"], "paymux": 1}),
    ("unencoded claims", {"b64": False, "crit": ["b64"]}), ("a key by an SQL", {"kid": "' OR '1'='1"}),
    ("a key by a path", {"kid": "../../../../dev/null"}), ("a key of nobody's", {"kid": "0" * 16}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "header"), HEADS, ids=[what for what, _ in HEADS])
async def test_the_header_of_a_token_chooses_nothing(
    what: str, header: dict[str, Any], tokens: AccessTokens, shop: NewMerchant
) -> None:
    token = (await granted(tokens, shop))["access_token"]
    _, claims, signature = token.split(".")
    with pytest.raises(TokenInvalid):
        await tokens.verify(f"{encoded(part(token, 0) | header)}.{claims}.{signature}")


@pytest.mark.parametrize("where", ["jwk", "x5c", "jku", "x5u"])
async def test_a_key_that_a_token_brings_along_is_not_looked_at(
    where: str, tokens: AccessTokens, shop: NewMerchant
) -> None:
    token = (await granted(tokens, shop))["access_token"]
    stranger = ECKey.generate_key("P-256")
    brought = {
        "jwk": stranger.as_dict(private=False),
        "x5c": ["AAAA"],
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/x",
    }
    for kid in (part(token, 0)["kid"], "mine"):
        forged = jwt.encode(part(token, 0) | {"kid": kid, where: brought[where]}, part(token, 1), stranger)
        with pytest.raises(TokenInvalid):
            await tokens.verify(forged)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "\ud800", "é.é.é", "x" * 5000, "e30.e30.e30", "W10.W10.W10"])
async def test_nonsense_is_no_token_and_no_fault(text: str, tokens: AccessTokens) -> None:
    with pytest.raises(TokenInvalid):
        await tokens.verify(text)


async def test_a_token_without_the_name_of_its_key_is_refused(
    tokens: AccessTokens, shop: NewMerchant, database: Database, keyring: KeyRing
) -> None:
    token = (await granted(tokens, shop))["access_token"]
    for kid in (7, ["x"]):
        head = base64.urlsafe_b64encode(json.dumps(part(token, 0) | {"kid": kid}).encode()).rstrip(b"=").decode()
        with pytest.raises(TokenInvalid):
            await tokens.verify(f"{head}.{token.split('.', 1)[1]}")


async def test_many_forged_tokens_at_once_share_their_looks_at_the_database(
    tokens: AccessTokens, elsewhere: AccessTokens, shop: NewMerchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await granted(tokens, shop))["access_token"]
    looks, looked = 0, store.signing_keys

    async def counted(tx: Any) -> Any:
        nonlocal looks
        looks += 1
        return await looked(tx)

    monkeypatch.setattr(store, "signing_keys", counted)
    claims = token.split(".", 1)[1]
    forged = [f"{encoded(part(token, 0) | {'kid': f'{n:016x}'})}.{claims}" for n in range(200)]
    told = await asyncio.gather(*(tokens.verify(one) for one in forged), return_exceptions=True)
    assert all(isinstance(one, TokenInvalid) for one in told)
    assert looks <= 2
    await elsewhere.rotate()
    new = (await granted(elsewhere, shop))["access_token"]
    among = await asyncio.gather(
        *(tokens.verify(one) for one in [*forged[:50], new, *forged[50:]]), return_exceptions=True
    )
    assert [one for one in among if not isinstance(one, TokenInvalid)] == [await elsewhere.verify(new)]


async def test_processes_that_start_together_sign_with_one_key(
    database: Database, keyring: KeyRing, clock: Clock, settings: Settings, shop: NewMerchant
) -> None:
    several = [AccessTokens(database, keyring, clock, settings) for _ in range(4)]
    answers = await asyncio.gather(*(granted(one, shop) for one in several))
    assert len({part(answer["access_token"], 0)["kid"] for answer in answers}) == 1
    async with database.connection() as held:
        assert await held.fetchval("SELECT count(*) FROM signing_keys") == 1


async def test_the_private_key_can_not_be_read_from_the_database(
    database: Database, tokens: AccessTokens, shop: NewMerchant
) -> None:
    await granted(tokens, shop)
    async with database.connection() as held:
        row = await held.fetchrow("SELECT * FROM signing_keys")
    assert b"PRIVATE KEY" not in row["private_sealed"]
    assert "d" not in row["public_jwk"]


async def test_a_process_learns_of_another_ones_new_key_from_its_first_token(
    tokens: AccessTokens, elsewhere: AccessTokens, shop: NewMerchant
) -> None:
    old = (await granted(elsewhere, shop))["access_token"]
    assert await elsewhere.verify(old)
    await tokens.rotate()
    new = (await granted(tokens, shop))["access_token"]
    assert part(new, 0)["kid"] != part(old, 0)["kid"]
    assert await elsewhere.verify(new) == await elsewhere.verify(old) == await tokens.verify(old)
    assert part((await granted(elsewhere, shop))["access_token"], 0)["kid"] == part(new, 0)["kid"]


async def test_a_retired_key_is_published_until_its_last_token_has_ended(
    tokens: AccessTokens, elsewhere: AccessTokens, shop: NewMerchant, database: Database
) -> None:
    old = (await granted(tokens, shop))["access_token"]
    await tokens.rotate()
    assert part(old, 0)["kid"] in [key["kid"] for key in (await tokens.jwks())["keys"]]
    async with database.transaction() as tx:
        await tx.execute("UPDATE signing_keys SET retired_real = retired_real - interval '25 hours'")
    assert part(old, 0)["kid"] not in [key["kid"] for key in (await tokens.jwks())["keys"]]
    with pytest.raises(TokenInvalid):
        await elsewhere.verify(old)


async def test_what_a_process_signed_before_it_noticed_a_rotation_lasts_its_day(
    tokens: AccessTokens, elsewhere: AccessTokens, shop: NewMerchant, database: Database
) -> None:
    await granted(elsewhere, shop)
    await tokens.rotate()
    late = (await granted(elsewhere, shop))["access_token"]
    assert part(late, 0)["kid"] != (await tokens.jwks())["keys"][0]["kid"], "it signs with the key that it knows"
    async with database.transaction() as tx:
        await tx.execute("UPDATE signing_keys SET retired_real = retired_real - interval '24 hours 5 minutes'")
    assert part(late, 0)["kid"] in [key["kid"] for key in (await tokens.jwks())["keys"]]


async def test_a_process_reads_its_keys_again_before_long(
    tokens: AccessTokens, elsewhere: AccessTokens, shop: NewMerchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = (await granted(elsewhere, shop))["access_token"]
    kid = await tokens.rotate()
    assert part((await granted(elsewhere, shop))["access_token"], 0)["kid"] == part(old, 0)["kid"]
    monkeypatch.setattr("paymux.accounts.access_tokens.KEYS_FRESH", 0.0)
    assert part((await granted(elsewhere, shop))["access_token"], 0)["kid"] == kid
    assert (await elsewhere.verify(old)).merchant_id == shop.merchant.id


async def test_anybody_can_check_a_token_with_the_published_keys(tokens: AccessTokens, shop: NewMerchant) -> None:
    published = await tokens.jwks()
    assert not any("d" in key for key in published["keys"])
    token = (await granted(tokens, shop))["access_token"]
    read = jwt.decode(token, KeySet([ECKey.import_key(key) for key in published["keys"]]), algorithms=["ES256"])
    assert read.claims["merchant_id"] == shop.merchant.id


async def test_a_moved_clock_ends_no_access_token(
    database: Database, keyring: KeyRing, settings: Settings, shop: NewMerchant
) -> None:
    moved = Clock(movable=True)
    async with database.transaction() as tx:
        await service.stamp_mode(tx, settings)
        await tx.execute("UPDATE installation SET clock_offset = interval '30 days'")
        await moved.refresh(tx)
    tokens = AccessTokens(database, keyring, moved, settings)
    assert await tokens.verify((await granted(tokens, shop))["access_token"])


async def test_a_customer_session_carries_a_digest_and_never_the_identifier(
    keyring: KeyRing, shop: NewMerchant, rival: NewMerchant, tokens: AccessTokens
) -> None:
    session, life = issue_customer_session(keyring, shop.merchant.id, shop.payment_secret)
    claims = part(session, 1)
    assert life == claims["exp"] - claims["iat"] == 604_800
    assert claims["merchantId"] == shop.merchant.id
    assert shop.payment_secret not in json.dumps(claims)
    again = part(issue_customer_session(keyring, shop.merchant.id, shop.payment_secret)[0], 1)
    others = part(issue_customer_session(keyring, rival.merchant.id, shop.payment_secret)[0], 1)
    assert again["customerIdentifier"] == claims["customerIdentifier"] != others["customerIdentifier"]
    with pytest.raises(TokenInvalid):
        await tokens.verify(session)
    with pytest.raises(TokenRefused):
        await granted(tokens, shop, client_secret=session)


def test_the_room_loads_no_simulator_and_nothing_of_the_sandbox() -> None:
    loads = (
        "import sys, paymux.accounts.access_tokens, paymux.accounts.live_checks, paymux.accounts.demo\n"
        "from paymux.connectors.registry import all_codes\nall_codes()\n"
        "print([name for name in sys.modules if 'simulator' in name])"
    )
    shown = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
