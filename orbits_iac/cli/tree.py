"""From the rows of an execution and of all below it to a tree of what people see. Pure: no I/O, no clock, no colours.

The keys of an execution's entries are paths; a child command is an execution of its own, and its tree takes the place
of the entry that asked for it. The engine's own questions and timers are left out; a provider's hooks are marked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from orbits_iac.model.errors import Failure
from orbits_iac.model.ids import UNDO, ExecutionId, keeps, refs
from orbits_iac.model.rows import EntryRow, ExecutionRow
from orbits_iac.model.states import ENDED, State
from orbits_iac.queries import Picture, how_to_answer


class Mark(StrEnum):
    """What a person wants to know of a step at a glance."""

    WAITS = "waits"  # for its turn
    ASKS = "waits for an event"
    RUNS = "runs"
    RETRIES = "retries"  # an attempt failed; the next is due later
    PAUSED = "paused"
    DONE = "done"
    SAME = "unchanged"
    SKIPPED = "done once already"
    FAILED = "failed"
    REVERTING = "going back"
    REVERTED = "went back"
    QUARANTINED = "quarantined"
    CANCELLED = "cancelled"
    STOPPED = "did not end"  # what it belongs to has ended without it

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self not in {Mark.WAITS, Mark.ASKS, Mark.RUNS, Mark.RETRIES, Mark.PAUSED, Mark.REVERTING}

    @property
    def bad(self) -> bool:
        """Whether a person should look at it."""
        return self in {Mark.FAILED, Mark.REVERTED, Mark.QUARANTINED, Mark.PAUSED, Mark.STOPPED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One step, or (without a kind) a group of steps."""

    ref: str
    mark: Mark
    kind: str = ""
    identity: str = ""  # where it has a name of its own
    command: str = ""  # where it is neither an update nor an Action's main
    part: str = ""  # "install", where it was done by that hook
    began: float | None = None
    ended: float | None = None
    attempt: int = 1
    message: str = ""
    share: float | None = None
    failure: Failure | None = None
    no_return: bool = False
    hook: bool = False  # a provider's own step inside of a resource
    execution: ExecutionId | None = None
    below: tuple["Node", ...] = ()

    def seconds(self, now: float) -> float | None:
        """How long it has taken, until `now` if it has not ended; None if it has not begun."""
        if self.began is None:
            return None
        return max(0.0, (now if self.ended is None else self.ended) - self.began)


_OF_STATE: Mapping[State, Mark] = {
    State.SLEEPING: Mark.WAITS,
    State.EXECUTING: Mark.RUNS,
    State.IN_PROGRESS: Mark.RUNS,
    State.PAUSED: Mark.PAUSED,
    State.SUCCESS: Mark.DONE,
    State.ERROR: Mark.FAILED,
    State.CANCELLED: Mark.CANCELLED,
    State.REVERTING: Mark.REVERTING,
    State.REVERTED: Mark.REVERTED,
    State.QUARANTINED: Mark.QUARANTINED,
}


def mark_of_state(state: State) -> Mark:
    """What a state is to people."""
    return _OF_STATE[state]


def grow(picture: Picture) -> Node:
    """The tree of an execution."""
    return _execution(picture, picture.execution, ref="", above=frozenset())


def paths(picture: Picture) -> dict[ExecutionId, tuple[str, ...]]:
    """For each execution the refs that lead to it from the root; where a tenant's begin, that is named."""
    found: dict[ExecutionId, tuple[str, ...]] = {picture.root: ()}
    waiting = [picture.root]
    while waiting:
        above = waiting.pop()
        for entry in picture.entries.get(above, ()):
            if entry.child is not None and entry.child not in found:
                found[entry.child] = (*found[above], *_way_to(picture, entry))
                waiting.append(entry.child)
    return found


def _way_to(picture: Picture, entry: EntryRow) -> tuple[str, ...]:
    """The refs of a step whose child is an execution."""
    way = refs(entry.key)
    above = picture.executions.get(entry.execution)
    child = picture.executions.get(entry.child) if entry.child is not None else None
    if child is None or child.tenant is None or (above is not None and above.tenant == child.tenant):
        return way
    return (*way[:-1], f"{way[-1]}[{child.tenant}]")


def is_hidden(entry: EntryRow) -> bool:
    """Whether it is the engine's own, a question to the store or a timer, say; or no step, but what stays as it was."""
    return keeps(entry.key) or (entry.kind in {"ask", "timer", "cancel", "supersede"} and "~" in entry.key)


def is_hook(entry: EntryRow, execution: ExecutionRow) -> bool:
    """Whether it is a provider's hook: `BackStack.deploy` inside of a BackStack."""
    return entry.kind.startswith(f"{execution.kind}.")


def asks(entry: EntryRow) -> bool:
    """Whether it waits for an event."""
    return entry.command == "event" and entry.seq is None


@dataclass(slots=True)
class _Place:
    """A place in the keys of one execution: what stands there, and what below."""

    entry: EntryRow | None = None
    below: dict[str, "_Place"] = field(default_factory=dict)


