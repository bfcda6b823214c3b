"""What stands of a Resource before and after it is done: what a roll-out says of each of its tenants."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A Resource that a definition did, as its record says it stands now."""

    kind: str = ""  # what its record is kept under
    identity: str = ""
    revision: int | None  # its current revision; None: nothing of it stands
    changed: bool  # whether doing it changed anything
    made: bool = False  # whether nothing of it stood before
    passed: tuple[str, ...] = ()  # the steps of no return that doing it has passed; or all since a revision, if asked
    places: tuple[str, ...] = ()  # where it and what it consists of are, as their targets say, each once
    found: bool = False  # whether it was there before it had a record: revision 0 has it as it was found
    stays: tuple[str, ...] = ()  # where nothing of it stands: what it consists of and does all the same, by its names
    own: bool = True  # whether that revision is the one that doing it has left, and not another's since


@dataclass(frozen=True, kw_only=True, slots=True)
class Rest:
    """A Resource that a definition is about to do, as far as it is known without asking for it."""

    digest: str  # of all that is asked of it, of its code and its targets
    looked_at: float | None = None  # it was passed over; it was looked at last then, in seconds since the epoch
