"""What live mode refuses to start on (K4)."""

from __future__ import annotations

from paymux.accounts import demo, store
from paymux.platform.database import Database
from paymux.platform.settings import Settings


class UnsafeStart(Exception):
    """Live mode would be unsafe: the sentence says why and what to do."""


async def refuse_unsafe_start(settings: Settings, database: Database) -> None:
    """Check a live start. Raises UnsafeStart with every reason. In sandbox mode: nothing."""
    if settings.sandbox:
        return
    wrong = []
    if not settings.public_url.startswith("https://"):
        wrong.append("PAYMUX_PUBLIC_URL must be an https URL")
    if settings.keys_path is None:
        wrong.append("PAYMUX_KEYS_FILE must name the key file")
    if not settings.database_url and not settings.allow_embedded:
        wrong.append("the embedded database needs PAYMUX_ALLOW_EMBEDDED=1, or set PAYMUX_DATABASE_URL")
    async with database.connection() as held:
        if await store.merchant_by_client(held, demo.CLIENT_ID) is not None:
            wrong.append("the database holds the demo merchant")
        if await store.clock_moved(held):
            wrong.append("the database's clock has been moved")
    if wrong:
        raise UnsafeStart("Live mode does not start: " + "; ".join(wrong) + ".")
