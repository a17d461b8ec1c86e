"""Outgoing HTTP: one client per process, with limits on time and size, and with faults told apart.

What matters about a failed call is whether it may have arrived. `NotSent` says that it certainly did
not; `Unclear` says that nobody knows, and the caller must ask before it repeats (U1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from yarl import URL

from paymux.platform.callback_guard import CallbackRefused, GuardedResolver, check_literal
from paymux.platform.database import from_json
from paymux.platform.lanes import LaneClosed, Lanes
from paymux.platform.settings import Settings

MAX_ANSWER = 1024 * 1024


class CallFailed(Exception):
    """An outgoing call that brought no usable answer."""


class NotSent(CallFailed):
    """The request certainly never reached the other side: nothing happened there."""


class Unclear(CallFailed):
    """The request may have arrived and may have had its effect: time-out, connection lost, 5xx, nonsense."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side answered: status, headers (lower-case names) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; undecodable bytes are replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON, numbers with a point as decimals. Raises Unclear when it is none."""
        try:
            return from_json(self.body)
        except (ValueError, RecursionError) as fault:
            raise Unclear(f"answer {self.status} is not JSON") from fault


class HttpClient:
    """The process's outgoing HTTP. Redirects are never followed, cookies never kept.

    `connect` is how many seconds a connection may take, its name's lookup and TLS included; `total` how many the whole
    call may, and any silence in it. `lanes` keeps the hosts apart; a URL below `shared`, where many providers live
    at one host, is told apart by the next part of its path. `guard`: where an account's own `endpoint` or a provider's
    answer names the URL, it goes where callbacks may go and nowhere else (E8); the operator's own hosts excepted.
    """

    def __init__(
        self,
        *,
        connect: float,
        total: float,
        lanes: Lanes | None = None,
        shared: str = "",
        guard: Settings | None = None,
    ) -> None:
        self._times = aiohttp.ClientTimeout(total=total, connect=connect, sock_connect=connect, sock_read=total)
        self._lanes = lanes or Lanes(at_once=100, failures=1_000_000, pause=0)
        self._shared = shared
        self._guard = guard
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The client that the settings describe."""
        lanes = Lanes(
            at_once=settings.provider_calls, failures=settings.provider_failures, pause=settings.provider_pause,
            wait=min(2.0, settings.provider_connect_timeout),
        )  # fmt: skip
        shared = settings.sandbox_base_url if settings.sandbox else ""
        return cls(
            connect=settings.provider_connect_timeout, total=settings.provider_timeout, lanes=lanes, shared=shared,
            guard=None if settings.sandbox else settings,
        )  # fmt: skip

    @property
    def times(self) -> aiohttp.ClientTimeout:
        """How long a call that begins now may take, its parts and the whole."""
        return self._times

    def _open(self, *, guarded: bool) -> aiohttp.ClientSession:
        if guarded not in self._sessions:
            # A guarded name is looked up for each connection: what was permitted once may be another address now.
            resolver = GuardedResolver(self._guard) if guarded and self._guard else None
            session = self._sessions[guarded] = aiohttp.ClientSession(
                # The lanes are the limit: in this pool nobody waits, least of all for another host's calls.
                connector=aiohttp.TCPConnector(
                    limit=0, ttl_dns_cache=60, resolver=resolver, use_dns_cache=resolver is None
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
            )
            # A request whose kept connection breaks must not be repeated behind our back: it may have arrived.
            session._retry_connection = False
        return self._sessions[guarded]

    def _session_for(self, url: str) -> aiohttp.ClientSession:
        """The way to a URL. Raises NotSent where the guard lets nobody go."""
        if self._guard is None:
            return self._open(guarded=False)
        try:
            # As it will be called: `https://proxy/klarna/../admin` is not below `https://proxy/klarna`.
            read = URL(url)
            if any(
                f"{read}/".startswith(f"{URL(base)}".rstrip("/") + "/") for base in self._guard.provider_hosts.values()
            ):
                return self._open(guarded=False)
            check_literal(self._guard, read.raw_host or "")
        except (CallbackRefused, ValueError) as no:
            raise NotSent(str(no) if isinstance(no, CallbackRefused) else type(no).__name__) from no
        return self._open(guarded=True)

    async def close(self) -> None:
        """Close all connections."""
        while self._sessions:
            await self._sessions.popitem()[1].close()

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send one request and read the whole answer, whatever its status.

        Raises NotSent when no connection came about or the host's lane is closed, Unclear for a time-out, a lost
        connection or an answer over 1 MiB once the request may have left.
        """
        try:
            async with self._lanes.passage(self._lane_of(url)) as call:
                try:
                    answer = await self._exchange(method, url, headers, body)
                except CallFailed:
                    call.healthy = False
                    raise
                call.healthy = answer.status < 500
                return answer
        except LaneClosed as no:
            raise NotSent(str(no)) from no

    def _lane_of(self, url: str) -> str:
        if self._shared and url.startswith(self._shared + "/"):
            return url[len(self._shared) + 1 :].partition("/")[0]
        try:
            return str(URL(url).origin())
        except ValueError as fault:
            raise NotSent(type(fault).__name__) from fault

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        try:
            async with self._session_for(url).request(
                method, url, headers=headers, data=body, allow_redirects=False, skip_auto_headers=["Content-Type"],
                timeout=self.times,
            ) as answer:  # fmt: skip
                content = await answer.content.read(MAX_ANSWER + 1)
                while len(content) <= MAX_ANSWER and (more := await answer.content.read(MAX_ANSWER + 1)):
                    content += more
                if len(content) > MAX_ANSWER:
                    raise Unclear(f"the answer is over {MAX_ANSWER} bytes")
                return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, content)
        except CallbackRefused as no:
            raise NotSent(str(no)) from no
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as fault:
            raise NotSent(type(fault).__name__) from fault
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, ConnectionError) as fault:
            raise Unclear(type(fault).__name__) from fault
