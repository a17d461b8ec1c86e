"""`check` passes the two services that keep the contract, and says in words what is wrong with one that does not."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from standardwebhooks import WebhookVerificationError

from paymux.connectors.contract import Refused
from paymux.platform.http import NotSent
from tests.connectors.conftest import Counter
from tests.connectors.generic.conftest import CODE, ROOT, SECRET, Serve, Service, example_module


async def test_a_service_that_keeps_the_contract_passes(service: Service) -> None:
    said = await service.connector().check()
    assert service.endpoint in said
    assert "2026-11-01" in said


@pytest.mark.parametrize("currencies", [("VND",), ("KWD",), (), ("SAR",)])
async def test_a_check_works_in_every_currency_and_leaves_no_money_and_no_open_checkout(
    counter: Counter, currencies: tuple[str, ...]
) -> None:
    plain = counter.connector(CODE)
    row = plain.code.model_copy(update={"currencies": currencies})
    await type(plain)(replace(plain.account, code=row), plain.http).check()
    cases = [case for _, case in counter.sandbox.store.cases(counter.reference)]
    assert [case.status for case in cases] == ["cancelled"]
    assert counter.ledger() == []


async def test_the_example_runs_as_a_program_and_passes(counter: Counter, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "examples/generic_provider/service.py"), cwd=tmp_path,
        env=os.environ | {"PROVIDER_SECRET": SECRET, "PROVIDER_PORT": str(port)},
    )  # fmt: skip
    try:
        connector = counter.connector(CODE, endpoint=f"http://127.0.0.1:{port}", secret=SECRET)
        async with asyncio.timeout(20):
            while True:
                try:
                    said = await connector.check()
                    break
                except NotSent:
                    assert running.returncode is None
                    await asyncio.sleep(0.05)
        assert "speaks contract version" in said
    finally:
        running.terminate()
        await running.wait()


async def test_a_check_with_another_secret_says_so(service: Service) -> None:
    connector = service.counter.connector(CODE, endpoint=service.endpoint, secret="whsec_" + "A" * 32)
    with pytest.raises(Refused, match="unknown checkout") as no:
        await connector.check()
    assert no.value.code == "unauthorised"


def flawed_provider(flaw: str, tmp_path: Path) -> Any:
    module = example_module()

    class Flawed(module.Provider):  # type: ignore[name-defined, misc]
        def authenticate(self, request: web.Request, body: bytes) -> None:
            if flaw == "accepts everything":
                raise module.No(404, "not_found", "No such checkout.")
            if flaw == "ignores the path":
                try:
                    self.webhook.verify(body, dict(request.headers), json_parse=False)
                except WebhookVerificationError:
                    raise module.No(401, "unauthorised", "No.") from None
                raise module.No(404, "not_found", "No such checkout.")
            super().authenticate(request, body)

        def create(self, request: web.Request) -> tuple[int, Any]:
            if flaw == "creates anew":
                self.db.execute("DELETE FROM operations")
                self.db.execute("DELETE FROM checkouts")
            status, said = super().create(request)
            if flaw == "does not echo":
                said = {**said, "order_id": "mine"}
            if flaw == "another amount":
                said = {**said, "total": {"amount": "2.00", "currency": "AUD"}}
            if flaw == "numbers as amounts":
                said = {**said, "total": {"amount": 1.00, "currency": "AUD"}}
            return status, said

        def repeated(self, request: web.Request) -> dict[str, Any] | None:
            if flaw == "takes any body":
                request[module.FINGERPRINT] = "same"
            found: dict[str, Any] | None = super().repeated(request)
            return found

        def read(self, request: web.Request) -> tuple[int, Any]:
            if flaw == "knows everything":
                return 200, {"id": request.match_info["id"]}
            status, said = super().read(request)
            return status, {**said, "id": "co_other"} if flaw == "reads another" else said

        def find(self, request: web.Request) -> tuple[int, Any]:
            return (200, {"checkouts": []}) if flaw == "does not find" else super().find(request)

        def operation(self, request: web.Request) -> tuple[int, Any]:
            status, said = super().operation(request)
            return status, {**said, "key": "other"} if flaw == "another operation" else said

        def cancel(self, request: web.Request) -> tuple[int, Any]:
            if flaw == "stays open":
                return 200, module.shown(self.checkout(request.match_info["id"]))
            found: tuple[int, Any] = super().cancel(request)
            return found

    return Flawed(SECRET, "http://127.0.0.1:1", str(tmp_path / "provider.db"))


FLAWS = {
    "accepts everything": "without a signature must be answered 401, not 404",
    "ignores the path": "signed for another path must be answered 401",
    "knows everything": "as if it existed",
    "does not echo": "must echo order_id",
    "another amount": "must name the amount",
    "numbers as amounts": "total.amount: .*decimal string",
    "creates anew": "repeating the create .*another checkout",
    "takes any body": "idempotency_key_reused",
    "reads another": "another checkout was answered",
    "does not find": "exactly this checkout",
    "another operation": "must tell of the create",
    "stays open": "must be cancelled",
}


@pytest.mark.parametrize("flaw", FLAWS)
async def test_a_check_names_what_is_wrong(flaw: str, counter: Counter, serve: Serve, tmp_path: Path) -> None:
    endpoint = await serve(flawed_provider(flaw, tmp_path).app())
    with pytest.raises(Refused) as no:
        await counter.connector(CODE, endpoint=endpoint, secret=SECRET).check()
    assert re.search(FLAWS[flaw], no.value.reason), no.value.reason


async def test_a_check_of_something_else_altogether_names_the_missing_header(counter: Counter, serve: Serve) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"error": "who are you?"}, status=401)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    with pytest.raises(Refused, match="Paymux-Contract-Version"):
        await counter.connector(CODE, endpoint=await serve(app), secret=SECRET).check()


async def test_a_check_stopped_by_a_fault_leaves_no_open_checkout(
    counter: Counter, serve: Serve, tmp_path: Path
) -> None:
    provider = flawed_provider("does not find", tmp_path)
    endpoint = await serve(provider.app())
    with pytest.raises(Refused):
        await counter.connector(CODE, endpoint=endpoint, secret=SECRET).check()
    assert [row[0] for row in provider.db.execute("SELECT json_extract(body, '$.status') FROM checkouts")] == [
        "cancelled"
    ]


async def test_the_checkout_page_of_the_example_says_what_is_paid(
    counter: Counter, serve: Serve, tmp_path: Path
) -> None:
    provider = example_module().Provider(SECRET, "", str(tmp_path / "provider.db"))
    provider.base_url = await serve(provider.app())
    order = counter.order(CODE, reference="<b>R</b>")
    opened = await counter.connector(CODE, endpoint=provider.base_url, secret=SECRET).create_checkout(order, "k-1")
    async with aiohttp.ClientSession() as browser, browser.get(opened.url) as page:  # type: ignore[union-attr]
        text = await page.text()
    assert "100.00 AUD" in text
    assert "<b>R</b>" not in text
