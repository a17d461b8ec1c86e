"""`PAYMUX_TRUSTED_PROXIES`: whose word on a caller's address is believed, and whose is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from paymux.platform.settings import Settings
from tests.installation import Installation

Started = Callable[..., Awaitable[Installation]]


@pytest.fixture
async def started(
    new_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[Installation]]]:
    """Starts an installation: `await started(trusted_proxies="127.0.0.1")`."""
    running: list[Installation] = []

    async def start(**settings: Any) -> Installation:
        running.append(Installation(tmp_path / str(len(running)), await new_database(), **settings))
        await running[-1].start()
        return running[-1]

    yield start
    for installation in running:
        await installation.stop()


async def guesses(installation: Installation, forwarded: str, times: int = 1) -> int:
    form = {
        "client_id": "demo-merchant", "client_secret": "guess", "grant_type": "client_credentials", "scope": "api-user",
    }  # fmt: skip
    status = 0
    for _ in range(times):
        answer = await installation.call(
            "POST", f"{installation.settings.base_url}/token", data=form, headers={"X-Forwarded-For": forwarded}
        )
        status = answer.status
    return status


async def test_without_a_trusted_proxy_nobody_can_take_another_address(started: Started) -> None:
    installation = await started()
    for n in range(10):
        assert await guesses(installation, f"203.0.113.{n}") == 401
    assert await guesses(installation, "203.0.113.99") == 429, "a header does not make a new caller"


async def test_behind_a_trusted_proxy_each_caller_is_counted_for_himself(started: Started) -> None:
    installation = await started(trusted_proxies="10.0.0.0/8, 127.0.0.1")
    assert await guesses(installation, "203.0.113.1", times=11) == 429
    assert await guesses(installation, "203.0.113.2") == 401
    # What the caller himself put in front of the proxy's own word is not believed.
    assert await guesses(installation, "198.51.100.7, 203.0.113.1") == 429
    assert await guesses(installation, "203.0.113.1, 10.1.2.3") == 429


@pytest.mark.parametrize("value", ["*", "0.0.0.0/0", "::/0", "proxy.example", "10.0.0.300", "10.0.0.1, *"])
def test_everybody_and_names_are_no_trusted_proxies(value: str) -> None:
    with pytest.raises(ValidationError):
        Settings(trusted_proxies=value)


def test_addresses_and_networks_are() -> None:
    assert Settings(trusted_proxies="10.0.0.1, fd00::/8").trusted_proxies == ("10.0.0.1", "fd00::/8")
