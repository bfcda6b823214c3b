"""Rules about records, pure: which of several is meant where a kind had other names before."""

from collections.abc import Iterable

from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import RecordRow


def of_one_thing(found: Iterable[RecordRow | None]) -> RecordRow | None:
    """The record of a thing among those under its kind and the former ones, today's first: what stands, else any.

    Raises `Refused` if something stands under several of them: nobody could tell which is meant.
    """
    there = [row for row in found if row is not None]
    standing = [row for row in there if row.revision is not None]
    if len(standing) > 1:
        names = " and ".join(f"{row.kind} {row.identity}" for row in standing)
        raise Refused(f"{names} both stand, and are one kind under two names (former_kinds): uninstall one of them")
    return next(iter((*standing, *there)), None)
