"""Every endpoint of the API document, with everybody's token but the owner's: nothing but 401, 403 and 404."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from yarl import URL

from paymux.accounts import service, store
from paymux.accounts.access_tokens import SCOPES
from paymux.platform.database import to_json
from tests.api.conftest import a_merchant, document
from tests.installation import Answer, Installation, Merchant, Shopper
from tests.security.reading import in_clear

__all__ = ["document"]
LIMITS = {"provider_timeout": 10.0}
CODE = "PLANPAY_AU"
CLOSED = (401, 403, 404)
"""What a caller finds where he has nothing to look for."""


class Victim:
    """Who has something to lose: an order paid, one open, and all that names them."""

    def __init__(self, merchant: Merchant, paid: str, pending: str) -> None:
        self.merchant, self.paid, self.pending = merchant, paid, pending
        # What stands for a path's parameter, by its name. A new parameter of the document needs its victim here.
        self.parameters = {"reference": paid, "event_key": "pek_nobody"}


@pytest.fixture(scope="module")
async def victim(installation: Installation) -> Victim:
    merchant, shopper = installation.merchant, Shopper(installation)
    paid = await merchant.creates(CODE, orderReference="VICTIMS-PAID")
    await shopper.pays(paid["redirectUrl"])
    await merchant.creates(CODE, orderReference="VICTIMS-OPEN")
    await installation.quiet()
    return Victim(merchant, "VICTIMS-PAID", "VICTIMS-OPEN")


@pytest.fixture(scope="module")
async def rival(installation: Installation) -> Merchant:
    return await a_merchant(installation, CODE)


def endpoints(document: dict[str, Any], *, closed: bool = True) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation of all endpoints that demand a token, or of all that do not."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if bool(operation.get("security", True)) is closed:
                yield method.upper(), path, operation


def filled(path: str, victim: Victim) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: victim.parameters[found[1]], path)


def body_of(operation: dict[str, Any]) -> bytes:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        return to_json(content.get("example", {})).encode()
    return b""


async def asks(
    installation: Installation, method: str, path: str, operation: dict[str, Any], authorization: str | None
) -> Answer:
    headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
    query = {one["name"]: one["example"] for one in operation.get("parameters", []) if "example" in one}
    url = URL(installation.settings.base_url + path)
    required = [
        one["name"] for one in operation.get("parameters", []) if one.get("in") == "query" and one.get("required")
    ]
    if "currency" in required:
        query = {"amount": "100", "currency": "AUD"}
    return await installation.call(
        method, url.with_query({name: str(value) for name, value in query.items()}), headers=headers,
        data=body_of(operation) or None,
    )  # fmt: skip


async def forged(installation: Installation, **claims: Any) -> str:
    """A token under the installation's own signature that claims something else; the holder of nothing."""
    await installation.merchant.token()
    async with installation.database.connection() as held:
        row = (await store.signing_keys(held))[0]
        owner = await service.find_merchant(held, installation.merchant.client_id)
    now = int(installation.clock.real().timestamp())
    whole = {
        "iss": installation.settings.base_url, "aud": "paymux", "sub": owner.client_id, "merchant_id": owner.id,
        "scope": "api-user", "iat": now, "exp": now + 600,
    }  # fmt: skip
    key = ECKey.import_key(installation.keyring.unseal(row["private_sealed"], "signing-key"))
    return f"Bearer {jwt.encode({'alg': 'ES256', 'kid': row['kid'], 'typ': 'JWT'}, whole | claims, key)}"


async def test_the_document_has_endpoints_of_both_kinds(document: dict[str, Any]) -> None:
    assert len(list(endpoints(document))) >= 8
    assert {path for _, path, _ in endpoints(document, closed=False)} >= {"/token", "/healthz"}


NOBODY: list[tuple[str, str | None]] = [
    ("no token", None), ("nothing", "Bearer "), ("another way", "Basic ZGVtbzpkZW1v"), ("nonsense", "Bearer a.b.c"),
    ("an endless one", f"Bearer {'x' * 5000}"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "authorization"), NOBODY, ids=[what for what, _ in NOBODY])
async def test_without_a_token_every_endpoint_is_shut(
    what: str, authorization: str | None, installation: Installation, document: dict[str, Any], victim: Victim
) -> None:
    for method, path, operation in endpoints(document):
        answer = await asks(installation, method, filled(path, victim), operation, authorization)
        assert (answer.status, answer.body["code"]) == (401, "unauthorized"), (method, path)


