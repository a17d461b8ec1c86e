"""The people of the edge's stories: another merchant of the same installation, and callers without a client library."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import jsonschema
import pytest

from paymux.accounts import demo, service
from paymux.connectors.registry import provider_of
from tests.installation import Installation, Merchant

Newcomer = Callable[..., Awaitable[Merchant]]
Holds = Callable[[str, Any], None]


async def a_merchant(installation: Installation, *codes: str, channel: str = "", **account: Any) -> Merchant:
    """A new merchant with accounts at these codes' simulators."""
    async with installation.database.transaction() as tx:
        made = await service.create_merchant(tx, installation.keyring, installation.clock, "A newcomer")
        owner = made.merchant.id
        await service.set_merchant(tx, owner, webhook_url=installation.inbox.url)
        if channel:
            await service.add_channel(tx, owner, channel, "A channel")
        for code in codes:
            await service.set_provider_account(
                tx, installation.keyring, installation.clock, installation.settings, owner, code, channel=channel,
                environment="sandbox", credentials=demo.simulator_credentials(provider_of(code)[0]), **account,
            )  # fmt: skip
    merchant = Merchant(installation, made.merchant.client_id, made.client_secret)
    merchant.id = owner  # type: ignore[attr-defined]
    return merchant


@pytest.fixture
def newcomer(installation: Installation) -> Newcomer:
    """Makes a merchant: `shop = await newcomer("PLANPAY_AU", priority=3)`."""

    async def make(*codes: str, **account: Any) -> Merchant:
        return await a_merchant(installation, *codes, **account)

    return make


@pytest.fixture(scope="module")
async def rival(installation: Installation) -> Merchant:
    """Another merchant of the same installation."""
    return await a_merchant(installation, "PLANPAY_AU")


@pytest.fixture(scope="module")
async def document(installation: Installation) -> dict[str, Any]:
    """The running installation's own API document."""
    answer = await installation.call("GET", f"{installation.settings.base_url}/openapi.json")
    assert answer.status == 200
    found: dict[str, Any] = answer.body
    return found


@pytest.fixture
def holds(document: dict[str, Any]) -> Holds:
    """Holds an answer against a model of the API document: `holds("OrderState", body)`."""

    def check(model: str, body: Any) -> None:
        schema = {"$ref": f"#/components/schemas/{model}", "components": document["components"]}
        jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())

    return check


async def raw_request(installation: Installation, request: bytes) -> tuple[int, bytes]:
    """Send bytes as they are, and read what comes until the other side ends it: (status, all of it)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", installation.settings.port)
    writer.write(request)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(-1), 10)
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer
