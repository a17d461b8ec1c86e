"""Tamara in a whole installation: how long an authorised order can be captured."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.connectors.journey import Shop

DAY = 86_400


async def test_an_authorised_order_is_announced_before_its_90_days_are_over_and_then_expired(shop: Shop) -> None:
    order = await shop.sells("TAMARA_SA", "300", autoCapture=False)
    until = datetime.fromisoformat((await order.details())["authorizedUntil"])
    kept = until - shop.installation.clock.now()
    assert timedelta(days=90) - timedelta(minutes=1) < kept < timedelta(days=90) + timedelta(minutes=1)
    await order.loses_every_event()

    await order.later(89 * DAY + 60)
    (notice,) = [
        said["data"]
        for said in shop.installation.inbox.events(order.reference, "ORDER_STATUS_UPDATE")
        if said["data"].get("notice") == "authorization_expires"
    ]
    assert abs(datetime.fromisoformat(notice["authorizationExpiresAt"]) - until) < timedelta(seconds=1)
    assert (await order.status())["captureStatus"] == "AUTHORIZED"

    await order.later(DAY)
    assert (await order.status())["captureStatus"] == "EXPIRED"
    refused = await order.captures("300")
    assert (refused.status, refused.body["code"]) == (409, "authorisation_expired")
    assert (await order.details())["needsReview"] is None
