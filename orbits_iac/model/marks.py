"""What stands in the texts of values for what JSON has no word for: a dictionary with one of these for its only key.

`masked` is how a value that may hold secrets is shown, by whoever has no key.
"""

import json
from enum import StrEnum
from typing import Any


class Mark(StrEnum):
    """What the key says of what stands under it."""

    SEALED = "$secret"  # encrypted text
    SEALED_BYTES = "$secret-bytes"  # encrypted: in base 64
    SEALED_VALUE = "$secret-value"  # encrypted: the JSON text of what a `Secret[T]` holds
    BYTES = "$bytes"  # in base 64
    NUMBER = "$number"  # infinite, or none
    DICT = "$dict"  # a dictionary of the user's that would be taken for one of these


SEALS = frozenset({Mark.SEALED.value, Mark.SEALED_BYTES.value, Mark.SEALED_VALUE.value})
_SHOWN_BARE = frozenset({Mark.BYTES.value, Mark.NUMBER.value, Mark.DICT.value})
MASK = "********"


def masked(text: str | None) -> Any:
    """The value in a JSON text of the codec's, each secret in it masked; None for no text."""
    return None if text is None else _masked(json.loads(text))


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) == 1:
            ((mark, inner),) = value.items()
            if mark in SEALS:
                return MASK
            if mark in _SHOWN_BARE:
                return _masked(inner) if mark != Mark.DICT else {key: _masked(item) for key, item in inner.items()}
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value
