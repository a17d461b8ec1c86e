"""Structured logs: events with ids, never a person's data or a secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from paymux.platform.settings import Settings

_SECRET_NAME = re.compile(
    r"secret|token|authori[sz]ation|password|credential|e_?mail|phone|first_?name|last_?name|street|address|cookie",
    re.I,
)
_SECRET_TEXT = re.compile(r"Bearer\s+\S+|Basic\s+\S+|tok_\w+|whsec_\S+|eyJ[\w-]+\.[\w-]+\.[\w-]+")


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank what may be a secret or personal, by its name or its look."""
    for name, value in event.items():
        if name != "event" and _SECRET_NAME.search(name):
            event[name] = "[redacted]"
        elif isinstance(value, str):
            event[name] = _SECRET_TEXT.sub("[redacted]", value)
    return event


def configure(settings: Settings) -> None:
    """Set up logging for this process, to standard error."""
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if text:
        processors += [redact, structlog.dev.ConsoleRenderer()]
    else:
        processors += [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
