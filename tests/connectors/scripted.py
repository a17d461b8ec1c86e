"""A provider's server whose answers a test decides, and the documented samples that it replays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from paymux.connectors.contract import Account, Connector
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import all_providers
from paymux.platform.http import HttpClient

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


@dataclass
class Scripted:
    """A server on loopback that gives the answers it was told to, in turn, and keeps what it was sent."""

    sample: Sample
    answers: list[tuple[int, str, Mapping[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    """Each request's method, path with query, and JSON body."""
    headers: list[Mapping[str, str]] = field(default_factory=list)
    connector: Connector = field(init=False)

    def says(self, status: int, body: Any = "", **headers: str) -> None:
        """Give this answer next: a text as it stands, anything else as JSON."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.answers.append((status, text, {name.replace("_", "-"): value for name, value in headers.items()}))

    def replays(self, *names: str, **changes: Any) -> None:
        """Give documented answers, in turn, with some of their fields changed."""
        for name in names:
            documented = self.sample(name)
            body = documented["answer"]
            self.says(documented["status"], {**body, **changes} if changes else body)

    def admits(self, request: web.Request) -> None:
        """What must hold for every request, such as its credentials; fails the test otherwise."""

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request with what was told next."""
        self.admits(request)
        content = await request.read()
        self.asked.append((request.method, request.path_qs, json.loads(content) if content else None))
        self.headers.append(dict(request.headers))
        status, text, headers = self.answers.pop(0)
        return web.Response(status=status, text=text, content_type="application/json", headers=headers)


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
