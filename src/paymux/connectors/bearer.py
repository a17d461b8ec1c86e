"""Access tokens that a provider grants for credentials: fetched when needed, kept while they last, replaced after a 401."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from paymux.connectors.provider_http import ProviderHttp
from paymux.platform.http import Answer

# A token is not used in its last minute: a call that takes long must not arrive with a dead one.
_MARGIN = 60.0


@dataclass(frozen=True, slots=True)
class Granted:
    """An access token, valid for `seconds` of real time from now."""

    token: str
    seconds: float


@dataclass(slots=True)
class _Kept:
    token: str
    until: float


class Bearer:
    """Sends requests with `Authorization: Bearer <token>`; `grant` fetches a token and raises what its calls raise.

    `grant` must use `http.prepare`, so that a fault there means that the request proper never left. `identity`
    names the credentials: whoever has the same ones shares the token, in this process.
    """

    def __init__(self, http: ProviderHttp, identity: tuple[str, ...], grant: Callable[[], Awaitable[Granted]]) -> None:
        self._http, self._grant = http, grant
        self._key = hashlib.sha256("\x00".join(identity).encode()).hexdigest()
        self._tokens, self._locks = _KEPT.setdefault(http.client, ({}, {}))

    async def send(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **request: Any) -> Answer:
        """As `ProviderHttp.send`. A 401 means that nothing was done, so it is tried once more with a new token."""
        answer = await self._send(method, url, headers, request)
        if answer.status == 401:
            self.forget()
            answer = await self._send(method, url, headers, request)
        return answer

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str] | None, request: Mapping[str, Any]
    ) -> Answer:
        sent = {**(headers or {}), "Authorization": f"Bearer {await self.token()}"}
        return await self._http.send(method, url, headers=sent, **request)

    def forget(self) -> None:
        """Drop the token, which the provider refused: the next call fetches another one. For who sends by himself."""
        self._tokens.pop(self._key, None)

    async def token(self) -> str:
        """The token in force; one caller fetches it, the others wait for him."""
        kept = self._tokens.get(self._key)
        if kept is None or kept.until <= time.monotonic():
            async with self._locks.setdefault(self._key, asyncio.Lock()):
                kept = self._tokens.get(self._key)
                if kept is None or kept.until <= time.monotonic():
                    granted = await self._grant()
                    kept = _Kept(granted.token, time.monotonic() + max(granted.seconds - _MARGIN, 0))
                    self._tokens[self._key] = kept
        return kept.token


_KEPT: WeakKeyDictionary[Any, tuple[dict[str, _Kept], dict[str, asyncio.Lock]]] = WeakKeyDictionary()
"""Tokens by the process's HTTP client: they end with it."""
