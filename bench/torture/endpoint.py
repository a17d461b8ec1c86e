"""The merchant's webhook endpoint: slow, failing, closing, then healthy; keeps every event that is signed as it must be."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import simplejson
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from bench.installation import free_port

SECRET = "whsec_ZGVtby13ZWJob29rLXNlY3JldA=="  # noqa: S105  (the demo merchant's, known to everybody)
MOODS = ("healthy", "slow", "failing", "closing")


@dataclass
class Endpoint:
    """Listens on loopback. `events` holds each event once, by its `webhook-id`."""

    rng: random.Random
    mood: str = "healthy"
    url: str = ""
    forged: int = 0
    received: int = 0
    events: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """Every event by its order's reference and its `webhook-id`."""
    tokens: list[tuple[str, str]] = field(default_factory=list)
    """Payment tokens that came, each with its provider's code."""

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/webhooks", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        port = free_port()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{port}/webhooks"

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.received += 1
        mood = self.mood
        if mood == "slow":
            await asyncio.sleep(self.rng.uniform(0.5, 3.0))
        if mood == "closing" and request.transport is not None:
            request.transport.abort()
            return web.Response()
        if mood == "failing":
            return web.Response(status=self.rng.choice((500, 502, 404, 301)))
        try:
            Webhook(SECRET).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.forged += 1
            return web.Response(status=401)
        event = simplejson.loads(body, use_decimal=True)
        self.events.setdefault(event["data"]["orderReference"], {})[request.headers["webhook-id"]] = event
        if token := event["data"].get("token"):
            self.tokens.append((event["data"]["provider"], token))
        return web.Response(status=200)

    def of(self, reference: str) -> list[dict[str, Any]]:
        """An order's events in the order of their sequence."""
        return sorted(self.events.get(reference, {}).values(), key=lambda event: event["data"]["sequence"])
