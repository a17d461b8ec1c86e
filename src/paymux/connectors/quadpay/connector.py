"""QuadPay, today Zip, in the United States and Canada: PartPay's merchant API with captures.

Whether an approved order is captured at once or waits for a capture is no choice of the order's: the merchant account
is set up for one of them, and `GET /configuration` tells which, so every order asks before it is opened and remembers
the answer. On an account that defers, an order to be paid at once is captured by us; on one that does not, an order
to be captured later is refused. The status tells neither captures nor voids, and they have no key: one whose answer is
lost is for a person. A refund is made once per merchantRefundReference. Canada has hosts of its own.
Sources: see provider.toml.
"""

from __future__ import annotations

from decimal import Decimal

from paymux.connectors.contract import Checkout, Move, MoveResult, OrderToPay, Redirect, Refused
from paymux.connectors.partpay import PartPay
from paymux.connectors.quadpay.requests import new_order
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear

_DEFERRED = "deferred"


class QuadPay(PartPay):
    """QuadPay's hosted checkout: taken at once, or captured and voided whole, with refunds in parts."""

    grant_path = "/oauth/token"
    create_path = "/order"

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect:
        """Open an order, after a look at how the account takes its money."""
        try:
            deferred = (await self._limits()).deferred
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault
        if not deferred and not order.auto_capture:
            raise Refused("this account takes the money at once: ask Zip to defer its captures", "not_deferred")
        return await self._open(new_order(order), **{_DEFERRED: "yes" if deferred else "no"})

    def _captured(self, checkout: Checkout, total: Money) -> Decimal | None:
        """All of it, unless the account defers: then only we know what we have captured."""
        return None if checkout.state.get(_DEFERRED) == "yes" else total.amount

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Capture what was authorised, whole."""
        return await self._moved(checkout, "capture", move)

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Set free what was authorised, whole."""
        return await self._moved(checkout, "void", move)
