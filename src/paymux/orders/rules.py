"""The rules of `POST /orders` that go beyond one field: sums, the provider's demands, what it can do (E2, E5, M1, M2, O2)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Optional

from pydantic import ValidationError, create_model

from paymux.accounts.model import ProviderAccount
from paymux.connectors.facts import AdditionalDatum, CodeFacts, ProviderFacts
from paymux.connectors.registry import UnknownCode, provider_of
from paymux.money import Money, accepted_decimals, fits
from paymux.orders.errors import BodyFaults
from paymux.orders.model import ZERO
from paymux.orders.schemas import CreateOrder, faults_of
from paymux.platform.callback_guard import check_callback_url
from paymux.platform.settings import Settings

# The same fields, each allowed to be absent: so that the other rules can be checked of a body with faults.
_LENIENT: dict[str, Any] = {
    name: (Optional[field.annotation], field.merge_field_infos(field, default=None))  # noqa: UP045
    for name, field in CreateOrder.model_fields.items()
}
_Sound: Any = create_model("SoundFields", __base__=CreateOrder, **_LENIENT)

_JSON_KIND: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "number": (int, Decimal), "boolean": (bool,), "object": (dict,), "array": (list,),
}  # fmt: skip


class Faults:
    """Faults as they are found, each with the stable word for it."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self.unsound: set[str] = set()
        """Fields of the body that are wrong by themselves: read as absent, and no other rule may conclude from that."""

    def add(self, message: str, code: str = "validation_failed") -> None:
        self.found.append((code, message))

    def raise_if_any(self) -> None:
        """Raise BodyFaults with all of them; the code is theirs when they share one."""
        if self.found:
            codes = {code for code, _ in self.found}
            raise BodyFaults([m for _, m in self.found], code=codes.pop() if len(codes) == 1 else "validation_failed")


def read_order(raw: object, faults: Faults) -> Any:
    """The body, or, with faults noted, the sound part of it (absent fields None)."""
    if not isinstance(raw, dict):
        raise BodyFaults(["body must be a JSON object"])
    model: Any = CreateOrder
    while True:
        try:
            return model.model_validate(raw)
        except ValidationError as fault:
            for message in faults_of(fault):
                faults.add(message)
            unsound = {str(error["loc"][0]) for error in fault.errors(include_url=False, include_input=False)}
            faults.unsound |= unsound
        # Once more only where a field was sent under two spellings and both are wrong.
        raw, model = {name: value for name, value in raw.items() if name not in unsound}, _Sound


_SUMMED = {"orderAmount", "orderItems", "shippingAmount", "taxAmount", "discountAmount"}


def check_amounts(order: Any, faults: Faults) -> None:
    """The sums are exact: each line is quantity x unit price, and the lines, shipping and tax less the discount are the
    order's amount, none of them with more decimals than the currency has (M1, M2)."""
    currency = order.purchase_currency
    places, where = (accepted_decimals(currency), f" in {currency}") if currency else (2, "")
    for name, amount in (
        ("orderAmount", order.order_amount), ("shippingAmount", order.shipping_amount),
        ("taxAmount", order.tax_amount), ("discountAmount", order.discount_amount),
    ):  # fmt: skip
        if amount is not None and not fits(amount, places):
            faults.add(f"{name} must have at most {places} decimals{where}")
    for n, item in enumerate(order.order_items or ()):
        if not fits(item.total_amount, places):
            faults.add(f"orderItems.{n}.totalAmount must have at most {places} decimals{where}")
        # How a line is rounded is the currency's.
        if currency and (exact := Money(item.unit_price * item.quantity, currency).rounded()) != item.total_amount:
            faults.add(f"orderItems.{n}.totalAmount must equal quantity x unitPrice ({exact})", "amount_mismatch")
    if faults.unsound & _SUMMED:
        return
    total = sum((item.total_amount for item in order.order_items), ZERO) + (order.shipping_amount or ZERO)
    total += (order.tax_amount or ZERO) - (order.discount_amount or ZERO)
    if total != order.order_amount:
        faults.add(
            "orderAmount must equal sum(orderItems.totalAmount) + shippingAmount + taxAmount - discountAmount"
            f" ({total})",
            "amount_mismatch",
        )


def check_urls(order: Any, settings: Settings, faults: Faults) -> None:
    """The order's own redirect and callback URLs are https; in the sandbox http to this machine will do (E8)."""
    for name, url in (
        ("dynamicRedirectUrl", order.dynamic_redirect_url), ("dynamicCallbackUrl", order.dynamic_callback_url),
    ):  # fmt: skip
        if url is not None and (fault := check_callback_url(settings, url)):
            faults.add(f"{name} {fault}")