WRONG: list[dict[str, Any]] = [
    {"aud": "another-service"}, {"aud": ["another", "paymux-not"]}, {"iss": "https://elsewhere.example"}, {"exp": 1},
    {"iat": 2**40, "exp": 2**41}, {"merchant_id": None}, {"scope": None}, {"sub": None},
]  # fmt: skip


@pytest.mark.parametrize("claims", WRONG, ids=str)
async def test_a_token_with_a_wrong_claim_opens_no_endpoint(
    claims: dict[str, Any], installation: Installation, document: dict[str, Any], victim: Victim
) -> None:
    authorization = await forged(installation, **claims)
    for method, path, operation in endpoints(document):
        answer = await asks(installation, method, filled(path, victim), operation, authorization)
        assert answer.status == 401, (method, path, answer.body)


@pytest.mark.parametrize("scope", ["", "nothing", "api-userx", "API-USER", "parent", "grandparent"])
async def test_a_token_of_another_scope_opens_no_endpoint(
    scope: str, installation: Installation, document: dict[str, Any], victim: Victim
) -> None:
    authorization = await forged(installation, scope=scope)
    for method, path, operation in endpoints(document):
        answer = await asks(installation, method, filled(path, victim), operation, authorization)
        assert answer.status in CLOSED, (method, path, answer.body)


@pytest.mark.parametrize("scope", SCOPES)
async def test_another_merchants_token_finds_nothing_of_the_victims(
    scope: str, installation: Installation, document: dict[str, Any], victim: Victim, rival: Merchant
) -> None:
    """Where a path names the victim's, he is told that there is no such thing; elsewhere he meets his own things only."""
    before = await _belongings(installation, victim)
    async with installation.database.connection() as held:
        owner = await service.find_merchant(held, rival.client_id)
    authorization = await forged(installation, merchant_id=owner.id, sub=owner.client_id, scope=scope)
    seen = 0
    for method, path, operation in endpoints(document):
        answer = await asks(installation, method, filled(path, victim), operation, authorization)
        if "{" in path:
            assert answer.status in CLOSED, (method, path, answer.body)
            seen += 1
        else:
            assert "VICTIMS" not in str(answer.body), (method, path)
    assert seen >= 6
    assert await _belongings(installation, victim) == before


async def _belongings(installation: Installation, victim: Victim) -> Any:
    shown = [await victim.merchant.details(reference) for reference in (victim.paid, victim.pending)]
    return [{name: value for name, value in one.items() if name not in ("nextStep", "updatedAt")} for one in shown]


async def test_a_token_of_a_merchant_that_is_none_opens_nothing(
    installation: Installation, document: dict[str, Any], victim: Victim
) -> None:
    authorization = await forged(installation, merchant_id="mer_gone")
    for method, path, operation in endpoints(document):
        answer = await asks(installation, method, filled(path, victim), operation, authorization)
        assert answer.status in CLOSED, (method, path, answer.body)


async def test_the_victims_reference_is_free_for_the_rival_and_stays_two_orders(
    installation: Installation, victim: Victim, rival: Merchant
) -> None:
    before = await _belongings(installation, victim)
    made = await rival.post("/orders", rival.order(CODE, orderReference=victim.paid))
    assert made.status == 201
    assert (await rival.status(victim.paid))["status"] == "PENDING"
    assert await _belongings(installation, victim) == before


async def test_one_idempotency_key_of_two_merchants_gives_neither_the_others_answer(
    installation: Installation, victim: Victim, rival: Merchant
) -> None:
    key = {"Idempotency-Key": "the-same"}
    body = victim.merchant.order(CODE)
    first = await victim.merchant.post("/orders", body, **key)
    second = await rival.post("/orders", body, **key)
    assert [first.status, second.status] == [201, 201]
    assert first.body["orderId"] != second.body["orderId"]


async def test_a_refusal_leaves_nothing_behind(
    installation: Installation, document: dict[str, Any], victim: Victim
) -> None:
    await installation.quiet()
    tables = ("orders", "operations", "order_events", "outbox_events", "merchants", "provider_accounts")
    before = {table: text for table, text in (await in_clear(installation)).items() if table in tables}
    for method, path, operation in endpoints(document):
        await asks(installation, method, filled(path, victim), operation, await forged(installation, scope="nothing"))
    after = {table: text for table, text in (await in_clear(installation)).items() if table in tables}
    assert after == before
