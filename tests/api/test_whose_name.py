"""By which name a caller reaches us changes nothing of what we say: every URL is below our own, which the settings name."""

from __future__ import annotations

import pytest

from paymux.platform.database import to_json
from tests.installation import Installation, Merchant

NAMES: list[dict[str, str]] = [
    {"Host": "evil.example"}, {"Host": "evil.example:80@shop.example"}, {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "evil"}, {"Forwarded": "host=evil.example;proto=https"}, {"X-Original-URL": "/evil"},
    {"X-Rewrite-URL": "/evil"}, {"X-HTTP-Method-Override": "DELETE"}, {"Origin": "https://evil.example"},
]  # fmt: skip


@pytest.mark.parametrize("names", NAMES, ids=str)
async def test_no_name_that_a_caller_says_comes_back(
    names: dict[str, str], installation: Installation, merchant: Merchant
) -> None:
    bearer = {"Authorization": f"Bearer {await merchant.token()}", "Content-Type": "application/json", **names}
    options = await installation.call("GET", f"{merchant.base}/options?amount=100&currency=AUD", headers=bearer)
    body = to_json(merchant.order("PLANPAY_AU")).encode()
    made = await installation.call("POST", f"{merchant.base}/orders", headers=bearer, data=body)
    back = await installation.call("GET", f"{merchant.base}/return/{made.body['orderToken']}", headers=names)
    lost = await installation.call("GET", f"{merchant.base}/nowhere", headers=names)
    document = await installation.call("GET", f"{merchant.base}/openapi.json", headers=names)
    assert [one.status for one in (options, made, back, lost, document)] == [200, 201, 303, 404, 200]
    for answer in (options, made, back, lost, document):
        assert "evil" not in str(answer.body) + str(dict(answer.headers))
        assert not any(name.lower().startswith("access-control-") for name in answer.headers)
