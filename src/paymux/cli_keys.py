"""`paymux keys`: the key ring that encrypts what is secret, and the keys that sign access tokens."""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from paymux.accounts.access_tokens import KEYS_FRESH, AccessTokens
from paymux.audit import trail
from paymux.cli_faults import FAULTS
from paymux.cli_run import Json, run, told, with_settings
from paymux.orders.core import Core
from paymux.orders.sealed_columns import CLEAR, SEALED
from paymux.platform import resealing
from paymux.platform.database import Database
from paymux.platform.key_file import Keys, change_file, make_file, read_file
from paymux.platform.running import database_url
from paymux.platform.settings import Settings

keys = typer.Typer(no_args_is_help=True, help="The key ring, and the signing keys.")
SETTLED = 300
"""Seconds after a rotation in which a running process may still hold a text that it sealed with the old key."""


def _noted(action: str, subject: str, **detail: Any) -> None:
    """Write a change of the key file into the audit trail, and say so when there is no database to write to."""

    async def write(core: Core) -> None:
        async with core.database.transaction() as tx:
            await trail.record(tx, action, subject, **detail)

    try:
        run(write)
    except typer.Exit:
        typer.echo(f"The audit trail does not know of this: {action} {subject}.", err=True)


@keys.command("create", short_help="Make a key file.")
def create(
    path: Annotated[Path, typer.Argument(help="Where to write it; PAYMUX_KEYS_FILE then names it.")],
) -> None:
    """Make a key file with one new random key, readable by you alone. Keep a copy apart from the database's backups.

    Without it nothing that the installation sealed can be read again: credentials, secrets, customer data.
    """
    if path.exists():
        typer.echo(f"{path} exists already, and is left as it is.", err=True)
        raise typer.Exit(1)
    try:
        make_file(path)
    except OSError as fault:
        typer.echo(f"{path} can't be written: {fault.strerror}.", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"Made {path}. Set PAYMUX_KEYS_FILE={path.absolute()} for every process.")
    if not _noted_beside("key_file.created", str(path.absolute())):
        typer.echo("There is no database yet whose audit trail could tell of it: its first start will.", err=True)


def _noted_beside(action: str, subject: str) -> bool:
    """Write into the audit trail of the database that there is, without its keys; false when there is none to write to."""

    async def write(settings: Settings) -> None:
        database = await Database.connect(database_url(settings), 2)
        try:
            async with database.transaction() as tx:
                await trail.record(tx, action, subject)
        finally:
            await database.close()

    try:
        with_settings(write)
    except FAULTS:
        return False
    return True


def _change(change: Callable[[Keys], Keys]) -> Keys:
    """Change the installation's key file; the ring of PAYMUX_KEYS is printed as it has to be set then."""

    def work() -> Keys:
        settings = Settings()
        if settings.keys is not None:
            changed = change(Keys.read(settings.keys.get_secret_value(), "PAYMUX_KEYS"))
            typer.echo(changed.text())
            typer.echo("Set PAYMUX_KEYS to this for every process, and restart them.", err=True)
            return changed
        return change_file(_path(settings), change)

    return told(work)


def _path(settings: Settings) -> Path:
    if settings.keys_path is None:
        raise ValueError("PAYMUX_KEYS_FILE must name the key file, or PAYMUX_KEYS hold its content.")
    return settings.keys_path


@keys.command("rotate", short_help="Make a new primary key.")
def rotate(
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only add the key: for several machines, before the rotation itself.")
    ] = False,
) -> None:
    """Make a new primary key: what is sealed from now on is sealed with it, and the old keys go on opening.

    Running processes take the file over by themselves, within seconds. Then: `paymux keys reencrypt`.
    """
    if prepare:
        made = _change(Keys.with_prepared)
        _noted("key.prepared", made.prepared or "")
        typer.echo(f"{made.prepared} is in the ring and seals nothing yet. Next: paymux keys rotate", err=True)
        return
    made = _change(Keys.rotated)
    _noted("key.rotated", made.primary)
    typer.echo(f"{made.primary} is the primary key. Next: paymux keys reencrypt", err=True)


