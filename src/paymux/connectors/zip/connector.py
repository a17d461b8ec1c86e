"""Zip in Australia, New Zealand and the United Kingdom: merchant API, checkouts and charges.

Nothing is paid until we confirm: the shopper agrees on Zip's page, and `confirm` charges the checkout, within 15
minutes. A charge is captured at once or, in Australia, authorised. The checkout is looked at before it is charged,
as the return is unsigned and Zip does not say what a charge before the shopper's approval is answered. A charged
checkout does not name its charge, so a charge whose answer was lost is sent again: every call that moves money
carries our key as `Idempotency-Key`, and Zip gives the first answer again; what the checkout, looked at before, says
instead is none. Create is the same checkout again for the same reference and amount. A token is made of the approved
checkout, and then the account is charged, not the checkout: which of the two is decided once, and kept before anything
is charged, for the same key must never charge by the other one.
Only totals are told of captures and refunds; the last capture releases what is left. Zip sends no events.
Amounts are numbers in major units. Sources: see provider.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from paymux.connectors import sealing
from paymux.connectors.contract import (
    Approved,
    Ask,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    Expired,
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
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.zip import answers, requests
from paymux.connectors.zip.answers import Charge, refusal
from paymux.connectors.zip.requests import Body, NewCharge
from paymux.money import Money
from paymux.platform.http import Answer, NotSent, Unclear

_VERSION = "2017-03-01"
_NOBODY = "au-co_PxSeQfLlpaYn6bLMZSMv13"
# Longer keys are those of merchants of several regions, who are told which ones at /me.
_LONGEST_OF_AUSTRALIA = 50
_CHARGEABLE = frozenset({"approved", "completed"})
_HELD = frozenset({"authorised", "approved"})
# What was not captured has gone back: the last capture releases it, a cancel releases everything.
_ENDED = frozenset({"captured", "refunded", "cancelled"})
# What a checkout's state keeps of what to charge: the sealed account token, or why there is none.
_TOKEN, _NO_TOKEN, _PURPOSE = "account_token", "no_token", "zip account token"


class Zip(Connector):
    """Zip's checkout with immediate or deferred capture."""

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a checkout; the same reference and amount open the same one."""
        opened = read(answers.Checkout, await self._made("POST", "/checkouts", requests.checkout_body(order)))
        if not opened.uri.startswith(("https://", "http://")):
            raise Unclear("the checkout has no address to send the shopper to")
        return Redirect(url=opened.uri, session=opened.id)

    async def charge_token(self, order: OrderToPay, token: str, key: str) -> Report:
        """Charge an account by its token. The charge is all there is: its id is session and payment alike."""
        body = requests.charge_body(order.total, order.reference, order.auto_capture, "account_token", token)
        report = await self._charged(body, key)
        return replace(report, session=report.payment_id) if isinstance(report, Paid) else report

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """`result` and `checkoutId` are unsigned; the id may come without the region that it begins with."""
        named, result = query.get("checkoutId") or None, query.get("result")
        if named and checkout.session.endswith(f"-{named}"):
            named = checkout.session
        return Ask(
            session=named, approved=result == "approved", left=result == "cancelled", completed=result == "referred"
        )

    async def fetch(self, checkout: Checkout) -> Report:
        """The charge once it is known, else the checkout."""
        if checkout.payment_id:
            answer = await self._made("GET", f"/charges/{quote(checkout.payment_id, safe='')}")
            return _report(read(Charge, answer), answer)
        answer = await self._made("GET", _path(checkout))
        report = _report_of_checkout(read(answers.Checkout, answer), answer)
        if _TOKEN in checkout.state and not isinstance(report, Approved):
            # Its account may have been charged whatever became of the checkout. Without its token it won't be any more.
            chargeable = self._token_of(checkout) is not None
            reason = "to be charged by a token"
            return Pending(reason=reason, completed=chargeable, session=report.session, raw=report.raw)
        return report

    async def check(self) -> str:
        """Ask which regions the key is for; one of Australia, for a checkout that nobody has: Zip looks at the key first."""
        region = self.code.settings["region"]
        if len(self.credentials["api_key"]) > _LONGEST_OF_AUSTRALIA:
            merchant = read(answers.Merchant, await self._made("GET", "/me"))
            served = ", ".join(merchant.regions) or "none"
            if region not in merchant.regions:
                raise Refused(f"the API key is for the regions {served}: ask Zip for one for {region}", "wrong_region")
            return f"Zip took the API key of {merchant.name or 'a merchant'}; it is for the regions {served}"
        answer = await self._answered("GET", f"/checkouts/{_NOBODY}")
        if answer.status not in (200, 404):
            raise refusal(answer)
        ours = f"; by its length it is a key of Australia, so ask Zip whether it is one for {self.code.code}"
        return f"Zip took the API key and answered a question about a checkout{'' if region == 'au' else ours}"

    # -- moving money -------------------------------------------------------------------------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Charge the approved checkout, or its account. Pending, with no effect, before the shopper has agreed; Approved
        when a token was wanted, and now it is known what to charge."""
        token, told = self._kept_token(checkout), None
        if not token:
            # Of an account that is charged by its token the checkout tells nothing.
            try:
                answer = await self._made("GET", _path(checkout), first=True)
                told = read(answers.Checkout, answer)
            except NotThere as gone:
                return Expired(reason=gone.reason)
            except Unclear as fault:
                raise NotSent(f"while preparing: {fault}") from fault
            if told.id != checkout.session:
                raise Unclear(f"asked for {checkout.session}, Zip tells of {told.id[:64]}: not charged now")
            if told.state not in _CHARGEABLE:
                return _report_of_checkout(told, answer)
            if checkout.get_token and _NO_TOKEN not in checkout.state:
                if told.state == "completed":
                    raise Unclear("the checkout was completed before, and nobody kept by what it was charged")
                return await self._prepared(told, key, answer)
        kind: requests.AuthorityType = "account_token" if token else "checkout_id"
        value = token or checkout.session
        body = requests.charge_body(checkout.total, checkout.reference, checkout.auto_capture, kind, value)
        report = await self._charged(body, key, again=told is not None and told.state == "completed")
        if not isinstance(report, Paid):
            return report
        kept = ProviderToken(value=token) if token else None
        # A charge names no checkout: which one it was of, only the look before it has told.
        session = told.id if told else None
        return replace(report, session=session, token=kept, token_failure=checkout.state.get(_NO_TOKEN))

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture a part or all; all that is left is the last capture, after which nothing stays authorised."""
        answer = await self._made("POST", f"{_charge_path(checkout)}/capture", requests.capture_body(move), move.key)
        charge = read(Charge, answer)
        if charge.captured_amount < move.captured + move.amount.amount:
            raise Unclear(f"the charge tells {charge.captured_amount} captured")
        return Moved(provider_id=f"{charge.id}/capture/{move.key}", raw=raw(answer))

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Cancel the charge with all that is not captured."""
        answer = await self._made("POST", f"{_charge_path(checkout)}/cancel", None, move.key)
        charge = read(Charge, answer)
        if charge.state != "cancelled":
            raise Unclear(f"the charge is {charge.state[:64]}")
        return Moved(provider_id=f"{charge.id}/cancel", raw=raw(answer))

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund captured money; Zip demands a reason."""
        answer = await self._made("POST", "/refunds", requests.refund_body(checkout, move), move.key)
        return Moved(provider_id=read(answers.Refund, answer).id, raw=raw(answer))

    async def _charged(self, body: NewCharge, key: str, *, again: bool = False) -> Report:
        """Charge. `again`: the checkout was completed before, so a no says nothing of the charge that completed it."""
        answer = await self._answered("POST", "/charges", body, key)
        if answer.status >= 400 and again:
            raise Unclear(f"the checkout was completed before, and now Zip says: {refusal(answer).reason}")
        if answer.status == 402:
            no = refusal(answer)
            return Declined(reason=no.reason, code=no.code, raw=raw(answer))
        if answer.status >= 400:
            raise refusal(answer)
        return _report(read(Charge, answer), answer)

    async def _prepared(self, approved: answers.Checkout, key: str, approval: Answer) -> Approved:
        """What to charge: the account by a token, which is kept sealed, or the checkout, as Zip makes no token of it.

        Raises NotSent when nobody knows: nothing was charged.
        """
        body: Body = {"authority": {"type": "checkout_id", "value": approved.id}}
        try:
            made = read(answers.Token, await self._made("POST", "/tokens", body, f"{key}-token", first=True))
        except Refused as no:
            # By its code alone: Zip's words may quote what the order says of its customer.
            state = {_NO_TOKEN: f"Zip made no account token: {no.code or 'refused'}"}
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault
        else:
            sealed = sealing.seal(self.credentials["api_key"], _PURPOSE, approved.id, made.value)
            state = {_TOKEN: sealed} if made.active else {_NO_TOKEN: "Zip made an account token that is not active"}
        return Approved(session=approved.id, raw=raw(approval), state=state)

    def _kept_token(self, checkout: Checkout) -> str | None:
        """The token that the account is to be charged by, if that was decided. Raises Refused where it can't be read: the
        checkout can't be charged in its place, as a charge by the token may have been made."""
        if _TOKEN not in checkout.state:
            return None
        token = self._token_of(checkout)
        if token is None:
            raise Refused(
                "Zip was not asked to charge: the account token was kept under an API key that has changed since",
                "token_unreadable",
            )
        return token

    def _token_of(self, checkout: Checkout) -> str | None:
        """The token that was kept; None where it was sealed under another API key or for another checkout."""
        return sealing.unseal(self.credentials["api_key"], _PURPOSE, checkout.session, checkout.state[_TOKEN])

    # -- HTTP ---------------------------------------------------------------------------------

    async def _answered(
        self, method: str, path: str, body: Body = None, key: str = "", *, first: bool = False
    ) -> Answer:
        """Send; return 2xx and clear 4xx. Raises Unclear for 409: a first try of the same may still run.

        `first`: a call before the one that counts, so a fault means that nothing was charged.
        """
        headers = {"Authorization": f"Bearer {self.credentials['api_key']}", "Zip-Version": _VERSION}
        if key:
            headers["Idempotency-Key"] = key
        if body is None and method == "POST":
            headers["Content-Type"] = "application/json"
        call = self.http.prepare if first else self.http.send
        answer = decided(await call(method, self.url(path), headers=headers, json=body))
        if answer.status == 409:
            raise Unclear("answer 409")
        return answer

    async def _made(self, method: str, path: str, body: Body = None, key: str = "", *, first: bool = False) -> Answer:
        answer = await self._answered(method, path, body, key, first=first)
        if answer.status >= 400:
            raise refusal(answer)
        return answer


