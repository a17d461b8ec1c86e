"""Where callbacks may go (E8): never to private, loopback, link-local or metadata addresses in live mode.

The check is made when connecting, on the resolved address, so that a name that changes its address
between check and use gains nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from paymux.platform.settings import Settings
from paymux.platform.shares import Shares

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_URL = 2000
_NAME = re.compile(r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?")
# Link-local networks, and where clouds tell a machine its own secrets: most at 169.254.169.254, and beside it Amazon's
# IPv6 one, Alibaba's, Oracle's older one, and Azure's wire server, whose address looks like anybody's.
_NEVER = tuple(
    ipaddress.ip_network(net)
    for net in (
        "169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32",
    )
)  # fmt: skip
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


_for: ContextVar[str] = ContextVar("looking_up_for", default="")


class CallbackRefused(Exception):
    """A callback that would go where callbacks may not go."""


def _reached(ip: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for where it carries one (mapped, NAT64, 6to4, Teredo)."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip


def _within(ip: Address, networks: tuple[Network, ...]) -> bool:
    return any(ip in net for net in networks if net.version == ip.version)


def _allowed_networks(settings: Settings) -> tuple[Network, ...]:
    networks = []
    for part in settings.callback_allow:
        try:
            networks.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            continue
    return tuple(networks)


def permitted(settings: Settings, host: str, address: str) -> bool:
    """Whether a callback to `host`, resolved to `address`, may be made."""
    given = ipaddress.ip_address(address.split("%")[0])
    ip = _reached(given)
    if _within(given, _NEVER) or _within(ip, _NEVER):
        return False
    if host.lower().rstrip(".") in {part.lower() for part in settings.callback_allow}:
        return True
    if _within(ip, _allowed_networks(settings)):
        return True
    if settings.sandbox and ip.is_loopback:
        return True
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _PUBLIC_V6:
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def looking_up_for(merchant_id: str) -> None:
    """Say whose names this task looks up from now on."""
    _for.set(merchant_id)


class GuardedResolver(AbstractResolver):
    """A resolver that refuses an address a callback may not reach.

    It has threads of its own, one per job at most. A look-up can't be broken off: where a name server does not answer,
    its thread is busy long after the call has been given up. So each that looks up (`looking_up_for`, else each name)
    gets a quarter of the threads at most, and fewer the more of them are busy: dead names keep no other's waiting.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings.job_concurrency, thread_name_prefix="callback-names")
        self._shares = Shares(settings.job_concurrency, settings.job_concurrency // 4)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The permitted addresses of a host.

        Raises CallbackRefused when it has none, OSError when it is unknown or too many look-ups are under way.
        """
        ask = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        who = _for.get() or host
        if not self._shares.take(who):
            raise OSError(f"as many look-ups of {who} as may be under way are not answered")
        work = self._threads.submit(ask)
        work.add_done_callback(partial(self._ended, asyncio.get_running_loop(), who))
        found = await asyncio.wrap_future(work)
        good = [
            ResolveResult(
                hostname=host, host=str(where[0]), port=port, family=kind, proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, where in found
            if permitted(self._settings, host, str(where[0]))
        ]  # fmt: skip
        if not good:
            raise CallbackRefused(f"{host} is not an address that callbacks may reach")
        return good

    def _ended(self, loop: asyncio.AbstractEventLoop, who: str, _: object) -> None:
        # Called by the thread when it is free again, and not when nobody waits for it any more.
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
            loop.call_soon_threadsafe(self._shares.give_back, who)

    async def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def check_literal(settings: Settings, host: str) -> None:
    """Refuse a host that is an address which callbacks may not reach: those are never resolved.

    `host` is a URL's host as the HTTP client reads it (`yarl.URL.raw_host`). Raises CallbackRefused.
    """
    if not _numeric(host):
        return
    try:
        good = permitted(settings, host, host)
    except ValueError:
        good = False
    if not good:
        raise CallbackRefused(f"{host} is not an address that callbacks may reach")


def _numeric(host: str) -> bool:
    """Whether a host is meant as an address: by a colon, or by its last label (`127.1`, `0x7f000001`)."""
    last = host.rstrip(".").rpartition(".")[2].lower()
    return ":" in host or last.isdigit() or (last.startswith("0x") and all(c in "0123456789abcdef" for c in last[2:]))


def callback_session(settings: Settings) -> aiohttp.ClientSession:
    """The HTTP client for callbacks: guarded, without cookies and cached names; `delivery_timeout` for the whole call.

    Its calls raise CallbackRefused besides aiohttp's own exceptions.
    """

    async def guard(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        check_literal(settings, request.url.raw_host or "")
        return await handler(request)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=GuardedResolver(settings), use_dns_cache=False, limit=0),
        timeout=aiohttp.ClientTimeout(
            total=settings.delivery_timeout,
            connect=settings.provider_connect_timeout,
            sock_connect=settings.provider_connect_timeout,
            sock_read=settings.delivery_timeout,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        middlewares=(guard,),
    )


def check_callback_url(settings: Settings, url: str) -> str | None:
    """What is wrong with a redirect or callback URL, as the rest of a sentence; None when it is right (E8)."""
    if len(url) > MAX_URL:
        return f"must be at most {MAX_URL} characters long"
    if any(ord(c) <= 32 or ord(c) == 127 for c in url) or "\\" in url:
        return "must be a valid HTTPS URL"
    try:
        parts = URL(url)
        host, port = parts.raw_host, parts.explicit_port
    except ValueError:
        return "must be a valid HTTPS URL"
    if not host or port == 0 or not _real(host):
        return "must be a valid HTTPS URL"
    if "@" in parts.raw_authority:
        return "must not carry a user name or password"
    if parts.scheme == "https" or (parts.scheme == "http" and settings.sandbox and _loopback(host)):
        return None
    return "must be a valid HTTPS URL"


def _real(host: str) -> bool:
    if not _numeric(host):
        return len(host) <= 253 and (_NAME.fullmatch(host) is not None or host == "localhost")
    try:
        return "%" not in str(ipaddress.ip_address(host))
    except ValueError:
        return False


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
