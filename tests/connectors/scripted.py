"""A provider's server whose answers a test decides, and the documented samples that it replays."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from paymux.connectors.contract import Account, Connector, OrderToPay, Redirect
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.platform.http import HttpClient
from tests.connectors.overheard import read_sent
from tests.connectors.till import KEY

CONNECTORS = Path(__file__).parents[2] / "src" / "paymux" / "connectors"

Sample = Callable[[str], dict[str, Any]]
Server = TypeVar("Server", bound="Scripted")


def samples_of(provider: str) -> Sample:
    """Reads a provider's documented requests, answers and events by their names: `sample = samples_of("affirm")`."""

    def sample(name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((CONNECTORS / provider / "samples" / f"{name}.json").read_text())
        assert content["source"], f"{name} does not say where it is documented"
        return content

    return sample


def changed(body: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy of a body with one field changed, which `path` names (`items.0.price`); the value `...` takes it away."""
    whole: dict[str, Any] = copy.deepcopy(dict(body))
    *way, last = path.split(".")
    inside: Any = whole
    for name in way:
        inside = inside[int(name)] if isinstance(inside, list) else inside[name]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return whole


@dataclass
class Scripted:
    """A server on loopback that gives the answers it was told to, in turn, and keeps what it was sent.

    Where the provider gives out access tokens, these are granted by themselves.
    """

    sample: Sample
    answers: list[tuple[int, str, Mapping[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    """Each request's method, path with query, and body: JSON, or the fields of a form."""
    headers: list[Mapping[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    authorization: str = ""
    """The header that every request but those for tokens must have, if any."""
    grant_path: str = ""
    """Where access tokens are asked for, if anywhere."""
    grant: tuple[int, Any] = (200, {"access_token": "granted", "token_type": "Bearer", "expires_in": 3600})
    """The answer there: its status, and its body as for `says`."""
    granted: list[tuple[str, str, Any]] = field(default_factory=list)
    """Each request for a token, as in `asked`."""
    connector: Connector = field(init=False)

    def says(self, status: int, body: Any = "", **headers: str) -> None:
        """Give this answer next: a text as it stands, anything else as JSON. `_` in a header's name is `-`."""
        self.answers.append((status, _text(body), {name.replace("_", "-"): value for name, value in headers.items()}))

    def replays(self, *names: str, **changes: Any) -> dict[str, Any]:
        """Give documented answers, in turn, with some of their fields changed; the last one's sample."""
        assert names
        for name in names:
            documented = self.sample(name)
            body = documented["answer"]
            self.says(documented["status"], {**body, **changes} if changes else body)
        return documented

    async def opens(self, order: OrderToPay, key: str = KEY) -> Redirect:
        """Have the connector open an order here."""
        opened = await self.connector.create_checkout(order, key)
        assert isinstance(opened, Redirect)
        return opened

    def altered(self, code: str = "", *, live: bool = False, **credentials: str) -> Connector:
        """The connector of another account here: of another code, in live mode, or with some other credentials."""
        account, facts = self.connector.account, self.connector.facts
        account = replace(
            account, code=facts.codes[code] if code else account.code, live=live,
            credentials={**account.credentials, **credentials},
        )  # fmt: skip
        return type(self.connector)(account, self.connector.http)

    def admits(self, request: web.Request) -> None:
        """What must hold for every request but those for tokens, such as its credentials; fails the test otherwise."""
        assert request.headers.get("Authorization", "") == self.authorization or not self.authorization

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request with what was told next."""
        content = await request.read()
        asked = (request.method, request.path_qs, read_sent(content, request.headers))
        if self.grant_path and request.path == self.grant_path:
            self.granted.append(asked)
            status, grant = self.grant
            return web.Response(status=status, text=_text(grant), content_type="application/json")
        self.admits(request)
        self.asked.append(asked)
        self.headers.append(dict(request.headers))
        self.bodies.append(content)
        status, text, headers = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json", headers=headers)


def _text(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body)


@asynccontextmanager
async def served(
    server: Server,
    code: str,
    credentials: Mapping[str, str],
    hosts: Mapping[str, str] | None = None,
) -> AsyncIterator[Server]:
    """Serve it on loopback, with a connector of `code` that calls it.

    `hosts` says under which path of the server each of the provider's hosts lies; by default there is one, `api`, at its root.
    """
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    provider = next(
        found for found in all_providers().values() if code in found.facts.codes and not found.facts.fallback
    )
    account = Account(
        code=provider.facts.codes[code], facts=provider.facts, credentials=dict(credentials),
        hosts={name: url + path for name, path in (hosts or {"api": ""}).items()},
    )  # fmt: skip
    client = HttpClient(connect=1.0, total=5.0)
    server.connector = provider.connector(account, ProviderHttp(client))
    yield server
    await client.close()
    await runner.cleanup()
