"""Erasing a customer: his data goes, what accounting must keep stays, and each order says that it was done.

Customer data is sealed, so nothing finds it but opening it: an erasure by e-mail address reads every order's request
once, in batches, outside of any lock.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from paymux.audit import trail
from paymux.orders import auditing, erasure_store, given_words, store
from paymux.orders.core import Core
from paymux.orders.customer import REQUEST, Customer
from paymux.orders.decide import EVENTS_WAIT
from paymux.orders.model import Order
from paymux.platform.database import Connection, from_json, to_json

log = structlog.get_logger()

BATCH = 500
_KEPT = (
    "orderReference", "bnplProvider", "purchaseCountry", "purchaseCurrency", "locale", "shippingAmount", "discountAmount",
    "taxAmount", "orderAmount", "orderItems", "shippingType", "shippingMethod", "autoCapture", "getToken", "customerPresent",
    "channel", "partnerOrderReference", "cancellationTimeout", "checkoutSessionTimeout",
)  # fmt: skip
_IN_THE_MERCHANTS_WORDS = ("orderItems", "partnerOrderReference")
_IN_WORDS = (
    "failureReason",
    "rejectReason",
    "needsReview",
    "tokenFailureReason",
    "description",
    "partnerConfiguration",
    "partnerOrderReference",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to erase: by `email`, or one order's `reference`; of one merchant, or ('') of all. `by` whom and why."""

    by: str
    email: str = ""
    reference: str = ""
    merchant_id: str = ""
    note: str = ""


async def erase(core: Core, asked: Asked) -> dict[str, Any]:
    """Erase whom was asked for; what was done, without naming him.

    Orders that are not final are left, and told; and so are providers' events that no order has been found for yet
    (`waiting`): one may tell of money.
    """
    erased: list[str] = []
    left: list[dict[str, str]] = []
    events = tokens = waiting = 0
    for order_id in await _found(core, asked):
        async with core.database.transaction() as tx:
            order = await store.lock_order(tx, order_id)
            if not order.status.final:
                left.append(
                    {"merchant": order.merchant_id, "orderReference": order.reference, "status": str(order.status)}
                )
                continue
            counted = await _erase_order(core, tx, order, asked)
        erased.append(order_id)
        events, tokens = events + counted[0], tokens + counted[1]
    if asked.email:
        emptied, waiting = await _erase_orderless(core, asked)
        events += emptied
    log.info("customer.erased", orders=len(erased), events=events, revoked=tokens, left=len(left), by=asked.by)
    return {"erased": erased, "left": left, "events": events, "tokens": tokens, "waiting": waiting}


async def _found(core: Core, asked: Asked) -> list[str]:
    if asked.reference:
        async with core.database.connection() as held:
            return await erasure_store.orders_named(held, asked.reference, asked.merchant_id)
    found: list[str] = []
    after = ""
    while True:
        async with core.database.connection() as held:
            rows = await erasure_store.orders_after(held, after, asked.merchant_id, BATCH)
        if not rows:
            return found
        found += [row["id"] for row in rows if _is_his(core, row["request_sealed"], asked.email)]
        after = rows[-1]["id"]


def _is_his(core: Core, request_sealed: bytes, email: str) -> bool:
    body = from_json(core.keyring.unseal(request_sealed, REQUEST))["body"]
    wanted = email.strip().casefold()
    parts = (body.get(name) or {} for name in ("customer", "billingAddress", "shippingAddress"))
    return any(str(part.get("email") or "").strip().casefold() == wanted for part in parts)


async def _erase_order(core: Core, tx: Connection, order: Order, asked: Asked) -> tuple[int, int]:
    """One final, locked order; how many providers' events and payment tokens were erased with it."""
    now = await core.clock.refresh(tx)
    body = from_json(core.keyring.unseal(order.request_sealed, REQUEST))["body"]
    customer = Customer.of(body)
    await store.update_order(tx, order, _changes(core, order, body, customer))
    events = await erasure_store.events_of(tx, order.id)
    for row in events:
        await erasure_store.write_event(tx, row["id"], _emptied(core, row["method"]))
    await _erase_webhooks(core, tx, order, customer)
    await _erase_words(core, tx, order, customer)
    await erasure_store.forget_answers(tx, order.id)
    nothing = core.keyring.seal("", "payment-token"), core.keyring.seal("", "provider-token")
    tokens = await erasure_store.end_tokens(tx, order.id, nothing)
    await store.add_event(tx, order, now, "erased", "operator", detail={"by": asked.by, "note": asked.note})
    await auditing.about(tx, order, "customer.erased", events=len(events), tokens=tokens, note=asked.note)
    return len(events), tokens


