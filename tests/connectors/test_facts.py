"""What a provider can do, less what one of its codes lacks, is what holds for an order of that code."""

from __future__ import annotations

import pytest

from paymux.connectors.registry import all_codes, provider_of
from tests.installation import Installation, Merchant

LACKING = sorted(code for code, (_, facts) in all_codes().items() if facts.lacks)


@pytest.mark.parametrize("code", LACKING)
def test_a_code_has_nothing_of_what_it_lacks_and_everything_else(code: str) -> None:
    provider, facts = provider_of(code)
    held = provider.facts.for_code(facts).capabilities
    assert not any(getattr(held, name) for name in facts.lacks)
    able = {name for name in type(held).model_fields if getattr(held, name)}
    assert able == provider.facts.able(facts)
    assert able, f"{code} can do nothing at all"


async def test_a_checkout_that_its_code_can_not_close_is_left_alone_at_the_provider(
    installation: Installation, merchant: Merchant
) -> None:
    """The provider closes checkouts, this code's it does not: the cancelled order makes no call that is only refused."""
    opened = await merchant.creates("ALIPAY_ID", "150000")
    answer = await merchant.post(f"/orders/{opened['orderReference']}/cancel", {})
    assert answer.status == 201, answer.body
    await installation.quiet()
    async with installation.database.connection() as held:
        paths = await held.fetch(
            "SELECT path FROM provider_calls JOIN orders ON orders.id = order_id WHERE reference = $1",
            opened["orderReference"],
        )
    assert paths, "the checkout was opened over HTTP"
    assert not [row["path"] for row in paths if "cancel" in row["path"]]
