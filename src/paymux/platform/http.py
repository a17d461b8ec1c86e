"""Outgoing HTTP: one client per process, with limits on time and size, and with faults told apart.

What matters about a failed call is whether it may have arrived. `NotSent` says that it certainly did
not; `Unclear` says that nobody knows, and the caller must ask before it repeats (U1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from paymux.platform.database import from_json

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
    """The process's outgoing HTTP. Redirects are never followed, cookies never kept."""

    def __init__(self, *, connect: float, total: float) -> None:
        self._connect, self._total = connect, total
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._total, connect=None, sock_connect=self._connect),
                connector=aiohttp.TCPConnector(limit=400, limit_per_host=100, ttl_dns_cache=60),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
            )
            # A request whose kept connection breaks must not be repeated behind our back: it may have arrived.
            self._session._retry_connection = False
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send one request and read the whole answer, whatever its status.

        Raises NotSent when no connection came about, Unclear for a time-out, a lost connection or an
        answer over 1 MiB once the request may have left.
        """
        try:
            async with self._open().request(
                method, url, headers=headers, data=body, allow_redirects=False, skip_auto_headers=["Content-Type"]
            ) as answer:
                content = await answer.content.read(MAX_ANSWER + 1)
                while len(content) <= MAX_ANSWER and (more := await answer.content.read(MAX_ANSWER + 1)):
                    content += more
                if len(content) > MAX_ANSWER:
                    raise Unclear(f"the answer is over {MAX_ANSWER} bytes")
                return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, content)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as fault:
            raise NotSent(type(fault).__name__) from fault
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, ConnectionError) as fault:
            raise Unclear(type(fault).__name__) from fault
