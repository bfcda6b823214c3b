"""The page of types: what trials found, a row a type, and what of their properties is not carried out.

`row` is what a test compares with the page: the same trial gives the same row.
"""

import re
from collections.abc import Iterable, Mapping

from orbits_aws.offline.cloudformation.resources import TYPES, ResourceType
from orbits_aws.offline.cloudformation.schemas import schema_of

from .trial import NOT_TRIED, UNREAD, YES, Found, Sample

HEAD = """# Types in offline stacks

What each resource type can do in a stack of the [offline AWS](offline.md), found out by doing it: this page is written
by `python -m orbits_aws.offline.types`, which makes, changes, replaces, reads and removes a sample of each. A type that
is not listed is refused when a template names it. In all of them

- a property that is not carried out fails the resource before anything is made, with its name, unless the last table
  says that it is accepted without effect;
- a change in place that cannot be carried out fails the resource with type and property
  ("The offline AWS cannot change X of TYPE in place"); nothing is forgotten silently;
- properties that AWS's schema calls create-only replace the resource: the new one first, the old one in the cleanup.

**In place** and **by replacing** name the properties that were changed so, and looked at afterwards; others may change
too. **Drift**: the live properties are read, so that drift is found. **Cloud Control**: `get` reads it by its physical
id, `list` lists all there are. **Removed**: the thing was looked for in its service, and is gone.

| type | in place | by replacing | drift | Cloud Control | removed |
|---|---|---|---|---|---|
"""

ACCEPTED = """
## Accepted without effect

Refusing these would refuse what many templates hold, or what CDK writes by itself. They are not compared when drift is
looked for. `*` is any place further in.

| type | properties |
|---|---|
"""

REFUSED = """
## Refused

Properties that AWS has and the offline AWS does not carry out: a template that sets one fails with its name.

| type | properties |
|---|---|
"""

ELSEWHERE = {
    "AWS::CloudFormation::Stack": "| `AWS::CloudFormation::Stack` | all | | | | yes |",
}
"""Rows of what a sample cannot try, and a test of its own does: a nested stack needs its template in a bucket."""


def row(sample: Sample, found: Found) -> str:
    """A type's row; of one that could not be made, why."""
    if found.created != YES:
        return f"| `{sample.type}` | no: {found.created} | | | | {found.removed} |".replace("\n", " ")
    cells = (
        f"`{sample.type}`",
        _changed(sample.change, found.changed),
        _changed(sample.replace, found.replaced),
        "" if found.in_sync == UNREAD else found.in_sync,
        ", ".join(word for word, told in (("get", found.read), ("list", found.listed)) if told == YES),
        "stays, as on AWS" if sample.stays else found.removed,
    )
    return f"| {' | '.join(cells)} |".replace("\n", " ")


def _changed(properties: Iterable[str], told: str) -> str:
    if told in (NOT_TRIED, YES):
        return ", ".join(sorted(properties)) if told == YES else ""
    return f"no: {told}"


def page(rows: Mapping[str, str]) -> str:
    """The whole page from the rows of all types."""
    return "".join(
        (
            HEAD,
            *(f"{rows[name]}\n" for name in sorted(rows)),
            ACCEPTED,
            *_listed((name, handler.ignored) for name, handler in sorted(TYPES.items())),
            REFUSED,
            *_listed((name, refused(handler)) for name, handler in sorted(TYPES.items())),
        )
    )


def rows_of(text: str) -> dict[str, str]:
    """The rows of a page, by type."""
    found = re.findall(r"^(\| `([\w:]+)` \|.*)$", text.partition("\n## ")[0], re.MULTILINE)
    return {name: text for text, name in found}


def refused(handler: ResourceType) -> frozenset[str]:
    """The properties of AWS's schema that a type refuses."""
    schema = schema_of(handler.type)
    if schema is None:
        return frozenset()
    made = {path[0] for path in schema.read_only if len(path) == 1}
    return schema.properties - made - handler.carried_out() - handler.ignored


def _listed(properties: Iterable[tuple[str, frozenset[str]]]) -> Iterable[str]:
    return (f"| `{name}` | {', '.join(sorted(names))} |\n" for name, names in properties if names)
