"""Where an installation may go: no merchant's URL, and no name server, leads it into the operator's own network (E8)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientConnectorError, web

from paymux.accounts import service
from paymux.accounts.model import ProviderAccount
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import provider_of
from paymux.notifications.delivery import MAX_ANSWER as MOST_READ
from paymux.platform.callback_guard import callback_session
from paymux.platform.http import MAX_ANSWER, Answer, HttpClient, NotSent, Unclear
from paymux.platform.settings import Settings
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, free_port

LIMITS = {"delivery_timeout": 30.0}


def live(**changes: Any) -> Settings:
    return Settings(mode="live", provider_connect_timeout=2, provider_timeout=5, **changes)


class Inside:
    """A service of the operator's own network, and what reached it."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.port = free_port()
        self.sent = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.reached.append(f"{request.method} {request.path}")
        if request.path.startswith("/moved"):
            raise web.HTTPTemporaryRedirect(f"http://127.0.0.1:{self.port}/inner")
        if request.path.startswith("/endless"):
            stream = web.StreamResponse()
            await stream.prepare(request)
            while self.sent < 64 * 1024 * 1024:
                await stream.write(b"x" * 65_536)
                self.sent += 65_536
            return stream
        return web.json_response({"inner": "secret"})


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    service = Inside()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", service.port).start()
    yield service
    await runner.cleanup()


async def send(settings: Settings, url: str) -> Answer:
    client = HttpClient.of(settings)
    try:
        return await client.send("GET", url, headers={})
    finally:
        await client.close()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "0.0.0.0", "127.1", "127.0.0.1.",
     "0177.0.0.1", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "\u2460\u2461\u2466.0.0.1", "\u24dbocalhost", "LOCALHOST."],
)  # fmt: skip
async def test_a_provider_call_of_live_mode_never_enters_the_own_network(inside: Inside, host: str) -> None:
    with pytest.raises(NotSent):
        await send(live(), f"http://{host}:{inside.port}/")
    assert inside.reached == []


@pytest.mark.parametrize("address", ["169.254.169.254", "10.0.0.1", "192.168.1.1", "[fd00:ec2::254]", "100.64.0.1"])
async def test_metadata_and_private_addresses_are_refused_before_a_connection_is_tried(address: str) -> None:
    with pytest.raises(NotSent, match="not an address that callbacks may reach"):
        await send(live(), f"http://{address}/latest/meta-data/")


async def test_a_name_that_is_another_address_at_each_look_up_gains_nothing(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name server, not ours, is played.
    asked: list[str] = []

    def rebinding(host: str, port: int, *_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    client = HttpClient.of(live())
    for _ in range(2):
        with pytest.raises(NotSent, match=r"rebinding\.example"):
            await client.send("GET", f"http://rebinding.example:{inside.port}/", headers={})
    await client.close()
    assert (asked, inside.reached) == (["rebinding.example"] * 2, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"callback_allow": "127.0.0.0/8"},
        {"callback_allow": "localhost"},
        {"provider_hosts": "klarna=http://localhost:{port}"},
    ],
)
async def test_what_the_operator_allows_and_his_own_proxy_are_reached(inside: Inside, changes: dict[str, str]) -> None:
    said = {name: value.format(port=inside.port) for name, value in changes.items()}
    assert (await send(live(**said), f"http://localhost:{inside.port}/")).json() == {"inner": "secret"}


async def test_the_own_proxys_name_at_the_beginning_of_another_ones_opens_nothing(inside: Inside) -> None:
    settings = live(provider_hosts="klarna=http://127.0.0.1")
    with pytest.raises(NotSent):
        await send(settings, f"http://127.0.0.1:{inside.port}/")
    assert inside.reached == []


async def test_the_way_up_out_of_the_own_proxys_path_opens_nothing(inside: Inside) -> None:
    own = f"http://127.0.0.1:{inside.port}/klarna"
    assert (await send(live(provider_hosts=f"klarna={own}"), f"{own}/payments")).status == 200
    inside.reached.clear()
    for way_up in ("/../admin", "/%2e%2e/admin", "/x/../../admin", "@127.0.0.1/", ".evil.example/"):
        with pytest.raises(NotSent):
            await send(live(provider_hosts=f"klarna={own}"), own + way_up)
    assert inside.reached == []


