"""A whole installation for tests: real PostgreSQL, the API, the worker and the sandbox over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from aiohttp import web
from yarl import URL

from paymux.accounts import demo
from paymux.api.app import make_app
from paymux.orders.core import Core
from paymux.platform.clock import Clock
from paymux.platform.database import Database, from_json, to_json
from paymux.platform.encryption import KeyRing
from paymux.platform.settings import Settings
from paymux.processes import make_worker
from paymux.sandbox.app import Sandbox, open_store
from tests.patient_client import PatientClient
from tests.places import ELSEWHERE, PLACES

_NUMBERS = itertools.count(1)


def _ports() -> Iterator[int]:
    """Ports below those that the kernel hands out to whoever connects: of each test process its own, each in its turn."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = range(12_000 + process % 8 * 2_500, 12_000 + process % 8 * 2_500 + 2_500)
    start = random.choice(mine)
    return itertools.cycle((*range(start, mine.stop), *range(mine.start, start)))


_PORTS = _ports()


def free_port() -> int:
    """A port that is free on loopback right now, and that no other test of this run is given soon."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable: the ports go round")


@dataclass
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass
class Inbox:
    """A merchant's webhook endpoint: keeps what comes, answers what it is told to."""

    url: str = ""
    status: int = 200
    received: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)

    def events(self, reference: str, *names: str) -> list[dict[str, Any]]:
        """The events of an order, in the order of their sequence, each once."""
        found = {}
        for headers, body in self.received:
            event = from_json(body)
            if event["data"].get("orderReference") == reference and (not names or event["event"] in names):
                found[headers["webhook-id"]] = event
        return sorted(found.values(), key=lambda event: event["data"]["sequence"])


