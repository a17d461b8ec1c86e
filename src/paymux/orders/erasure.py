"""Erasing a customer: his data goes, what accounting must keep stays, and each order says that it was done.

Customer data is sealed, so nothing finds it but opening it: an erasure by e-mail address reads every order's request
once, in batches, outside of any lock. An order whose customer was erased is found again by keyed digests of his addresses,
and keeps nothing of him that comes in later: `Deciding.change`, `words_without_him` and `run_event` see to that.
"""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog

from paymux.audit import trail
from paymux.orders import auditing, erasure_store, given_words, store
from paymux.orders.core import Core
from paymux.orders.customer import ERASED, REQUEST, Customer, addresses_of, comparable
from paymux.orders.decide import EVENTS_WAIT
from paymux.orders.model import Order
from paymux.orders.refused_events import SEALED_FOR, emptied
from paymux.platform.database import Connection, Record, from_json, to_json
from paymux.platform.encryption import KeyRing

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


@dataclass(slots=True)
class Erased:
    """What was done, without naming him. Only what is left whole, or waits, is not erased yet."""

    erased: list[str] = field(default_factory=list)
    """The ids of the orders."""
    left: list[dict[str, str]] = field(default_factory=list)
    """Orders that are not final."""
    events: int = 0
    """Providers' events that were emptied."""
    tokens: int = 0
    """Payment tokens that ended."""
    waiting: int = 0
    """Providers' events about him that are yet to be decided, or to find their order: one may tell of money."""
    deliveries: int = 0
    """Webhooks yet to be delivered to an address that names him."""


async def erase(core: Core, asked: Asked) -> dict[str, Any]:
    """Erase whom was asked for; the fields of `Erased`."""
    done = Erased()
    names: dict[str, set[str]] = defaultdict(set)
    for order_id in await _found(core, asked):
        async with core.database.transaction() as tx:
            order = await store.lock_order(tx, order_id)
            if not order.status.final:
                done.left.append(
                    {"merchant": order.merchant_id, "orderReference": order.reference, "status": str(order.status)}
                )
                continue
            await _erase_order(core, tx, order, asked, done)
        names[order.account_id] |= {order.provider_reference, order.session or "", order.payment_id or ""} - {""}
        done.erased.append(order_id)
    if asked.email or names:
        await _erase_orderless(core, asked, names, done)
    log.info(
        "customer.erased", orders=len(done.erased), events=done.events, revoked=done.tokens, left=len(done.left),
        waiting=done.waiting, deliveries=done.deliveries, by=asked.by,
    )  # fmt: skip
    return asdict(done)


async def _found(core: Core, asked: Asked) -> list[str]:
    if asked.reference:
        async with core.database.connection() as held:
            return await erasure_store.orders_named(held, asked.reference, asked.merchant_id)
    found: list[str] = []
    after, digest = "", _digest(core.keyring, comparable(asked.email))
    while True:
        async with core.database.connection() as held:
            rows = await erasure_store.orders_after(held, after, asked.merchant_id, BATCH)
        if not rows:
            return found
        found += [row["id"] for row in rows if digest in (row["erased_as"] or ()) or _is_his(core, row, asked.email)]
        after = rows[-1]["id"]


def _digest(keyring: KeyRing, address: str) -> str:
    """By what an order is found whose customer had this address."""
    return keyring.digest(f"erased-address:{address}")


def _is_his(core: Core, row: Record, email: str) -> bool:
    body = from_json(core.keyring.unseal(row["request_sealed"], REQUEST))["body"]
    return comparable(email) in addresses_of(body)


