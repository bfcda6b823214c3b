"""Something that is there and is no record yet, as whoever looks for it by its name finds it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Existing:
    """A thing that is there.

    Attributes:
        name: what it is called, where it is: what a Resource is told that is to take it.
        place: where that is, as a target's `place` says it.
        id: what tells it from all others, wherever they are; "" if that is not known.
        state: how it is, as its system says.
        refused: why it cannot be recorded as it is, and what is to be done about that; "" if it can.
        remarks: what people should know of it.

    """

    name: str
    place: str
    id: str = ""
    state: str = ""
    refused: str = ""
    remarks: tuple[str, ...] = ()
