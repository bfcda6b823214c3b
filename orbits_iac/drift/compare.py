"""Whether what was recorded and what is live mean the same, property by property."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orbits_iac.drift.rules import ABSENT, Rules, Unknown, text_of, why_ignored
from orbits_iac.drift.walk import Gap, gaps
from orbits_iac.model.rows import Difference, Json

_ALIKE = Rules()


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What a comparison found: what differs, what could not be compared and why, and how much was compared.

    `ignored` is what was not compared because a rule says so, with its reason: it may differ.
    """

    differences: tuple[Difference, ...] = ()
    unchecked: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    checked: int = 0

    def joined(self, *others: "Comparison") -> "Comparison":
        """This and what others have found."""
        parts = (self, *others)
        return Comparison(
            differences=tuple(each for part in parts for each in part.differences),
            unchecked=tuple(each for part in parts for each in part.unchecked),
            ignored=tuple(each for part in parts for each in part.ignored),
            checked=sum(part.checked for part in parts),
        )


def json_text(value: Any) -> Json:
    """`value` as JSON text, the same for equal values; what is absent or unknown is null."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=_null)


def _null(_value: object) -> None:
    return None


def compare(recorded: Mapping[str, Any], live: Mapping[str, Any], rules: Rules = _ALIKE) -> Comparison:
    """Compare each recorded property with the live one of the same name.

    A property that `live` lacks is unchecked, unless the rules say that it was read wholly. `Unknown` on either side
    makes what it stands for unchecked, with its reason. What is ignored is neither checked nor unchecked.
    """
    found: list[Gap] = []
    absent = ABSENT if rules.whole else Unknown("not read")
    checked = 0
    for name in dict.fromkeys((*recorded, *live) if rules.whole and not rules.asked else recorded):
        here = list(gaps(recorded.get(name, ABSENT), live.get(name, absent), rules, (name,)))
        found.extend(here)
        not_compared = why_ignored(rules, (name,)) is not None or any(
            gap.why is not None and gap.path == (name,) for gap in here
        )
        checked += not not_compared and name in recorded
    return Comparison(
        differences=tuple(_difference(gap) for gap in found if gap.why is None),
        unchecked=tuple(f"{text_of(gap.path)}: {gap.why}" for gap in found if gap.why is not None and not gap.ignored),
        ignored=tuple(f"{text_of(gap.path)}: {gap.why}" for gap in found if gap.ignored),
        checked=checked,
    )


def _difference(gap: Gap) -> Difference:
    return Difference(path=text_of(gap.path), recorded=json_text(gap.recorded), live=json_text(gap.live))
