"""What was approved of an execution, and by whom.

An approval is made where a step is asked for, and handed down to everything that is done below it; it is part of what
makes two requests equal. While an execution lives it changes by another approval alone, so a re-run finds the same
allowed.
"""

from collections.abc import Mapping
from typing import Self

import msgspec

from orbits_iac.model.ids import StepKey, first_attempt, place_of, refs
from orbits_iac.model.plans import Change, Plan, Verb
from orbits_iac.model.rows import Json


class Approved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of an approved plan, as far as it is held against what is found when it is made."""

    verb: Verb
    digest: str = ""  # of what is desired
    revision: int | None = None  # of the record, that it was made from
    essence: str = ""  # of a thing that was looked at as a whole: what would be done to it
    below: dict[str, "Approved"] = {}  # the steps of the execution, by their keys
    remove: tuple[str, ...] = ()  # what is no longer done, and may be removed

    @classmethod
    def of(cls, change: Change) -> Self:
        """What is to be held of a change and of all below it."""
        steps = [] if change.whole else [below for below in change.below if below.key]
        removed = [below for below in change.below if below.verb in {Verb.REMOVE, Verb.RELEASE} and not below.key]
        below: dict[str, Approved] = {}
        for step in steps:
            made = Approved.of(step)
            if any(key.startswith(f"{step.key}/") for key in made.below):  # a Workflow's steps are the execution's own
                below |= made.below
                made = msgspec.structs.replace(made, below={})
            below[step.key] = made
        return cls(
            verb=change.verb,
            digest=change.digest,
            revision=change.revision,
            essence=change.essence if change.whole else "",
            below=below,
            remove=() if change.whole else tuple(f"{each.kind} {each.identity}" for each in removed),
        )


class Approval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an execution may do beyond bringing things to what they should be, and to which plan it is bound."""

    plan: str = ""  # the approved plan's digest
    by: str = ""
    change: Approved | None = None  # what of it is this execution's; None: it is not bound
    deferred: bool = False  # what the plan could not show is approved too
    prune: bool = False  # whatever is no longer done may be removed
    losses: tuple[str, ...] = ()  # records of which what they hold may be lost, by identity or "kind identity"
    take_over: str = ""  # a project: what is marked as its own may be made this project's
    force: bool = False  # nothing is passed over because it seems unchanged
    rebuild: bool = False  # records are made again of what is there: nothing else is written or run
    adopts: dict[str, str] | None = None  # of what nobody has marked too, each by the name that it has there (`named`)

    def accepts(self, kind: str, identity: str) -> bool:
        """Whether it was accepted that what this record holds is lost."""
        return identity in self.losses or f"{kind} {identity}" in self.losses

    def removes(self, kind: str, identity: str) -> bool:
        """Whether this child, which is no longer done, may be removed."""
        return self.prune or (self.change is not None and f"{kind} {identity}" in self.change.remove)

    def below(self, key: StepKey, digest: str) -> "Approval":
        """What of this is the child's that is done under `key`, with what this is a digest of.

        One that the plan does not show is not bound: it is let through only where that was approved.
        """
        adopts = None if self.adopts is None else named_below(self.adopts, key)
        if self.change is None:
            return self if adopts is None else msgspec.structs.replace(self, adopts=adopts)
        change = self.change.below.get(first_attempt(key))
        if change is not None and change.digest != digest:
            change = None
        return msgspec.structs.replace(self, change=change, adopts=adopts)

    def text(self) -> Json:
        """It as it is recorded; "{}" if nothing was approved."""
        return msgspec.json.encode(self).decode()


def named_below(names: Mapping[str, str], key: StepKey) -> dict[str, str]:
    """What of these names is for the step that is done under `key`, and for what is below it.

    Each stands under the refs that lead to whom it is for, joined by dots; one under none is for whoever takes a name.
    """
    found = {"": names[""]} if "" in names else {}
    for path in (".".join(refs(key)), place_of(key).replace("/", ".")):  # as it is called, and with its `key=` behind
        for at, name in names.items():
            if at == path or at.startswith(f"{path}."):
                found[at[len(path) + 1 :]] = name
    return found


_NONE = Approval()


def read_approval(text: Json) -> Approval:
    """The approval that was recorded."""
    return _NONE if text == "{}" else msgspec.json.decode(text, type=Approval)


def approval_of(plan: Plan, *, by: str) -> Approval:
    """What follows for an execution from the approval of a plan."""
    return Approval(plan=plan.digest, by=by, change=Approved.of(plan.root))
