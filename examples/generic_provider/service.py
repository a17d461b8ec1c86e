"""A payment provider in one file: it speaks paymux's generic contract, version 2026-11-01.

Its money is make-believe: a shopper who presses "Pay" has paid. Replace `decide` and `move` by your bank, wallet or
loan book and keep the rest. It needs aiohttp and standardwebhooks, keeps everything in one SQLite file, and reads:

PROVIDER_SECRET    whsec_..., the secret of the paymux provider account (required)
PROVIDER_PORT      where to listen on 127.0.0.1 (8070)
PROVIDER_BASE_URL  how paymux and the shoppers reach it (http://127.0.0.1:PORT)
PROVIDER_DATABASE  the SQLite file (provider.db)
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import html
import json
import os
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import aiohttp
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

VERSION = "2026-11-01"
KEY, FINGERPRINT = web.RequestKey("KEY", str), web.RequestKey("FINGERPRINT", str)
BODY = web.RequestKey("BODY", dict[str, Any])
RETRY_AFTER = (5, 30, 120, 600, 3600)
TOTALS = {"capture": "captured", "void": "voided", "refund": "refunded"}
BACK = {"paid": "success", "pending": "success", "cancelled": "cancel"}
TABLES = """
CREATE TABLE IF NOT EXISTS checkouts (id TEXT PRIMARY KEY, order_id TEXT UNIQUE NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS operations (
  key TEXT PRIMARY KEY, checkout TEXT NOT NULL, fingerprint TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (value TEXT PRIMARY KEY, checkout TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
  id TEXT PRIMARY KEY, due REAL NOT NULL, tries INTEGER NOT NULL, url TEXT NOT NULL, body TEXT NOT NULL);
"""
PAGE = """<!doctype html><meta charset="utf-8"><title>Example provider</title>
<h1>Pay {amount}</h1><p>Order {reference}</p>
<form method="post"><button name="outcome" value="approve">Pay</button>
<button name="outcome" value="decline">Be declined</button>
<button name="outcome" value="cancel">Go back</button></form>
"""


class No(Exception):
    """An error answer of the contract."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error": {"code": code, "message": message}}


class Provider:
    """Checkouts, payments and events over one SQLite file. No handler awaits between reading and writing it."""

    def __init__(self, secret: str, base_url: str, database: str) -> None:
        self.webhook, self.base_url = Webhook(secret), base_url
        self.db = sqlite3.connect(database)
        self.db.executescript(TABLES)

    def app(self) -> web.Application:
        """The web application."""
        app = web.Application()
        app.cleanup_ctx.append(self.send_events)
        for method, path, work in (
            ("POST", "/checkouts", self.create),
            ("GET", "/checkouts", self.find),
            ("GET", "/checkouts/{id}", self.read),
            ("POST", "/checkouts/{id}/cancel", self.cancel),
            ("POST", "/checkouts/{id}/{moves:captures|voids|refunds}", self.move),
            ("POST", "/charges", self.charge),
            ("GET", "/operations/{key}", self.operation),
        ):
            app.router.add_route(method, path, self.signed(work))
        app.router.add_get("/pay/{id}", self.page)
        app.router.add_post("/pay/{id}", self.decide)
        return app

    # -- who asks, and for what ---------------------------------------------------------------

    def signed(
        self, work: Callable[[web.Request], tuple[int, Any]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A handler that demands the signature and answers in the contract's form."""

        async def call(request: web.Request) -> web.Response:
            try:
                self.authenticate(request, await request.read())
                with self.db:
                    status, body = work(request)
            except No as no:
                status, body = no.status, no.body
            except (KeyError, TypeError, AttributeError, InvalidOperation, json.JSONDecodeError):
                status, body = 400, No(400, "invalid_request", "The body lacks what it must have.").body
            return web.json_response(body, status=status, headers={"Paymux-Contract-Version": VERSION})

        return call

    def authenticate(self, request: web.Request, body: bytes) -> None:
        """Standard Webhooks over the body; method, path and key are in the last part of the webhook-id."""
        key = request.headers.get("Idempotency-Key", "")
        meant = hashlib.sha256(f"{request.method}\n{request.raw_path}\n{key}".encode()).hexdigest()
        try:
            self.webhook.verify(body, dict(request.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):
            raise No(401, "unauthorised", "The signature is missing or wrong.") from None
        id = request.headers["webhook-id"]
        if not id.startswith("req_") or not secrets.compare_digest(id.rpartition("_")[2].encode(), meant.encode()):
            raise No(401, "unauthorised", "The signature is about another request.")
        if request.headers.get("Paymux-Contract-Version") != VERSION:
            raise No(400, "unsupported_version", f"This service speaks {VERSION}.")
        if request.method == "POST" and not key:
            raise No(400, "invalid_request", "Idempotency-Key is missing.")
        request[KEY], request[BODY] = key, json.loads(body) if body else {}
        request[FINGERPRINT] = hashlib.sha256(request.raw_path.encode() + b" " + body).hexdigest()

    def repeated(self, request: web.Request) -> dict[str, Any] | None:
        """The operation that this key stands for already."""
        found = self.db.execute("SELECT body, fingerprint FROM operations WHERE key=?", (request[KEY],)).fetchone()
        if found and found[1] != request[FINGERPRINT]:
            raise No(422, "idempotency_key_reused", "This Idempotency-Key came with another request.")
        return json.loads(found[0]) if found else None

    # -- checkouts ----------------------------------------------------------------------------

    def create(self, request: web.Request) -> tuple[int, Any]:
        """POST /checkouts."""
        if first := self.repeated(request):
            return 201, shown(self.checkout(first["checkout_id"]))
        order = request[BODY]
        checkout = self.opened(request, order, "create")
        checkout |= {"save_token": order["save_token"], "expires_at": order["expires_at"], "urls": order["urls"]}
        checkout["url"] = f"{self.base_url}/pay/{checkout['id']}"
        self.keep(checkout, tell=False)
        return 201, shown(checkout)

    def opened(self, request: web.Request, order: dict[str, Any], kind: str) -> dict[str, Any]:
        """A new checkout, kept together with the operation that opened it."""
        if self.db.execute("SELECT 1 FROM checkouts WHERE order_id=?", (order["order_id"],)).fetchone():
            raise No(409, "duplicate_order", "There is a checkout of this order_id already.")
        Decimal(order["total"]["amount"])
        checkout = {
            "id": f"co_{secrets.token_hex(10)}", "order_id": order["order_id"], "reference": order["reference"],
            "status": "open", "url": None, "total": order["total"], "expires_at": None, "reason": "", "code": "",
            "payment": None, "token": None, "token_failure": None, "capture": order["capture"], "save_token": False,
            "urls": order["urls"],
        }  # fmt: skip
        self.note(request, checkout, checkout["id"], kind, order["total"])
        return checkout

    def find(self, request: web.Request) -> tuple[int, Any]:
        """GET /checkouts?order_id=."""
        order_id = request.query.get("order_id", "")
        found = self.db.execute("SELECT id FROM checkouts WHERE order_id=?", (order_id,)).fetchone()
        return 200, {"checkouts": [shown(self.checkout(found[0]))] if found else []}

    def read(self, request: web.Request) -> tuple[int, Any]:
        """GET /checkouts/{id}."""
        return 200, shown(self.checkout(request.match_info["id"]))

    def cancel(self, request: web.Request) -> tuple[int, Any]:
        """POST /checkouts/{id}/cancel."""
        checkout = self.checkout(request.match_info["id"])
        if not self.repeated(request) and checkout["status"] == "open":
            self.note(request, checkout, checkout["id"], "cancel", checkout["total"])
            checkout |= {"status": "cancelled", "url": None}
            self.keep(checkout)
        if checkout["status"] == "paid":
            raise No(409, "wrong_state", "The checkout is paid.")
        return 200, shown(checkout)

    def charge(self, request: web.Request) -> tuple[int, Any]:
        """POST /charges."""
        if first := self.repeated(request):
            return 201, shown(self.checkout(first["checkout_id"]))
        order = request[BODY]
        if not self.db.execute("SELECT 1 FROM tokens WHERE value=?", (order["token"],)).fetchone():
            raise No(422, "token_not_valid", "No such token.")
        checkout = self.opened(request, order, "charge")
        self.pay(checkout)
        return 201, shown(checkout)

    def operation(self, request: web.Request) -> tuple[int, Any]:
        """GET /operations/{key}."""
        found = self.db.execute("SELECT body FROM operations WHERE key=?", (request.match_info["key"],)).fetchone()
        if not found:
            raise No(404, "not_found", "No operation with this key.")
        return 200, json.loads(found[0])

    # -- money --------------------------------------------------------------------------------

    def move(self, request: web.Request) -> tuple[int, Any]:
        """POST /checkouts/{id}/captures, voids or refunds."""
        checkout, kind = self.checkout(request.match_info["id"]), request.match_info["moves"].removesuffix("s")
        if first := self.repeated(request):
            return 201, first
        payment, asked = checkout["payment"], request[BODY]["amount"]
        if payment is None:
            raise No(409, "wrong_state", "The checkout is not paid.")
        amount, sums = Decimal(asked["amount"]), {name: Decimal(payment[name]) for name in TOTALS.values()}
        if asked["currency"] != payment["authorised"]["currency"] or amount <= 0:
            raise No(400, "invalid_request", "amount must be above 0 and in the payment's currency.")
        gone = sums["captured"] + sums["voided"]
        left = (
            sums["captured"] - sums["refunded"] if kind == "refund" else Decimal(payment["authorised"]["amount"]) - gone
        )
        if amount > left:
            raise No(422, "over_limit", f"Only {left} is left to {kind}.")
        payment[TOTALS[kind]] = str(sums[TOTALS[kind]] + amount)
        done = self.note(request, checkout, f"{kind[:2]}_{secrets.token_hex(10)}", kind, asked)
        payment["operations"].append(done)
        self.keep(checkout)
        return 201, done

    def pay(self, checkout: dict[str, Any]) -> None:
        """The checkout becomes a payment."""
        total, automatic = checkout["total"], checkout["capture"] == "automatic"
        nothing = str(Decimal(total["amount"]) * 0)
        checkout |= {"status": "paid", "url": None}
        checkout["payment"] = {
            "id": f"pay_{secrets.token_hex(8)}", "authorised": total, "authorised_until": None, "expired": nothing,
            "captured": total["amount"] if automatic else nothing, "voided": nothing, "refunded": nothing,
            "operations": [entry(checkout, f"ca_{secrets.token_hex(10)}", None, "capture", total)] if automatic else [],
        }  # fmt: skip
        if checkout["save_token"]:
            checkout["token"] = {"value": f"tok_{secrets.token_hex(16)}", "expires_at": None}
            self.db.execute("INSERT INTO tokens VALUES (?,?)", (checkout["token"]["value"], checkout["id"]))
        self.keep(checkout)

    # -- the shopper --------------------------------------------------------------------------

    async def page(self, request: web.Request) -> web.Response:
        """The checkout page."""
        checkout = self.shoppers(request)
        text = PAGE.format(
            amount=html.escape("{amount} {currency}".format(**checkout["total"])),
            reference=html.escape(checkout["reference"]),
        )
        return web.Response(text=text, content_type="text/html")

    async def decide(self, request: web.Request) -> web.Response:
        """The shopper presses a button. Who comes back to a decided checkout is only sent on."""
        outcome = (await request.post()).get("outcome")
        with self.db:
            checkout = self.shoppers(request)
            if checkout["status"] == "open" and outcome == "approve":
                self.pay(checkout)
            elif checkout["status"] == "open" and outcome == "decline":
                checkout |= {"status": "declined", "url": None, "reason": "Not this time.", "code": "example"}
                self.keep(checkout)
            elif checkout["status"] == "open":
                checkout |= {"status": "cancelled", "url": None}
                self.keep(checkout)
        raise web.HTTPSeeOther(checkout["urls"][BACK.get(checkout["status"], "failure")])

    def shoppers(self, request: web.Request) -> dict[str, Any]:
        """The checkout of a page; charges have none."""
        try:
            checkout = self.checkout(request.match_info["id"])
        except No:
            raise web.HTTPNotFound from None
        if "success" not in checkout["urls"]:
            raise web.HTTPNotFound
        return checkout

    # -- what it keeps --------------------------------------------------------------------------

    def checkout(self, id: str) -> dict[str, Any]:
        """A checkout, expired when its time has come."""
        found = self.db.execute("SELECT body FROM checkouts WHERE id=?", (id,)).fetchone()
        if not found:
            raise No(404, "not_found", "No such checkout.")
        checkout: dict[str, Any] = json.loads(found[0])
        if checkout["status"] == "open" and datetime.fromisoformat(checkout["expires_at"]) <= datetime.now(UTC):
            checkout |= {"status": "expired", "url": None}
            self.keep(checkout)
        return checkout

    def keep(self, checkout: dict[str, Any], *, tell: bool = True) -> None:
        """Write a checkout and the event that tells of it; the caller's transaction makes them one."""
        self.db.execute(
            "INSERT INTO checkouts VALUES (?,?,?) ON CONFLICT (id) DO UPDATE SET body=excluded.body",
            (checkout["id"], checkout["order_id"], json.dumps(checkout)),
        )
        now, url = datetime.now(UTC), checkout["urls"].get("events")
        if tell and url:
            body = json.dumps({"type": "checkout.updated", "timestamp": now.isoformat(), "data": shown(checkout)})
            self.db.execute(
                "INSERT INTO events VALUES (?,?,0,?,?)", (f"evt_{secrets.token_hex(12)}", now.timestamp(), url, body)
            )

    def note(
        self, request: web.Request, checkout: dict[str, Any], id: str, kind: str, amount: dict[str, str]
    ) -> dict[str, Any]:
        """Keep an operation under its key; a key that exists already fails the whole transaction."""
        said = entry(checkout, id, request[KEY], kind, amount)
        self.db.execute(
            "INSERT INTO operations VALUES (?,?,?,?)",
            (request[KEY], checkout["id"], request[FINGERPRINT], json.dumps(said)),
        )
        return said

    # -- events ---------------------------------------------------------------------------------

    async def send_events(self, app: web.Application) -> AsyncIterator[None]:
        """Deliver events while the service runs."""
        task = asyncio.create_task(self.deliver())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def deliver(self) -> None:
        """Send what is due, signed anew in every try."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
            while True:
                now = datetime.now(UTC)
                due = self.db.execute(
                    "SELECT id, tries, url, body FROM events WHERE due<=? ORDER BY due LIMIT 20", (now.timestamp(),)
                ).fetchall()
                for id, tries, url, body in due:
                    taken = await self.delivered(http, id, url, body)
                    with self.db:
                        if taken or tries == len(RETRY_AFTER):
                            self.db.execute("DELETE FROM events WHERE id=?", (id,))
                        else:
                            again = (now + timedelta(seconds=RETRY_AFTER[tries])).timestamp()
                            self.db.execute("UPDATE events SET tries=tries+1, due=? WHERE id=?", (again, id))
                await asyncio.sleep(0.2)

    async def delivered(self, http: aiohttp.ClientSession, id: str, url: str, body: str) -> bool:
        """Whether paymux took the event."""
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/json", "Paymux-Contract-Version": VERSION, "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": self.webhook.sign(id, now, body),
        }  # fmt: skip
        try:
            async with http.post(url, data=body.encode(), headers=headers, allow_redirects=False) as answer:
                return answer.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False


def entry(checkout: dict[str, Any], id: str, key: str | None, kind: str, amount: dict[str, str]) -> dict[str, Any]:
    """An operation in the contract's form."""
    return {
        "id": id, "key": key, "kind": kind, "status": "done", "amount": amount, "order_id": checkout["order_id"],
        "checkout_id": checkout["id"], "reason": "",
    }  # fmt: skip


def shown(checkout: dict[str, Any]) -> dict[str, Any]:
    """A checkout in the contract's form: without what is only ours."""
    return {name: value for name, value in checkout.items() if name not in ("capture", "save_token", "urls")}


if __name__ == "__main__":
    port = int(os.environ.get("PROVIDER_PORT", "8070"))
    provider = Provider(
        os.environ["PROVIDER_SECRET"],
        os.environ.get("PROVIDER_BASE_URL", f"http://127.0.0.1:{port}"),
        os.environ.get("PROVIDER_DATABASE", "provider.db"),
    )
    web.run_app(provider.app(), host="127.0.0.1", port=port, print=None)
