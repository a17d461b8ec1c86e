"""Marked people and secrets go in everywhere, to providers that repeat all they are told; and come out nowhere."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from paymux.accounts import demo
from paymux.connectors.registry import all_providers
from paymux.platform.identifiers import new_id
from paymux.platform.postgres import EmbeddedPostgres
from tests.conformance.trial import Trial
from tests.installation import Installation, Shopper, free_port
from tests.places import PLACES
from tests.processes import ORDER, Answer, Process, Ran, call, environment_of, run, running, until
from tests.security.reading import in_clear, named_in, tables_in_clear

PERSON = {
    "firstName": "Zenobiah", "lastName": "Quillfeather", "email": "zenobiah@quillfeather.example",
    "phoneNumber": "+61491570156",
}  # fmt: skip
PLACE = {"streetAddress": "77 Marmalade Crescent", "streetAddress2": "Flat Tangerine", "city": "Waggamarked"}
MARKS = {
    **PERSON, **PLACE, "additionalData": "Marked-Additional-Data", "a credential": "marked-merchant-id-of-afterpay",
    "another credential": "marked-secret-key-of-afterpay", "a wrong client secret": "marked-wrong-client-secret",
    "a wrong token": "tok_markedmarkedmarkedmarked", "a customer identifier": "marked-customer-identifier",
    "an authorization": "marked-bearer-value",
}  # fmt: skip
# A merchant's own words, which may name whom he likes: told again to him, and to nobody else.
WORDS = {
    "partnerConfiguration": "Marked-Partner-Configuration", "a capture": "Marked-Capture-Description",
    "refundDescription": "Marked-Refund-Description", "a void": "Marked-Void-Description",
}  # fmt: skip
LIMITS = {"provider_timeout": 10.0, "sandbox_hold": 12.0}


class Parrot:
    """A provider, and a merchant's endpoint, that repeats all it is told in whatever it answers."""

    def __init__(self) -> None:
        self.port, self.heard = free_port(), ""
        self.base = f"http://127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.Response:
        told = f"{request.path_qs} {dict(request.headers)} {(await request.text())}"
        self.heard += told
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        decoded = base64.b64decode(given).decode(errors="replace") if scheme == "Basic" else given
        text = f"{told} {decoded}"
        way = request.path.split("/")[1]
        if way == "refusing":
            # The provider's reason is told on to the merchant, by contract: what it repeats of the order must be gone.
            text = f"{await request.text()} signed in by {request.headers.get('Authorization')}"
            body = {"errorCode": "invalid_object", "errorId": "e1", "message": text, "httpStatusCode": 422, "code": "declined",
                    "reason": text, "error": {"code": "declined", "message": text}}  # fmt: skip
            return web.json_response(body, status=422, headers={"paymux-contract": "2026-11-01"})
        if way == "broken":
            return web.json_response({"error": text}, status=500)
        if way == "nonsense":
            return web.json_response(
                {"token": [text], "expires": text, "redirectCheckoutUrl": {"a": text}, text[:60]: text}, status=201
            )
        return web.Response(text=text, status=400)


