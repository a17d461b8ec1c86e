"""A client id is no secret: whoever floods us with somebody's must not keep its owner, at another address, from his token."""

from __future__ import annotations

from time import monotonic

import aiohttp
import pytest

from paymux.platform import rate_limits
from tests.installation import Installation
from tests.resilience.test_client_limits import newcomer

# A burst is ten seconds' worth: one token, and the next one after ten seconds.
LIMITS = {"token_rate": 0.1}
FLOODER, OWNER = "127.0.0.2", "127.0.0.3"


async def test_who_floods_us_with_a_merchants_client_id_does_not_lock_the_merchant_out(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = monotonic()
    monkeypatch.setattr(rate_limits, "monotonic", lambda: now)  # they come at once, however long the machine takes
    shop = await newcomer(installation)

    async def asks(address: str, secret: str) -> int:
        form = {
            "client_id": shop.client_id, "client_secret": secret, "grant_type": "client_credentials",
            "scope": "api-user",
        }  # fmt: skip
        connector = aiohttp.TCPConnector(local_addr=(address, 0))
        async with (
            aiohttp.ClientSession(connector=connector) as http,
            http.post(f"{installation.settings.base_url}/token", data=form) as answer,
        ):
            return answer.status

    assert [await asks(FLOODER, "guess") for _ in range(3)] == [401, 429, 429]
    assert await asks(OWNER, shop.client_secret) == 200
