"""The contract's document as judge, a caller that signs by plain HMAC, and two services that keep the contract."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import jsonschema
import pytest
import yaml
from aiohttp import web

from paymux.connectors.contract import Connector, OrderToPay
from tests.connectors.conftest import Counter
from tests.connectors.scripted import samples_of

ROOT = Path(__file__).parents[3]
CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "docs/generic-contract.openapi.yaml").read_text())
VERSION = "2026-11-01"
SECRET = "whsec_" + base64.b64encode(b"a secret of this test, 32 bytes!").decode()
CODE = "PLANPAY_AU"


def judge(schema: str, body: object) -> None:
    """Fail unless `body` fits the document's schema of this name."""
    whole = {"components": CONTRACT["components"], "$ref": f"#/components/schemas/{schema}"}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(body)


def sign(secret: str, id: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers, by plain HMAC."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"{id}.{at}.".encode() + body, "sha256")).decode()
    return {"webhook-id": id, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}


sample = samples_of("generic")


@dataclass
class Service:
    """A service that keeps the contract, and a caller that knows only the document."""

    name: str
    endpoint: str
    secret: str
    counter: Counter

    def connector(self, code: str = CODE) -> Connector:
        """paymux's connector of an account at this service."""
        return self.counter.connector(code, endpoint=self.endpoint, secret=self.secret)

    def order(self, **changes: Any) -> OrderToPay:
        """An order with an id of its own."""
        return self.counter.order(CODE, id=f"ord_{secrets.token_hex(12)}", **changes)

    def headers(
        self, method: str, target: str, key: str = "", body: bytes = b"", *, at: int | None = None
    ) -> dict[str, str]:
        """The headers of a request as the document demands them."""
        digest = hashlib.sha256(f"{method}\n{target}\n{key}".encode()).hexdigest()
        signed = sign(self.secret, f"req_{secrets.token_hex(8)}_{digest}", int(time.time()) if at is None else at, body)
        return {**signed, "Paymux-Contract-Version": VERSION} | ({"Idempotency-Key": key} if key else {})

    async def send(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, Any]:
        """Any request; the answer must have the version and the form that the document says for it."""
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, self.endpoint + target, headers=headers, data=body or None) as answer,
        ):
            said = json.loads(await answer.read())
            assert answer.headers["Paymux-Contract-Version"] == VERSION
            judge_answer(method, target, answer.status, said)
            return answer.status, said

    async def call(self, method: str, target: str, body: Any = None, *, key: str = "") -> tuple[int, Any]:
        """A call in order."""
        content = b"" if body is None else json.dumps(body).encode()
        return await self.send(method, target, self.headers(method, target, key, content), content)


def judge_answer(method: str, target: str, status: int, body: object) -> None:
    """Fail unless the answer has the form that the document says for this call."""
    parts = target.split("?")[0].split("/")
    path = next(
        path
        for path in CONTRACT["paths"]
        if len(named := path.split("/")) == len(parts)
        and all(n.startswith("{") or n == p for n, p in zip(named, parts, strict=True))
    )
    answers = CONTRACT["paths"][path][method.lower()]["responses"]
    described = answers.get(str(status), answers["default"])
    assert str(status) in answers or status >= 400
    if "$ref" in described:
        described = CONTRACT["components"]["responses"][described["$ref"].rpartition("/")[2]]
    schema = described["content"]["application/json"]["schema"]
    whole = {"components": CONTRACT["components"], **schema}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(body)


def example_module() -> ModuleType:
    """The example service's module."""
    spec = importlib.util.spec_from_file_location("generic_provider", ROOT / "examples/generic_provider/service.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def counter(counter_of: Callable[[str], Any]) -> Counter:
    made: Counter = await counter_of("generic")
    return made


@pytest.fixture
def simulator(counter: Counter) -> Service:
    credentials = counter.sandbox.simulators["generic"].credentials
    return Service("simulator", f"{counter.base_url}/generic", credentials["secret"], counter)


Serve = Callable[[web.Application], Any]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves an application on loopback; gives its base URL."""
    runners: list[web.AppRunner] = []

    async def start(app: web.Application) -> str:
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture(params=["simulator", "example"])
async def service(request: pytest.FixtureRequest, counter: Counter, serve: Serve, tmp_path: Path) -> Service:
    """Each of the two services that keep the contract."""
    if request.param == "simulator":
        made: Service = request.getfixturevalue("simulator")
        return made
    provider = example_module().Provider(SECRET, "", str(tmp_path / "provider.db"))
    provider.base_url = await serve(provider.app())
    return Service("example", provider.base_url, SECRET, counter)


@dataclass
class Canned:
    """A service that answers what the test says, to play nonsense; it keeps what it was asked."""

    counter: Counter
    endpoint: str = ""
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Paymux-Contract-Version": VERSION})
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def says(self, body: Any, status: int = 200, **headers: str) -> Connector:
        """Answer this from now on; the connector that will hear it."""
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status, self.headers = status, {"Paymux-Contract-Version": VERSION, **headers}
        return self.counter.connector(CODE, endpoint=self.endpoint, secret=SECRET)


@pytest.fixture
async def canned(counter: Counter, serve: Serve) -> Canned:
    made = Canned(counter)

    async def reply(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        made.asked.append((request.method, request.raw_path, headers, await request.read()))
        return web.Response(
            body=made.body, status=made.status, headers={"Content-Type": "application/json", **made.headers}
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reply)
    made.endpoint = await serve(app)
    return made
