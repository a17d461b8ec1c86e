"""What a log says: where it went wrong and what kind of wrong, never whose data it was."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from paymux.platform.logs import redact, redacted, without_secrets

_SAID = """
import asyncio, logging
import structlog
from pydantic import BaseModel
from paymux.platform import logs
from paymux.platform.settings import Settings

class Shape(BaseModel):
    amount: int

def fails(kind):
    if kind == "value":
        raise ValueError("Marked Quillfeather")
    if kind == "shape":
        Shape.model_validate({"amount": "Marked Quillfeather"})
    if kind == "chained":
        try:
            raise KeyError("Marked Quillfeather")
        except KeyError as fault:
            raise RuntimeError("of Marked Quillfeather") from fault
    if kind == "grouped":
        raise ExceptionGroup("Marked Quillfeather", [ValueError("Marked Quillfeather")])
    if kind == "system":
        raise FileNotFoundError(2, "Marked Quillfeather", "/Marked Quillfeather")

async def lost():
    raise ValueError("Marked Quillfeather")

logs.configure(Settings(log_format="FORMAT"))
log = structlog.get_logger()
for kind in ("value", "shape", "chained", "grouped", "system"):
    try:
        fails(kind)
    except Exception:
        log.exception("it.failed", kind=kind)
        logging.getLogger("a.library").exception("it failed there")

async def forgets():
    task = asyncio.ensure_future(lost())
    await asyncio.sleep(0.01)
    del task

asyncio.run(forgets())
"""


def said(form: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", _SAID.replace("FORMAT", form)], capture_output=True, text=True, check=True
    )
    assert ran.stdout == ""
    return ran.stderr


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_tells_the_kind_and_the_place_and_nothing_of_what_was_worked_on(form: str) -> None:
    told = said(form)
    assert "Quillfeather" not in told
    for kind in (
        "ValueError",
        "pydantic_core._pydantic_core.ValidationError",
        "KeyError",
        "RuntimeError",
        "ExceptionGroup",
    ):
        assert kind in told
    assert "in fails" in told
    assert "FileNotFoundError 2" in told
    assert "never retrieved" in told, "what asyncio finds by itself is told as well"


def test_text_is_coloured_on_a_terminal_only() -> None:
    assert "\x1b" not in said("text")


def test_every_line_of_the_json_log_is_one() -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in said("json").splitlines()]
    assert {line["event"] for line in lines} >= {"it.failed", "it failed there"}


@pytest.mark.parametrize(
    "secret",
    ["Bearer abc.def", "Basic ZGVtbzpkZW1v", "tok_0123456789abcdefghij", "otk_0123456789abcdefghij", "pek_0123456789abcdefghij",
     "sec_0123456789abcdefghij", "pay_0123456789abcdefghij", "whsec_ZGVtby13ZWJob29rLXNlY3JldA==", "eyJhbGci.eyJpc3Mi.c2ln",
     "ada@shop.example", "ada%40shop.example", "+61 491 570 156", "+61491570156"],
)  # fmt: skip
def test_what_looks_like_a_secret_or_a_person_is_blanked_wherever_it_stands(secret: str) -> None:
    for text in (secret, f"/return/{secret}", f'{{"a":"{secret}"}}', f"it is {secret}, they say"):
        assert secret not in without_secrets(text)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a-",
        "a.",
        "a@",
        "a@a",
        "%40",
        "@",
        "-",
        "+1 ",
        "eyJ",
        "eyJa.",
        "tok_",
        "Bearer ",
        "Basic",
        "Bearer\t ",
        "exception=",
    ],
)
def test_a_long_text_is_looked_through_in_no_time_whatever_it_is_made_of(piece: str) -> None:
    began = time.process_time()
    for text in (piece * 200_000, "x" + piece * 200_000 + "\n", "Bearer" + " " * 200_000, "eyJ" + piece * 200_000):
        without_secrets(text)
    assert time.process_time() - began < 10, "from every letter to the end it would take hours"


@pytest.mark.parametrize("sign", ["\x1b[2J", "\x9b2J", "\r", "\x08", "\x7f"])
def test_nothing_that_is_logged_draws_on_the_screen(sign: str) -> None:
    event = {"event": f"it{sign}failed", "reason": f"no{sign}credit", "inner": {"lines": [f"a{sign}b"]}}
    told = redact(None, "info", event)
    assert (told["event"][:3], told["reason"][:3], told["inner"]["lines"][0][:2]) == ("it\ufffd", "no\ufffd", "a\ufffd")


@pytest.mark.parametrize(
    "name",
    ["client_secret", "token", "Authorization", "password", "credentials", "email", "phoneNumber", "streetAddress1",
     "billingAddress", "cookie", "postalCode", "dateOfBirth", "first_name", "lastName", "fullname", "name"],
)  # fmt: skip
def test_what_is_named_as_a_secret_or_a_person_is_blanked_whatever_it_looks_like(name: str) -> None:
    event = {"event": "it.happened", name: "plain", "order": {"lines": [{name: "plain"}], "id": "ord_1"}}
    assert redacted({name: "plain", "inner": {name: {"deeper": "plain"}}}) == {
        name: "[redacted]", "inner": {name: "[redacted]"},
    }  # fmt: skip
    told = redact(None, "info", event)
    assert "plain" not in str(told)
    assert (told["event"], told["order"]["id"]) == ("it.happened", "ord_1")


@pytest.mark.parametrize(
    "text",
    [
        "ord_01m89v0ybqeb7t2shcy029h1vb",
        "2026-11-25T17:11:01+10:30",
        "the amount 100.00 AUD",
        "capture C-1",
        "k1",
        "pay_later",
    ],
)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert without_secrets(text) == text