def _path(checkout: Checkout) -> str:
    return f"/checkouts/{quote(checkout.session, safe='')}"


def _charge_path(checkout: Checkout) -> str:
    return f"/charges/{quote(checkout.payment, safe='')}"


# -- what is read -----------------------------------------------------------------------------


def _report_of_checkout(checkout: answers.Checkout, answer: Answer) -> Report:
    """What a checkout says that we know no charge of."""
    said: dict[str, Any] = {"session": checkout.id, "reference": checkout.order.reference, "raw": raw(answer)}
    if checkout.state == "approved":
        return Approved(**said)
    if checkout.state == "declined":
        return Declined(reason="Zip declined the shopper", code="declined", **said)
    if checkout.state == "cancelled":
        return Cancelled(reason="the shopper cancelled at Zip", **said)
    if checkout.state == "expired":
        return Expired(reason="the checkout expired at Zip", **said)
    if checkout.state == "completed":
        return Pending(reason="charged, but the charge is not known yet", completed=True, **said)
    known = checkout.state == "created"
    return Pending(reason="checkout open" if known else f"unknown checkout state {checkout.state[:64]}", **said)


def _report(charge: Charge, answer: Answer) -> Report:
    """What a charge says. It names no checkout: ours authorised it."""
    said: dict[str, Any] = {"reference": charge.reference, "raw": raw(answer)}
    if charge.state == "declined":
        return Declined(reason="Zip declined the charge", code="declined", **said)
    if charge.state not in _HELD | _ENDED:
        return Pending(reason=f"unknown charge state {charge.state[:64]}", completed=True, **said)
    gone = max(charge.amount - charge.captured_amount, Decimal(0)) if charge.state in _ENDED else Decimal(0)
    return Paid(
        payment_id=charge.id,
        total=Money(charge.amount, charge.currency),
        captured=charge.captured_amount,
        voided=gone,
        refunded=charge.refunded_amount,
        **said,
    )
