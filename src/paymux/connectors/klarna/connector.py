"""Klarna: Payments v1 behind the hosted payment page (HPP) v1, Order Management v1, Customer Token v1.

Opening takes two calls: a payments session, then the page that hosts it; the page's session is the one that
counts. Klarna places the order itself when the shopper agrees (PLACE_ORDER) and the page's session names it; from
then on the order at Order Management is the truth. Only for a customer token is the page told to place nothing
(NONE): then `confirm` makes the token and places the order, within an hour. Placing takes no idempotency key by the
specification, so a lost answer is looked up, never repeated blindly. A sale is captured by a call of its own, as
Klarna allows capturing by itself to few trades only. A decline (FAILED), an error or a step back on the page is not
final: the shopper may try again. Callbacks are unsigned and lead to asking. What is left after captures is released
whole, never in part. Amounts are minor units.
Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from paymux.connectors.contract import (
    Approved,
    Ask,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Expired,
    Incoming,
    Move,
    Moved,
    MoveResult,
    NotThere,
    OrderToPay,
    Paid,
    Pending,
    ProviderToken,
    Redirect,
    Refused,
    Report,
)
from paymux.connectors.klarna import answers, requests
from paymux.connectors.klarna.answers import Page, raw, read, refusal
from paymux.connectors.klarna.reports import report_of, report_of_page, token_of
from paymux.connectors.klarna.requests import Body, NewCustomerToken
from paymux.connectors.provider_http import basic
from paymux.platform.database import from_json
from paymux.platform.http import Answer, CallFailed, NotSent, Unclear

_NOBODY = "00000000-0000-0000-0000-000000000000"


class Klarna(Connector):
    """Klarna's hosted payment page with order management."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a payments session and its page. Neither takes an idempotency key; unused ones just expire."""
        plans = self.credentials.get("custom_payment_method_ids") or ""
        opened = await self._made("POST", "/payments/v1/sessions", requests.payments_session(order, plans))
        session = read(answers.NewPaymentsSession, opened).session_id
        address = self.url(f"/payments/v1/sessions/{quote(session, safe='')}")
        body = requests.hosted_page(order, address, self.code.settings.get("category", ""))
        page = read(answers.NewPage, await self._made("POST", "/hpp/v1/sessions", body))
        return Redirect(
            url=page.redirect_url,
            session=page.session_id,
            expires_at=page.expires_at,
            state={"payments_session": session},
        )

    async def charge_token(self, order: OrderToPay, token: str, key: str) -> Report:
        """Place an order by a customer token. The order is all there is: its id is session and payment alike."""
        path = f"/customer-token/v1/tokens/{quote(token, safe='')}/order"
        answer = await self._send("POST", path, requests.order_by_token(order), key)
        if answer.status == 403:
            no = refusal(answer)
            return Declined(reason=no.reason, code=no.code)
        if answer.status >= 400:
            raise refusal(answer, absent=())
        placed = read(answers.Placed, answer)
        return await self._placed(placed.order_id, placed.order_id)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Klarna signs nothing; it only puts the page's session into our own addresses."""
        page, via = query.get("hpp") or None, query.get("via")
        succeeded = via == "success"
        return Ask(session=page, approved=succeeded and checkout.get_token, left=via == "cancel")

    async def fetch(self, checkout: Checkout) -> Report:
        """The order if there is one, else the page."""
        if checkout.payment_id:
            return await self._order(checkout.payment_id, None, **token_of(checkout))
        answer = await self._made("GET", _page(checkout))
        page = read(Page, answer)
        if page.order_id and checkout.get_token:
            # Only our confirm places this order and holds its token, so only the confirm tells of it.
            return Approved(session=page.session_id, raw=raw(answer))
        return await self._told(page, answer, checkout)

    def verify_event(self, event: Incoming) -> str | None:
        """Nothing to verify; the page's callbacks carry an id by which a repeat is known."""
        try:
            body = from_json(event.body)
        except ValueError:
            return None
        id = body.get("event_id") if isinstance(body, dict) else None
        return id if isinstance(id, str) and id else None

    def read_event(self, event: Incoming) -> EventReading:
        """The page or the pending order that a callback names. Unsigned, so never what it says of it."""
        body = from_json(event.body)
        if isinstance(body, dict):
            session = body.get("session")
            page = session.get("session_id") if isinstance(session, dict) else None
            if isinstance(page, str) and page:
                return EventReading(session=page)
            order = body.get("order_id")
            if isinstance(order, str) and order:
                return EventReading(payment_id=order)
        raise ValueError("the event names neither a session nor an order")

    async def check(self) -> str:
        """Ask for a session that nobody has: Klarna looks at the credentials first."""
        answer = await self._send("GET", f"/hpp/v1/sessions/{_NOBODY}")
        if answer.status not in (200, 404):
            raise refusal(answer)
        return "Klarna took the credentials and answered a question about a session"

    # -- confirming: only for a customer token ------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Make the customer token, then place the order. Pending, with no effect, before the shopper has agreed."""
        try:
            page, answer = await self._before(Page, _page(checkout))
        except NotThere as gone:
            return Expired(reason=gone.reason)
        authorization = page.authorization_token
        if page.order_id or page.status != "COMPLETED" or not authorization:
            return await self._told(page, answer, checkout)
        session = await self._payments_session(checkout)
        if session.status == "complete":
            raise Unclear("the order was placed, but Klarna does not tell its id")
        path = f"/payments/v1/authorizations/{quote(authorization, safe='')}"
        token, failure = await self._customer_token(path, requests.customer_token(checkout, session))
        answer = await self._send("POST", f"{path}/order", requests.order_of(checkout, session), key)
        if answer.status == 404:
            # Used up by an earlier try, or older than an hour.
            return await self.recover_confirm(checkout, key) or Expired(reason=refusal(answer).reason, raw=raw(answer))
        if answer.status >= 400:
            no = refusal(answer, absent=())
            if no.code == "REJECTED":
                return Declined(session=page.session_id, reason=no.reason, code=no.code)
            raise no
        placed = read(answers.Placed, answer)
        state = {"customer_token": "made"} if token else {}
        return await self._placed(placed.order_id, page.session_id, token=token, token_failure=failure, state=state)

    async def recover_confirm(self, checkout: Checkout, key: str) -> Report | None:
        """Look the order up. None: the payments session is not complete, so no order was placed in it."""
        answer = await self._made("GET", _page(checkout))
        page = read(Page, answer)
        if page.order_id:
            return await self._told(page, answer, checkout)
        if (await self._payments_session(checkout)).status != "incomplete":
            raise Unclear("the order was placed, but Klarna does not tell its id")
        return None

    # -- moving money -------------------------------------------------------------------------

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture a part or all."""
        answer = await self._move(checkout, "captures", move, requests.capture(move))
        return Moved(provider_id=answers.new_id(answer, "capture-id"))

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Cancel what was never captured, or release what is left after captures: two calls at Klarna."""
        if not move.whole:
            raise Refused("Klarna voids only all that is left", "not_supported")
        verb = "release-remaining-authorization" if move.captured else "cancel"
        await self._move(checkout, verb, move)
        return Moved(provider_id=f"{checkout.payment}/{verb}")

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund captured money."""
        answer = await self._move(checkout, "refunds", move, requests.refund(move))
        return Moved(provider_id=answers.new_id(answer, "refund-id"))

    async def cancel_checkout(self, checkout: Checkout) -> None:
        """Disable the page; give back an authorization that nobody is going to place."""
        answer = await self._send("DELETE", _page(checkout))
        if answer.status == 400 and checkout.get_token:
            page = read(Page, await self._made("GET", _page(checkout)))
            if page.authorization_token and not page.order_id:
                path = f"/payments/v1/authorizations/{quote(page.authorization_token, safe='')}"
                answer = await self._send("DELETE", path)
        if answer.status >= 400 and answer.status != 404:
            raise refusal(answer)

    # -- what is read -------------------------------------------------------------------------

    async def _told(self, page: Page, answer: Answer, checkout: Checkout) -> Report:
        """What a page's session says, and the order that it names."""
        if page.order_id:
            try:
                return await self._order(page.order_id, page.session_id, **token_of(checkout))
            except NotThere:
                reason = "the order can't be read yet"
                return Pending(reason=reason, completed=True, session=page.session_id, raw=raw(answer))
        return report_of_page(page, answer, get_token=checkout.get_token)

    async def _order(self, order_id: str, session: str | None, **more: Any) -> Report:
        answer = await self._made("GET", f"/ordermanagement/v1/orders/{quote(order_id, safe='')}")
        return report_of(read(answers.Order, answer), answer, session, **more)

    async def _placed(self, order_id: str, session: str | None, **more: Any) -> Report:
        """An order that was certainly placed: as it stands, or underway while it can't be read."""
        try:
            report = await self._order(order_id, session)
        except (Refused, CallFailed):
            report = Pending()
        if isinstance(report, Paid):
            return replace(report, **more)
        if isinstance(report, Declined):
            return report
        return Paid(session=session, payment_id=order_id, total=None, captured=None, underway=True, **more)

    async def _customer_token(self, path: str, body: NewCustomerToken) -> tuple[ProviderToken | None, str | None]:
        """A customer token, or why there is none: the payment does not wait for it."""
        try:
            made = read(answers.CustomerToken, await self._made("POST", f"{path}/customer-token", body))
        except (Refused, CallFailed) as fault:
            return None, f"Klarna made no customer token: {fault}"
        return ProviderToken(value=made.token_id), None

    async def _payments_session(self, checkout: Checkout) -> answers.PaymentsSession:
        path = f"/payments/v1/sessions/{quote(checkout.state.get('payments_session', ''), safe='')}"
        try:
            session, _ = await self._before(answers.PaymentsSession, path)
        except NotThere as no:
            if no.code == "SESSION_COMPLETED":
                return answers.PaymentsSession(status="complete")
            raise
        return session

    # -- HTTP ---------------------------------------------------------------------------------

    async def _send(self, method: str, path: str, body: Body = None, key: str = "", *, first: bool = False) -> Answer:
        """Send; return 2xx and clear 4xx. `first`: a call before the one that counts, so a fault means nothing was sent."""
        headers = {"Authorization": basic(self.credentials["username"], self.credentials["password"])}
        if key:
            headers["Klarna-Idempotency-Key"] = key
        call = self.http.prepare if first else self.http.send
        answer = await call(method, self.url(path), headers=headers, json=body)
        if not (200 <= answer.status < 300 or 400 <= answer.status < 500):
            raise Unclear(f"answer {answer.status}")
        return answer

    async def _made(self, method: str, path: str, body: Body = None) -> Answer:
        answer = await self._send(method, path, body)
        if answer.status >= 400:
            raise refusal(answer)
        return answer

    async def _before(self, model: type[answers.S], path: str) -> tuple[answers.S, Answer]:
        """Read something before the call that counts. Raises NotSent for nonsense: that call never left."""
        try:
            answer = await self._send("GET", path, first=True)
            if answer.status >= 400:
                raise refusal(answer)
            return read(model, answer), answer
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault

    async def _move(self, checkout: Checkout, verb: str, move: Move, body: Body = None) -> Answer:
        path = f"/ordermanagement/v1/orders/{quote(checkout.payment, safe='')}/{verb}"
        answer = await self._send("POST", path, body, move.key)
        if answer.status == 409:
            # Not documented here: it may be our own first try that still runs.
            raise Unclear("answer 409")
        if answer.status >= 400:
            raise refusal(answer)
        return answer


def _page(checkout: Checkout) -> str:
    return f"/hpp/v1/sessions/{quote(checkout.session, safe='')}"
