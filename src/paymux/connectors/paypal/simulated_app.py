"""The app of a merchant at PayPal, as simulated: access tokens, repeated requests, webhooks."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aiohttp import web

from paymux.connectors.paypal import records
from paymux.connectors.paypal.records import moment, new_id, text_of
from paymux.connectors.paypal.rules import ApiError, check_event_types, check_webhook
from paymux.platform.database import from_json, to_json
from paymux.sandbox.simulator import Case, Simulator, json_answer, read_label

_TOKEN_LIFE = timedelta(seconds=32_400)

Call = Callable[[web.Request, Any], Awaitable[web.Response]]


class PayPalApp(Simulator):
    """What every call goes through, and where events are sent."""

    async def once(
        self,
        request: web.Request,
        kept_for: timedelta,
        make: Callable[[], Awaitable[tuple[int, Any]]],
        again: int | None = None,
    ) -> web.Response:
        """The same PayPal-Request-Id gets the first answer, with status `again` where that is another one.

        An id is good for one request of a kind of call, whatever it is about: used for another capture's refund, too, it
        would bring the first one's.
        """
        given = request.headers.get("PayPal-Request-Id")
        resource = request.match_info.route.resource
        key = f"{resource.canonical if resource else request.path}:{given}"
        kept = self.desk.store.answer(self.name, key) if given else None
        if kept is not None and self.now < moment(kept[1]["at"]) + kept_for:
            return _answer(again or kept[0], kept[1]["said"])
        status, said = await make()
        if given:
            self.desk.store.keep_answer(self.name, key, status, {"at": text_of(self.now), "said": said})
        return _answer(status, said)

    # -- webhooks -----------------------------------------------------------------------------

    # All accounts of a sandbox share one app, so each has its own list, told apart by paymux's label where there is one.
    def _hooks(self) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] | None = self.desk.store.note(self.name, "webhooks")
        return kept or []

    async def list_webhooks(self, request: web.Request, body: Any) -> web.Response:
        return json_answer({"webhooks": [hook["shown"] for hook in self._hooks() if hook["owner"] == _owner(request)]})

    async def register_webhook(self, request: web.Request, body: Any) -> web.Response:
        shown = {"id": new_id(), **check_webhook(body)}
        hooks = [*self._hooks(), {"owner": _owner(request), "shown": shown}]
        self.desk.store.keep_note(self.name, "webhooks", hooks)
        return json_answer(shown, 201)

    async def change_webhook(self, request: web.Request, body: Any) -> web.Response:
        hooks = self._hooks()
        for hook in hooks:
            if hook["shown"]["id"] == request.match_info["id"] and hook["owner"] == _owner(request):
                for change in body if isinstance(body, list) else ():
                    if (change.get("op"), change.get("path")) != ("replace", "/event_types"):
                        raise ApiError(400, "INVALID_PARAMETER_VALUE", "/path")
                    hook["shown"]["event_types"] = check_event_types(change.get("value"))
                self.desk.store.keep_note(self.name, "webhooks", hooks)
                return json_answer(hook["shown"])
        raise ApiError(404, "INVALID_RESOURCE_ID")

    def tell(self, case: Case, name: str, kind: str, resource: dict[str, Any]) -> None:
        if kind in ("authorization", "capture"):
            resource = {**resource, "supplementary_data": {"related_ids": {"order_id": case.id}}}
        body = to_json(records.event(name, kind, resource, self.now, self.base())).encode()
        for hook in self._hooks():
            wanted = {kind["name"] for kind in hook["shown"]["event_types"]}
            if hook["owner"] in (["", ""], [case.merchant, case.code]) and wanted & {"*", name}:
                headers = {
                    "Content-Type": "application/json", "PAYPAL-TRANSMISSION-ID": self.token(),
                    "PAYPAL-TRANSMISSION-TIME": text_of(self.now),
                }  # fmt: skip
                self.send_event(case, hook["shown"]["url"], body, headers)

    # -- access -------------------------------------------------------------------------------

    async def grant(self, request: web.Request) -> web.Response:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(given, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        expected = f"{self.credentials['client_id']}:{self.credentials['client_secret']}"
        if scheme != "Basic" or not hmac.compare_digest(given.encode(), expected.encode()):
            error = {"error": "invalid_client", "error_description": "Client Authentication failed"}
            return json_answer(error, 401)
        if (await request.post()).get("grant_type") != "client_credentials":
            error = {"error": "unsupported_grant_type", "error_description": "Grant Type is NULL"}
            return json_answer(error, 400)
        tokens: dict[str, str] = self.desk.store.note(self.name, "tokens") or {}
        alive = {token: until for token, until in tokens.items() if self.now < moment(until)}
        token = f"A21AA{self.token(24)}"
        self.desk.store.keep_note(self.name, "tokens", {**alive, token: text_of(self.now + _TOKEN_LIFE)})
        lasts = int(_TOKEN_LIFE.total_seconds())
        return json_answer({"access_token": token, "token_type": "Bearer", "app_id": "APP-PAYMUX", "expires_in": lasts})

    def call(self, handler: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answered(request: web.Request) -> web.Response:
            try:
                return await handler(request, await self._admitted(request))
            except ApiError as no:
                return json_answer(no.body(self.token(7)), no.status)

        return answered

    async def _admitted(self, request: web.Request) -> Any:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        until = (self.desk.store.note(self.name, "tokens") or {}).get(given)
        if scheme != "Bearer" or until is None or self.now >= moment(until):
            raise ApiError(401)
        content = await request.read()
        if not content:
            return {}
        try:
            body = from_json(content)
        except ValueError:
            raise ApiError(400, "MALFORMED_REQUEST_JSON") from None
        if request.content_type != "application/json" or not isinstance(body, dict | list):
            raise ApiError(400, "MALFORMED_REQUEST_JSON")
        return body


def _owner(request: web.Request) -> list[str]:
    label = read_label(request)
    return [label.get("merchant", ""), label.get("code", "")]


def _answer(status: int, said: Any) -> web.Response:
    return web.Response(status=204) if status == 204 else json_answer(said, status)
