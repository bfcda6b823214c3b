"""The name under which a row's targets hold where it may act at all: see `orbits_iac.engine.bounds`. Pure."""

from collections.abc import Mapping

WITHIN = "~within"


def given(targets: Mapping[str, str]) -> dict[str, str]:
    """The targets alone."""
    return {name: text for name, text in targets.items() if name != WITHIN}
