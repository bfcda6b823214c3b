"""Fields as they are compared where some are secret: two secrets that differ differ, and neither is shown.

What always holds: a secret stands in a comparison as a digest with a key that only this process has, and in what comes
of it as stars. Pure but for that key. Called by `managed`.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from pydantic import BaseModel, JsonValue, Secret, SecretBytes, SecretStr
from pydantic_core import to_json, to_jsonable_python

from orbits_iac.drift.compare import Comparison

_STARS = "**********"
_KEY = secrets.token_bytes(32)
_digests = re.compile(re.escape(_STARS) + "[0-9a-f]{32}")
_SECRETS = (SecretStr, SecretBytes, Secret)


def concealed(fields: BaseModel | Mapping[str, Any]) -> Mapping[str, JsonValue]:
    """Fields in JSON's own types, with a digest for each secret in them."""
    if isinstance(fields, BaseModel):
        own, shown = fields.model_dump(), fields.model_dump(mode="json")
    else:
        own, shown = dict(fields), to_jsonable_python(fields)
    return cast("Mapping[str, JsonValue]", _concealed(own, shown))


def without_digests(found: Comparison) -> Comparison:
    """What a comparison found, with stars for the secrets."""
    return replace(
        found,
        differences=tuple(
            replace(d, recorded=_digests.sub(_STARS, d.recorded), live=_digests.sub(_STARS, d.live))
            for d in found.differences
        ),
    )


def _concealed(own: Any, shown: Any) -> Any:
    """`shown`, which is `own` as JSON, with the secrets of `own` told apart."""
    if isinstance(own, _SECRETS):
        text = to_json(own.get_secret_value(), bytes_mode="base64")
        return _STARS + hashlib.blake2b(text, key=_KEY, digest_size=16).hexdigest()
    if isinstance(own, Mapping) and isinstance(shown, dict) and len(own) == len(shown):
        return {name: _concealed(one, shown[name]) for one, name in zip(own.values(), shown, strict=True)}
    if isinstance(own, (list, tuple)) and isinstance(shown, list) and len(own) == len(shown):
        return [_concealed(one, other) for one, other in zip(own, shown, strict=True)]
    return shown
