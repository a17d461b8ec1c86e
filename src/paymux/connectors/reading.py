"""Reading a provider's answers strictly: as a typed model, or not at all."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from paymux.platform.http import Answer, Unclear

M = TypeVar("M", bound=BaseModel)
_SHOWN_FAULTS = 5


def read(model: type[M], answer: Answer) -> M:
    """An answer's body as a model. Raises Unclear for anything else: what it means for the money nobody knows."""
    try:
        return model.model_validate(answer.json())
    except ValidationError as fault:
        raise Unclear(f"answer {answer.status} can't be read: {_wrong(fault)}") from fault


def read_or_empty(model: type[M], answer: Answer) -> M:
    """An error's body as a model of which every field has a default; the empty one when it is something else."""
    try:
        return model.model_validate(answer.json())
    except (Unclear, ValidationError):
        return model()


def raw(answer: Answer) -> dict[str, Any] | None:
    """The provider's own answer where it is an object, for `rawProviderResponse`."""
    body = answer.json()
    return body if isinstance(body, dict) else None


def decided(answer: Answer) -> Answer:
    """An answer that says yes (2xx) or no (4xx). Raises Unclear for any other status."""
    if 200 <= answer.status < 300 or 400 <= answer.status < 500:
        return answer
    raise Unclear(f"answer {answer.status}")


def _wrong(fault: ValidationError) -> str:
    return ", ".join(".".join(map(str, error["loc"])) or "body" for error in fault.errors()[:_SHOWN_FAULTS])
