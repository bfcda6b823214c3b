"""Which fields of a Resource are others than in the revision that stands: for people, with secrets masked.

Called by previews. That a secret is another is told, and nothing of it.
"""

import json
from collections.abc import Mapping
from typing import Any

from orbits_iac.codec import Codec
from orbits_iac.engine.revisions import StoredRevision
from orbits_iac.model.marks import masked
from orbits_iac.model.plans import PropertyChange
from orbits_iac.model.rows import Json
from orbits_iac.steps.resource import Resource

LONGEST = 2000
"""Characters of a field's value that a plan keeps; of a longer one it keeps that it is another."""


def changed_fields(
    codec: Codec, resource: Resource[Any], standing: StoredRevision | None
) -> tuple[PropertyChange, ...]:
    """The fields that differ, in the order of the class; where nothing stands, all of them."""
    text = codec.encode(resource, type(resource))
    before = "{}" if standing is None else standing.row.argument
    then, now = codec.decode(before, dict[str, Any]), codec.decode(text, dict[str, Any])
    shown_then, shown_now = masked(before), masked(text)
    return tuple(
        PropertyChange(path=name, before=_shown(codec, shown_then, name), after=_shown(codec, shown_now, name))
        for name in dict.fromkeys((*now, *then))
        if name not in now or name not in then or now[name] != then[name]
    )


def _shown(codec: Codec, values: Mapping[str, Any], name: str) -> Json | None:
    if name not in values:
        return None
    text = codec.mask_json(json.dumps(values[name], ensure_ascii=False))
    return text if len(text) <= LONGEST else json.dumps(f"{len(text):,} characters")
