"""What stands of a Resource after it was done: what a roll-out says of each of its tenants."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A Resource that a definition did, as its record says it stands now."""

    revision: int | None  # its current revision; None: nothing of it stands
    changed: bool  # whether doing it changed anything
    made: bool = False  # whether nothing of it stood before
    passed: tuple[str, ...] = ()  # the steps of no return that doing it has passed
    places: tuple[str, ...] = ()  # where it and what it consists of are, as their targets say, each once
