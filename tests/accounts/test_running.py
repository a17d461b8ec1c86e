"""Where commands find the running installation's database."""

from __future__ import annotations

from pathlib import Path

import pytest

from paymux.platform.running import NotRunning, database_url, forget_database_url, write_database_url
from paymux.platform.settings import Settings


def test_what_the_settings_say_always_wins(home: Path) -> None:
    write_database_url(home, "postgresql:///embedded")
    assert database_url(Settings(home=home, database_url="postgresql:///own")) == "postgresql:///own"


def test_the_embedded_database_is_known_while_it_runs(home: Path) -> None:
    write_database_url(home, "postgresql:///embedded")
    assert database_url(Settings(home=home, database_url="")) == "postgresql:///embedded"
    forget_database_url(home)
    with pytest.raises(NotRunning, match="PAYMUX_DATABASE_URL"):
        database_url(Settings(home=home, database_url=""))
    forget_database_url(home)
