"""`GET /options`: every documented field and type, order, channels, limits (O1, O2)."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import pytest

from paymux.accounts import service
from tests.api.conftest import Holds, Newcomer
from tests.installation import Installation, Merchant

STRINGS = ("minAmount", "maxAmount", "priority", "interestRate")


async def offered(merchant: Merchant, query: str = "amount=100&currency=AUD", slash: str = "") -> list[dict[str, Any]]:
    answer = await merchant.get(f"/options{slash}?{query}")
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.body
    return found


@pytest.mark.parametrize("slash", ["", "/"])
async def test_every_option_has_the_documented_fields_and_types(slash: str, merchant: Merchant, holds: Holds) -> None:
    found = await offered(merchant, slash=slash)
    assert len(found) > 10
    for option in found:
        holds("Option", option)
        assert "image" not in option
        assert option["currency"] == "AUD"
        assert option["instalment"]["rate"]["currency"] == "AUD"
        assert all(isinstance(option[name], str) and Decimal(option[name]) >= 0 for name in STRINGS)
        assert all(
            path.split(".")[0] in ("customer", "billingAddress", "shippingAddress") for path in option["requiredFields"]
        )
    afterpay = next(option for option in found if option["name"] == "AFTERPAY_AU")
    assert afterpay["instalment"] == {"rate": {"amount": 25, "currency": "AUD"}, "termDuration": 4, "termUnit": "weeks"}
    assert afterpay["requiredFields"] == ["customer.email"]
    assert "AUD 25" in afterpay["terms"]


async def test_they_come_in_the_order_of_their_priority(newcomer: Newcomer, installation: Installation) -> None:
    shop = await newcomer("AFTERPAY_AU", priority=7)
    for code, priority in (("PLANPAY_AU", 3), ("OPENPAY_AU", 5), ("ZIP_AU", 3)):
        await _account(installation, shop, code, priority=priority)
    found = await offered(shop)
    assert [(o["name"], o["priority"]) for o in found] == [
        ("PLANPAY_AU", "3"), ("ZIP_AU", "3"), ("OPENPAY_AU", "5"), ("AFTERPAY_AU", "7"),
    ]  # fmt: skip


async def _account(installation: Installation, shop: Merchant, code: str, **account: Any) -> None:
    from paymux.accounts.demo import simulator_credentials
    from paymux.connectors.registry import provider_of

    async with installation.database.transaction() as tx:
        await service.set_provider_account(
            tx, installation.keyring, installation.clock, installation.settings, shop.id, code,  # type: ignore[attr-defined]
            environment="sandbox", credentials=simulator_credentials(provider_of(code)[0]), **account,
        )  # fmt: skip


async def test_a_channel_offers_only_what_is_set_on_it_and_inherits_nothing(
    newcomer: Newcomer, installation: Installation
) -> None:
    shop = await newcomer("PLANPAY_AU", channel="mobile-app-v2")
    await _account(installation, shop, "AFTERPAY_AU")
    assert [o["name"] for o in await offered(shop)] == ["AFTERPAY_AU"]
    assert [o["name"] for o in await offered(shop, "amount=100&currency=AUD&channel=mobile-app-v2")] == ["PLANPAY_AU"]
    wrong = await shop.post("/orders", shop.order("AFTERPAY_AU", channel="mobile-app-v2"))
    assert (wrong.status, wrong.body["code"]) == (400, "provider_not_available")
    assert (await shop.post("/orders", shop.order("PLANPAY_AU", channel="mobile-app-v2"))).status == 201
    assert (await shop.post("/orders", shop.order("PLANPAY_AU"))).body["code"] == "provider_not_available"


@pytest.mark.parametrize("channel", ["nowhere", "%00", "a%0d%0ab", "%ff", "x" * 2000])
async def test_an_unknown_channel_is_a_400(channel: str, merchant: Merchant) -> None:
    answer = await merchant.get(f"/options?amount=100&currency=AUD&channel={channel}")
    assert (answer.status, answer.body["code"]) == (400, "unknown_channel")
    assert isinstance(answer.body["message"], str)


async def test_amount_currency_account_limits_and_inactive_accounts_decide_what_is_offered(
    newcomer: Newcomer, installation: Installation
) -> None:
    shop = await newcomer("PLANPAY_AU", min_amount=Decimal(50), max_amount=Decimal("99.99"))
    await _account(installation, shop, "OPENPAY_AU", active=False)
    for amount, names in (("49.99", []), ("50", ["PLANPAY_AU"]), ("99.99", ["PLANPAY_AU"]), ("100", [])):
        assert [o["name"] for o in await offered(shop, f"amount={amount}&currency=AUD")] == names
    assert await offered(shop, "amount=60&currency=USD") == []
    limits = (await offered(shop, "amount=60&currency=AUD"))[0]
    assert (limits["minAmount"], limits["maxAmount"]) == ("50", "99.99")
    refused = await shop.post("/orders", shop.order("PLANPAY_AU", "100"))
    assert (refused.status, refused.body["code"]) == (400, "provider_not_available")
    assert refused.body["message"] == ["orderAmount must be from 50 to 99.99 for PLANPAY_AU"]


@pytest.mark.parametrize("said", ["true", "TRUE"])
async def test_is_capable_adds_the_logo_itself_in_base64(said: str, merchant: Merchant, holds: Holds) -> None:
    for option in await offered(merchant, f"amount=100&currency=AUD&isCapable={said}"):
        holds("Option", option)
        assert base64.b64decode(option["image"], validate=True).startswith(b"<svg ")


async def test_the_logo_url_answers_without_a_token(merchant: Merchant, installation: Installation) -> None:
    option = (await offered(merchant))[0]
    answer = await installation.call("GET", option["imageUrl"])
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, "image/svg+xml")
    assert (await installation.call("GET", f"{merchant.base}/images/providers/NOBODY.svg")).status == 404


async def test_a_mark_and_a_button_can_be_read_on_their_provider_s_colour(
    merchant: Merchant, installation: Installation
) -> None:
    seen = {option["name"]: option for option in await offered(merchant, "amount=100&currency=SGD")}
    for code, ink in (("TRIPLEA", "#000000"), ("PAYPAL", "#FFFFFF")):
        button = seen[code]["checkoutConfig"]["button"]
        assert contrast(button["color"], button["background"]) >= 4.5
        assert button["color"] == ink
        mark = (await installation.call("GET", seen[code]["imageUrl"])).body
        assert f'fill="{button["background"]}"' in mark
        assert f'fill="{ink}"' in mark


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, as WCAG 2.2 defines it: from 1 to 21."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


BAD: list[tuple[str, str]] = [
    ("currency=AUD", "amount must be a number"),
    ("amount=&currency=AUD", "amount must be a number"),
    ("amount=0.99&currency=AUD", "amount must be at least 1"),
    ("amount=-5&currency=AUD", "amount must be at least 1"),
    ("amount=1e400&currency=AUD", "amount must be a number"),
    ("amount=NaN&currency=AUD", "amount must be a number"),
    ("amount=1_000&currency=AUD", "amount must be a number"),
    ("amount=%2010&currency=AUD", "amount must be a number"),
    ("amount=10%00&currency=AUD", "amount must be a number"),
    ("amount=%EF%BC%91&currency=AUD", "amount must be a number"),
    ("amount=99999999999&currency=AUD", "amount must be at least 1 and at most"),
    ("amount=10.5&currency=JPY", "amount must have at most 0 decimals in JPY"),
    ("amount=100.001&currency=AUD", "amount must have at most 2 decimals in AUD"),
    ("amount=100.125&currency=KWD", "amount must have at most 2 decimals in KWD"),
    ("amount=10", "currency must be a valid ISO4217"),
    ("amount=10&currency=aud", "currency must be a valid ISO4217"),
    ("amount=10&currency=%00", "currency must be a valid ISO4217"),
    ("amount=10&currency=AUD&isCapable=maybe", "isCapable must be true or false"),
    ("%zz&&&=;=", "amount must be a number"),
]


@pytest.mark.parametrize(("query", "fault"), BAD)
async def test_a_bad_query_is_a_400_that_names_field_and_rule(query: str, fault: str, merchant: Merchant) -> None:
    answer = await merchant.get(f"/options?{query}")
    assert (answer.status, answer.body["error"], answer.body["code"]) == (400, "Bad Request", "validation_failed")
    assert any(said.startswith(fault) for said in answer.body["message"]), answer.body


@pytest.mark.parametrize(
    "query", ["amount=10.0&currency=JPY", "amount=100.1200&currency=AUD", "amount=1.12&currency=KWD"]
)
async def test_an_amount_that_an_order_may_have_is_asked_with(query: str, merchant: Merchant) -> None:
    assert (await merchant.get(f"/options?{query}")).status == 200


async def test_every_fault_of_a_query_is_named_at_once(merchant: Merchant) -> None:
    answer = await merchant.get("/options?amount=x&currency=x&isCapable=x")
    assert [said.split(" ")[0] for said in answer.body["message"]] == ["currency", "amount", "isCapable"]
