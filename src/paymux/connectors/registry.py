"""Finds the connectors: every folder beside this file with a `provider.toml`. Nobody keeps a list.

More folders can be named by `register_folder`, which is how a test adds a throw-away connector.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

from paymux.connectors.contract import Connector
from paymux.connectors.facts import CodeFacts, ProviderFacts, read_facts

_HERE = Path(__file__).parent


class UnknownCode(LookupError):
    """No connector serves this code."""


@dataclass(frozen=True)
class Provider:
    """A connector as the registry found it: its facts and the class that speaks its protocol."""

    facts: ProviderFacts
    folder: Path
    connector: type[Connector]

    @property
    def name(self) -> str:
        """The connector's name: its folder's."""
        return self.facts.name


def _module(folder: Path, part: str) -> ModuleType:
    if folder.parent == _HERE:
        return importlib.import_module(f"paymux.connectors.{folder.name}.{part}")
    name = f"paymux_connector_{folder.name}_{part}"
    spec = importlib.util.spec_from_file_location(name, folder / f"{part}.py")
    if spec is None or spec.loader is None:
        raise ValueError(f"{folder}: no {part}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _load(folder: Path) -> Provider:
    facts = read_facts(folder / "provider.toml")
    if facts.name != folder.name:
        raise ValueError(f"{folder.name}/provider.toml: name must be the folder's, not {facts.name!r}")
    module = _module(folder, "connector")
    classes = [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Connector) and item.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise ValueError(f"{folder.name}/connector.py: expected one Connector, found {len(classes)}")
    classes[0].name = facts.name
    return Provider(facts, folder, classes[0])


@cache
def providers(extra: tuple[Path, ...] = ()) -> dict[str, Provider]:
    """All connectors by name. A fallback one yields; raises ValueError when two others claim one code."""
    folders = sorted(path.parent for path in _HERE.glob("*/provider.toml")) + list(extra)
    loaded = [_load(folder) for folder in folders]
    claimed: dict[str, str] = {}
    for provider in (p for p in loaded if not p.facts.fallback):
        for code in provider.facts.codes:
            if code in claimed:
                raise ValueError(f"code {code} is claimed by {claimed[code]} and {provider.name}")
            claimed[code] = provider.name
    return {p.name: _without(p, claimed) if p.facts.fallback else p for p in loaded}


def _without(provider: Provider, claimed: dict[str, str]) -> Provider:
    """A fallback provider without the codes that a connector of their own serves."""
    codes = {code: facts for code, facts in provider.facts.codes.items() if code not in claimed}
    return replace(provider, facts=provider.facts.model_copy(update={"codes": codes}))


_extra: tuple[Path, ...] = ()


def register_folder(folder: Path) -> None:
    """Add a connector's folder that lies outside this package."""
    global _extra
    if folder not in _extra:
        _extra = (*_extra, folder)


def all_providers() -> dict[str, Provider]:
    """All connectors by name, the registered folders included."""
    return providers(_extra)


@cache
def _codes(extra: tuple[Path, ...]) -> dict[str, tuple[Provider, CodeFacts]]:
    return {code: (p, facts) for p in providers(extra).values() for code, facts in p.facts.codes.items()}


def all_codes() -> dict[str, tuple[Provider, CodeFacts]]:
    """Every published code with its connector and its facts."""
    return _codes(_extra)


def provider_of(code: str) -> tuple[Provider, CodeFacts]:
    """The connector and facts of a code. Raises UnknownCode."""
    try:
        return all_codes()[code]
    except KeyError:
        raise UnknownCode(code) from None


def simulator_module(provider: Provider) -> ModuleType:
    """The module of a provider's simulator. Called by the sandbox only."""
    return _module(provider.folder, "simulator")
