"""`GET /options`: the payment methods for an amount, a currency and a channel (O1, O2)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from paymux.accounts import logos
from paymux.accounts import service as accounts
from paymux.accounts.model import ProviderAccount
from paymux.api.answers import answer
from paymux.api.authority import merchant
from paymux.api.documents import operation
from paymux.connectors.facts import CodeFacts, ProviderFacts
from paymux.connectors.registry import UnknownCode, provider_of
from paymux.money import Money, accepted_decimals, fits, is_currency, minor_units, plain, quantum
from paymux.orders import rules
from paymux.orders.core import Core
from paymux.orders.errors import ApiError, BodyFaults
from paymux.orders.schemas import MAX_AMOUNT
from paymux.orders.views import number

router = APIRouter(tags=["options"])
WEEKS_PER_MONTH = Decimal("4.345")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


@router.get("/options", **operation("get_options", None, 200, {400, 401, 403}))
async def options(request: Request) -> Response:
    """The methods that a shopper may pay with, in display order."""
    owner = await merchant(request, "api-user", "merchant")
    core: Core = request.app.state.core
    total, channel, images = _query(request)
    async with core.database.connection() as held:
        # What PostgreSQL can't hold as text is nobody's channel.
        if channel and ("\0" in channel or not await accounts.channel_exists(held, owner.id, channel)):
            raise ApiError(f"channel {channel[:100]} is unknown", code="unknown_channel")
        found = await accounts.provider_accounts(held, core.keyring, owner.id, channel)
        own = await logos.of_merchant(held, owner.id)
    shown = []
    for account in sorted(found, key=lambda a: (a.priority, a.code)):
        try:
            provider, code = provider_of(account.code)
        except UnknownCode:
            continue
        if _offered(core, account, provider.facts, code, total):
            shown.append(
                _option(account, provider.facts, code, total) | _images(core, provider.facts, code, own, images)
            )
    return answer(shown)


def _query(request: Request) -> tuple[Money, str, bool]:
    faults, given = [], request.query_params
    currency = given.get("currency", "")
    if not is_currency(currency):
        faults.append("currency must be a valid ISO4217 currency code")
    text = given.get("amount", "")
    amount = Decimal(text) if _NUMBER.fullmatch(text) else None
    if amount is None:
        faults.append("amount must be a number")
    elif not 1 <= amount <= MAX_AMOUNT:
        faults.append("amount must be at least 1 and at most 1000000000")
    elif is_currency(currency) and not fits(amount, places := accepted_decimals(currency)):
        faults.append(f"amount must have at most {places} decimals in {currency}")
    capable = given.get("isCapable", "false").lower()
    if capable not in ("true", "false", ""):
        faults.append("isCapable must be true or false")
    if faults or amount is None:
        raise BodyFaults(faults)
    return Money(amount, currency), given.get("channel", ""), capable == "true"


def _offered(core: Core, account: ProviderAccount, facts: ProviderFacts, code: CodeFacts, total: Money) -> bool:
    least, most = rules.limits(code, account)
    return (
        account.active
        and rules.usable(core.settings, account)
        and (not code.currencies or total.currency in code.currencies)
        and least <= total.amount <= most
        and fits(total.amount, facts.accepted_decimals(total.currency))
    )


def _option(account: ProviderAccount, facts: ProviderFacts, code: CodeFacts, total: Money) -> dict[str, Any]:
    count = code.instalments.count if code.instalments else 1
    weeks = code.instalments.weeks if code.instalments else Decimal(1)
    unit = code.instalments.unit if code.instalments else "weeks"
    step = quantum(minor_units(total.currency))
    each = (total.amount / count).quantize(step)
    term = weeks * count
    least, most = rules.limits(code, account)
    terms = (code.terms or "Pay {currency} {instalment} in {count} instalments with {title}.").format(
        currency=total.currency, instalment=each, count=count, amount=total.amount, title=code.title
    )
    weekly = (total.amount / term).quantize(step)
    monthly = min(total.amount, (total.amount / term * WEEKS_PER_MONTH).quantize(step))
    return {
        "terms": terms,
        "name": code.code,
        "title": code.title,
        "instalment": {"rate": _rate(each, total.currency), "termDuration": count, "termUnit": unit},
        "monthlyCost": _rate(monthly, total.currency),
        "weeklyCost": _rate(weekly, total.currency),
        "termDurationInMonths": number((term / WEEKS_PER_MONTH).quantize(Decimal("0.01"))),
        "termDurationInWeeks": number(term),
        "recommended": False,
        "checkoutConfig": {
            "content": "",
            "iframeUrl": "",
            "button": {"type": "global", "text": "Checkout", "color": facts.ink, "background": facts.colour,
                       "position": "left", "size": "small"},
            "termsCondition": {"type": "none", "content": "", "linkText": "Terms & Condition"},
        },
        "currency": total.currency,
        "minAmount": plain(least),
        "maxAmount": plain(most),
        "priority": str(account.priority),
        "interestRate": "0",
        "lateFeesAllowed": False,
        "customerFeesAllowed": False,
        "interestRateAllowed": False,
        "ratings": 0,
        "ratingsAvailabilityStatus": False,
        "requiredFields": list(code.required),
        "verified": facts.confidence != "unverified",
    }  # fmt: skip


def _images(
    core: Core, facts: ProviderFacts, code: CodeFacts, own: Mapping[str, logos.Logo], capable: bool
) -> dict[str, str]:
    """The merchant's own logo, else the mark; with isCapable=true the picture itself, too."""
    logo, base = own.get(code.code), f"{core.settings.base_url}/images"
    shown = {"imageUrl": f"{base}/logos/{logo.id}" if logo else f"{base}/providers/{code.code}.svg"}
    if capable:
        shown["image"] = logo.content if logo else base64.b64encode(mark(facts, code).encode()).decode()
    return shown


def _rate(amount: Decimal, currency: str) -> dict[str, Any]:
    return {"amount": number(amount), "currency": currency}


def mark(facts: ProviderFacts, code: CodeFacts) -> str:
    """A neutral generated mark: the method's name on its provider's colour, so that it can be read."""
    name = code.title.replace("&", "&amp;").replace("<", "&lt;")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="160" height="48" viewBox="0 0 160 48" role="img">'
        f'<rect width="160" height="48" rx="8" fill="{facts.colour}"/>'
        '<text x="80" y="30" text-anchor="middle" font-family="system-ui,sans-serif" font-size="15" font-weight="600"'
        f' textLength="{min(144, 9 * len(name))}" lengthAdjust="spacingAndGlyphs" fill="{facts.ink}">{name}</text></svg>'
    )


@router.get("/images/providers/{code}.svg", include_in_schema=False)
async def image(code: str) -> Response:
    """The mark of a payment method."""
    try:
        provider, facts = provider_of(code)
    except UnknownCode:
        raise ApiError("There is no such payment method", code="not_found", status=404) from None
    return Response(mark(provider.facts, facts), media_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


@router.get("/images/logos/{logo_id}", include_in_schema=False)
async def logo(request: Request, logo_id: str) -> Response:
    """A merchant's own logo of a payment method, as a picture that can do nothing but be looked at."""
    core: Core = request.app.state.core
    async with core.database.connection() as held:
        found = await logos.by_id(held, logo_id) if logo_id.isascii() and logo_id.isprintable() else None
    if found is None:
        raise ApiError("There is no such logo", code="not_found", status=404)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(base64.b64decode(found.content), media_type=found.media_type, headers=headers)