async def _erase_order(core: Core, tx: Connection, order: Order, asked: Asked, done: Erased) -> None:
    """One final, locked order."""
    now = await core.clock.refresh(tx)
    body = from_json(core.keyring.unseal(order.request_sealed, REQUEST))["body"]
    customer = Customer.of(body, asked.email)
    addresses = addresses_of(body) | ({comparable(asked.email)} - {""})
    known_as = {_digest(core.keyring, address) for address in addresses} | set(order.erased_as or ())
    changes = _changes(core, order, body, customer) | {
        "erased_at": order.erased_at or now,
        "erased_as": sorted(known_as),
    }
    await store.update_order(tx, order, changes)
    events = 0
    for row in await erasure_store.events_of(tx, order.id):
        if not from_json(core.keyring.unseal(row["request_sealed"], SEALED_FOR)).get("erased"):
            await erasure_store.write_event(tx, row["id"], emptied(core.keyring, row["method"]))
            events += 1
    await _erase_webhooks(core, tx, order, customer)
    done.deliveries += await _erase_addresses(tx, order, customer)
    await _erase_words(core, tx, order, customer)
    await erasure_store.forget_answers(tx, order.id)
    nothing = core.keyring.seal("", "payment-token"), core.keyring.seal("", "provider-token")
    tokens = await erasure_store.end_tokens(tx, order.id, nothing)
    await store.add_event(tx, order, now, "erased", "operator", detail={"by": asked.by, "note": asked.note})
    await auditing.about(tx, order, "customer.erased", events=events, tokens=tokens, note=asked.note)
    done.events, done.tokens = done.events + events, done.tokens + tokens


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


async def _erase_addresses(tx: Connection, order: Order, customer: Customer) -> int:
    """Take him out of where an order's webhooks went, at once or when that is settled; how many are still to go there."""
    waiting = 0
    for row in await erasure_store.deliveries_of(tx, order.id):
        left = row["url_once_settled"] or customer.without(row["url"])
        if left == row["url"]:
            continue
        if row["waits"]:
            await erasure_store.write_url_once_settled(tx, row["id"], left)
            waiting += 1
        else:
            await erasure_store.write_delivery_url(tx, row["id"], left)
    return waiting


async def _erase_words(core: Core, tx: Connection, order: Order, customer: Customer) -> None:
    """Take him out of what merchant, provider and operator wrote in words."""
    for op in await store.operations(tx, order.id):
        said = given_words.description_of(core.keyring, op)
        description, reason = customer.without(said), customer.without(op.failure_reason)
        if said and order.erased_at is not None and op.created_at > order.erased_at:
            # Written when his words were not known any more.
            description = ERASED
        if (description, reason) != (said, op.failure_reason):
            sealed = given_words.sealed_description(core.keyring, description)
            await erasure_store.write_operation_texts(tx, op.id, sealed, reason)
    for event in await erasure_store.event_details(tx, order.id):
        detail = customer.without(event["detail"])
        if detail != event["detail"]:
            await erasure_store.write_event_detail(tx, event["id"], detail)


async def _erase_orderless(core: Core, asked: Asked, names: Mapping[str, Iterable[str]], done: Erased) -> None:
    """Empty what belongs to no order of ours, and names the address or, by account, one of the orders in `names`.

    What may yet find its order is left, and counted.
    """
    customer, after = Customer(asked.email.strip()), ""
    orders = {account: _any_of(known) for account, known in names.items()}
    accounts = None if asked.email else list(orders)
    while True:
        async with core.database.transaction() as held:
            given_up = await core.clock.refresh(held) - EVENTS_WAIT
            rows = await erasure_store.orderless_events_after(held, after, asked.merchant_id, accounts, given_up, BATCH)
            for row in rows:
                said, order = _said(core.keyring, row), orders.get(row["account_id"])
                if not (customer.named_in(said) or (order is not None and order.search(said))):
                    continue
                if row["waits"]:
                    done.waiting += 1
                else:
                    await erasure_store.write_event(held, row["id"], emptied(core.keyring, row["method"]))
                    await trail.record(held, "provider_event.erased", row["id"], note=asked.note)
                    done.events += 1
        if not rows:
            return
        after = rows[-1]["id"]


def _said(keyring: KeyRing, row: Record) -> str:
    """What a stored event says."""
    kept = from_json(keyring.unseal(row["request_sealed"], SEALED_FOR))
    return base64.b64decode(kept["body"]).decode(errors="replace") + "\n" + to_json(kept["query"])


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    """What finds any of these names as a whole."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(names)))})(?!\w)")