def _execution(
    picture: Picture, row: ExecutionRow, *, ref: str, above: frozenset[ExecutionId], entry: EntryRow | None = None
) -> Node:
    """The node of an execution; `entry` is the step that asked for it."""
    inner = above | {row.id}
    top = _places(picture.entries.get(row.id, ()))
    below: list[Node] = []
    back: list[Node] = []
    for section, place in top.below.items():
        if section == UNDO:
            back += [node for undone in place.below.values() for node in _below(picture, row, undone, section, inner)]
        elif section == "rollback" and row.command != "rollback":
            back += _below(picture, row, place, section, inner)
        else:
            below += _below(picture, row, place, section, inner)
    if back:
        mark = Mark.REVERTING if row.state not in ENDED else Mark.REVERTED
        mark = Mark.FAILED if any(node.mark.bad for node in back) else mark
        below.append(Node(ref="going back", mark=mark, below=tuple(back)))
    action = below[0] if row.identity is None and [node.ref for node in below] == [row.kind] else None
    notes = [text for (execution, key), text in picture.notes.items() if execution == row.id and "/" not in key]
    owned = entry is not None and entry.link is not None and entry.link.owned
    return Node(
        ref=ref,
        kind=row.kind,
        identity="" if owned else row.identity or "",
        command="" if row.command in {"update", "run"} else row.command,
        mark=mark_of(row),
        began=row.created_at,
        ended=row.ended_at,
        attempt=action.attempt if action else 1,
        message=action.message if action else notes[-1] if notes else "",
        share=action.share if action else None,
        failure=row.failure,
        no_return=bool(entry and entry.no_return),
        execution=row.id,
        below=action.below if action else tuple(below),
    )


def mark_of(row: ExecutionRow) -> Mark:
    """How an execution stands."""
    if row.state is State.SUCCESS and row.command == "update" and not row.changed:
        return Mark.SAME
    return mark_of_state(row.state)


def _places(entries: tuple[EntryRow, ...]) -> _Place:
    """The entries of one execution by their keys, in the order in which they began."""
    top = _Place()
    for entry in sorted(entries, key=lambda entry: (entry.started_at or 0.0, entry.key)):
        if is_hidden(entry):
            continue
        place = top
        for part in entry.key.split("/"):
            place = place.below.setdefault(part, _Place())
        place.entry = entry
    return top


def _below(
    picture: Picture, row: ExecutionRow, place: _Place, section: str, above: frozenset[ExecutionId]
) -> list[Node]:
    nodes = [
        _group(picture, row, name, inner, section, above)
        if inner.entry is None
        else _step(picture, row, inner.entry, inner, section, above)
        for name, inner in place.below.items()
    ]
    return sorted(nodes, key=lambda node: node.began or 0.0)


def _group(
    picture: Picture, row: ExecutionRow, name: str, place: _Place, section: str, above: frozenset[ExecutionId]
) -> Node:
    """A scope of its own inside a definition: a wave of a roll-out."""
    below = _below(picture, row, place, section, above)
    began = [node.began for node in below if node.began is not None]
    ended = [node.ended for node in below if node.ended is not None]
    mark = Mark.DONE if below and all(node.mark.ended for node in below) else Mark.RUNS
    if mark is Mark.DONE and all(node.mark in {Mark.SAME, Mark.SKIPPED} for node in below):
        mark = Mark.SAME
    if any(node.mark.bad for node in below):
        mark = Mark.FAILED
    return Node(
        ref=refs(f"x/{name}")[0],
        mark=mark,
        began=min(began, default=None),
        ended=max(ended, default=None) if mark.ended else None,
        below=tuple(below),
    )


def _step(
    picture: Picture, row: ExecutionRow, entry: EntryRow, place: _Place, section: str, above: frozenset[ExecutionId]
) -> Node:
    ref = _label(entry)
    child = picture.executions.get(entry.child) if entry.child is not None else None
    part = section if section == "install" else ""
    if child is not None and child.id not in above:
        return _with_part(_execution(picture, child, ref=ref, above=above, entry=entry), part)
    began = picture.began.get((row.id, entry.key), entry.started_at)
    return Node(
        ref=ref,
        kind=entry.kind,
        identity=entry.link.identity if entry.link is not None and not entry.link.owned else "",
        command="" if entry.command in {"main", "update", "define", "event", "repeat"} else entry.command,
        part=part,
        mark=_mark_of_entry(entry, row),
        began=began,
        ended=entry.at if entry.seq is not None else None,
        attempt=entry.attempt,
        message=_message(picture, row, entry),
        share=entry.share,
        failure=entry.failure,
        no_return=entry.no_return,
        hook=is_hook(entry, row),
        below=tuple(_below(picture, row, place, section, above)),
    )


def _message(picture: Picture, row: ExecutionRow, entry: EntryRow) -> str:
    if asks(entry):
        return how_to_answer(entry)
    if entry.command == "repeat" and entry.count:
        return "done once" if entry.count == 1 else f"done {entry.count} times"
    return picture.notes.get((row.id, entry.key), "") or entry.message


def _with_part(node: Node, part: str) -> Node:
    return replace(node, part=part) if part else node


def _mark_of_entry(entry: EntryRow, row: ExecutionRow) -> Mark:
    if entry.seq is None and row.state in ENDED:
        return Mark.STOPPED
    if entry.skipped:
        return Mark.SKIPPED if entry.link is None else Mark.SAME  # a child that was passed over
    if asks(entry):
        return Mark.ASKS
    if entry.state is State.SLEEPING:
        return Mark.RETRIES
    if entry.child is not None and entry.state is State.SUCCESS and not entry.changed:
        return Mark.SAME
    return mark_of_state(entry.state)


def _label(entry: EntryRow) -> str:
    """The ref, with the key= that tells it from others of the same ref."""
    label = refs(entry.key)[-1]
    given = entry.key.rpartition("/")[2].split(":")[3:]
    name = refs(f"x/{given[0]}")[0] if given else ""
    if entry.link is not None and entry.link.owned and name not in {"", entry.link.identity} and "[" not in label:
        return f"{label}[{name}]"
    return label
