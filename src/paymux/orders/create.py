"""`POST /orders`: check everything, claim, call, decide (design 1, I1, E4, U2)."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from paymux.accounts import service as accounts
from paymux.accounts.model import Merchant, ProviderAccount
from paymux.connectors.registry import provider_of
from paymux.orders import auditing, calls, given_words, opening, payment_tokens, rules, store, views
from paymux.orders.core import Core
from paymux.orders.customer import REQUEST
from paymux.orders.errors import ApiError, Conflict, InProgress, ProviderRefused, ProviderUnreachable, once_claimed
from paymux.orders.model import Initiator, Kind, Operation, Order, Status
from paymux.orders.schemas import CreateOrder
from paymux.platform.database import Connection, from_json, to_json
from paymux.platform.identifiers import new_id, new_secret

KEY_LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Claimed:
    order: Order
    op: Operation
    account: ProviderAccount


async def create_order(
    core: Core, merchant: Merchant, raw: Any, idempotency_key: str | None
) -> tuple[int, dict[str, Any]]:
    """Open an order: (status, body) of the answer. Raises ApiError."""
    if idempotency_key is not None and not (
        1 <= len(idempotency_key) <= 255 and idempotency_key.isascii() and idempotency_key.isprintable()
    ):
        raise ApiError("Idempotency-Key must be 1 to 255 printable ASCII characters", code="validation_failed")
    body_hash = core.keyring.digest(to_json(_canonical(raw)))
    opened = await _open(core, merchant, raw, idempotency_key, body_hash)
    if isinstance(opened, store.KeptAnswer):
        return await _repeat(core, idempotency_key or "", opened, body_hash)
    with once_claimed():
        decision = await calls.call_claimed(core, opened.op, opened.order, opened.account)
        return await _answer(core, decision.order, idempotency_key)


async def _open(
    core: Core, merchant: Merchant, raw: Any, key: str | None, body_hash: str
) -> _Claimed | store.KeptAnswer:
    """Check and claim in one transaction; or what the key was used for before, if this request is a repeat (I1)."""
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        if key is not None and (kept := await store.kept_answer(tx, merchant.id, key, now - KEY_LIFE)):
            return kept
        body, account, token = await _checked(core, tx, merchant, raw)
        claimed = await _claim(core, tx, merchant, account, body, token)
        if claimed is None:
            # The first request with this key may have committed while this one waited for the reference.
            if key is not None and (kept := await store.kept_answer(tx, merchant.id, key, now - KEY_LIFE)):
                return kept
            raise Conflict(f"orderReference {body.order_reference} has been used already", code="duplicate_reference")
        if key is not None and not await store.keep_key(tx, merchant.id, key, body_hash, claimed.order.id, now):
            raise InProgress("The order with this Idempotency-Key")
        return claimed


def _canonical(raw: Any) -> Any:
    """The parsed body in one form: keys sorted, 10 and 10.0 the same number."""
    if isinstance(raw, dict):
        return {str(key): _canonical(raw[key]) for key in sorted(raw, key=str)}
    if isinstance(raw, Decimal):
        sign, digits, exponent = raw.as_tuple()
        text = "".join(map(str, digits))
        kept = text.rstrip("0")
        return ["number", sign, kept, exponent + len(text) - len(kept) if kept and isinstance(exponent, int) else 0]
    if isinstance(raw, int) and not isinstance(raw, bool):
        return _canonical(Decimal(raw))
    return [_canonical(part) for part in raw] if isinstance(raw, list) else raw


async def _repeat(core: Core, key: str, kept: store.KeptAnswer, body_hash: str) -> tuple[int, dict[str, Any]]:
    """The same key again: the first answer, or the order that the first one left unfinished (I1)."""
    if kept.body_hash != body_hash:
        raise ApiError("This Idempotency-Key was used with another body", code="idempotency_key_reused", status=422)
    if kept.status is not None and kept.answer_sealed is not None:
        return kept.status, from_json(core.keyring.unseal(kept.answer_sealed, "kept-answer"))
    async with core.database.transaction() as tx:
        order = await store.order_by_id(tx, kept.order_id or "")
        found = [o for o in await store.operations(tx, order.id) if o.kind in (Kind.CREATE, Kind.CHARGE_TOKEN)]
        if order.status is Status.INITIATED and await store.leased(tx, found[0]):
            raise InProgress("The order with this Idempotency-Key")
    with once_claimed():
        if order.status is Status.INITIATED:
            decision = await calls.run_operation(core, found[0].id)
            if decision is None:
                raise InProgress("The order with this Idempotency-Key")
            order = decision.order
        return await _answer(core, order, key)


async def _checked(
    core: Core, tx: Connection, merchant: Merchant, raw: Any
) -> tuple[CreateOrder, ProviderAccount, str | None]:
    faults = rules.Faults()
    body = rules.read_order(raw, faults)
    rules.check_amounts(body, faults)
    rules.check_urls(body, core.settings, faults)
    channel = body.channel or ""
    channel_known = not channel or await accounts.channel_exists(tx, merchant.id, channel)
    if not channel_known:
        faults.add(f"channel {channel} is unknown", "unknown_channel")
    account = None
    if body.bnpl_provider is not None:
        account = await accounts.account_for(tx, core.keyring, merchant.id, channel, body.bnpl_provider)
        if account is not None and not rules.usable(core.settings, account):
            account = None
    rules.check_provider(body, account, faults, channel_known=channel_known)
    faults.raise_if_any()
    assert account is not None
    token = None
    if body.token is not None:
        _, token = await payment_tokens.provider_token(core, tx, merchant.id, account.id, body.token)
    return body, account, token


async def _claim(
    core: Core, tx: Connection, merchant: Merchant, account: ProviderAccount, body: CreateOrder, token: str | None
) -> _Claimed | None:
    """The order and its first operation, committed before any call leaves."""
    now, order_id, provider = core.clock.now(), new_id("ord"), provider_of(body.bnpl_provider)[0]
    kept = {
        "body": body.model_dump(by_alias=True, mode="python", exclude_none=True, exclude={"token"}),
        "provider_token": token,
    }
    order = await store.insert_order(
        tx, id=order_id, merchant_id=merchant.id, account_id=account.id, reference=body.order_reference,
        code=body.bnpl_provider, connector=provider.name,
        provider_reference=opening.provider_reference(provider.facts, body.order_reference, order_id),
        order_token=new_secret("otk"), transaction_reference=secrets.token_hex(5), status="INITIATED",
        amount=body.order_amount, currency=body.purchase_currency, country=body.purchase_country, locale=body.locale,
        auto_capture=body.auto_capture is not False, get_token=bool(body.get_token),
        request_sealed=core.keyring.seal(to_json(kept), REQUEST), channel=body.channel or "",
        session_id=body.session_id, partner_reference=body.partner_order_reference,
        partner_configuration_sealed=given_words.sealed_configuration(core.keyring, body.partner_configuration),
        redirect_url=body.dynamic_redirect_url,
        callback_url=body.dynamic_callback_url, cancellation_timeout=body.cancellation_timeout,
        checkout_session_timeout=body.checkout_session_timeout, created_at=now, updated_at=now,
    )  # fmt: skip
    if order is None:
        return None
    await store.add_event(tx, order, now, "status", "merchant")
    await auditing.about(tx, order, "order.created", reference=order.reference, code=order.code, amount=order.amount)
    kind = Kind.CREATE if token is None else Kind.CHARGE_TOKEN
    op = await store.claim(
        tx, order, kind, now, reference=str(kind), initiator=Initiator.MERCHANT, amount=order.amount,
        holder=f"{core.holder}:{uuid.uuid4()}", lease=core.settings.lease, calls=1,
    )  # fmt: skip
    assert op is not None
    await store.set_timer(tx, order.id, "operation", now + calls.lapse(core), now, op.id)
    return _Claimed(order, op, account)


async def _answer(core: Core, order: Order, key: str | None) -> tuple[int, dict[str, Any]]:
    if order.status is Status.ERROR:
        raise ProviderUnreachable(order.failure_reason or "the provider failed")
    if order.status is Status.DECLINED:
        status, answer = 422, error_body(ProviderRefused(order.reject_reason or "the provider refused the order"))
    else:
        status, answer = 201, views.created(order, redirect_url(core, order))
    if key is not None:
        async with core.database.transaction(patient=True) as tx:
            await store.keep_answer(
                tx, order.merchant_id, key, status, core.keyring.seal(to_json(answer), "kept-answer")
            )
    return status, answer


def error_body(fault: ApiError) -> dict[str, Any]:
    """The part of an error's body that is the same whenever it is repeated (E1)."""
    return {"statusCode": fault.status, "message": fault.message, "code": fault.code}


def redirect_url(core: Core, order: Order) -> str:
    """Where to send the shopper: the provider's checkout, our own page, or straight back (U2, token)."""
    base = core.settings.base_url
    if order.status.final:
        # It may have been cancelled while its checkout was being opened, which must not be paid any more.
        return f"{base}/return/{order.order_token}"
    if order.checkout_url is not None and not order.by_form:
        return order.checkout_url
    if order.session is None and order.authorised is None:
        return f"{base}/checkout/{order.order_token}"
    return f"{base}/checkout/{order.order_token}" if order.by_form else f"{base}/return/{order.order_token}"