def check_provider(order: Any, account: ProviderAccount | None, faults: Faults, *, channel_known: bool = True) -> None:
    """What the chosen provider demands and can do: all before anything is claimed or sent (E5, O2)."""
    if order.token is not None and order.customer_present is None and "customerPresent" not in faults.unsound:
        faults.add("customerPresent is required when token is given")
    if order.bnpl_provider is None:
        return
    try:
        provider, code = provider_of(order.bnpl_provider)
    except UnknownCode:
        faults.add("bnplProvider must be one of the names that GET /options returns", "provider_not_available")
        return
    if account is None or not account.active:
        # On a channel that is none there is no account either: one fault, not two.
        if channel_known:
            faults.add(f"bnplProvider {code.code} is not available to you on this channel", "provider_not_available")
        return
    _check_limits(order, provider.facts, code, account, faults)
    _check_abilities(order, provider.facts, code, faults)
    _check_required(order, code, faults)


def usable(settings: Settings, account: ProviderAccount) -> bool:
    """Whether orders may be made with an account: in live mode not with what is closed, or what nobody has verified and
    no service of the merchant's own (`endpoint`) vouches for."""
    if settings.sandbox:
        return True
    try:
        provider, code = provider_of(account.code)
    except UnknownCode:
        return False
    facts = provider.facts
    return facts.closed(code) is None and (
        facts.confidence != "unverified" or bool(account.credentials.get("endpoint"))
    )


def _check_limits(order: Any, facts: ProviderFacts, code: CodeFacts, account: ProviderAccount, faults: Faults) -> None:
    currency, country, amount = order.purchase_currency, order.purchase_country, order.order_amount
    if currency and code.currencies and currency not in code.currencies:
        faults.add(f"purchaseCurrency must be {' or '.join(code.currencies)} for {code.code}", "provider_not_available")
    if country and code.countries and country not in code.countries:
        faults.add(f"purchaseCountry must be {' or '.join(code.countries)} for {code.code}", "provider_not_available")
    least, most = limits(code, account)
    if amount is not None and not least <= amount <= most:
        faults.add(f"orderAmount must be from {least} to {most} for {code.code}", "provider_not_available")
    if amount is None or not currency or not fits(amount, accepted_decimals(currency)):
        return
    if not fits(amount, places := facts.accepted_decimals(currency)):
        faults.add(f"orderAmount must have at most {places} decimals in {currency} for {code.code}", "not_supported")


def limits(code: CodeFacts, account: ProviderAccount) -> tuple[Decimal, Decimal]:
    """The least and the most that may be paid: the provider's limits and the account's (O2)."""
    least = max(code.min, account.min_amount) if account.min_amount is not None else code.min
    most = min(code.max, account.max_amount) if account.max_amount is not None else code.max
    return least, most


def _check_abilities(order: Any, facts: ProviderFacts, code: CodeFacts, faults: Faults) -> None:
    for wanted, ability, message in (
        (order.auto_capture is False, "deferred_capture", "autoCapture false is not supported by"),
        (
            order.auto_capture is not False and "autoCapture" not in faults.unsound,
            "sale",
            "autoCapture true is not supported by",
        ),
        (bool(order.get_token), "token", "getToken is not supported by"),
        (order.token is not None, "charge_token", "token is not supported by"),
    ):
        if wanted and not getattr(facts.for_code(code).capabilities, ability):
            faults.add(f"{message} {order.bnpl_provider}", "not_supported")
    for key, value in (order.additional_data or {}).items():
        known = facts.additional_data.get(key)
        if known is None:
            faults.add(f"additionalData.{key} is not known to {order.bnpl_provider}", "not_supported")
        elif fault := _datum_fault(known, value):
            faults.add(f"additionalData.{key} {fault}")


def _datum_fault(known: AdditionalDatum, value: Any) -> str | None:
    """What is wrong with a value of `additionalData`, if anything."""
    if known.type == "integer":
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not fits(Decimal(value), 0):
            return "must be a whole number"
        if known.min is not None and value < known.min:
            return f"must be at least {known.min}"
        return f"must be at most {known.max}" if known.max is not None and value > known.max else None
    if not isinstance(value, _JSON_KIND[known.type]) or (known.type == "number" and isinstance(value, bool)):
        return f"must be a {known.type}"
    return None


def _check_required(order: Any, code: CodeFacts, faults: Faults) -> None:
    if order.token is not None:
        return
    for path in code.required:
        part, _, name = path.partition(".")
        holder = {"customer": order.customer, "billingAddress": order.billing_address,
                  "shippingAddress": order.shipping_address}.get(part)  # fmt: skip
        if part in faults.unsound:
            continue
        if not _value(holder, name):
            faults.add(f"{path} is required by {code.code}")


def _value(holder: Any, name: str) -> Any:
    if holder is None:
        return None
    for field, info in type(holder).model_fields.items():
        if info.alias == name:
            return getattr(holder, field)
    return None
