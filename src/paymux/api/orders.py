"""`/orders`: create, read, details, capture, void, refund, cancel."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from paymux.api.answers import answer, error_answer, read_json
from paymux.api.authority import merchant
from paymux.api.documents import BAD, operation
from paymux.orders import asking, operations, store, views
from paymux.orders.core import Core
from paymux.orders.create import create_order, redirect_url
from paymux.orders.errors import NotFound
from paymux.orders.model import Kind, OperationStatus, Order
from paymux.orders.schemas import (
    CancelOrder,
    CaptureOrder,
    CreateOrder,
    RefundOrder,
    VoidOrder,
    read_body,
    reference_fault,
)

router = APIRouter(tags=["orders"])
SCOPE = "api-user"


@router.post("/orders", **operation("create_order", CreateOrder, 201, BAD | {409, 422, 429, 502}))
async def create(request: Request) -> Response:
    """Open an order at the chosen payment method; send the shopper to `redirectUrl`."""
    owner = await merchant(request, SCOPE)
    core: Core = request.app.state.core
    status, body = await create_order(core, owner, await read_json(request), request.headers.get("idempotency-key"))
    if status >= 400:
        return error_answer(request, status, body["message"], body["code"])
    return answer(body, status)


@router.get("/orders/{reference}", **operation("get_order", None, 200, {401, 403, 404}))
async def read(request: Request, reference: str) -> Response:
    """The state of an order; an operation left unknown is asked about on the way."""
    core, order = await _found(request, reference)
    return answer(views.status(core.keyring, await _repaired(core, order)))


@router.post("/orders/{reference}/details", **operation("order_details", None, 200, {401, 403, 404}))
@router.get("/orders/{reference}/details", **operation("get_order_details", None, 200, {401, 403, 404}))
async def details(request: Request, reference: str) -> Response:
    """An order with its history, captures, voids, refunds and next step."""
    core, order = await _found(request, reference)
    async with core.database.connection() as held:
        happened = await store.events(held, order.id)
        moved = await store.operations(held, order.id)
        due = await store.next_timer(held, order.id)
    url = redirect_url(core, order) if not order.status.final else None
    return answer(views.details(core.keyring, order, happened, moved, due, url))


@router.post(
    "/orders/{reference}/capture", **operation("capture_order", CaptureOrder, 201, BAD | {404, 409, 422, 429, 502})
)
async def capture(request: Request, reference: str) -> Response:
    """Capture all or part of an authorised order."""
    owner = await merchant(request, SCOPE)
    body = read_body(CaptureOrder, await read_json(request))
    asked = operations.Asked(Kind.CAPTURE, body.capture_reference, body.amount, body.description or "")
    core: Core = request.app.state.core
    _, op = await operations.move(core, owner.id, _asked(reference), asked)
    return answer(views.captured(core.keyring, op), 201)


@router.post("/orders/{reference}/void", **operation("void_order", VoidOrder, 201, BAD | {404, 409, 422, 429, 502}))
async def void(request: Request, reference: str) -> Response:
    """Void all or part of what is still authorised."""
    owner = await merchant(request, SCOPE)
    body = read_body(VoidOrder, await read_json(request))
    asked = operations.Asked(Kind.VOID, body.void_reference, body.amount, body.description or "")
    core: Core = request.app.state.core
    _, op = await operations.move(core, owner.id, _asked(reference), asked)
    return answer(views.voided(core.keyring, op), 201)


@router.post(
    "/orders/{reference}/refund", **operation("refund_order", RefundOrder, 201, BAD | {404, 409, 422, 429, 502})
)
async def refund(request: Request, reference: str) -> Response:
    """Give back all or part of what was captured."""
    owner = await merchant(request, SCOPE)
    body = read_body(RefundOrder, await read_json(request))
    asked = operations.Asked(
        Kind.REFUND, body.refund_reference, body.refund_amount.amount, body.refund_description or "",
        body.refund_amount.currency,
    )  # fmt: skip
    core: Core = request.app.state.core
    order, op = await operations.move(core, owner.id, _asked(reference), asked)
    return answer(views.refunded(core.keyring, order, op), 201)


@router.post(
    "/orders/{reference}/cancel", **operation("cancel_order", CancelOrder, 201, BAD | {404, 409, 429}, optional=True)
)
async def cancel(request: Request, reference: str) -> Response:
    """Cancel an order that is not paid yet."""
    owner = await merchant(request, SCOPE)
    read_body(CancelOrder, await read_json(request, optional=True))
    core: Core = request.app.state.core
    return answer(views.status(core.keyring, await operations.cancel(core, owner.id, _asked(reference))), 201)


async def _found(request: Request, reference: str) -> tuple[Core, Order]:
    owner = await merchant(request, SCOPE, "merchant")
    core: Core = request.app.state.core
    return core, await operations.order_of(core, owner.id, _asked(reference))


def _asked(reference: str) -> str:
    """A path's reference. One that no order can have (E6) is nobody's, and is not looked up."""
    if reference_fault(reference):
        raise NotFound("There is no such order")
    return reference


async def _repaired(core: Core, order: Order) -> Order:
    async with core.database.connection() as held:
        unknown: list[Any] = [
            op for op in await store.operations(held, order.id)
            if op.status is OperationStatus.PENDING and op.asks > 0 and not op.needs_review and op.kind is not Kind.CREATE
        ]  # fmt: skip
    if not unknown:
        return order
    asked = await asking.ask(core, order, "read")
    return asked.order if asked else order
