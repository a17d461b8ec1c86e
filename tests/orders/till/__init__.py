"""A throw-away provider for the core's own tests: each kind of provider that no connector here is, from one small protocol.

`kind` writes its folder with the capabilities that a test needs; connector and simulator are those beside this file.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def kind(
    parent: Path,
    name: str,
    *,
    able: str,
    idempotent: str = "",
    once: str = "",
    replays: str = "",
    readable: str = "",
    lists: str = "totals",
    tells: str = "none",
    declares: str = "",
    **more: Any,
) -> Path:
    """The folder of a provider `name` with the code of the same name in capitals.

    `able`, `idempotent`, `once`, `replays` and `readable` name what is true, separated by blanks. `lists` says how its status
    tells what moved: `totals`, `moves` (each with its id) or `keys` (with our key, too). `tells`: how its events are
    authenticated, `header` or `unsigned`. `declares` names further facts that are true. `more`: seconds of `[times]`.
    """
    folder = parent / name
    folder.mkdir()
    for part in ("connector.py", "simulator.py"):
        shutil.copy(_HERE / part, folder / part)
    kinds = '["capture", "void", "refund"]' if lists == "keys" else "[]"
    text = [
        f'name = "{name}"', f'title = "{name.title()}"', 'summary = "A provider for tests."', 'confidence = "unverified"',
        f"moves_echo_keys = {kinds}", *(f"{word} = true" for word in declares.split()),
        "[hosts.api]", 'live = "https://till.invalid"', 'test = "https://till.invalid"',
        f"[codes.{name.upper()}]", f'title = "{name.title()}"', 'countries = ["AU"]', 'currencies = ["AUD"]',
        f'settings = {{ lists = "{lists}" }}',
        "[capabilities]", *(f"{word} = true" for word in able.split()),
        "[idempotent]", *(f"{word} = true" for word in idempotent.split()), f"once = {once.split()}",
        f"replays = {replays.split()}",
        "[readable]", *(f"{word} = true" for word in readable.split()),
        "[times]", *(f"{word} = {seconds}" for word, seconds in more.items()),
        "[credentials.key]", 'title = "Key"',
        "[events]", f'kind = "{tells}"', f'set_up = "{"none" if tells == "none" else "per order"}"',
    ]  # fmt: skip
    (folder / "provider.toml").write_text("\n".join(text), encoding="utf-8")
    return folder
