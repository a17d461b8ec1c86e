"""Where callbacks may go (E8), checked on real connections."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult

from paymux.platform.callback_guard import (
    CallbackRefused,
    GuardedResolver,
    callback_session,
    check_callback_url,
    looking_up_for,
    permitted,
)
from paymux.platform.settings import Settings
from tests.conftest import Eventually


def live(**changes: Any) -> Settings:
    return Settings(mode="live", delivery_timeout=2, **changes)


def sandbox(**changes: Any) -> Settings:
    return Settings(mode="sandbox", delivery_timeout=2, **changes)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """An HTTP server on loopback."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="reached")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found: int = free.getsockname()[1]
    await web.TCPSite(runner, "127.0.0.1", found).start()
    yield found
    await runner.cleanup()


async def reach(settings: Settings, url: str) -> str:
    async with callback_session(settings) as session, session.post(url, allow_redirects=False) as answer:
        return await answer.text()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f000001", "0177.0.0.1",
     "１２７.0.0.1", "0.0.0.0", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "127.0.0.1."],
)  # fmt: skip
async def test_live_mode_refuses_every_spelling_of_loopback_when_connecting(port: int, host: str) -> None:
    with pytest.raises((CallbackRefused, aiohttp.InvalidURL)):
        await reach(live(), f"http://{host}:{port}/")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_sandbox_mode_reaches_loopback(port: int, host: str) -> None:
    assert await reach(sandbox(), f"http://{host}:{port}/") == "reached"


@pytest.mark.parametrize("allowed", ["127.0.0.0/8", "127.0.0.1", "localhost"])
async def test_what_the_operator_allows_is_reached_in_live_mode(port: int, allowed: str) -> None:
    assert await reach(live(callback_allow=allowed), f"http://localhost:{port}/") == "reached"


async def test_a_name_that_changes_its_address_after_a_first_look_gains_nothing(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name server, not ours, is played: public at first, loopback for ever after.
    answers = iter(["93.184.216.34"])

    def rebinding(host: str, port: int, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers, "127.0.0.1"), port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert check_callback_url(live(), "https://rebinding.example/") is None
    first = GuardedResolver(live())
    assert [one["host"] for one in await first.resolve("rebinding.example", port)] == ["93.184.216.34"]
    await first.close()
    with pytest.raises(CallbackRefused):
        await reach(live(), f"http://rebinding.example:{port}/")


async def test_names_that_are_never_answered_keep_no_healthy_one_waiting_long_after_they_were_given_up(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    # The name server, not ours, is played: it is silent about the dead until the test is over.
    over, asked = threading.Event(), Counter[str]()

    def getaddrinfo(host: str, port: int, *_: Any) -> list[Any]:
        asked[host.partition(".")[2]] += 1
        if host.endswith(".dead.example"):
            over.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = GuardedResolver(live(job_concurrency=40))

    async def given_up(merchant: str, name: str) -> None:
        looking_up_for(merchant)
        with pytest.raises((OSError, TimeoutError)):
            await asyncio.wait_for(resolver.resolve(name, 443), 0.01)

    async def healthy(merchant: str) -> list[ResolveResult]:
        looking_up_for(merchant)
        return await asyncio.wait_for(resolver.resolve("hooks.shop.example", 443), 30)

    try:
        for merchant in ("first", "second", "third"):
            await asyncio.gather(
                *(asyncio.create_task(given_up(merchant, f"h{n}.{merchant}.dead.example")) for n in range(40))
            )
        assert 0 < asked["first.dead.example"] <= 10
        assert asked.total() < 40
        assert await asyncio.create_task(healthy("another"))
        with pytest.raises(OSError, match="first"):
            await asyncio.create_task(healthy("first"))
        over.set()

        async def its_own_are_looked_up_again() -> bool:
            try:
                return bool(await asyncio.create_task(healthy("first")))
            except OSError:
                return False

        await eventually(its_own_are_looked_up_again)
    finally:
        over.set()
        await resolver.close()


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "127.0.0.1", "0.0.0.0", "224.0.0.1",
     "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
     "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "2001:db8::1", "::10.0.0.1"],
)  # fmt: skip
def test_addresses_that_are_nobodys_public_endpoint_are_refused_in_live_mode(address: str) -> None:
    assert not permitted(live(), "shop.example", address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_public_addresses_are_permitted(address: str) -> None:
    assert permitted(live(), "shop.example", address)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fd00:ec2::254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "168.63.129.16",
     "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "2002:a83f:8110::1", "192.0.0.192", "100.100.100.200"],
)  # fmt: skip
def test_metadata_and_link_local_addresses_can_not_be_allowed(address: str) -> None:
    settings = live(callback_allow="0.0.0.0/0,::/0,inside.example")
    assert permitted(settings, "inside.example", "10.0.0.1")
    assert not permitted(settings, "inside.example", address)


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254"])
def test_sandbox_mode_opens_loopback_only(address: str) -> None:
    assert not permitted(sandbox(), "shop.example", address)


@pytest.mark.parametrize(
    "url",
    ["https://shop.example/return?x=1", "https://shop.example:8443", "https://münchen.example/", "https://8.8.8.8/"],
)
def test_an_https_url_of_a_real_host_is_right(url: str) -> None:
    assert check_callback_url(live(), url) is None


@pytest.mark.parametrize(
    "url", ["http://localhost:3000/hook", "http://127.0.0.1/", "http://127.8.8.8/", "http://[::1]/"]
)
def test_plain_http_is_right_for_loopback_in_sandbox_mode_only(url: str) -> None:
    assert check_callback_url(sandbox(), url) is None
    assert check_callback_url(live(), url) == "must be a valid HTTPS URL"


@pytest.mark.parametrize(
    "url",
    ["", "shop.example", "//shop.example", "http://shop.example", "ftp://shop.example", "javascript:alert(1)", "https://",
     "https:///path", "https://shop", "https://x..example/", "https://a b.example/", "https://a.example:0/",
     "https://a.example:99999/", "https://[::1", "https://[fe80::1%25eth0]/", "https://127.1/", "https://1/",
     "https://0x7f.0x1/", "https://a.example\\@b.example/", "https://a.example/\n"],
)  # fmt: skip
@pytest.mark.parametrize("settings", [live(), sandbox()], ids=["live", "sandbox"])
def test_anything_else_is_not_a_callback_url(settings: Settings, url: str) -> None:
    assert check_callback_url(settings, url) == "must be a valid HTTPS URL"


def test_a_url_with_credentials_or_without_end_is_refused() -> None:
    assert check_callback_url(live(), "https://ada:secret@shop.example/") == "must not carry a user name or password"
    assert check_callback_url(live(), "https://ada@shop.example/") == "must not carry a user name or password"
    longest = "https://shop.example/" + "x" * (2000 - 21)
    assert check_callback_url(live(), longest) is None
    assert check_callback_url(live(), longest + "x") == "must be at most 2000 characters long"
