"""Where callbacks may go (E8): never to private, loopback, link-local or metadata addresses in live mode.

The check is made when connecting, on the resolved address, so that a name that changes its address
between check and use gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from paymux.platform.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
MAX_URL = 2000
_NEVER = tuple(ipaddress.ip_network(net) for net in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128"))


class CallbackRefused(OSError):
    """A callback that would go where callbacks may not go."""


def _plain(address: Address) -> Address:
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


def _allowed_networks(settings: Settings) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    networks = []
    for part in settings.callback_allow:
        try:
            networks.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            continue
    return networks


def permitted(settings: Settings, host: str, address: str) -> bool:
    """Whether a callback to `host`, resolved to `address`, may be made."""
    ip = _plain(ipaddress.ip_address(address.split("%")[0]))
    if any(ip in net for net in _NEVER if net.version == ip.version):
        return False
    if host.lower() in {part.lower() for part in settings.callback_allow}:
        return True
    if any(ip in net for net in _allowed_networks(settings) if net.version == ip.version):
        return True
    if settings.sandbox and ip.is_loopback:
        return True
    return ip.is_global and not ip.is_multicast


class GuardedResolver(AbstractResolver):
    """A resolver that refuses an address a callback may not reach."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._resolver = settings, ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        """The permitted addresses of a host. Raises CallbackRefused when it has none."""
        found = await self._resolver.resolve(host, port, family)
        good = [one for one in found if permitted(self._settings, host, one["host"])]
        if not good:
            raise CallbackRefused(f"{host} is not an address that callbacks may reach")
        return good

    async def close(self) -> None:
        """Close the resolver."""
        await self._resolver.close()


def check_literal(settings: Settings, url: str) -> None:
    """Refuse a URL whose host is an address that callbacks may not reach: those are never resolved. Raises CallbackRefused."""
    host = (urlsplit(url).hostname or "").strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    if not permitted(settings, host, host):
        raise CallbackRefused(f"{host} is not an address that callbacks may reach")


def check_callback_url(settings: Settings, url: str) -> str | None:
    """What is wrong with a redirect or callback URL, as the rest of a sentence; None when it is right (E8)."""
    if len(url) > MAX_URL:
        return f"must be at most {MAX_URL} characters long"
    if any(ord(c) <= 32 or ord(c) == 127 for c in url) or "\\" in url:
        return "must be a valid HTTPS URL"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "must be a valid HTTPS URL"
    if not host or ("." not in host.strip(".") and host != "localhost" and ":" not in host):
        return "must be a valid HTTPS URL"
    if parts.username or parts.password:
        return "must not carry a user name or password"
    if parts.scheme == "https":
        return None
    if parts.scheme == "http" and settings.sandbox and _loopback(host):
        return None
    return "must be a valid HTTPS URL"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
