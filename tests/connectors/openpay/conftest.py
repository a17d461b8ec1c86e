"""Openpay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from paymux.connectors.contract import Checkout, Redirect
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import checkout_of

PLAN = "30000000895"
CREDENTIALS = {"auth_user": "3285", "auth_token": "sandbox-openpay-token"}
# printf '3285:sandbox-openpay-token' | openssl base64
BASIC = "Basic MzI4NTpzYW5kYm94LW9wZW5wYXktdG9rZW4="

sample = samples_of("openpay")


@dataclass
class Till(tills.Till):
    """One order's way through Openpay's simulator."""

    code: str = "OPENPAY_AU"

    async def posts(self, opened: Redirect, form: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Post the form as a browser does: the status, and the checkout page's address."""
        async with (
            aiohttp.ClientSession() as browser,
            browser.post(opened.url, data=dict(form or opened.form or {}), allow_redirects=False) as answer,
        ):
            return answer.status, answer.headers.get("Location", "")

    async def page(self, opened: Redirect) -> str:
        status, page = await self.posts(opened)
        assert status == 303
        return page

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of the sample's plan and price."""
        return checkout_of(PLAN, "10.34", "AUD", "AU", **changes)

    async def call(self, method: str, path: str, body: Any = None, who: str = BASIC) -> tuple[int, Any]:
        """Call Openpay's API, or the sandbox's own routes, by plain HTTP."""
        return await self.request(method, path, body, Authorization=who)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("openpay"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with served(Scripted(sample, authorization=BASIC), "OPENPAY_AU", CREDENTIALS) as server:
        yield server
