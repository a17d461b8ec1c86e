"""Which addresses a simulated provider takes."""

from __future__ import annotations

import pytest

from paymux.sandbox.simulator import reachable


@pytest.mark.parametrize(
    "url", ["https://shop.example/return?a=1", "http://127.0.0.1:8080/x", "http://localhost/", "http://[::1]:8080/"]
)
def test_https_is_taken_and_http_to_this_machine(url: str) -> None:
    assert reachable(url)


@pytest.mark.parametrize(
    "url",
    ["", "shop.example", "/return", "http://shop.example/", "http://127.0.0.1.example/", "javascript:alert(1)",
     "http://[half", None, 1, {"url": "https://shop.example"}],
)  # fmt: skip
def test_anything_else_is_not(url: object) -> None:
    assert not reachable(url)
