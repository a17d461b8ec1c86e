"""A merchant's own logos of payment methods: shown to his shoppers in place of the neutral mark, and harmless."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from paymux.accounts import logos
from paymux.accounts.service import AccountFault
from paymux.connectors.registry import UnknownCode
from tests.api.conftest import Newcomer
from tests.installation import Installation, Merchant

CODE = "AFTERPAY_AU"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
SVG = (
    b'<?xml version="1.0"?>\n<!-- ours -->\n<svg xmlns="http://www.w3.org/2000/svg"><rect width="1" height="1"/></svg>'
)


async def offered(shop: Merchant, more: str = "") -> dict[str, Any]:
    answer = await shop.get(f"/options?amount=100&currency=AUD{more}")
    (option,) = [option for option in answer.body if option["name"] == CODE]
    found: dict[str, Any] = option
    return found


async def puts(installation: Installation, shop: Merchant, content: bytes, code: str = CODE) -> logos.Logo:
    async with installation.database.transaction() as tx:
        return await logos.put(tx, installation.clock, shop.id, code, content)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("content", "kind"), [(PNG, "image/png"), (SVG, "image/svg+xml")])
async def test_a_merchants_own_logo_is_shown_to_his_shoppers_and_to_no_others(
    content: bytes, kind: str, newcomer: Newcomer, installation: Installation
) -> None:
    shop, other = await newcomer(CODE), await newcomer(CODE)
    mark = (await offered(other))["imageUrl"]
    assert (await offered(shop))["imageUrl"] == mark

    await puts(installation, shop, content)

    option = await offered(shop, "&isCapable=true")
    assert base64.b64decode(option["image"], validate=True) == content
    async with installation.http.get(option["imageUrl"]) as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (200, kind, content)
    others = await offered(other, "&isCapable=true")
    assert others["imageUrl"] == mark
    assert base64.b64decode(others["image"]).startswith(b"<svg ")


async def test_a_new_logo_has_a_new_address_and_a_removed_one_leaves_the_mark(
    newcomer: Newcomer, installation: Installation
) -> None:
    shop = await newcomer(CODE)
    mark = (await offered(shop))["imageUrl"]
    await puts(installation, shop, PNG)
    first = (await offered(shop))["imageUrl"]
    await puts(installation, shop, SVG)
    second = (await offered(shop))["imageUrl"]
    assert len({mark, first, second}) == 3
    assert (await installation.call("GET", first)).status == 404
    async with installation.database.transaction() as tx:
        await logos.remove(tx, shop.id, CODE)  # type: ignore[attr-defined]
    assert (await offered(shop))["imageUrl"] == mark
    assert (await installation.call("GET", second)).status == 404


async def test_a_logo_can_only_be_looked_at(newcomer: Newcomer, installation: Installation) -> None:
    shop = await newcomer(CODE)
    await puts(installation, shop, SVG)
    answer = await installation.call("GET", (await offered(shop))["imageUrl"])
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["logo_nobodys", "%00", "%F0%9F%8E%89"])
async def test_there_is_no_logo_that_nobody_has_put_there(
    name: str, merchant: Merchant, installation: Installation
) -> None:
    answer = await installation.call("GET", f"{merchant.base}/images/logos/{name}")
    assert (answer.status, answer.body["code"]) == (404, "not_found")


async def test_who_put_or_removed_a_logo_is_in_the_audit_trail(newcomer: Newcomer, installation: Installation) -> None:
    shop = await newcomer(CODE)
    logo = await puts(installation, shop, PNG)
    async with installation.database.transaction() as tx:
        await logos.remove(tx, shop.id, CODE)  # type: ignore[attr-defined]
        rows = await tx.fetch(
            "SELECT action, subject FROM audit_entries WHERE merchant_id = $1 AND action LIKE 'logo.%' ORDER BY id",
            shop.id,  # type: ignore[attr-defined]
        )
    assert [tuple(row) for row in rows] == [("logo.set", logo.id), ("logo.removed", CODE)]


JPEG, WEBP = b"\xff\xd8\xff\xe0 picture", b"RIFF\x00\x01\x00\x00WEBPVP8 picture"


@pytest.mark.parametrize(
    ("content", "kind"),
    [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp"), (SVG, "image/svg+xml"),
     (b"\xef\xbb\xbf <svg>", "image/svg+xml"),
     (b"<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'><style>.a{fill:url(#b)}</style>"
      b"<image xlink:href='data:image/png;base64,AAAA'/><use xlink:href='#b' data-name='on' font-size='1'/></svg>", "image/svg+xml"),
     (PNG[:8] + bytes(logos.MOST_BYTES - 8), "image/png")],
)  # fmt: skip
def test_a_picture_is_known_by_how_it_begins(content: bytes, kind: str) -> None:
    assert logos.kind_of(content) == kind


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "PNG, JPEG, WebP or SVG"), (b"GIF89a", "PNG, JPEG, WebP or SVG"), (b"<html><svg>", "PNG, JPEG, WebP or SVG"),
        (PNG[1:], "PNG, JPEG, WebP or SVG"), (PNG[:8] + bytes(logos.MOST_BYTES - 7), "65537 bytes, and may have 65536"),
        (b"<svg><script>alert(1)</script></svg>", "picture only"), (b"<svg ONLOAD = 'alert(1)'/>", "picture only"),
        (b"<svg><a href='javascript:alert(1)'/></svg>", "picture only"),
        (b"<svg><foreignObject/></svg>", "picture only"),
        (b"<svg/onload=alert(1)>", "picture only"), (b"<svg width='1'onload=alert(1)>", "picture only"),
        (b"<svg xmlns:x='http://www.w3.org/2000/svg'><x:script>1</x:script></svg>", "picture only"),
        (b"<svg><a href='java&#115;cript:alert(1)'/></svg>", "picture only"),
        (b"<svg><a><set attributeName='href' to='x'/></a></svg>", "picture only"),
        (b"<svg><animate attributeName='href' values='x'/></svg>", "picture only"),
        (b"<?xml version='1.0'?><?xml-stylesheet type='text/xsl' href='x.xsl'?><svg/>", "picture only"),
        (b"<svg><image href='https://tracker.example/1.png'/></svg>", "picture only"),
        (b"<svg><use href='//tracker.example/1.svg#a'/></svg>", "picture only"),
        (b"<svg><style>@import 'https://tracker.example';</style></svg>", "picture only"),
        (b"<svg><rect fill='url(https://tracker.example/#a)'/></svg>", "picture only"),
        (b"<svg><use href='data:text/html,x'/></svg>", "picture only"),
        (b"<svg/><!DOCTYPE svg [<!ENTITY a 'b'>]>", "picture only"),
    ],
)  # fmt: skip
def test_what_is_no_picture_or_more_than_one_is_refused(content: bytes, fault: str) -> None:
    with pytest.raises(AccountFault, match=fault):
        logos.kind_of(content)


async def test_a_logo_is_of_a_payment_method_that_there_is(newcomer: Newcomer, installation: Installation) -> None:
    shop = await newcomer(CODE)
    with pytest.raises(UnknownCode):
        await puts(installation, shop, PNG, "NOBODY")
    async with installation.database.transaction() as tx:
        with pytest.raises(AccountFault, match="no logo of this merchant's own for AFTERPAY_AU"):
            await logos.remove(tx, shop.id, CODE)  # type: ignore[attr-defined]
