"""Names that are the same for ever: of a stack, of the bucket of an account, of a project's part of that bucket."""

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


def bucket_name(account: str, region: str) -> str:
    """The bucket of an account and region, which may be CloudFormation's variables, for the files of all stacks."""
    return f"orbits-assets-{account}-{region}"


def asset_prefix(project: str) -> str:
    """What the keys of a project's objects begin with: two projects that share an account never share an object."""
    plain = _NOT_ALLOWED.sub("-", project).strip("-")[:40]
    return plain if plain == project else f"{plain}-{hashlib.sha256(project.encode()).hexdigest()[:8]}".lstrip("-")