def _changes(core: Core, order: Order, body: Mapping[str, Any], customer: Customer) -> dict[str, Any]:
    """What an order's row keeps. What the connector knows the payment by stays: a refund needs it."""
    kept = {
        name: customer.without(body[name]) if name in _IN_THE_MERCHANTS_WORDS else body[name]
        for name in _KEPT
        if name in body
    }
    kept["customer"] = dict.fromkeys(("firstName", "lastName", "email", "phoneNumber"), "")
    for name in ("billingAddress", "shippingAddress"):
        if body.get(name) is not None:
            # The country decides on taxes.
            kept[name] = {"country": body[name]["country"]} if body[name].get("country") else {}
    changes: dict[str, Any] = {
        "request_sealed": core.keyring.seal(to_json({"body": kept, "provider_token": None}), REQUEST),
        "raw_sealed": None, "checkout_url": None, "checkout_form": None,
        "checkout_form_sealed": None, "partner_configuration": None,
        "partner_configuration_sealed": given_words.sealed_configuration(
            core.keyring, customer.without(given_words.configuration_of(core.keyring, order))
        ),
    }  # fmt: skip
    for name in ("redirect_url", "callback_url"):
        url = getattr(order, name)
        if url is not None and customer.named_in(url):
            changes[name] = None
    for name in ("failure_reason", "reject_reason", "needs_review", "partner_reference"):
        changes[name] = customer.without(getattr(order, name))
    return changes


def _emptied(core: Core, method: str) -> bytes:
    kept = {"method": method, "headers": {}, "query": {}, "body": "", "erased": True}
    return core.keyring.seal(to_json(kept), "provider-event")


async def _erase_webhooks(core: Core, tx: Connection, order: Order, customer: Customer) -> None:
    for row in await erasure_store.webhooks_of(tx, order.id):
        told = from_json(core.keyring.unseal(row["body_sealed"], "outbox"))
        data = {
            name: customer.without(value) if name in _IN_WORDS else value
            for name, value in told["data"].items()
            if name not in ("rawProviderResponse", "metadata")
        }
        body = to_json({**told, "data": data})
        await erasure_store.write_webhook(tx, row["id"], core.keyring.seal(body, "outbox"))
    for row in await erasure_store.settled_deliveries_of(tx, order.id):
        if customer.named_in(row["url"]):
            await erasure_store.write_delivery_url(tx, row["id"], customer.without(row["url"]))


async def _erase_words(core: Core, tx: Connection, order: Order, customer: Customer) -> None:
    """Take him out of what merchant, provider and operator wrote in words."""
    for op in await store.operations(tx, order.id):
        said = given_words.description_of(core.keyring, op)
        description, reason = customer.without(said), customer.without(op.failure_reason)
        if (description, reason) != (said, op.failure_reason):
            sealed = given_words.sealed_description(core.keyring, description)
            await erasure_store.write_operation_texts(tx, op.id, sealed, reason)
    for event in await erasure_store.event_details(tx, order.id):
        detail = customer.without(event["detail"])
        if detail != event["detail"]:
            await erasure_store.write_event_detail(tx, event["id"], detail)


async def _erase_orderless(core: Core, asked: Asked) -> tuple[int, int]:
    """Empty what came for no order of ours and names the address; how many, and how many still wait for theirs."""
    customer, after, emptied, waiting = Customer(asked.email.strip()), "", 0, 0
    while True:
        async with core.database.transaction() as held:
            given_up = await core.clock.refresh(held) - EVENTS_WAIT
            rows = await erasure_store.orderless_events_after(held, after, asked.merchant_id, given_up, BATCH)
            for row in rows:
                kept = from_json(core.keyring.unseal(row["request_sealed"], "provider-event"))
                said = base64.b64decode(kept["body"]).decode(errors="replace")
                if not (customer.named_in(said) or customer.named_in(to_json(kept["query"]))):
                    continue
                if row["waits"]:
                    waiting += 1
                else:
                    await erasure_store.write_event(held, row["id"], _emptied(core, row["method"]))
                    await trail.record(held, "provider_event.erased", row["id"], note=asked.note)
                    emptied += 1
        if not rows:
            return emptied, waiting
        after = rows[-1]["id"]
