"""A plan as a comment on a pull request: GitHub's Markdown, for people who decide whether it is merged.

What always holds: it begins with a hidden marker, the same for every plan of one command of one stack, by which a
workflow finds the comment that it replaces. What needs a decision comes first, and is not folded. No name and no value
is read as Markdown, HTML or a mention. It is never longer than GitHub takes, and says what was left out.
"""

import html
import re
from collections.abc import Iterator
from io import StringIO
from urllib.parse import quote

from orbits_iac.cli.planned import counted, named_of, summary, tree_of, value
from orbits_iac.model.alike import Group, grouped
from orbits_iac.model.plans import Plan, Verb

LONGEST = 65_536
"""Characters that GitHub takes in a comment."""

_ROOM = 400  # characters kept for the sentences at the end
_LOSSES = 40  # that are named
_SMALLEST = 80  # characters of a folded part
_LINES = 200  # of one tree
_WIDTH = 140  # of one tree
_OPEN = 30  # lines of a tree that is not folded


def as_comment(plan: Plan, *, longest: int = LONGEST) -> str:
    """A plan for a comment of at most so many characters."""
    root = Group(members=(plan.root,))
    name = " ".join(part for part in (plan.kind, plan.root.identity) if part)
    head = f"{marker(plan)}\n### {code(name)}\n\n**{summary(plan)}**\n"
    text = _Bounded(head, longest - _ROOM)
    for field in plan.root.fields if plan.root.verb is Verb.UPDATE else ():
        text.add(f"\n{code(field.path)}: {code(value(field.before))} → {code(value(field.after))}\n", "fields")
    for remark in plan.root.remarks:
        text.add(f"\n{code(remark)}\n", "remarks")
    decisions = list(_decisions(plan, root))
    if decisions:
        text.add("\n**Needs a decision**\n", "")
        for decision in decisions:
            text.add(f"- {decision}\n", "to decide")
    groups = grouped(plan.root.below)
    if not any(group.crowd > 1 for group in groups):
        text.add(_folded(f"All of {code_in_html(name)}", _tree(root)), "tree")
    else:
        for group in groups:
            if group.first:
                text.add(_folded(_title(group), _tree(group)) if text.room > _SMALLEST else None, "groups")
        same = [f"{counted(group)} {code(group.first.kind)}" for group in groups if not group.first]
        if same:
            text.add(f"\nUnchanged: {', '.join(same)}.\n", "")
    return text.ended(f"\nPlan {code(plan.digest)} of build {code(plan.build)}.\n")


def marker(plan: Plan) -> str:
    """What the comments on one command of one stack begin with, and no other comment does."""
    parts = (plan.project, plan.kind, plan.root.identity, plan.command)
    return f"<!-- orbits preview {' '.join(quote(part, safe='').replace('--', '%2D%2D') for part in parts)} -->"


def code(text: str) -> str:
    """Text as a code span, in which nothing else has a meaning."""
    line = " ".join(text.split()) or " "
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def code_in_html(text: str) -> str:
    """Text as code where HTML is written."""
    return f"<code>{html.escape(' '.join(text.split()))}</code>"


class _Bounded:
    """A text that grows as long as there is room; what had none is counted by what it is."""

    def __init__(self, head: str, longest: int) -> None:
        self.room = longest - len(head)
        self._parts = [head]
        self._left_out: dict[str, int] = {}

    def add(self, part: str | None, what: str) -> None:
        """Add a part, unless it is too long; None is one for which there certainly is no room."""
        if part is not None and len(part) <= self.room:
            self._parts.append(part)
            self.room -= len(part)
        else:
            self._left_out[what] = self._left_out.get(what, 0) + 1

    def ended(self, foot: str) -> str:
        """All of it, with what was left out, and the end."""
        left = ", ".join(f"{count:,} {what}" for what, count in self._left_out.items())
        said = f"\n**Left out, for want of room in a comment: {left}.** `orbits preview` shows all.\n" if left else ""
        return "".join((*self._parts, said, foot))


