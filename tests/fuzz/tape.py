"""What a provider said while one order was told from beginning to end, and a server on loopback that says it again, bent."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from yarl import URL

from paymux.connectors.contract import Account, Checkout, Incoming, OrderToPay
from paymux.connectors.registry import Provider
from paymux.orders import opening, store
from paymux.platform.database import from_json, to_json
from paymux.platform.http import Answer, HttpClient
from tests.conformance.trial import Trial
from tests.fuzz.bending import Bends, bent
from tests.installation import free_port


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: its status, its headers, and its body as a JSON value, or as text where it is none."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def sent(self) -> bytes:
        return self.body.encode("utf-8", "replace") if isinstance(self.body, str) else json_bytes(self.body)


def json_bytes(value: Any) -> bytes:
    """A JSON text in which what UTF-8 can't hold is escaped, as a provider's encoder would."""
    try:
        return to_json(value).encode()
    except UnicodeEncodeError:
        return json.dumps(from_json(json.dumps(value, default=str)), default=str).encode()


@dataclass
class Tape:
    """A provider's answers by the request's method and path, its events and returns, and the order that they are about."""

    provider: Provider
    account: Account
    to_pay: OrderToPay
    checkout: Checkout
    answers: dict[tuple[str, str], list[Said]] = field(default_factory=dict)
    samples: list[Said] = field(default_factory=list)
    events: list[Incoming] = field(default_factory=list)
    returns: list[Mapping[str, str]] = field(default_factory=list)

    def join(self, other: Tape) -> None:
        """Take over what another order's story brought."""
        for request, said in other.answers.items():
            self.answers.setdefault(request, []).extend(said)
        self.events += other.events
        self.returns += other.returns


async def told(trial: Trial, *, auto_capture: bool) -> Tape:
    """Open an order, pay it, move its money as far as the provider can; all that the provider said meanwhile."""
    heard: list[tuple[str, str, Answer]] = []
    base = trial.installation.settings.sandbox_base_url
    with listening(trial.installation.core.client, heard):
        opened = await trial.opens(autoCapture=auto_capture)
        reference: str = opened["orderReference"]
        came_back = await trial.leaves(opened)
        await trial.shopper.returns(came_back)
        await trial.comes_to_rest(reference)
        if not auto_capture:
            await trial.captures(reference, trial.part(50) if trial.able.partial_capture else trial.total)
            if trial.able.partial_capture and trial.able.void:
                await trial.voids(reference, trial.total - trial.part(50))
        if trial.able.refund:
            await trial.refunds(reference, trial.part(20) if trial.able.partial_refund else trial.total)
        await trial.comes_to_rest(reference)
        await trial.installation.quiet()
        unpaid = await trial.opens(autoCapture=auto_capture)
        lost = await trial.leaves(unpaid, "decline")
        await trial.shopper.returns(lost)
        await trial.installation.quiet()
    core = trial.installation.core
    async with core.database.transaction() as tx:
        order = await store.order_by_reference(tx, await _owner(tx), reference)
        assert order is not None
        account = await core.account(tx, order)
        sealed = await tx.fetch("SELECT request_sealed FROM provider_events WHERE account_id = $1", account.id)
    tape = Tape(
        provider=trial.provider, account=core.connector_for(order, account).account,
        to_pay=opening.order_to_pay(core, order, account), checkout=opening.checkout_of(order),
    )  # fmt: skip
    for method, url, answer in heard:
        path = url.removeprefix(base)
        tape.answers.setdefault((method, path), []).append(_said(answer))
    for row in sealed:
        kept = from_json(core.keyring.unseal(row["request_sealed"], "provider-event"))
        kept["body"] = base64.b64decode(kept["body"])
        tape.events.append(Incoming(**kept))
    tape.returns = [dict(URL(url).query) for url in (came_back, lost)]
    return tape


async def _owner(tx: Any) -> str:
    owner: str = await tx.fetchval("SELECT id FROM merchants LIMIT 1")
    return owner


class listening:  # noqa: N801
    """While it lasts, every answer that a client gets is kept as well."""

    def __init__(self, client: HttpClient, heard: list[tuple[str, str, Answer]]) -> None:
        self.client, self.heard = client, heard

    def __enter__(self) -> None:
        send = self.client.send

        async def kept(method: str, url: str, **request: Any) -> Answer:
            answer = await send(method, url, **request)
            self.heard.append((method, url, answer))
            return answer

        self.client.send = kept  # type: ignore[method-assign]

    def __exit__(self, *fault: object) -> None:
        del self.client.send


