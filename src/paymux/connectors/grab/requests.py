"""What Grab is sent: a charge, the shopper's sign-in with its code, completion and refunds. Amounts in minor units.

`partnerTxID` is our id of one charge or refund, `partnerGroupTxID` that of the order, `originTxID` Grab's of the charge.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from paymux.connectors import amounts
from paymux.connectors.contract import Checkout, Move, OrderToPay

_MAX_DESCRIPTION = 255


class MetaInfo(TypedDict):
    """What Grab shows of the merchant."""

    brandName: str


class NewCharge(TypedDict):
    """Opens a charge of `amount` minor units."""

    partnerGroupTxID: str
    partnerTxID: str
    amount: int
    currency: str
    merchantID: str
    description: str
    metaInfo: NotRequired[MetaInfo]


class SignIn(TypedDict):
    """The query of the page where the shopper signs in and agrees; `request` is what opening the charge was answered."""

    acr_values: str
    client_id: str
    code_challenge: str
    code_challenge_method: Literal["S256"]
    nonce: str
    redirect_uri: str
    request: str
    response_type: Literal["code"]
    scope: Literal["openid payment.one_time_charge"]
    state: str


class CodeGrant(TypedDict):
    """Exchanges the code of a shopper who agreed for the charge's access token."""

    grant_type: Literal["authorization_code"]
    code: str
    redirect_uri: str
    client_id: str
    client_secret: str
    code_verifier: str


class Completion(TypedDict):
    """Completes a charge."""

    partnerTxID: str


class Refund(TypedDict):
    """Gives back `amount` minor units of a charge."""

    partnerGroupTxID: str
    partnerTxID: str
    amount: int
    currency: str
    merchantID: str
    originTxID: str
    description: str


def identifier(key: str) -> str:
    """Our key as one of Grab's ids, which have 32 characters at most."""
    return key.replace("-", "")


def charge_of(order: OrderToPay, key: str, merchant: str, brand: str) -> NewCharge:
    """The body that opens an order's charge; the brand is left out where there is none."""
    charge: NewCharge = {
        "partnerGroupTxID": order.reference, "partnerTxID": identifier(key), "amount": amounts.minor(order.total),
        "currency": order.total.currency, "merchantID": merchant, "description": f"Order {order.reference}",
    }  # fmt: skip
    if brand:
        charge["metaInfo"] = {"brandName": brand}
    return charge


def refund_of(checkout: Checkout, move: Move, merchant: str) -> Refund:
    """The body of a refund under an id of its own."""
    return {
        "partnerGroupTxID": checkout.reference, "partnerTxID": identifier(move.key), "amount": amounts.minor(move.amount),
        "currency": move.amount.currency, "merchantID": merchant, "originTxID": checkout.payment,
        "description": (move.description or f"Refund {move.reference}")[:_MAX_DESCRIPTION],
    }  # fmt: skip
