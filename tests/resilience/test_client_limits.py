"""No client takes more than his share, and who guesses secrets is slowed down; an honest shop beside him is not."""

from __future__ import annotations

from typing import Any

from paymux.accounts import service
from paymux.accounts.failed_attempts import PER_CALLER, PER_CLIENT
from tests.installation import Answer, Installation, Merchant

# A burst is ten seconds' worth: two writes and two tokens, and the next one after five seconds.
LIMITS = {"write_rate": 0.2, "token_rate": 0.2}


async def newcomer(installation: Installation) -> Merchant:
    async with installation.database.transaction() as tx:
        made = await service.create_merchant(tx, installation.keyring, installation.clock, "Another shop")
    return Merchant(installation, made.merchant.client_id, made.client_secret)


async def asks(shop: Merchant, **changes: str) -> Answer:
    form = {
        "client_id": shop.client_id, "client_secret": shop.client_secret, "grant_type": "client_credentials",
        "scope": "api-user",
    }  # fmt: skip
    return await shop.installation.call("POST", f"{shop.base}/token", data=form | changes)


def slowed(answer: Answer, code: str) -> None:
    body: dict[str, Any] = answer.body
    assert (answer.status, body["statusCode"], body["code"], body["error"]) == (429, 429, code, "Too Many Requests")
    assert body["requestId"].startswith("req_")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


async def test_a_merchant_who_writes_too_much_waits_and_nobody_else_does(
    installation: Installation, merchant: Merchant
) -> None:
    busy, other = merchant, await newcomer(installation)
    bodies = [busy.order() for _ in range(3)]
    assert [(await busy.post("/orders", body)).status for body in bodies[:2]] == [201, 201]
    slowed(await busy.post("/orders", bodies[2]), "too_many_requests")
    for path in ("capture", "void", "refund", "cancel"):
        slowed(await busy.post(f"/orders/{bodies[0]['orderReference']}/{path}", {}), "too_many_requests")
    # Reading goes on, by whichever verb, and nothing was written.
    assert (await busy.details(bodies[0]["orderReference"]))["status"] == "PENDING"
    assert (await busy.post(f"/orders/{bodies[1]['orderReference']}/details", {})).status == 200
    assert (await busy.get(f"/orders/{bodies[2]['orderReference']}")).status == 404
    assert (await other.post("/orders", other.order())).status != 429


async def test_a_client_that_asks_for_too_many_tokens_waits_and_nobody_else_does(installation: Installation) -> None:
    busy, other = await newcomer(installation), await newcomer(installation)
    assert [(await asks(busy)).status for _ in range(2)] == [200, 200]
    slowed(await asks(busy), "too_many_requests")
    assert (await asks(other)).status == 200


async def test_who_tries_many_client_ids_is_slowed_down_and_a_shop_at_his_address_is_not(
    installation: Installation,
) -> None:
    honest, stranger = await newcomer(installation), await newcomer(installation)
    assert (await asks(honest)).status == 200
    for n in range(PER_CALLER):
        assert (await asks(stranger, client_id=f"guess-{n}")).status == 401
    slowed(await asks(stranger, client_id="guess-more"), "too_many_attempts")
    slowed(await asks(stranger), "too_many_attempts")
    assert (await asks(honest)).status == 200
    for _ in range(PER_CLIENT):
        # Known here or not: with one client id nobody guesses on and on.
        await asks(honest, client_secret="guess")
    assert (await asks(honest, client_secret="guess")).status == 429
