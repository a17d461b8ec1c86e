"""The shopper's way in a real browser, on a phone: checkout page, back to the shop, or to our own result page."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from tests.installation import Installation, Merchant, free_port

LIMITS = {"provider_timeout": 10.0, "lease": 20.0}
PHONE: ViewportSize = {"width": 390, "height": 844}
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "the browser journey needs a Chromium: apt-get install -y chromium"
CODES = ["KLARNA", "AFTERPAY_AU", "TABBY_AE", "LATITUDEPAY_AU", "HUMM_AU", "PLANPAY_AU"]


@dataclass
class Shop:
    """A merchant's return page: it trusts only what is signed with his payment secret."""

    url: str
    seen: list[dict[str, str]] = field(default_factory=list)

    async def page(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.seen.append(query)
        message = f"{query.get('status')}|{query.get('reference')}".encode()
        signed = hmac.new(b"demo-payment-secret", message, hashlib.sha512).hexdigest()
        genuine = hmac.compare_digest(signed, query.get("hash", ""))
        word = query.get("status") if genuine else "FORGED"
        return web.Response(text=f"<title>Shop</title><h1 id=verdict>{word}</h1>", content_type="text/html")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """The machine's own Chromium. None there: the test fails and says what to install."""
    async with async_playwright() as playwright:
        own = (path for name in NAMES if (path := shutil.which(name)))
        found = next(own, None) or shutil.which(playwright.chromium.executable_path)
        assert found is not None, MISSING
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = await playwright.chromium.launch(executable_path=found, args=arguments)
        yield running
        await running.close()


@pytest.fixture
async def phone(browser: Browser) -> AsyncIterator[Page]:
    """A page of the size of a phone; a script error or a failed request fails the test."""
    context = await browser.new_context(viewport=PHONE, device_scale_factor=2, has_touch=True, is_mobile=True)
    page = await context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(f"{request.url} {request.failure}"))
    yield page
    await context.close()
    assert faults == []


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    port = free_port()
    made = Shop(f"http://127.0.0.1:{port}/thanks?basket=7")
    app = web.Application()
    app.router.add_get("/thanks", made.page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield made
    await runner.cleanup()


async def _photograph(page: Page, name: str) -> None:
    """Keep a picture for people, where `PAYMUX_SCREENSHOTS` names a folder."""
    if folder := os.environ.get("PAYMUX_SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)


async def _fits_the_phone(page: Page) -> None:
    """Nothing sticks out sideways, and whatever is to be pressed is large enough for a thumb."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for button in await page.get_by_role("button").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["height"] >= 44


async def _opens(phone: Page, merchant: Merchant, code: str, **changes: Any) -> dict[str, Any]:
    opened = await merchant.creates(code, **changes)
    await phone.goto(opened["redirectUrl"])
    # Some checkouts are opened by a form that our own page posts by itself.
    await phone.get_by_role("button", name="Approve").wait_for()
    return opened


@pytest.mark.parametrize("code", CODES)
async def test_a_shopper_approves_on_his_phone_and_reaches_the_shop_with_a_signed_status(
    code: str, installation: Installation, merchant: Merchant, phone: Page, shop: Shop
) -> None:
    opened = await _opens(phone, merchant, code, dynamicRedirectUrl=shop.url)
    shown = await phone.locator("main").inner_text()
    assert opened["orderReference"] in shown
    assert "100.00" in shown
    await _fits_the_phone(phone)
    await _photograph(phone, f"checkout-{code}")

    await phone.get_by_role("button", name="Approve").click()
    await phone.wait_for_selector("#verdict")
    assert await phone.inner_text("#verdict") == "SUCCESSFUL"
    (query,) = shop.seen
    assert list(query) == ["basket", "hash", "reference", "status", "providerReference"]
    assert query["reference"] == opened["orderReference"]
    assert installation.balance(opened["orderReference"]) == 100


async def test_a_shopper_who_is_declined_is_told_so_by_the_shop_and_has_paid_nothing(
    installation: Installation, merchant: Merchant, phone: Page, shop: Shop
) -> None:
    opened = await _opens(phone, merchant, "AFTERPAY_AU", dynamicRedirectUrl=shop.url)
    await phone.get_by_role("button", name="Decline").click()
    await phone.wait_for_selector("#verdict")
    assert await phone.inner_text("#verdict") == "DECLINED"
    assert installation.balance(opened["orderReference"]) == 0


@pytest.mark.parametrize(
    ("press", "says"),
    [
        ("Approve", "your payment was successful"),
        ("Decline", "Your payment was declined"),
        ("Cancel", "Your payment was cancelled"),
        ("pending", "not decided yet"),
    ],
)
async def test_without_a_shops_page_the_shopper_reads_the_result_on_ours(
    press: str, says: str, merchant: Merchant, phone: Page
) -> None:
    opened = await _opens(phone, merchant, "PLANPAY_AU", dynamicRedirectUrl=None)
    await phone.get_by_role("button", name=press).click()
    await phone.wait_for_url(f"{merchant.base}/return/**")
    shown = await phone.locator("main").inner_text()
    assert says in shown
    assert opened["orderReference"] in shown
    assert "100.00" in shown
    assert "PlanPay" in shown
    await _fits_the_phone(phone)
    await _photograph(phone, f"result-{press.lower()}")


async def test_a_shopper_waits_on_our_page_while_the_checkout_is_opened(
    installation: Installation, merchant: Merchant, phone: Page
) -> None:
    body = merchant.order("PLANPAY_AU")
    await installation.fault("PLANPAY_AU", "create", "error_before", body["orderReference"], times=2)
    opened = (await merchant.post("/orders", body)).body
    await phone.goto(opened["redirectUrl"])
    assert "PlanPay" in await phone.locator("main").inner_text()
    await _fits_the_phone(phone)
    await _photograph(phone, "waiting")
    # The page goes on by itself.
    await phone.get_by_role("button", name="Approve").wait_for()


async def test_a_wrong_link_says_so_kindly(installation: Installation, merchant: Merchant, phone: Page) -> None:
    answer = await phone.goto(f"{merchant.base}/checkout/otk_nobody")
    assert answer is not None
    assert answer.status == 404
    assert "no such payment" in await phone.locator("main").inner_text()
    await _photograph(phone, "gone")
    answer = await phone.goto(f"{installation.settings.sandbox_base_url}/checkout/klarna/nobody")
    assert answer is not None
    assert answer.status == 404
    await _fits_the_phone(phone)
    await phone.goto(installation.settings.sandbox_base_url)
    await _fits_the_phone(phone)
    await _photograph(phone, "sandbox")
