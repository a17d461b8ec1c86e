"""Access tokens of providers: fetched once, shared, replaced when they are refused or run out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from paymux.connectors.bearer import Bearer, Granted
from paymux.connectors.provider_http import ProviderHttp
from paymux.platform.http import HttpClient


@dataclass
class Shop:
    """A provider that knows one valid token, and one client that calls it."""

    client: HttpClient
    url: str = ""
    valid: str = "t1"
    seconds: float = 3600
    grants: int = 0
    seen: list[str] = field(default_factory=list)

    def bearer(self, secret: str = "s") -> Bearer:
        async def grant() -> Granted:
            self.grants += 1
            await asyncio.sleep(0)
            return Granted(f"t{self.grants}", self.seconds)

        return Bearer(ProviderHttp(self.client), (self.url, "client", secret), grant)

    async def answer(self, request: web.Request) -> web.Response:
        said = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seen.append(said)
        return web.json_response({}, status=200 if said == self.valid else 401)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    client = HttpClient(connect=1.0, total=2.0)
    shop, app = Shop(client), web.Application()
    app.router.add_get("/", shop.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    shop.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield shop
    await client.close()
    await runner.cleanup()


async def test_calls_at_once_share_one_token(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.bearer().send("GET", shop.url) for _ in range(5)))
    assert [answer.status for answer in answers] == [200] * 5
    assert shop.grants == 1


async def test_other_credentials_get_a_token_of_their_own(shop: Shop) -> None:
    await shop.bearer("one").send("GET", shop.url)
    await shop.bearer("two").token()
    assert shop.grants == 2


async def test_a_refused_token_is_replaced_once_and_the_call_made_again(shop: Shop) -> None:
    await shop.bearer().send("GET", shop.url)
    shop.valid = "t2"
    assert (await shop.bearer().send("GET", shop.url)).status == 200
    assert shop.seen == ["t1", "t1", "t2"]


async def test_wrong_credentials_stay_a_401(shop: Shop) -> None:
    shop.valid = "never"
    assert (await shop.bearer().send("GET", shop.url)).status == 401
    assert shop.grants == 2


async def test_a_token_in_its_last_minute_is_not_used(shop: Shop) -> None:
    shop.seconds = 30
    await shop.bearer().token()
    await shop.bearer().token()
    assert shop.grants == 2
