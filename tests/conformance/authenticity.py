"""Whether what reaches us proves itself: an event or a return is tried without its proof, and with something else in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from paymux.connectors.contract import Connector, Forged, Incoming, Report
from tests.conformance.findings import Events
from tests.conformance.story import Story

LOOKED_AT = 4
"""Events of one story that are looked at: all are made the same way, and each is tried in many forms."""


def worth_of(connector: Connector, events: list[Incoming]) -> Events:
    """Whether events prove themselves. Raises Forged for a genuine one that is taken for forged."""
    for event in events[:LOOKED_AT]:
        connector.verify_event(event)
        bare = replace(event, headers={}, query={})
        if any(_is_forged(connector, changed) for changed in (bare, *_changed(event))):
            return Events.PROVED
    return Events.HINTS if events else Events.NONE


def _is_forged(connector: Connector, event: Incoming) -> bool:
    try:
        connector.verify_event(event)
    except Forged:
        return True
    except ValueError:
        return False
    return False


def _changed(event: Incoming) -> Iterator[Incoming]:
    """The event with something else in it: each field of its query, and each value in its body."""
    for name, value in event.query.items():
        yield replace(event, query={**event.query, name: f"1{value}"})
    try:
        said = json.loads(event.body)
    except ValueError:
        for name, value in (fields := dict(parse_qsl(event.body.decode(errors="replace")))).items():
            yield replace(event, body=urlencode({**fields, name: f"{value}1"}).encode())
        return
    for changed in _other(said):
        yield replace(event, body=json.dumps(changed).encode())


def _other(said: Any) -> Iterator[Any]:
    """A JSON value with one of its leaves changed, for each of them."""
    if isinstance(said, dict):
        for name, value in said.items():
            yield from ({**said, name: other} for other in _other(value))
    elif isinstance(said, list):
        for place, value in enumerate(said):
            yield from ([*said[:place], other, *said[place + 1 :]] for other in _other(value))
    elif isinstance(said, str):
        yield f"{said}1"
    elif isinstance(said, int | float) and not isinstance(said, bool):
        yield said + 1


def signed_return(story: Story) -> bool:
    """Whether the shopper's return was a report, and is forged with something else in it."""
    if not isinstance(story.returned, Report):
        return False
    for name, value in story.query.items():
        try:
            story.connector.read_return({**story.query, name: f"{value}1"}, story.checkout)
        except Forged:
            return True
    return False
