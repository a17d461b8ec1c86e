"""Structured logs: events with ids, never a person's data or a secret."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import structlog
from structlog.typing import ExcInfo

from paymux.platform.settings import Settings

_SECRET_NAME = re.compile(
    r"secret|token|authori[sz]ation|password|credential|e_?mail|phone|street|address|cookie|postal|birth"
    r"|(^|_|-)((first|last|full|given|family|middle)_?)?name$|(first|last|full|given|family)name$",
    re.I,
)
# Our own secrets by their first letters (`new_secret`), what signs requests, e-mail addresses, numbers like a phone's, and
# exceptions as libraries write them into a sentence. Whatever may be long is tried from its beginning only: others choose
# these texts, and a search that starts again at every letter of them takes hours.
_SECRET_TEXT = re.compile(
    r"Bearer\s+\S+|Basic\s+\S+|(?<![A-Za-z])(?:tok|otk|pek|sec|pay|whsec)_[\w+/=-]{16,}|eyJ(?:(?!eyJ)[\w-])+\.[\w-]+\.[\w-]+"
    r"|(?<![\w.+-])[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+|\+[1-9](?:[ ()-]?\d){7,14}(?!\d)|exception=\w+\(.*",
    re.S,
)

# What a terminal obeys instead of showing it: a provider's or a caller's words must not clear a screen that somebody reads.
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank what may be a secret or personal, by its name or its look, at any depth."""
    for name, value in event.items():
        event[name] = _shown(str(value)) if name == "event" else _blanked(name, value)
    return event


def without_secrets(text: str) -> str:
    """A text without what looks like a secret, an e-mail address or a telephone number."""
    return _SECRET_TEXT.sub("[redacted]", text)


def _shown(text: str) -> str:
    return without_secrets(_OBEYED.sub("\ufffd", text))


def redacted(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The same without what may be a secret or personal, for what is kept beside the log."""
    return {name: _blanked(name, value) for name, value in detail.items()}


def _blanked(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return "[redacted]"
    if isinstance(value, str):
        return _shown(value)
    if isinstance(value, Mapping):
        return {str(key): _blanked(str(key), part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [_blanked("", part) for part in value]
    return value


def told(exc_info: ExcInfo) -> str:
    """A traceback without what the exceptions say: their words quote what was worked on, a person's data among it."""
    return "\n".join(_told(exc_info[1]))


def _told(fault: BaseException) -> Iterator[str]:
    cause = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    if cause is not None:
        yield from _told(cause)
        yield "led to:"
    for frame in traceback.extract_tb(fault.__traceback__):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
    code = getattr(fault, "sqlstate", None) or getattr(fault, "errno", None)
    yield f"{type(fault).__module__}.{type(fault).__qualname__}" + (f" {code}" if code is not None else "")
    if isinstance(fault, BaseExceptionGroup):
        for one in fault.exceptions:
            yield from (f"    {line}" for line in _told(one))


def configure(settings: Settings) -> None:
    """Set up logging for this process, to standard error: ours, and what libraries log from WARNING on."""
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    shown: list[Any] = [structlog.processors.ExceptionRenderer(told), redact]
    shown.append(
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if text else structlog.processors.JSONRenderer()
    )
    level = logging.getLevelNamesMapping()[settings.log_level]
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
