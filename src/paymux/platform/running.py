"""Where the running installation's database is: said by the settings, or left in its home by `paymux dev`."""

from __future__ import annotations

from pathlib import Path

from paymux.platform.settings import Settings


class NotRunning(Exception):
    """No database is known."""


def _file(home: Path) -> Path:
    return home / "database.url"


def write_database_url(home: Path, url: str) -> None:
    """Leave the embedded database's URL for the commands that run beside `paymux dev`."""
    home.mkdir(parents=True, exist_ok=True)
    _file(home).write_text(url)


def forget_database_url(home: Path) -> None:
    """Take it back when the embedded database stops."""
    _file(home).unlink(missing_ok=True)


def database_url(settings: Settings) -> str:
    """The database to use. Raises NotRunning."""
    if settings.database_url:
        return settings.database_url
    try:
        return _file(settings.home).read_text().strip()
    except OSError:
        raise NotRunning(
            "No database: set PAYMUX_DATABASE_URL, or start `paymux dev` with the same PAYMUX_HOME first."
        ) from None
