"""What live mode refuses to start on (K4)."""

from __future__ import annotations

from urllib.parse import urlsplit

from paymux.accounts import demo, store
from paymux.platform.database import Database
from paymux.platform.settings import Settings


class UnsafeStart(Exception):
    """Live mode would be unsafe: the sentence says why and what to do."""


async def refuse_unsafe_start(settings: Settings, database: Database) -> None:
    """Check a live start. Raises UnsafeStart with every reason, and what to do. In sandbox mode: nothing."""
    if settings.sandbox:
        return
    wrong = []
    public = urlsplit(settings.public_url)
    if public.scheme != "https" or not public.hostname:
        wrong.append("PAYMUX_PUBLIC_URL must be an https URL")
    if settings.keys is None and (settings.keys_path is None or not settings.keys_path.is_file()):
        wrong.append("PAYMUX_KEYS_FILE must name the key file, or PAYMUX_KEYS hold its content")
    if not settings.database_url and not settings.allow_embedded:
        wrong.append("the embedded database needs PAYMUX_ALLOW_EMBEDDED=1, or set PAYMUX_DATABASE_URL")
    async with database.connection() as held:
        if await store.merchant_by_client(held, demo.CLIENT_ID) or await store.merchant(held, demo.MERCHANT_ID):
            wrong.append("the database holds the demo merchant, whose secrets everybody knows: use another database")
        if await store.has_sandbox_accounts(held):
            wrong.append("the database holds accounts at simulators: use another database")
        if await store.clock_moved(held):
            wrong.append("the database's clock has been moved: use another database")
    if wrong:
        raise UnsafeStart("Live mode does not start: " + "; ".join(wrong) + ".")