def _decisions(plan: Plan, root: Group) -> Iterator[str]:
    """What a person has to know before it is approved, the worst first."""
    losses = plan.losses
    for loss in losses[:_LOSSES]:
        name = f"{loss.kind} {loss.identity}"
        flag = f"--accept-loss '{name}'"
        yield f"**{loss.why}**: {code(name)}, unless it is accepted by name: {code(flag)}"
    if len(losses) > _LOSSES:
        yield f"**{len(losses) - _LOSSES:,} more would be lost**: `orbits preview --json` names them under `losses`"
    found = list(_walk(root, ()))
    for say in (_removal, _failure, _no_return, _use, _wait):
        yield from (said for path, group in found if (said := say(path, group)))


def _removal(path: tuple[Group, ...], group: Group) -> str:
    inside = bool(path) and path[-1].first.verb is Verb.REMOVE
    return f"**removes** {_where(path, group)}" if group.first.verb is Verb.REMOVE and not inside else ""


def _failure(path: tuple[Group, ...], group: Group) -> str:
    said = group.first.detail if group.first.verb is Verb.UNKNOWN else ""
    return f"**not previewed**: {_where(path, group)}: {code(said)}" if said else ""


def _no_return(path: tuple[Group, ...], group: Group) -> str:
    passed = group.first.no_return and group.first.verb is Verb.RUN
    return f"**no return** after {_where(path, group)}" if passed else ""


def _use(path: tuple[Group, ...], group: Group) -> str:
    users = group.first.users if group.first.verb is not Verb.RELEASE else ()
    return f"**others use** {_where(path, group)}: {', '.join(map(code, users))}" if users else ""


def _wait(path: tuple[Group, ...], group: Group) -> str:
    waits = ", ".join(map(code, group.first.waits))
    return f"**not known yet**: in {_where(path, group)}, what depends on {waits}" if waits else ""


def _walk(group: Group, above: tuple[Group, ...]) -> Iterator[tuple[tuple[Group, ...], Group]]:
    """All groups, each with those above it."""
    yield above, group
    for below in grouped(group.first.below):
        yield from _walk(below, (*above, group))


def _where(path: tuple[Group, ...], group: Group) -> str:
    """A thing, and what it is part of: `migrate` of 297 tenants (`acme`, `bolt` and 295 more)."""
    parts = [_named(one) for one in reversed((*path[1:], group))]
    return " of ".join(parts) if parts else code(group.first.kind)


def _named(group: Group) -> str:
    if len(group.members) > 1:
        return f"{counted(group)} ({code(named_of(group))})"
    first = group.first
    return code(first.ref or " ".join(part for part in (first.kind, first.identity) if part))


def _title(group: Group) -> str:
    """What is written on a folded part; HTML."""
    first = group.first
    verb = html.escape(first.verb.value)
    if len(group.members) > 1:
        return f"<b>{html.escape(counted(group))}</b>: {verb} {code_in_html(named_of(group))}"
    return f"{verb} {code_in_html(' '.join(part for part in (first.ref, first.kind) if part))}"


def _tree(group: Group) -> str:
    """The tree as plain text."""
    from rich.console import Console

    out = StringIO()
    Console(file=out, width=_WIDTH, color_system=None, force_terminal=False).print(tree_of(group))
    lines = [line.rstrip() for line in out.getvalue().rstrip().splitlines()]
    more = len(lines) - _LINES
    return "\n".join([*lines[:_LINES], *([f"... and {more:,} more lines"] if more > 0 else [])])


def _folded(title: str, tree: str) -> str:
    """A part that opens when it is clicked on; a fence around the tree that nothing in it can end."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", tree)), default=0))
    state = " open" if tree.count("\n") < _OPEN else ""
    return f"\n<details{state}><summary>{title}</summary>\n\n{fence}text\n{tree}\n{fence}\n\n</details>\n"
