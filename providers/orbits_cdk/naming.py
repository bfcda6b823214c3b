"""The name of a stack: from project and record, the same for ever, and one that CloudFormation takes."""

import hashlib
import re

LONGEST = 128
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9]+")


def stack_name(project: str, record: tuple[str, str]) -> str:
    """Letters, digits and hyphens, 128 at most, beginning with a letter.

    Where anything of project, kind or identity had to be changed or cut, a digest of the whole keeps names apart.
    """
    whole = "\0".join((project, *record))
    plain = "-".join(filter(None, (_NOT_ALLOWED.sub("-", part).strip("-") for part in (project, *record))))
    name = plain if plain[:1].isalpha() else f"orbits-{plain}"
    if name == "-".join((project, *record)) and "-" not in "".join((project, *record)) and len(name) <= LONGEST:
        return name
    tail = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{name[: LONGEST - len(tail) - 1].rstrip('-')}-{tail}"
