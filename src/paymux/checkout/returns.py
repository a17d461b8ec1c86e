"""The shopper's return: a hint leads to asking, a signed one is decided on; then back to the merchant (T1, T2, R1, R2)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import structlog

from paymux.accounts import service as accounts
from paymux.connectors import contract as c
from paymux.orders import asking, calls, opening, reports
from paymux.orders.core import Core, facts_of
from paymux.orders.deadlines import FIRST_POLL
from paymux.orders.decide import Deciding, deciding
from paymux.orders.errors import once_claimed
from paymux.orders.model import Order, Status

log = structlog.get_logger()


def return_hash(secret: str, status: str, reference: str) -> str:
    """The `hash` of a return: lower-case hex HMAC-SHA512 over `status|reference`, key as UTF-8 text (R1)."""
    return hmac.new(secret.encode(), f"{status}|{reference}".encode(), hashlib.sha512).hexdigest()


async def shopper_returned(core: Core, order: Order, query: Mapping[str, str], *, hints: bool = True) -> Order:
    """Learn what a return is worth and decide on it; the order as it is then.

    Without `hints` one that proves nothing leads to nothing: too many have come. Raises DatabaseUnavailable, and OutcomeOpen
    once something may have been done.
    """
    if order.session is None or order.status is Status.SUCCESSFUL:
        return order
    async with core.database.connection() as held:
        connector = await core.connector(held, order)
    said = _read(connector, query, order)
    if order.status.final:
        return await _proven_late(core, order, said, hints=hints) if isinstance(said, c.Paid) else order
    if isinstance(said, c.Report):
        return await _reported(core, order, said, hints=hints)
    return await _ask(core, order, said) if hints else order


def _read(connector: c.Connector, query: Mapping[str, str], order: Order) -> c.Ask | c.Report:
    """What the return says, believed no further than its authentication goes (T2)."""
    try:
        said = connector.read_return(query, opening.checkout_of(order))
    except c.Forged:
        log.warning("return.forged", order=order.id)
        return c.Ask(left=True)
    except Exception:  # whatever a browser brings, the shopper goes back to the shop
        log.exception("return.unreadable", order=order.id)
        return c.Ask()
    if isinstance(said, c.Report) and not connector.facts.signed_return:
        return c.Ask(session=said.session, completed=True)
    return said


async def _reported(core: Core, order: Order, report: c.Report, *, hints: bool) -> Order:
    if report.session is not None and report.session != order.session:
        return await _ask(core, order, c.Ask(session=report.session)) if hints else order

    async def decide(desk: Deciding) -> None:
        if not isinstance(report, c.Cancelled):
            await desk.completed()
        await reports.apply_report(desk, report)

    decision = await deciding(core, order.id, "return", decide)
    with once_claimed():
        return (await calls.run_all(core, decision)).order


async def _proven_late(core: Core, order: Order, paid: c.Paid, *, hints: bool) -> Order:
    """Proof of a payment counts on an ended order, too: perhaps nothing else ever tells of it, and it has to go back (T3).

    But it may be old, and the payment gone since: where the provider can be asked, his answer counts in its place.
    """
    if not facts_of(order).capabilities.status:
        return await _reported(core, order, paid, hints=False)
    if not hints or paid.session not in (None, order.session):
        return order
    asked = await asking.ask_provider(core, order, "return")
    if asked.answered:
        return asked.order

    async def ask_again(desk: Deciding) -> None:
        await desk.timer("poll", desk.now + FIRST_POLL)

    with once_claimed():
        return (await deciding(core, order.id, "return", ask_again)).order


async def _ask(core: Core, order: Order, hint: c.Ask) -> Order:
    foreign = hint.session is not None and hint.session != order.session

    async def note(desk: Deciding) -> None:
        if foreign:
            # Another order's return proves nothing of this one: recorded, and ignored (T1).
            await desk.note("foreign_return", detail={"named": str(hint.session)[:64]})
        elif hint.completed or not hint.left:
            await desk.completed()
        if hint.approved and not foreign and desk.facts.capabilities.confirm:
            await reports.approved(desk)

    decision = await deciding(core, order.id, "return", note)
    confirming = bool(decision.run)
    with once_claimed():
        order = (await calls.run_all(core, decision)).order
        if not order.status.final and not confirming:
            asked = await asking.ask(core, order, "return")
            order = asked.order if asked else order
        return await calls.settled(core, order)


async def merchant_url(core: Core, order: Order) -> str | None:
    """Where the shopper goes: the order's or the merchant's own URL with hash and status; None: our result page (R2)."""
    async with core.database.connection() as held:
        merchant = await accounts.merchant_by_id(held, order.merchant_id)
        secret = await accounts.payment_secret(held, core.keyring, order.merchant_id)
    target = order.redirect_url or merchant.redirect_url
    if target is None:
        return None
    status = "CANCELLED" if order.status is Status.CANCELED else str(order.status)
    if order.status is Status.INITIATED:
        status = "PENDING"
    added = {
        "hash": return_hash(secret, status, order.reference),
        "reference": order.reference,
        "status": status,
        "providerReference": order.payment_id or order.session or "",
    }
    return _with_query(target, {name: value for name, value in added.items() if value})


def _with_query(url: str, added: Mapping[str, str]) -> str:
    """The URL as the merchant gave it, to the byte, with fields added to its query (R1)."""
    url, sharp, fragment = url.partition("#")
    joint = "?" if "?" not in url else "" if url.endswith(("?", "&")) else "&"
    return f"{url}{joint}{urlencode(added, quote_via=quote)}{sharp}{fragment}"


def title_of(order: Order) -> str:
    """The provider's name, for pages."""
    return facts_of(order).codes[order.code].title
