"""The shopper's pages: what somebody else wrote is text on them, one script runs at most, and no other page holds them."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re

import pytest

from paymux.accounts import service
from tests.api.conftest import a_merchant
from tests.installation import Answer, Installation, Merchant

CODE = "PLANPAY_AU"
_NUMBERS = itertools.count(100)
MARKUP = "<img src=x onerror=alert(1)>\"'&{{7*7}}"


@pytest.fixture(scope="module")
async def shop(installation: Installation) -> Merchant:
    """A merchant without a page of his own to send shoppers to."""
    return await a_merchant(installation, CODE)


async def page(installation: Installation, shop: Merchant, which: str) -> Answer:
    """One of our pages, with all that others may write on it."""
    if which == "gone":
        return await installation.call("GET", f"{shop.base}/return/{MARKUP.replace('/', '')}")
    body = shop.order(CODE, orderReference=f"{MARKUP}{next(_NUMBERS)}", dynamicRedirectUrl=None)
    await installation.fault(CODE, "create", "error_before", body["orderReference"], 9 if which == "waiting" else 1)
    opened = (await shop.post("/orders", body)).body
    if which == "form":
        await installation.call("GET", f"{shop.base}/checkout/{opened['orderToken']}")
        async with installation.database.transaction() as tx:
            await tx.execute(
                "UPDATE orders SET checkout_form = $1, checkout_url = $2 WHERE id = $3",
                {MARKUP: MARKUP}, "https://pay.example/?a=1&b=2", opened["orderId"],
            )  # fmt: skip
    where = "return" if which == "result" else "checkout"
    return await installation.call("GET", f"{shop.base}/{where}/{opened['orderToken']}")


PAGES = ["gone", "waiting", "form", "result"]


@pytest.mark.parametrize("which", PAGES)
async def test_what_others_wrote_is_text(which: str, installation: Installation, shop: Merchant) -> None:
    shown = await page(installation, shop, which)
    assert shown.status == (404 if which == "gone" else 200)
    assert shown.headers["Content-Type"].startswith("text/html")
    assert "<img" not in shown.body
    assert "49" not in re.sub(r"[\w-]{12,}|[\d.]+(rem|vh|px)", "", shown.body), "no template of others' is worked out"
    if which != "gone":
        assert "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;&amp;{{7*7}}" in shown.body


@pytest.mark.parametrize("which", PAGES)
async def test_no_script_runs_but_ours_and_no_frame_holds_the_page(
    which: str, installation: Installation, shop: Merchant
) -> None:
    shown = await page(installation, shop, which)
    policy = dict(part.strip().partition(" ")[::2] for part in shown.headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", shown.body, re.S)
    assert len(scripts) == (1 if which == "form" else 0)
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert policy["script-src"] == f"'sha256-{digest}'"
    assert " on" not in re.sub(r"onerror=alert|\bon (to|by)|>[^<]*<", "", shown.body), "no handler stands in a tag"
    assert shown.headers["X-Frame-Options"] == "DENY"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in shown.headers


async def test_where_the_shopper_is_sent_is_the_merchants_own_url_whatever_the_return_brings(
    installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates(CODE)
    for query in (
        "redirect=https://evil.example", "url=//evil.example", "dynamicRedirectUrl=https://evil.example",
        "state=%0d%0aLocation:%20https://evil.example", "x=%0d%0aSet-Cookie:%20a=b",
    ):  # fmt: skip
        answer = await installation.call("GET", f"{merchant.base}/return/{opened['orderToken']}?{query}")
        assert answer.status == 303
        assert answer.headers["Location"].startswith("https://shop.example/return?hash=")
        assert "evil" not in str(answer.headers)
        assert "Set-Cookie" not in answer.headers


async def test_a_merchants_url_in_other_letters_makes_one_header_of_ascii(
    installation: Installation, shop: Merchant
) -> None:
    async with installation.database.transaction() as tx:
        await service.set_merchant(tx, shop.id, redirect_url="https://shop.example/zurück?a=ü")  # type: ignore[attr-defined]
    opened = await shop.creates(CODE, dynamicRedirectUrl=None)
    answer = await installation.call("GET", f"{shop.base}/return/{opened['orderToken']}")
    async with installation.database.transaction() as tx:
        await service.set_merchant(tx, shop.id, redirect_url=None)  # type: ignore[attr-defined]
    assert answer.status == 303
    assert answer.headers["Location"].isascii()


STRANGE = [
    ("multipart/form-data", b"--x"), ("multipart/form-data; boundary=", b"--\r\n\r\n----"),
    ("multipart/form-data; boundary=\xe9", b"--\xe9"),
    ("multipart/form-data; boundary=x; charset=bogus", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--'),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n--x--'),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nc\r\n--x--"),
    ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % n for n in range(5000))),
    ("application/x-www-form-urlencoded", b"%ff=%00&a=%ed%a0%80&" + b"=" * 1000), ("application/json", b"{"), ("", b"\0"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "body"), STRANGE)
async def test_whatever_form_a_browser_brings_the_shopper_goes_on(
    kind: str, body: bytes, installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates(CODE)
    for path in (f"/return/{opened['orderToken']}", f"/return?state={opened['orderToken']}"):
        answer = await installation.call("POST", merchant.base + path, data=body, headers={"Content-Type": kind})
        assert answer.status == 303, answer.body
