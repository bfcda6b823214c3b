"""What deploying a template would do to a stack: a tree of changes that leaves nothing behind.

Of a stack that exists it is made from a change set, which knows what would be replaced and why; where none may be made,
or none can be now, from the two templates, which it says. Of one that does not exist, from its template alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from orbits_aws.errors import AccessDenied, AwsRefused
from orbits_aws.ownership import PROJECT
from orbits_cdk.change_set import Shown, show
from orbits_cdk.cloudformation import NEVER_MADE, REVIEW, Stack, find_stack, template_of
from orbits_cdk.deploy import unchanged
from orbits_cdk.imports import to_import
from orbits_cdk.parts import Part, from_change_set, from_templates
from orbits_cdk.rights import rights_changes
from orbits_cdk.stuck import explain, refuse_stuck
from orbits_cdk.wanted import Wanted
from orbits_iac.provider import Change, Verb

_WORDS = {
    Verb.CREATE: "to create",
    Verb.UPDATE: "to change",
    Verb.REPLACE: "to replace",
    Verb.REMOVE: "to remove",
}


def change_of(cfn: Any, wanted: Wanted, kind: str, *, agreed: bool = False) -> Change:
    """What `deploy` would do, as it stands now; `agreed`: that a stack of nobody is taken does not have to be said.

    Raises DeployFailed where CloudFormation would refuse it, StackStuck where a person has to help first, Refused where
    the stack is not ours.
    """
    found = _change(cfn, wanted, agreed=agreed)
    return replace(found, kind=kind, identity=wanted.stack)


def _change(cfn: Any, wanted: Wanted, *, agreed: bool) -> Change:
    stack = find_stack(cfn, wanted.stack)
    if stack is None or stack.status in NEVER_MADE or stack.status == REVIEW:
        return _tree(Verb.CREATE, from_templates({}, wanted.template))
    wanted.refuse_foreign(stack.tags)
    if PROJECT not in stack.tags and wanted.owner:
        found = _compared(cfn, stack, replace(wanted, tags={**stack.tags, **wanted.tags}))
        if agreed:
            return found
        said = f"it is there and was not made by Orbits: adopt=True takes it; {found.detail}".rstrip("; ")
        return replace(found, verb=Verb.UPDATE, detail=said)
    return _compared(cfn, stack, wanted)


def _compared(cfn: Any, stack: Stack, wanted: Wanted) -> Change:
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        return _by_templates(cfn, stack, wanted, "its rollback, which failed, is gone on with first")
    refuse_stuck(cfn, stack, wanted.place)
    if unchanged(cfn, stack, wanted):
        return Change(verb=Verb.UNCHANGED)
    shown = _shown(cfn, stack, wanted)
    if isinstance(shown, str):
        return _by_templates(cfn, stack, wanted, shown)
    if not shown.anything:
        return Change(verb=Verb.UNCHANGED)
    parts = from_change_set(shown.changes)
    return _tree(Verb.UPDATE, parts, "" if parts else "parameters, tags or outputs", *shown.warnings)


def _shown(cfn: Any, stack: Stack, wanted: Wanted) -> Shown | str:
    """What a change set shows; or why there is none, so that templates are to be compared."""
    imports = to_import(wanted.template, None) and to_import(wanted.template, template_of(cfn, stack.name))
    if imports:
        return f"{len(imports)} of them imported"
    if stack.busy:
        return f"the stack is {stack.status}"
    if wanted.template_url:
        return "compared by templates, since one so large would have to be uploaded"
    try:
        return show(cfn, wanted)
    except AccessDenied as error:
        return f"compared by templates, since {error.service}:{error.operation} is denied"
    except AwsRefused as error:
        explain(error, wanted.stack, wanted.place)
        if "IN_PROGRESS" not in str(error):
            raise
        return "somebody has just begun to deploy it"


def _by_templates(cfn: Any, stack: Stack, wanted: Wanted, why: str) -> Change:
    parts = from_templates(template_of(cfn, stack.name) or {}, wanted.template)
    return _tree(Verb.UPDATE, parts, "" if parts else "parameters, tags or outputs", why)


def _tree(verb: Verb, parts: Sequence[Part], *more: str) -> Change:
    counts = [f"{n} {words}" for each, words in _WORDS.items() if (n := sum(part.verb is each for part in parts))]
    detail = "; ".join(filter(None, (", ".join(counts), *more)))
    return Change(verb=verb, detail=detail, below=(*rights_changes(parts), *(part.change() for part in parts)))
