"""Whose a thing is: the tags that everything made here carries, and the refusal to write to anything else.

The tags name project and record, never an execution: a changed tag would update everything.
"""

import hashlib
import re
from collections.abc import Mapping

from orbits_iac.provider import Current, Refused

PROJECT = "orbits:project"
RECORD = "orbits:record"
_NOT_ALLOWED = re.compile(r"[^\w\s.:/=+\-@]")  # what the values of tags may not hold, in any service
_LONGEST = 256


class Marks(dict[str, str]):
    """The tags of what an execution makes; `takes_over` is a project whose things count as its own, or ""."""

    takes_over = ""


def tags_of(execution: Current) -> Marks:
    """The tags of what this execution makes."""
    record = " ".join(execution.record) if execution.record else ""
    marks = Marks(marks_of(execution.project, record))
    marks.takes_over = execution.takes_over
    return marks


def mark_of(project: str) -> str:
    """A project as the tag names it."""
    return _value(project)


def marks_of(project: str, record: str) -> dict[str, str]:
    """The tags of what a record, given as its kind and identity, has made in a project."""
    return {PROJECT: _value(project), RECORD: _value(record)}


def owner_of(tags: Mapping[str, str]) -> str | None:
    """Whose a thing with these tags is, as text that is the same for the same owner only; None: nobody's."""
    return f"{tags.get(RECORD, '')} of {tags[PROJECT]}" if PROJECT in tags else None


def refuse_foreign(what: str, tags: Mapping[str, str], ours: Mapping[str, str], *, known: bool = False) -> None:
    """Raise `Refused` unless `tags`, those of the existing thing `what`, say that it is ours.

    `known`: it is in the record, or is to be adopted. Then it may be without an owner, but not another's; unless that
    is a project that is being taken over.
    """
    if PROJECT in tags and tags[PROJECT] == getattr(ours, "takes_over", ""):
        return
    if all(tags.get(name) == ours[name] for name in (PROJECT, RECORD)) or (known and PROJECT not in tags):
        return
    if PROJECT not in tags:
        raise Refused(
            f"{what} exists and was not made by Orbits. Take it over with adopt=True, give it another name, or remove "
            f"the one there."
        )
    raise Refused(
        f"{what} exists and belongs to {tags.get(RECORD, 'another record')} of the project {tags[PROJECT]}. "
        f"Give it another name, uninstall it there, or take it over with `orbits state take-over ... --from PROJECT`."
    )


def _value(text: str) -> str:
    """`text` as the value of a tag: as it is, or with a digest where something had to be left out."""
    plain = _NOT_ALLOWED.sub("_", text)
    if plain == text and len(text) <= _LONGEST:
        return text
    return f"{plain[: _LONGEST - 13]}.{hashlib.sha256(text.encode()).hexdigest()[:12]}"
