"""What the audit trail is told of a schema that changed: by whom, and from what to what.

Below the room that owns the trail, for a schema is changed where no room is open yet.
"""

from __future__ import annotations

import json

from paymux.platform.acting import acting
from paymux.platform.identifiers import new_id

ENTRY = """
INSERT INTO audit_entries (id, actor_kind, actor, action, subject, detail, at, at_real)
SELECT $1, $2, $3, $4, 'installation', $5::text::jsonb,
  clock_timestamp() + coalesce((SELECT clock_offset FROM installation), interval '0'), clock_timestamp()
"""


def entry(action: str, **detail: str | None) -> tuple[str, str, str, str, str]:
    """The values of an ENTRY about whoever acts now."""
    actor = acting()
    return new_id("aud"), actor.kind, actor.name, action, json.dumps(detail)
