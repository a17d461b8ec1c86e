"""The shopper's pages: /return, /checkout and the plain result page."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Awaitable, Mapping

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.exceptions import HTTPException

from paymux.checkout import returns
from paymux.orders import clockwork, store
from paymux.orders.core import Core
from paymux.orders.create import redirect_url
from paymux.orders.errors import OutcomeOpen, once_claimed
from paymux.orders.given_words import form_of
from paymux.orders.model import Order, Status
from paymux.platform.database import CommitUnknown, DatabaseUnavailable
from paymux.platform.rate_limits import RateLimit

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)
_PAGES = Environment(loader=PackageLoader("paymux.checkout", "pages"), autoescape=select_autoescape())
_TOKEN = re.compile(r"otk_[A-Za-z0-9_-]{1,90}")
LONGEST = 4096
RETRY_AFTER = "5"
"""Seconds that a browser may wait when the database is away."""
ASKS, ASKS_A_SECOND = 10, 0.2
"""So many returns of an order that prove nothing lead to asking its provider, at once and in the long run. Whoever has the
address can send as many as he likes, and must not take up all our calls to a provider, nor fill the order's history."""
_SUBMIT = "document.forms[0].submit()"
"""The only script of our pages. Its digest is in their policy, so that no other one runs, wherever it may come from."""
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; script-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_SUBMIT.encode()).digest()).decode()
    + "'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def _page(name: str, status: int = 200, **fields: object) -> HTMLResponse:
    return HTMLResponse(_PAGES.get_template(name).render(**fields), status_code=status, headers=_HEADERS)


async def _order(core: Core, token: str) -> Order | None:
    if not _TOKEN.fullmatch(token):
        return None
    async with core.database.connection() as held:
        return await store.order_by_token(held, token)


async def _in_words(answer: Awaitable[Response]) -> Response:
    """The answer; without the database a page that says so. Its words are true whatever was done before that (E4)."""
    try:
        return await answer
    except (DatabaseUnavailable, OutcomeOpen) as fault:
        begun = isinstance(fault, OutcomeOpen | CommitUnknown)
        log.warning("database.unavailable", reason=str(fault.__cause__ if begun else fault), begun=begun)
        page = _page("away.html", 500 if begun else 503)
        page.headers["Retry-After"] = RETRY_AFTER
        return page


@router.api_route("/return/{order_token}", methods=["GET", "POST"])
async def come_back(request: Request, order_token: str) -> Response:
    """The shopper comes back from the provider; repeats lead to the same place (R2)."""
    return await _in_words(_returned(request, order_token, await _brought(request)))


@router.api_route("/return", methods=["GET", "POST"])
async def come_back_by_state(request: Request) -> Response:
    """The same for providers that return everybody to one registered URL: `state` names the order."""
    brought = await _brought(request)
    return await _in_words(_returned(request, brought.get("state", ""), brought))


async def _returned(request: Request, order_token: str, brought: Mapping[str, str]) -> Response:
    core: Core = request.app.state.core
    order = await _order(core, order_token)
    if order is None:
        return _page("gone.html", 404)
    asked: RateLimit = request.app.state.asked_by_shoppers
    hints = asked.take(order.id) == 0
    came = await returns.shopper_returned(core, order, brought, hints=hints)
    if came is order:  # nothing was decided: what comes now only reads
        return await _onwards(core, order)
    with once_claimed():
        return await _onwards(core, came)


async def _brought(request: Request) -> dict[str, str]:
    """What the browser brought: query and form. What can't be read, or kept as text, proves nothing and is left out."""
    brought = dict(request.query_params)
    if request.method == "POST":
        with contextlib.suppress(HTTPException):
            form = await request.form(max_files=0, max_fields=100)
            brought |= {name: value for name, value in form.items() if isinstance(value, str)}
    return {name: value for name, value in brought.items() if len(value) < LONGEST and "\0" not in name + value}


async def _onwards(core: Core, order: Order) -> Response:
    target = await returns.merchant_url(core, order)
    if target is not None:
        return RedirectResponse(target, 303, headers=_HEADERS)
    return _page("result.html", order=order, title=returns.title_of(order), word=_word(order))


@router.get("/checkout/{order_token}")
async def waiting(request: Request, order_token: str) -> Response:
    """Our own page before the provider's: tries a lost create again, forwards, or ends (U2)."""
    return await _in_words(_waited(request.app.state.core, order_token))


async def _waited(core: Core, order_token: str) -> Response:
    order = await _order(core, order_token)
    if order is None:
        return _page("gone.html", 404)
    if order.checkout_url is not None or order.status.final or order.authorised is not None:
        return await _forwarded(core, order)
    with once_claimed():
        return await _forwarded(core, await clockwork.retry_create(core, order, patient=False))


async def _forwarded(core: Core, order: Order) -> Response:
    if order.status.final or order.authorised is not None:
        return await _onwards(core, order)
    if (form := form_of(core.keyring, order)) is not None:
        return _page("form.html", order=order, form=form, title=returns.title_of(order), submit=_SUBMIT)
    if order.checkout_url is not None:
        return RedirectResponse(redirect_url(core, order), 303, headers=_HEADERS)
    return _page("waiting.html", order=order, title=returns.title_of(order))


_WORDS = {
    Status.INITIATED: "Your payment is being prepared.",
    Status.PENDING: "Your payment is not decided yet. The shop will tell you.",
    Status.SUCCESSFUL: "Thank you, your payment was successful.",
    Status.DECLINED: "Your payment was declined.",
    Status.CANCELED: "Your payment was cancelled.",
    Status.ERROR: "Something went wrong.",
}
_NOT_CHARGED = "You have not been charged."


def _word(order: Order) -> str:
    """How it ended, and of an order that failed what that means for the shopper's money."""
    word = _WORDS[order.status]
    if not order.status.final or order.status is Status.SUCCESSFUL:
        return word
    if order.authorised is not None and order.open == 0 and order.captured == order.refunded:
        return f"{word} {'What you paid has been given back.' if order.captured else _NOT_CHARGED}"
    if order.authorised is not None or order.paid_seen:
        return f"{word} A payment came in all the same. It is to be given back to you."
    # A merchant or a deadline ends an order without knowing what the shopper does at the provider at that moment.
    ended_there = order.status is not Status.CANCELED or order.cancelled_by == "USER"
    if order.session is None or ended_there:
        return f"{word} {_NOT_CHARGED}"
    return f"{word} Should you be charged all the same, please tell the shop."
