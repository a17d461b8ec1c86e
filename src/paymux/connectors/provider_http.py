"""HTTP towards providers: JSON and forms with exact decimals, faults told apart, the sandbox's label."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from paymux.platform.database import to_json
from paymux.platform.http import Answer, HttpClient, NotSent, Unclear

USER_AGENT = "paymux/0.1 (+https://github.com/paymux/paymux)"

# Statuses after which nobody knows whether the request was applied; every 5xx is one, too.
_UNCLEAR = frozenset({408, 425, 429})


class ProviderHttp:
    """A connector's way out. Made by the core per call; `label` is set in sandbox mode only."""

    def __init__(self, client: HttpClient, label: Mapping[str, str] | None = None) -> None:
        self.client = client
        self._extra = {}
        if label:
            self._extra["X-Paymux-Sandbox-Label"] = urlencode(dict(label), quote_via=quote)

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
        answer = await self.client.send(method, url, headers=sent, body=body)
        if answer.status >= 500 or answer.status in _UNCLEAR:
            raise Unclear(f"answer {answer.status}")
        return answer

    async def prepare(self, method: str, url: str, **request: Any) -> Answer:
        """Send a request that only prepares another (an access token): any fault means that the other never left."""
        try:
            return await self.send(method, url, **request)
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault


def basic(user: str, password: str) -> str:
    """The value of an `Authorization` header for HTTP Basic."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