async def test_no_call_and_no_callback_takes_the_proxy_of_the_environment(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard would look at the proxy's address, and the proxy would go wherever it is told to."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for spelt in (name, name.upper()):
            monkeypatch.setenv(spelt, f"http://127.0.0.1:{inside.port}")
    settings = live(callback_allow="127.0.0.0/8")
    with pytest.raises(NotSent):
        await send(settings, f"http://127.0.0.1:{free_port()}/")
    async with callback_session(settings) as session:
        with pytest.raises(ClientConnectorError):
            await session.post(f"http://127.0.0.1:{free_port()}/")
    assert inside.reached == []


async def test_sandbox_mode_calls_its_simulators(inside: Inside) -> None:
    assert (await send(Settings(mode="sandbox"), f"http://127.0.0.1:{inside.port}/")).status == 200


async def test_a_redirect_is_an_answer_and_is_not_followed(inside: Inside) -> None:
    answer = await send(live(callback_allow="127.0.0.1"), f"http://127.0.0.1:{inside.port}/moved")
    assert (answer.status, inside.reached) == (307, ["GET /moved"])


async def test_an_answer_without_end_is_given_up(inside: Inside) -> None:
    with pytest.raises(Unclear, match="over 1048576 bytes"):
        await send(live(callback_allow="127.0.0.1"), f"http://127.0.0.1:{inside.port}/endless")
    assert inside.sent < 16 * MAX_ANSWER


@pytest.mark.parametrize("endpoint", ["https://localhost:{port}", "https://169.254.169.254", "https://10.1.2.3/pay"])
async def test_a_service_of_the_open_contract_passes_the_guard_in_live_mode(inside: Inside, endpoint: str) -> None:
    settings = live()
    account = ProviderAccount(
        id="pac_1", merchant_id="mer_1", channel="", code="PLANPAY_AU", environment="live", event_key="pek_1", min_amount=None,
        max_amount=None, priority=1, active=True,
        credentials={"secret": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "endpoint": endpoint.format(port=inside.port)},
    )  # fmt: skip
    provider, _ = provider_of(account.code)
    client = HttpClient.of(settings)
    connector: Any = provider.connector(service.connector_account(settings, account), ProviderHttp(client))
    with pytest.raises(NotSent, match="not an address that callbacks may reach"):
        await connector.call("GET", "/checkouts/1")
    await client.close()
    assert inside.reached == []


async def test_a_webhook_whose_answer_has_no_end_is_delivered_and_read_no_further(
    installation: Installation, merchant: Merchant, inside: Inside, eventually: Eventually
) -> None:
    async with installation.database.transaction() as tx:
        await service.set_merchant(tx, "mer_demo", webhook_url=f"http://127.0.0.1:{inside.port}/endless")
    await merchant.creates()

    async def delivered() -> bool:
        async with installation.database.connection() as held:
            return bool(
                await held.fetchval("SELECT true FROM deliveries WHERE url LIKE '%/endless' AND state = 'delivered'")
            )

    await eventually(delivered)
    await asyncio.sleep(0)
    assert inside.sent + 65_536 >= MOST_READ
    assert inside.sent < 16 * 1024 * 1024, "what the sockets' buffers take, and not what the endpoint has"
    async with installation.database.transaction() as tx:
        await service.set_merchant(tx, "mer_demo", webhook_url=installation.inbox.url)


async def test_a_webhook_that_is_sent_elsewhere_goes_nowhere(
    installation: Installation, merchant: Merchant, inside: Inside, eventually: Eventually
) -> None:
    async with installation.database.transaction() as tx:
        await service.set_merchant(tx, "mer_demo", webhook_url=f"http://127.0.0.1:{inside.port}/moved")
    await merchant.creates()

    async def tried() -> bool:
        async with installation.database.connection() as held:
            return bool(await held.fetchval("SELECT true FROM delivery_attempts WHERE status = 307"))

    await eventually(tried)
    assert set(inside.reached) == {"POST /moved"}
    async with installation.database.transaction() as tx:
        await service.set_merchant(tx, "mer_demo", webhook_url=installation.inbox.url)
