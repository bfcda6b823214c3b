"""What was meant by a name that is not there: the one that is most like it."""

import difflib
from collections.abc import Collection


def like(name: str, known: Collection[str]) -> str:
    """The end of a message that says what was meant, perhaps; nothing if no name is like it."""
    close = nearest(name, known)
    return f". Did you mean {close!r}?" if close else ""


def nearest(name: str, known: Collection[str], *, cutoff: float = 0.6) -> str:
    """The name that is most like this one; "" if none is like it by that much, of 1."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), "")
