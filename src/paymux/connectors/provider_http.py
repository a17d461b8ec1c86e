"""HTTP towards providers: JSON and forms with exact decimals, faults told apart, the sandbox's label."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from paymux import __version__
from paymux.platform.clock import Clock
from paymux.platform.database import to_json
from paymux.platform.http import Answer, CallFailed, HttpClient, NotSent, Unclear

USER_AGENT = f"paymux/{__version__} (+https://github.com/paymux/paymux)"

# Statuses after which nobody knows whether the request was applied; every 5xx is one, too.
_UNCLEAR = frozenset({408, 425, 429})
# A part of a path that is plainly a word or a version, and no id, token or name of anybody.
_WORD = re.compile(r"v?\d{1,2}(\.\d{1,2})?|[A-Za-z]?[a-z]+([A-Z][a-z]+)*([-_.][a-z]+)*", re.ASCII)
_LONGEST_WORD = 24
_LEAST_TO_HINT = 12


@dataclass(frozen=True, slots=True)
class CallMade:
    """A call that was made, without anything secret or personal: no query, headers or bodies, ids in the path cut.

    `status` is the answer's, None when none came; `fault` is why the call brought no usable answer. Real time.
    """

    method: str
    host: str
    path: str
    status: int | None
    fault: str | None
    milliseconds: int
    begun: datetime


def shown_path(path: str) -> str:
    """A path for the record: its words; of whatever may be an id or a token the last four characters at most."""
    return "/".join(part if not part or _is_word(part) else _cut(part) for part in path.split("/"))


def _is_word(part: str) -> bool:
    return len(part) <= _LONGEST_WORD and _WORD.fullmatch(part) is not None


def _cut(part: str) -> str:
    return f"*{part[-4:]}" if len(part) >= _LEAST_TO_HINT and part[-4:].isalnum() else "*"


class ProviderHttp:
    """A connector's way out. Made by the core per call; `label` is set in sandbox mode only.

    `record` is told of every call once it has ended, however it ended.
    """

    def __init__(
        self,
        client: HttpClient,
        label: Mapping[str, str] | None = None,
        record: Callable[[CallMade], None] | None = None,
    ) -> None:
        self.client, self._record = client, record
        self.unauthorised = False
        """Whether the last answer was 401: the credentials were not accepted."""
        self._extra = {}
        if label:
            self._extra["X-Paymux-Sandbox-Label"] = urlencode(dict(label), quote_via=quote)

    def for_browser(self, url: str) -> str:
        """The URL for a form that the shopper's browser posts; in sandbox mode with the label that our own calls have."""
        if not self._extra:
            return url
        return f"{url}{'&' if '?' in url else '?'}{urlencode(self._extra)}"

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str | None = None,
    ) -> Answer:
        """Send one request; return any answer below 500. At most one of `json`, `form`, `body` is the body.

        Raises NotSent when it certainly never left; Unclear for a time-out, a lost connection, 5xx, 408, 425
        or 429.
        """
        sent = {"User-Agent": USER_AGENT, "Accept": "application/json", **self._extra, **(headers or {})}
        if json is not None:
            body, content_type = to_json(json).encode(), content_type or "application/json"
        elif form is not None:
            body, content_type = urlencode(dict(form)).encode(), "application/x-www-form-urlencoded"
        if content_type is not None:
            sent["Content-Type"] = content_type
        answer = await self._sent(method, url, sent, body)
        self.unauthorised = answer.status == 401
        if answer.status >= 500 or answer.status in _UNCLEAR:
            raise Unclear(f"answer {answer.status}")
        return answer

    async def _sent(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        begun, started = Clock.real(), time.monotonic()
        status: int | None = None
        fault: str | None = "broken off"
        try:
            answer = await self.client.send(method, url, headers=headers, body=body)
            status, fault = answer.status, None
            return answer
        except CallFailed as failed:
            fault = f"{type(failed).__name__}: {failed}"[:200]
            raise
        finally:
            if self._record is not None:
                parts = urlsplit(url)
                took = int((time.monotonic() - started) * 1000)
                host = parts.hostname or ""
                self._record(CallMade(method, host, shown_path(parts.path), status, fault, took, begun))

    async def prepare(self, method: str, url: str, **request: Any) -> Answer:
        """Send a request that only prepares another (an access token): any fault means that the other never left."""
        try:
            return await self.send(method, url, **request)
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault


def basic(user: str, password: str) -> str:
    """The value of an `Authorization` header for HTTP Basic."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