class Installation:
    """Everything that `paymux dev` runs, in this process, on free ports."""

    def __init__(self, home: Path, database_url: str, **settings: Any) -> None:
        defaults: dict[str, Any] = {
            "home": home, "database_url": database_url, "port": free_port(), "sandbox_port": free_port(),
            "provider_connect_timeout": 1.0, "provider_timeout": 10.0, "sandbox_hold": 1.6, "sandbox_slow": 0.1,
            "delivery_timeout": 10.0, "lease": 2.0, "race_wait": 10.0, "shutdown_grace": 1.0,
            "write_rate": 0, "token_rate": 0, "provider_pause": 0.5, "database_wait": 30.0,
        }  # fmt: skip
        self.settings = Settings(**(defaults | settings))
        self._short = settings.get("provider_timeout", 1.0)
        self.inbox = Inbox()

    async def start(self) -> None:
        """Open everything and wait until it answers."""
        settings = self.settings
        self.keyring = KeyRing.load(settings.keys_path or Path(), create=True)
        self.database = await Database.connect(settings.database_url, 20, settings.database_wait)
        self.clock = Clock(movable=True)
        await demo.seed(self.database, self.keyring, self.clock, settings)
        client = PatientClient.of(settings)
        client.short = self._short
        self.core = Core(
            database=self.database, keyring=self.keyring, clock=self.clock, settings=settings, client=client
        )
        config = uvicorn.Config(
            make_app(self.core), host="127.0.0.1", port=settings.port, log_config=None, access_log=False,
            lifespan="off", proxy_headers=False, timeout_keep_alive=120,
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._serving = asyncio.create_task(self.server.serve())
        self._stop = asyncio.Event()
        self._working = asyncio.create_task(make_worker(self.core).run(self._stop))
        self.sandbox_clock = Clock(movable=True)

        async def refresh() -> None:
            async with self.database.connection() as held:
                await self.sandbox_clock.refresh(held)

        self.store = open_store(settings.home)
        self.sandbox = Sandbox(settings, self.store, self.sandbox_clock, refresh=refresh)
        client.faults = self.sandbox.faults
        self._runner = web.AppRunner(self.sandbox.app(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", settings.sandbox_port).start()
        await self._open_inbox()
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        while not self.server.started:
            await asyncio.sleep(0.01)
        self.merchant = Merchant(self, demo.CLIENT_ID, "demo-secret")
        async with self.database.transaction() as tx:
            await tx.execute("UPDATE merchants SET webhook_url = $1", self.inbox.url)

    async def _open_inbox(self) -> None:
        async def keep(request: web.Request) -> web.Response:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.inbox.received.append((headers, await request.read()))
            return web.json_response({}, status=self.inbox.status)

        app = web.Application()
        app.router.add_post("/{path:.*}", keep)
        self._inbox_runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._inbox_runner.setup()
        port = free_port()
        await web.TCPSite(self._inbox_runner, "127.0.0.1", port).start()
        self.inbox.url = f"http://127.0.0.1:{port}/webhooks"

    async def stop(self) -> None:
        """Close everything."""
        self._stop.set()
        self.server.should_exit = True
        await asyncio.wait([self._serving, self._working], timeout=10)
        await self.http.close()
        await self._runner.cleanup()
        await self._inbox_runner.cleanup()
        await self.core.client.close()
        self.store.close()
        await self.database.close()

    async def call(self, method: str, url: str | URL, **request: Any) -> Answer:
        """One HTTP call, redirects not followed."""
        async with self.http.request(method, url, allow_redirects=False, **request) as answer:
            text = await answer.read()
            body: Any = text.decode(errors="replace")
            if "json" in answer.headers.get("Content-Type", ""):
                body = from_json(text)
            return Answer(answer.status, body, dict(answer.headers))

    def ledger(self, reference: str) -> list[tuple[str, Decimal]]:
        """What moved at the provider for an order: the witness."""
        return [(row["kind"], Decimal(row["amount"])) for row in self.store.ledger(reference)]

    def balance(self, reference: str) -> Decimal:
        """Captured less refunded at the provider."""
        rows = self.ledger(reference)
        return sum((a for kind, a in rows if kind == "capture"), Decimal(0)) - sum(
            (a for kind, a in rows if kind == "refund"), Decimal(0)
        )

    async def fault(
        self, provider: str, operation: str, fault: str, reference: str | None = None, times: int = 1
    ) -> None:
        """Order a fault at the sandbox."""
        body = {"provider": provider, "operation": operation, "fault": fault, "times": times, "reference": reference}
        answer = await self.call("POST", f"{self.settings.sandbox_base_url}/control/faults", json=body)
        assert answer.status == 201, answer.body

    async def quiet(self) -> None:
        """Wait until nothing is due any more: no provider event, no job, no timer. At most 20 seconds."""
        ends = asyncio.get_running_loop().time() + 20
        while await self._busy():
            assert asyncio.get_running_loop().time() < ends, "it does not become quiet"
            await asyncio.sleep(0.02)

    async def _busy(self) -> bool:
        async with self.database.connection() as held:
            now = await self.clock.refresh(held)
            if self.store.due_events(now):
                return True
            waiting: int = await held.fetchval(
                "SELECT count(*) FROM pgqueuer WHERE status = 'picked' OR (status = 'queued' AND execute_after <= now())"
            )
            return waiting > 0

    def hurry_events(self) -> None:
        """Let every event that a provider holds back be due, without the clock, which waits for whoever decides."""
        self.store._db.execute("UPDATE events SET due = 0")

    async def settle(self, reference: str, outcome: str) -> None:
        """Decide a pending payment later."""
        body = {"reference": reference, "outcome": outcome}
        answer = await self.call("POST", f"{self.settings.sandbox_base_url}/control/settle", json=body)
        assert answer.status == 200, answer.body

    async def advance(self, seconds: int) -> None:
        """Move the installation's clock."""
        answer = await self.merchant.post("/sandbox/clock", {"advance": seconds})
        assert answer.status == 200, answer.body


class Merchant:
    """A merchant's shop, as the API sees it."""

    def __init__(self, installation: Installation, client_id: str, client_secret: str) -> None:
        self.installation, self.client_id, self.client_secret = installation, client_id, client_secret
        self._token = ""

    async def token(self) -> str:
        """An access token, fetched once."""
        if not self._token:
            form = {
                "client_id": self.client_id, "client_secret": self.client_secret, "grant_type": "client_credentials",
                "scope": "api-user",
            }  # fmt: skip
            answer = await self.installation.call("POST", f"{self.base}/token", data=form)
            assert answer.status == 200, answer.body
            self._token = answer.body["access_token"]
        return self._token

    @property
    def base(self) -> str:
        return self.installation.settings.base_url

    async def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {"Authorization": f"Bearer {await self.token()}", "Content-Type": "application/json", **headers}
        data = body if isinstance(body, bytes) else to_json(body).encode()
        return await self.installation.call("POST", URL(self.base + path, encoded=True), data=data, headers=sent)

    async def get(self, path: str) -> Answer:
        sent = {"Authorization": f"Bearer {await self.token()}"}
        return await self.installation.call("GET", URL(self.base + path, encoded=True), headers=sent)

    def order(self, code: str = "AFTERPAY_AU", amount: str = "100", **changes: Any) -> dict[str, Any]:
        """The body of an order that this code accepts; a change to None takes a field away."""
        from paymux.connectors.registry import provider_of

        facts = provider_of(code)[1]
        country = facts.countries[0] if facts.countries else "AU"
        currency = facts.currencies[0] if facts.currencies else "AUD"
        place = PLACES.get(country, ELSEWHERE)
        who = {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": place.phone}
        address = {
            **who, "streetAddress": "1 High Street", "streetAddress2": "", "city": place.city, "country": country,
            "state": place.state, "region": place.state, "postalCode": place.postal_code,
        }  # fmt: skip
        body: dict[str, Any] = {
            "orderReference": f"ORD-{next(_NUMBERS)}-{secrets.token_hex(4)}", "bnplProvider": code, "purchaseCountry": country,
            "purchaseCurrency": currency, "locale": "en_AU", "orderAmount": Decimal(amount),
            "orderItems": [
                {"name": "Shirt", "quantity": 1, "sku": "S-1", "unitPrice": Decimal(amount), "totalAmount": Decimal(amount)}
            ],
            "customer": who, "billingAddress": address, "shippingAddress": address,
            "dynamicRedirectUrl": "https://shop.example/return",
        }  # fmt: skip
        body |= changes
        return {name: value for name, value in body.items() if value is not None}

    async def creates(self, code: str = "AFTERPAY_AU", amount: str = "100", **changes: Any) -> dict[str, Any]:
        """Create an order and return the answer's body."""
        answer = await self.post("/orders", self.order(code, amount, **changes))
        assert answer.status == 201, answer.body
        body: dict[str, Any] = answer.body
        return body

    async def status(self, reference: str) -> dict[str, Any]:
        answer = await self.get(f"/orders/{reference}")
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.body
        return body

    async def details(self, reference: str) -> dict[str, Any]:
        answer = await self.get(f"/orders/{reference}/details")
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.body
        return body

    async def captures(self, reference: str, amount: str, name: str) -> Answer:
        return await self.post(f"/orders/{reference}/capture", {"captureReference": name, "amount": Decimal(amount)})

    async def voids(self, reference: str, amount: str, name: str) -> Answer:
        return await self.post(f"/orders/{reference}/void", {"voidReference": name, "amount": Decimal(amount)})

    async def refunds(self, reference: str, amount: str, name: str) -> Answer:
        body = {"refundReference": name, "refundAmount": {"amount": Decimal(amount)}, "refundDescription": "returned"}
        return await self.post(f"/orders/{reference}/refund", body)


class Form(HTMLParser):
    """The form of a page that posts itself on to the provider."""

    def __init__(self) -> None:
        super().__init__()
        self.action, self.fields = "", {}  # type: str, dict[str, str]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.action = given.get("action") or ""
        elif tag == "input" and given.get("name"):
            self.fields[given["name"] or ""] = given.get("value") or ""


class Shopper:
    """A shopper with a browser without scripts."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    async def decides(self, redirect_url: str, outcome: str) -> str:
        """Decide on the provider's checkout page; the URL that the provider sends the browser back to."""
        url = await self.reaches(redirect_url)
        answer = await self.installation.call("POST", url, data={"outcome": outcome})
        assert answer.status == 303, answer.body
        return answer.headers["Location"]

    async def reaches(self, url: str) -> str:
        """Go on from a redirect URL, by redirects and form posts, to the provider's checkout page; its URL.

        A shopper whose form post meets an error goes back to where he came from, and tries again.
        """
        checkout, start = f"{self.installation.settings.sandbox_base_url}/checkout/", url
        answer = await self.installation.call("GET", url)
        for _ in range(12):
            if url.startswith(checkout) and answer.status == 200:
                return url
            if answer.status in (302, 303):
                url = str(URL(url).join(URL(answer.headers["Location"])))
                answer = await self.installation.call("GET", url)
                continue
            form = Form()
            form.feed(answer.body if isinstance(answer.body, str) else "")
            assert answer.status == 200, (answer.status, answer.body)
            if form.action:
                url = form.action
                answer = await self._posts(form)
                if answer.status not in (302, 303):
                    url = start
                    answer = await self.installation.call("GET", url)
            else:
                answer = await self.installation.call("GET", url)  # the waiting page goes on by itself
        raise AssertionError(f"no checkout page was reached: {answer.status} {answer.body}")

    async def _posts(self, form: Form) -> Answer:
        try:
            return await self.installation.call("POST", form.action, data=form.fields)
        except aiohttp.ClientError as lost:
            return Answer(0, str(lost), {})

    async def returns(self, url: str) -> dict[str, str]:
        """Come back to paymux and be sent on to the shop: the query that the shop gets."""
        answer = await self.installation.call("GET", URL(url, encoded=True))
        assert answer.status == 303, (answer.status, answer.body)
        return dict(URL(answer.headers["Location"]).query)

    async def pays(self, redirect_url: str, outcome: str = "approve") -> dict[str, str]:
        """Decide and come back."""
        return await self.returns(await self.decides(redirect_url, outcome))