@keys.command("status", short_help="How many texts each key has sealed.")
def status(json: Json = False) -> None:
    """The keys of the ring, and how many texts of the database each has sealed. Shows no key."""

    async def work(core: Core) -> dict[str, Any]:
        used = await resealing.in_use(core.database, SEALED)
        ring = _ring(core.settings)
        return {
            "primary": ring.primary, "texts": {name: used[name] for name in dict.fromkeys([*ring.keys, *used])},
            "missing": sorted(set(used) - set(ring.keys)),
        }  # fmt: skip

    shown = run(work, as_json=json)
    if json:
        typer.echo(jsonlib.dumps(shown))
        return
    for name, texts in shown["texts"].items():
        mark = "primary" if name == shown["primary"] else "NOT IN THE RING" if name in shown["missing"] else ""
        typer.echo(f"{name:16} {texts:>10} texts  {mark}".rstrip())


def _ring(settings: Settings) -> Keys:
    if settings.keys is not None:
        return Keys.read(settings.keys.get_secret_value(), "PAYMUX_KEYS")
    return read_file(_path(settings))


@keys.command("reencrypt", short_help="Seal everything with the primary key.")
def reencrypt(json: Json = False) -> None:
    """Seal everything anew with the primary key, in batches, while the installation works. May be broken off and repeated.

    What a version before left in clear that is sealed by now is sealed, too: run it after an upgrade, when no process of
    the older version is left.
    """

    async def work(core: Core) -> tuple[int, int]:
        first = await resealing.seal_clear(core.database, core.keyring, CLEAR)
        done = await resealing.reseal_all(core.database, core.keyring, SEALED)
        async with core.database.transaction() as tx:
            await trail.record(tx, "texts.reencrypted", "installation", texts=done, were_clear=first)
        return done, first

    done, first = run(work, as_json=json)
    if json:
        typer.echo(jsonlib.dumps({"resealed": done, "wereClear": first}))
        return
    typer.echo(f"{done} texts are sealed anew.{f' {first} that stood in clear are sealed.' if first else ''}")


@keys.command("retire", short_help="Take out old keys that nothing needs.")
def retire(
    name: Annotated[str, typer.Argument(help="A key's name; none: every key but the primary one.")] = "",
    now: Annotated[
        bool, typer.Option("--now", help="Every process has been restarted since the rotation: do not wait.")
    ] = False,
) -> None:
    """Take old keys out of the ring, once nothing in the database needs them any more.

    Backups of the database from before `paymux keys reencrypt` still do: keep the old key file as long as those.
    """

    async def used(core: Core) -> dict[str, int]:
        return dict(await resealing.in_use(core.database, SEALED))

    texts = run(used)

    def change(ring: Keys) -> Keys:
        # A prepared key is behind the primary one, and not old.
        names = list(ring.keys)
        old = (name,) if name else tuple(names[: names.index(ring.primary)])
        for one in old:
            if texts.get(one):
                raise ValueError(f"{one} still seals {texts[one]} texts: run `paymux keys reencrypt` first.")
        return ring.without(*old)

    told(lambda: _refuse_haste(Settings(), now))
    left = _change(change)
    _noted("key.retired", name or "all but the primary", left=list(left.keys))
    typer.echo(f"The ring holds {', '.join(left.keys)}.", err=True)


def _refuse_haste(settings: Settings, now: bool) -> None:
    if now or settings.keys is not None:
        return
    wait = SETTLED - int(time.time() - _path(settings).stat().st_mtime)
    if wait > 0:
        raise ValueError(
            f"The key file was changed less than {SETTLED // 60} minutes ago, and a running process may yet write what it "
            f"sealed before: try again in {wait} seconds, or with --now when all have been restarted."
        )


@keys.command("rotate-signing")
def rotate_signing(
    compromised: Annotated[
        bool, typer.Option("--compromised", help="The old key is in wrong hands: end everything that it has signed.")
    ] = False,
) -> None:
    """Sign access tokens with a new key. Tokens that are out stay valid until they end: nobody is logged out."""

    async def work(core: Core) -> str:
        tokens = AccessTokens(core.database, core.keyring, core.clock, core.settings)
        return await tokens.rotate(compromised=compromised)

    kid = run(work)
    typer.echo(f"{kid} signs from now on, in every process within {KEYS_FRESH:.0f} seconds.")
