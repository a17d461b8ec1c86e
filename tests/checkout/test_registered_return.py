"""The one return URL of providers that take only a registered one: `state` names the order, and proves nothing (T2)."""

from __future__ import annotations

from yarl import URL

from tests.installation import Installation, Merchant, Shopper


async def test_state_leads_to_the_order_and_an_approval_kept_for_the_confirm_pays_it(
    merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    opened = await merchant.creates("GRAB_SG", purchaseCurrency="SGD")
    back = URL(await shopper.decides(opened["redirectUrl"], "approve"), encoded=True)
    assert (back.path, back.query["state"]) == ("/return", opened["orderToken"])
    told = await shopper.returns(str(back.with_query(state=opened["orderToken"], code="forged")))
    assert (told["status"], told["reference"]) == ("SUCCESSFUL", opened["orderReference"])


async def test_a_state_that_names_no_order_is_nobodys(merchant: Merchant, installation: Installation) -> None:
    for query in ("", "?state=", "?state=otk_unknown", "?state=%00"):
        answer = await installation.call("GET", URL(f"{merchant.base}/return{query}", encoded=True))
        assert answer.status == 404
