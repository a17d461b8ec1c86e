"""A live installation on an empty database, and a provider played by another installation's sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from paymux.platform.identifiers import new_id
from paymux.platform.postgres import EmbeddedPostgres
from tests.installation import free_port
from tests.processes import Answer, Process, Ran, call, environment_of, run, running

PUBLIC = "https://pay.shop.example"


@dataclass
class Live:
    """A live installation's commands and API, and its merchant's shop."""

    environment: dict[str, str]
    folder: Path
    port: int
    provider_url: str
    processes: dict[str, Process] = field(default_factory=dict)
    merchant: dict[str, str] = field(default_factory=dict)
    token: str = ""

    def command(self, *words: str | Path) -> Ran:
        return run(self.environment, *words)

    def credentials(self, **fields: str) -> Path:
        path = self.folder / "credentials.json"
        path.write_text(json.dumps(fields))
        return path

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            more["json"] = body
        return await call(method, f"http://127.0.0.1:{self.port}{path}", headers=headers, **more)

    async def sign_in(self) -> None:
        form = {"client_id": self.merchant["clientId"], "client_secret": self.merchant["clientSecret"]}
        granted = await self.call(
            "POST", "/token", data=form | {"grant_type": "client_credentials", "scope": "api-user"}
        )
        assert granted.status == 200, granted.body
        self.token = granted.body["access_token"]

    async def shopper(self, redirect_url: str, outcome: str) -> dict[str, str]:
        """Decide at the provider, come back over the public URL (its proxy is left out), and on to the shop."""
        decided = await call("POST", redirect_url, data={"outcome": outcome})
        assert decided.location.startswith(f"{PUBLIC}/return/"), decided
        back = await self.call("GET", decided.location.removeprefix(PUBLIC))
        assert back.location.startswith("https://shop.example/return?"), back
        return dict(URL(back.location).query)

    async def afterpays(self) -> Path:
        """A file with the credentials that the provider has handed out."""
        simulators = (await call("GET", f"{self.provider_url}/control/simulators")).body
        return self.credentials(**next(row["credentials"] for row in simulators if row["provider"] == "afterpay"))

    async def moved(self, reference: str) -> list[tuple[str, str]]:
        """What really moved at the provider."""
        ledger = await call("GET", f"{self.provider_url}/control/ledger?reference={reference}")
        return [(row["kind"], row["amount"]) for row in ledger.body]


@pytest.fixture(scope="module")
def provider(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The provider's host: the sandbox of another home and database. Its base URL."""
    folder, port = tmp_path_factory.mktemp("provider"), free_port()
    environment = environment_of(
        PAYMUX_HOME=str(folder), PAYMUX_SANDBOX_PORT=str(port),
        PAYMUX_DATABASE_URL=postgres_server.create_database(new_id("prov").lower(), "template1"),
    )  # fmt: skip
    assert run(environment, "db", "prepare").code == 0
    with running(environment, folder, "sandbox"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def live(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, provider: str) -> Iterator[Live]:
    """A live installation as docs/operate.md starts it, its database empty, with API and worker running."""
    folder, port = tmp_path_factory.mktemp("live"), free_port()
    environment = environment_of(
        PAYMUX_MODE="live", PAYMUX_HOME=str(folder), PAYMUX_PORT=str(port), PAYMUX_PUBLIC_URL=PUBLIC,
        PAYMUX_DATABASE_URL=postgres_server.create_database(new_id("live").lower(), "template1"),
        PAYMUX_KEYS_FILE=str(folder / "keys.json"), PAYMUX_PROVIDER_HOSTS=f"afterpay={provider}/afterpay",
    )  # fmt: skip
    installation = Live(environment, folder, port, provider)
    assert installation.command("keys", "create", folder / "keys.json").code == 0
    upgraded = installation.command("db", "upgrade")
    assert (upgraded.code, "The database is at" in upgraded.out) == (0, True), upgraded.said
    with running(environment, folder, "serve", "worker") as processes:
        installation.processes = processes
        yield installation