@dataclass
class House:
    """A working installation of processes, and everything that it has said so far."""

    environment: dict[str, str]
    folder: Path
    url: str
    parrot: Parrot
    processes: dict[str, Process] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    token: str = ""

    async def types(self, *words: str | Path, keep: bool = True) -> Ran:
        ran = await asyncio.to_thread(run, self.environment, *words)
        if keep:
            self.commands[" ".join(map(str, words))] = ran.out + ran.said
        return ran

    async def calls(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        if body is not None:
            more["json"] = body
        answer = await call(method, self.url + path, headers=headers, **more)
        self.answers[f"{method} {path} {answer.status} {len(self.answers)}"] = (
            json.dumps(answer.body, default=str) + answer.headers
        )
        return answer

    def files(self) -> dict[str, str]:
        """What was left in the home folder, but for the keys, the operator's own file and the simulated providers' books."""
        own = (
            "keys.json",
            "credentials.json",
            "sandbox/witness.db",
            "sandbox/witness.db-wal",
            "sandbox/witness.db-shm",
        )
        names = {str(path.relative_to(self.folder)): path for path in self.folder.rglob("*") if path.is_file()}
        return {name: path.read_text(errors="replace") for name, path in names.items() if name not in own}

    def logs(self) -> dict[str, str]:
        return {f"log of {name}": process.said for name, process in self.processes.items()}


@pytest.fixture
async def parrot() -> AsyncIterator[Parrot]:
    bird = Parrot()
    app = web.Application(client_max_size=10**7)
    app.router.add_route("*", "/{path:.*}", bird.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", bird.port).start()
    yield bird
    await runner.cleanup()


@pytest.fixture
async def house(postgres_server: EmbeddedPostgres, tmp_path: Path, parrot: Parrot) -> AsyncIterator[House]:
    port, sandbox = free_port(), free_port()
    environment = environment_of(
        PAYMUX_HOME=str(tmp_path), PAYMUX_PORT=str(port), PAYMUX_SANDBOX_PORT=str(sandbox), PAYMUX_LOG_LEVEL="DEBUG",
        PAYMUX_DATABASE_URL=postgres_server.create_database(new_id("told").lower(), "paymux"),
        PAYMUX_PROVIDER_HOSTS=f"afterpay={parrot.base}/refusing,klarna={parrot.base}/broken,tabby={parrot.base}/nonsense",
    )  # fmt: skip
    assert (await asyncio.to_thread(run, environment, "db", "prepare")).code == 0
    with running(environment, tmp_path, "serve", "worker", "sandbox") as processes:
        made = House(environment, tmp_path, f"http://127.0.0.1:{port}", parrot, processes)
        await until(f"{made.url}/readyz", 200, processes["serve"])
        await until(f"http://127.0.0.1:{sandbox}/", 200, processes["sandbox"])
        yield made


async def _moves_in(house: House) -> None:
    """A merchant with marked credentials at a provider that refuses, breaks or talks nonsense."""
    created = json.loads(
        (await house.types("merchants", "create", "A shop", "--client-id", "shop", "--json", keep=False)).out
    )
    house.secrets |= {name: created[name] for name in ("clientSecret", "paymentSecret", "webhookSecret")}
    house.secrets["the webhook key"] = created["webhookSecret"].removeprefix("whsec_")
    await house.types(
        "merchants", "set", "shop", "--webhook-url", f"{house.parrot.base}/hook", "--raw-provider-response", "on"
    )
    path = house.folder / "credentials.json"
    for code in ("AFTERPAY_AU", "KLARNA", "TABBY_AE", "PLANPAY_AU", "LATITUDEPAY_AU", "HUMM_AU"):
        given = demo.simulator_credentials(next(one for one in all_providers().values() if code in one.facts.codes))
        if code == "AFTERPAY_AU":
            given = {"merchant_id": MARKS["a credential"], "secret_key": MARKS["another credential"]}
        path.write_text(json.dumps(given))
        said = await house.types(
            "provider-accounts", "set", "shop", code, "--environment", "sandbox", "--credentials", path
        )
        assert said.code == 0, said.said
        house.secrets |= {f"{name} of {code}": value for name, value in given.items() if len(value) > 12}
    await house.types("providers", "check", "AFTERPAY_AU", "--merchant", "shop")
    form = {
        "client_id": "shop", "client_secret": house.secrets["clientSecret"], "grant_type": "client_credentials",
        "scope": "api-user",
    }  # fmt: skip
    granted = await call("POST", f"{house.url}/token", data=form)
    house.token = granted.body["access_token"]
    house.secrets["the access token"] = house.token
    for wrong in (form | {"client_secret": MARKS["a wrong client secret"]}, form | {"grant_type": "password"}):
        assert (await house.calls("POST", "/token", data=wrong)).status in (400, 401)
    await house.calls("POST", "/token", form | {"client_secret": MARKS["a wrong client secret"]})


def _order(code: str, reference: str, **changes: Any) -> dict[str, Any]:
    facts = next(one.facts.codes[code] for one in all_providers().values() if code in one.facts.codes)
    country = facts.countries[0] if facts.countries else "AU"
    place = PLACES.get(country, PLACES["AU"])
    address = {
        **PERSON,
        **PLACE,
        "country": country,
        "state": place.state,
        "region": place.state,
        "postalCode": place.postal_code,
    }
    return ORDER | {
        "orderReference": reference, "bnplProvider": code, "purchaseCountry": country, "locale": "en_AU",
        "purchaseCurrency": facts.currencies[0] if facts.currencies else "AUD", "customer": PERSON, "billingAddress": address,
        "shippingAddress": address, **changes,
    }  # fmt: skip


async def _sells(house: House) -> None:
    """Orders that come to every kind of end."""
    refused = _order("AFTERPAY_AU", "REFUSED", additionalData={"description": MARKS["additionalData"]})
    assert (await house.calls("POST", "/orders", refused, headers={"Idempotency-Key": "k-1"})).status == 422
    assert (await house.calls("POST", "/orders", refused, headers={"Idempotency-Key": "k-1"})).status == 422
    assert (await house.calls("POST", "/orders", _order("KLARNA", "BROKEN"))).status == 201
    assert (await house.calls("POST", "/orders", _order("TABBY_AE", "NONSENSE"))).status in (201, 502)
    extra = {"additionalData": {"providerData": {"note": MARKS["additionalData"]}}, "getToken": True}
    opened = await house.calls("POST", "/orders", _order("PLANPAY_AU", "PAID", **extra))
    assert opened.status == 201, opened.body
    back = await call(
        "POST",
        (await call("GET", opened.body["redirectUrl"])).location or opened.body["redirectUrl"],
        data={"outcome": "approve"},
    )
    await house.calls(
        "GET", back.location.removeprefix(house.url) + f"&name={PERSON['lastName']}&mail={PERSON['email']}"
    )
    await _posts_a_form(house)
    await _moves(house)
    for reference in ("REFUSED", "BROKEN", "NONSENSE", "PAID", "MOVED", "FORM"):
        await house.calls("POST", f"/orders/{reference}/details")


async def _posts_a_form(house: House) -> None:
    """An order whose shopper's browser brings the provider, in a form, all that it is to know."""
    opened = await house.calls("POST", "/orders", _order("HUMM_AU", "FORM"))
    assert opened.status == 201, opened.body
    page = await call("GET", opened.body["redirectUrl"])
    assert PERSON["email"] in page.body, "the shopper's own browser has to be told"


async def _moves(house: House) -> None:
    """An order that is captured, given back and voided in part, each with the merchant's words."""
    opened = await house.calls(
        "POST", "/orders",
        _order("PLANPAY_AU", "MOVED", autoCapture=False, partnerConfiguration={"note": [WORDS["partnerConfiguration"]]}),
    )  # fmt: skip
    assert opened.status == 201, opened.body
    back = await call("POST", opened.body["redirectUrl"], data={"outcome": "approve"})
    await house.calls("GET", back.location.removeprefix(house.url))
    for path, body in (
        ("capture", {"captureReference": "C", "amount": 60, "description": WORDS["a capture"]}),
        (
            "refund",
            {"refundReference": "R", "refundAmount": {"amount": 10}, "refundDescription": WORDS["refundDescription"]},
        ),
        ("void", {"voidReference": "V", "amount": 20, "description": WORDS["a void"]}),
    ):
        moved = await house.calls("POST", f"/orders/MOVED/{path}", body)
        assert moved.status == 201, moved.body


async def _blunders(house: House) -> None:
    """Requests that are refused, each with marked values where they do not belong."""
    good = _order("PLANPAY_AU", "NEVER")
    wrong: list[dict[str, Any]] = [
        {"customer": {**PERSON, "email": {"is": PERSON["email"]}}}, {"customer": PERSON["email"]},
        {"customer": {**PERSON, "phoneNumber": PERSON["phoneNumber"] + "x" * 2000}}, {"purchaseCountry": PERSON["lastName"]},
        {"billingAddress": {**PLACE, **PERSON, "country": PERSON["lastName"]}}, {"locale": PERSON["email"]},
        {"orderAmount": PERSON["phoneNumber"]}, {"additionalData": {"unknown": MARKS["additionalData"]}},
        {"additionalData": [MARKS["additionalData"]]}, {"token": MARKS["a wrong token"], "customerPresent": True},
        {"dynamicRedirectUrl": f"https://{PERSON['lastName']}:{MARKS['a wrong token']}@shop.example/"},
        {"orderItems": [{"name": PERSON["lastName"], "quantity": PERSON["email"]}]}, {"sessionId": PERSON["email"]},
        {"shippingType": PERSON["email"]}, {"customerToken": {"x": MARKS["a wrong token"]}},
    ]  # fmt: skip
    for changes in wrong:
        answer = await house.calls("POST", "/orders", good | changes)
        assert answer.status in (400, 422), (changes, answer.body)
    raw = json.dumps(good)
    for body in (
        raw[:-5],
        raw.replace('"email": ', '"email" ', 1),
        raw.replace(PERSON["email"], PERSON["email"] + "\n"),
    ):
        sent = {"Content-Type": "application/json"}
        assert (await house.calls("POST", "/orders", data=body.encode(), headers=sent)).status == 400
    session = {"customerIdentifier": MARKS["a customer identifier"]}
    assert (await house.calls("POST", "/merchants/customer/sessions", session)).status == 201
    unknown = {"Authorization": f"Bearer {MARKS['an authorization']}"}
    assert (await house.calls("GET", "/orders/PAID", headers=unknown)).status == 401
    for path in ("/return/otk_unknown", "/checkout/otk_unknown", "/provider-events/pek_unknown"):
        await house.calls("POST", f"{path}?mail={PERSON['email']}", PERSON)


async def _hears(house: House, database: asyncpg.Connection) -> None:
    """Marked events at every address: forged, unreadable, and of nobody's order."""
    for row in await database.fetch("SELECT event_key, code FROM provider_accounts WHERE merchant_id <> 'mer_demo'"):
        for body in (
            json.dumps({"order": PERSON, "id": PERSON["email"], "reference": PERSON["lastName"]}),
            f"[{PERSON}",
        ):
            await house.calls("POST", f"/provider-events/{row['event_key']}?who={PERSON['email']}", data=body.encode())


async def _calms_down(database: asyncpg.Connection) -> None:
    ends = asyncio.get_running_loop().time() + 60
    due = "SELECT count(*) FROM pgqueuer WHERE status = 'picked' OR (status = 'queued' AND execute_after <= now())"
    while await database.fetchval(due):
        assert asyncio.get_running_loop().time() < ends
        await asyncio.sleep(0.1)


async def _everything_that_is_shown(house: House) -> None:
    """Every command that shows something of orders, events or customers; `review event` alone is there to show a person's data."""
    for words in (
        ("review", "list"), ("review", "list", "--json"), ("review", "events"), ("review", "events", "--json"),
        ("review", "refused"), ("review", "refused", "--json"), ("review", "differences", "--json"), ("keys", "status"),
        ("audit", "REFUSED"), ("audit", "PAID"), ("audit", "MOVED"), ("audit", "BROKEN", "--json"), ("audit", "PAID", "--json"),
        ("audit", "MOVED", "--json"), ("providers",),
        ("providers", "check", "KLARNA", "--merchant", "shop"), ("reconcile", "--provider", "KLARNA", "--json"),
        ("reconcile", "--provider", "PLANPAY_AU", "--repair"), ("keys", "reencrypt"),
        ("deliveries", "list", "--state", "all", "--json"), ("merchants", "list", "--json"), ("channels", "list", "shop"),
        ("provider-accounts", "list", "shop", "--json"),
        ("merchants", "set", "shop", "--raw-provider-response", "on", "--json"),
        ("customers", "erase", PERSON["email"], "--note", "asked"), ("customers", "erase", "--order", "PAID", "--json"),
    ):  # fmt: skip
        await house.types(*words)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_nothing_marked_comes_out_anywhere(house: House, postgres_server: EmbeddedPostgres) -> None:
    await _moves_in(house)
    database = await asyncpg.connect(house.environment["PAYMUX_DATABASE_URL"])
    await _sells(house)
    await _blunders(house)
    await _hears(house, database)
    # What waits for a second try is tried now, so that the worker meets the parrot as well.
    await house.calls("POST", "/sandbox/clock", {"advance": 120})
    await _calms_down(database)
    await house.calls("POST", "/sandbox/clock", {"advance": 1200})
    await _calms_down(database)
    before = await tables_in_clear(database)
    await _everything_that_is_shown(house)
    for path in ("/readyz?verbose", "/metrics", "/openapi.json", "/docs", "/.well-known/jwks.json"):
        await house.calls("GET", path)
    # The one place where a payment token is told: its merchant's webhook.
    house.secrets |= dict.fromkeys(re.findall(r"tok_[A-Za-z0-9_-]{20,}", house.parrot.heard), "")
    tokens = [name for name in house.secrets if name.startswith("tok_")]
    assert tokens, "a payment token was made and delivered"
    house.secrets |= {token: token for token in tokens}

    marks = MARKS | house.secrets
    heard = {name for _, name in named_in({"what the provider heard": house.parrot.heard}, PERSON | PLACE)}
    assert heard == set(PERSON | PLACE), "the providers were told, and told it back"
    for process in house.processes.values():
        process.stop()
    for process in house.processes.values():
        assert process.process.poll() is not None
    database_log = postgres_server._home / "postgres" / "log"
    logs = house.logs() | {"log of the database": database_log.read_text(errors="replace")}
    assert "connector.failed" in logs["log of serve"] or "operation.waits" in logs["log of worker"]
    told_again = {name for _, name in named_in(house.answers, WORDS)}
    assert told_again == set(WORDS), "to the merchant alone, who gave them"
    assert named_in(house.answers, marks) == []
    marks |= WORDS
    assert named_in(logs, marks) == []
    assert named_in(house.commands, marks) == []
    assert named_in(before, marks) == []
    assert named_in(await tables_in_clear(database), marks) == []
    assert named_in(house.files(), marks) == []
    await database.close()


@pytest.mark.parametrize("name", sorted(all_providers()))
async def test_no_connector_leaves_a_marked_person_in_any_table(
    name: str, installation: Installation, shopper: Shopper
) -> None:
    trial = Trial(installation, all_providers()[name])
    body = trial.body(partnerConfiguration={"note": WORDS["partnerConfiguration"]}, getToken=trial.can("token"))
    # Some take no telephone number but of their own country.
    who = PERSON | PLACE | {"phoneNumber": body["customer"]["phoneNumber"]}
    for part in ("customer", "billingAddress", "shippingAddress"):
        body[part] = body[part] | {field: mark for field, mark in who.items() if field in body[part]}
    opened = await trial.opens(body)
    await shopper.pays(opened["redirectUrl"])
    if trial.can("refund"):
        refund = {
            "refundReference": "R",
            "refundAmount": {"amount": 1},
            "refundDescription": WORDS["refundDescription"],
        }
        await installation.merchant.post(f"/orders/{body['orderReference']}/refund", refund)
    assert named_in(await in_clear(installation), who | WORDS) == []
