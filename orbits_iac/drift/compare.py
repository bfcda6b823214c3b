"""Whether what was recorded and what is live mean the same, property by property."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from orbits_iac.model.rows import Difference


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What a comparison found: what differs, what could not be compared and why, and how much was compared."""

    differences: tuple[Difference, ...] = ()
    unchecked: tuple[str, ...] = ()
    checked: int = 0


def json_text(value: JsonValue) -> str:
    """`value` as JSON text, the same for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def compare(recorded: Mapping[str, JsonValue], live: Mapping[str, JsonValue]) -> Comparison:
    """Compare each recorded property with the live one of the same name; one that `live` lacks is unchecked."""
    differences: list[Difference] = []
    unchecked: list[str] = []
    for name, value in recorded.items():
        if name not in live:
            unchecked.append(f"{name}: not read")
        elif value != live[name]:
            differences.append(Difference(path=name, recorded=json_text(value), live=json_text(live[name])))
    return Comparison(
        differences=tuple(differences), unchecked=tuple(unchecked), checked=len(recorded) - len(unchecked)
    )
