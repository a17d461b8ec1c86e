"""Structured logs: events with ids, never a person's data or a secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from paymux.platform.settings import Settings

_SECRET_NAME = re.compile(
    r"secret|token|authori[sz]ation|password|credential|e_?mail|phone|street|address|cookie|postal|birth"
    r"|(^|_|-)((first|last|full|given|family|middle)_?)?name$|(first|last|full|given|family)name$",
    re.I,
)
_SECRET_TEXT = re.compile(r"Bearer\s+\S+|Basic\s+\S+|tok_\w+|whsec_\S+|eyJ[\w-]+\.[\w-]+\.[\w-]+")


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank what may be a secret or personal, by its name or its look, at any depth."""
    for name, value in event.items():
        event[name] = _SECRET_TEXT.sub("[redacted]", str(value)) if name == "event" else _blanked(name, value)
    return event


def redacted(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The same without what may be a secret or personal, for what is kept beside the log."""
    return {name: _blanked(name, value) for name, value in detail.items()}


def _blanked(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return "[redacted]"
    if isinstance(value, str):
        return _SECRET_TEXT.sub("[redacted]", value)
    if isinstance(value, Mapping):
        return {str(key): _blanked(str(key), part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [_blanked("", part) for part in value]
    return value


def configure(settings: Settings) -> None:
    """Set up logging for this process, to standard error: ours, and what libraries log from WARNING on."""
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks become text before they are redacted, and without local variables: those hold secrets.
    shown: list[Any] = [structlog.processors.format_exc_info, redact]
    shown.append(structlog.dev.ConsoleRenderer() if text else structlog.processors.JSONRenderer())
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    structlog.configure(
        processors=[*shared, *shown],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown],
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler])
