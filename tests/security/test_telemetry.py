"""Nothing of a request is told to an OpenTelemetry that somebody has set up around us: no trace, no metric, no error."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest
from fastapi import FastAPI
from opentelemetry import _logs, metrics, trace

from paymux.api.app import make_app
from tests.installation import Installation, Merchant, Shopper


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the providers of traces, metrics and logs, as an operator's own set-up would answer it."""
    heard: list[str] = []

    def provider(kind: str) -> Any:
        def listening(name: str, *words: Any, **more: Any) -> Any:
            heard.append(f"{kind} {name} {words} {more}")
            return MagicMock()

        made = MagicMock()
        for method in ("get_tracer", "get_meter", "get_logger"):
            setattr(made, method, listening)
        return made

    tracer, meter, logger = provider("trace"), provider("metric"), provider("log")
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: tracer)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: meter)
    monkeypatch.setattr(_logs, "get_logger_provider", lambda: logger)
    return heard


async def test_no_request_is_traced_counted_or_told_whoever_listens(
    installation: Installation, merchant: Merchant, shopper: Shopper, told: list[str]
) -> None:
    opened = await merchant.creates("AFTERPAY_AU")
    back = await shopper.decides(opened["redirectUrl"], "approve")
    await installation.call("GET", back + "&mail=ada%40shop.example")
    assert (await merchant.post("/orders", {"orderReference": "ada@shop.example"})).status == 400
    assert (await installation.call("GET", f"{installation.settings.base_url}/metrics")).status == 404
    assert told == []


async def test_an_application_of_the_same_library_would_have_told(told: list[str]) -> None:
    """The proof that this test hears: with the library's own defaults there is something to hear."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/nowhere", "raw_path": b"/nowhere", "query_string": b"", "headers": [],
        "scheme": "http", "server": ("127.0.0.1", 80), "http_version": "1.1",
    }  # fmt: skip
    await FastAPI()(scope, receive, send)
    assert sent
    if hasattr(FastAPI(), "_native_telemetry"):
        assert told != []


def test_every_way_of_telling_is_off(installation: Installation) -> None:
    app = make_app(installation.core)
    ways = getattr(app, "_telemetry", {})
    assert [
        name for name in ("tracing", "metrics", "logs", "operation_spans", "auto_configure") if ways.get(name)
    ] == []