_OF_THE_WAY = frozenset({"content-length", "content-encoding", "transfer-encoding", "date", "server", "connection"})


def _said(answer: Answer) -> Said:
    headers = {name: text for name, text in answer.headers.items() if name not in _OF_THE_WAY}
    try:
        return Said(answer.status, headers, from_json(answer.body))
    except ValueError:
        return Said(answer.status, headers, answer.text)


def add_samples(tape: Tape) -> None:
    """Add what the connector's folder `samples` documents: answers, events, returns."""
    for path in sorted((tape.provider.folder / "samples").glob("*.json")):
        sample = from_json(path.read_text())
        kept = [sample, *(part for name in ("answers", "failures", "refusals") for part in sample.get(name, ()))]
        for one in (part for part in kept if isinstance(part, dict)):
            headers = {"content-type": "application/json", **one.get("headers", {})}
            if "answer" in one or ("schema" in one and "status" in one):
                tape.samples.append(Said(one.get("status", 200), headers, one.get("answer", one.get("body"))))
        for name in ("body", "event"):
            if name in sample:
                body = sample[name]
                tape.events.append(_posted(body, sample.get("headers")))
                if "schema" in sample and isinstance(body, dict):
                    tape.samples.append(Said(sample.get("status", 200), {"content-type": "application/json"}, body))
        for name in ("query", "fields"):
            if isinstance(fields := sample.get(name), dict):
                query = {key: str(value) for key, value in fields.items()}
                tape.returns.append(query)
                tape.events.append(Incoming(method="GET", headers={}, query=query, body=b""))
                form = {"content-type": "application/x-www-form-urlencoded"}
                tape.events.append(Incoming(method="POST", headers=form, query={}, body=urlencode(query).encode()))


def _posted(body: Any, headers: Mapping[str, Any] | None) -> Incoming:
    """A POST with a documented event."""
    sent = body.encode() if isinstance(body, str) else json_bytes(body)
    named = {"content-type": "application/json", **{name.lower(): str(text) for name, text in (headers or {}).items()}}
    return Incoming(method="POST", headers=named, query={}, body=sent, path="/provider-events/evk_1")


def bent_event(event: Incoming, todo: Bends) -> tuple[Incoming, list[Any]]:
    """An event with its body, its query and its headers bent; all that it says."""
    form = False
    try:
        body = from_json(event.body)
    except ValueError:
        body = dict(parse_qsl(event.body.decode("utf-8", "replace"), keep_blank_values=True))
        form = bool(body)
    whole = bent({"body": body, "query": dict(event.query), "headers": dict(event.headers)}, todo)
    parts = whole if isinstance(whole, dict) else {}
    body = parts.get("body")
    if form and isinstance(body, dict):
        sent = urlencode({str(k): str(v) for k, v in body.items()}, errors="replace").encode()
    else:
        sent = json_bytes(body) if body not in ({}, None) else b""
    query, headers = (_texts(parts.get(name)) for name in ("query", "headers"))
    headers = {name.lower(): text for name, text in headers.items()}
    return replace(event, body=sent, query=query, headers=headers), [body, query, headers]


def _texts(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}


def bent_query(query: Mapping[str, str], todo: Bends) -> dict[str, str]:
    """A return's query, bent."""
    return _texts(bent(dict(query), todo))


class Script:
    """A server on loopback in a provider's place. `plan` says which answer of a list is told, which is bent and how."""

    def __init__(self, base: str) -> None:
        self.base, self.url = base, ""
        self.tape: Tape | None = None
        self.told: list[Any] = []
        self.calls = 0
        self.plan: Callable[[int, list[Said]], Said] = lambda _, answers: answers[0]

    async def serve(self) -> Callable[[], Awaitable[None]]:
        """Begin; what is returned ends it."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{port}"
        return runner.cleanup

    async def _answer(self, request: web.Request) -> web.Response:
        assert self.tape is not None
        await request.read()
        known = self.tape.answers.get((request.method, request.raw_path)) or self.tape.samples or [Said(404, {}, {})]
        said = self.plan(self.calls, known)
        self.calls += 1
        self.told += [said.body, dict(said.headers)]
        headers = {name: text.replace(self.base, self.url) for name, text in said.headers.items()}
        body = said.sent.replace(self.base.encode(), self.url.encode())
        return web.Response(status=said.status, body=body, headers=headers)
