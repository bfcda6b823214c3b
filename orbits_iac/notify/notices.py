"""Notices: what somebody has to know of one problem, put into words where everything about it is at hand. Pure.

What is drift, an error or a roll-out's end is said here in the same form, in Markdown, with the commands that lead on.
Secrets were masked by whoever found it. What others have said, an error or a value, stands as code: nothing in it is
taken for a link, or for a call to everybody in a channel.
"""

import shlex
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from orbits_iac.model.happenings import NO_EXECUTION
from orbits_iac.model.ids import new_id
from orbits_iac.model.news import DriftNews, Stop
from orbits_iac.model.rows import Difference, ExecutionRow, MessageRow
from orbits_iac.model.states import State

SHOWN = 5
"""Properties that a message names; of more it says how many."""

_LONGEST = 300  # characters of a value or an error's message
_WHAT = "notice"  # what the row of one says that it is


class News(StrEnum):
    """Which kind of news."""

    DRIFT = "drift"  # something is not as it was recorded
    HEALED = "healed"  # what was told of is over
    STOPPED = "stopped"  # drift is not brought back any more
    FAILED = "failed"  # an execution that somebody, or a schedule, had asked for
    ROLLOUT = "rollout"  # a fleet was reached in part, or its roll-out waits for somebody
    WAITING = "waiting"  # an execution waits for an event from outside


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody has to know of one problem."""

    news: News
    title: str
    details: tuple[str, ...] = ()  # lines of Markdown
    tenant: str | None = None
    labels: dict[str, str] = {}
    where: str = ""  # accounts and regions, or whatever else the places of targets are
    stack: str = ""  # what it is part of
    at: float
    since: float | None = None  # when it was seen first, if that was earlier
    before: float | None = None  # when it was last known to be otherwise; of what is healed, when it began
    todo: tuple[str, ...] = ()  # commands, the first leads on


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What all notices of one execution have in common."""

    execution: ExecutionRow
    stack: str
    where: str
    at: float

    def notice(
        self,
        news: News,
        title: str,
        details: Sequence[str] = (),
        *,
        of: Stop | None = None,
        since: float | None = None,
        before: float | None = None,
        todo: Sequence[str] = (),
    ) -> Notice:
        """One of them; `of`: whom of a fleet it is about."""
        tenant, labels = (self.execution.tenant, self.execution.labels) if of is None else (of.tenant, of.labels)
        labels = {**labels, **({"tenant": tenant} if tenant else {})}
        return Notice(
            news=news,
            title=title,
            details=tuple(details),
            tenant=tenant,
            labels=labels,
            where=self.where,
            stack=self.stack,
            at=self.at,
            since=since,
            before=before,
            todo=tuple(todo),
        )


def as_row(notice: Notice) -> MessageRow:
    """The notice as it is kept until somebody sends it: in the inbox of no execution."""
    return MessageRow(
        execution=NO_EXECUTION, id=new_id(notice.at), what=_WHAT, body=msgspec.json.encode(notice).decode()
    )


def of_row(row: MessageRow) -> Notice:
    """The notice that was kept so."""
    return msgspec.json.decode(row.body, type=Notice)


def of_drift(scene: Scene, news: DriftNews, *, before: float | None) -> list[Notice]:
    """What has drifted, what is healed, and what is not brought back any more; `before`: the look before this one.

    Drift that was found then already, by a look that told nobody, was not in order then.
    """
    name = f"{news.kind} {news.identity}"
    record = f"{news.kind} {shlex.quote(news.identity)}"
    look, back = f"orbits drift {record}", f"orbits cycle {record} --remediate"
    found: list[Notice] = []
    if news.new:
        details = _listed([_drifted(one) for one in news.new])
        first = min((one.since for one in news.new if one.since), default=None)
        since = first if first is not None and before is not None and first <= before else None
        before = before if since is None else None
        title = f"{name} has drifted"
        found.append(scene.notice(News.DRIFT, title, details, since=since, before=before, todo=(look, back)))
    if news.healed:
        details = _listed([_healed(one) for one in news.healed])
        since = min((one.since for one in news.healed if one.since), default=None)
        found.append(scene.notice(News.HEALED, f"{name} is as recorded again", details, before=since))
    if news.stopped:
        title = f"{name} is not brought back any more"
        found.append(scene.notice(News.STOPPED, title, (news.stopped,), todo=(look,)))  # it says itself what else
    for stop in news.left:
        only = f"{look} --tenant {shlex.quote(stop.tenant)}" if stop.tenant else look
        title = f"{stop.who} of {name} is left as it is"
        found.append(scene.notice(News.STOPPED, title, (stop.why,), of=stop, todo=(only,)))
    return found


def of_failure(scene: Scene) -> Notice:
    """An execution that has ended badly."""
    row, failure = scene.execution, scene.execution.failure
    details: list[str] = []
    if failure is not None:
        where = f"{_code('.'.join(failure.path))}: " if failure.path else ""
        details.append(f"{where}{failure.error_type}: {_code(failure.message)}")
        details += [f"step of no return: {_code(one)}" for one in failure.no_return]
        details += [f"left for a decision: {_code(one)}" for one in failure.left]
    first = failure.execution_id if failure is not None and failure.execution_id else row.id
    todo = [f"orbits get {first}"]
    if row.state is State.QUARANTINED:
        todo.append(f"orbits answer {row.id}")
    elif row.identity is None:
        todo.append(f"orbits replay {row.id}")
    ended = {State.REVERTED: " and was rolled back", State.QUARANTINED: " and needs a decision"}
    return scene.notice(News.FAILED, f"{_done(row)} failed{ended.get(row.state, '')}", details, todo=todo)


def of_part(scene: Scene, problem: str) -> Notice:
    """A fleet that was reached in part; `problem`: what its report says of that."""
    title, *details = problem.splitlines()
    row = scene.execution
    return scene.notice(News.ROLLOUT, f"{_named(row)}: {title}", details, todo=(f"orbits get {row.id}",))


def of_wait(scene: Scene, event: str, said: str) -> Notice:
    """An execution that waits for an event; `said`: how far its definition has said to be."""
    row = scene.execution
    rollout = row.own_build and row.parent is None
    details = (_short(said),) if said else ()
    todo = (f"orbits get {row.id}", f"orbits answer {row.id} {event}")
    title = f"{_done(row)} waits for {event}"
    return scene.notice(News.ROLLOUT if rollout else News.WAITING, title, details, todo=todo)


def of_recovery(scene: Scene, *, since: float | None) -> Notice:
    """What has failed since then, and has ended well now."""
    return scene.notice(News.HEALED, f"{_done(scene.execution)} succeeds again", before=since)


def _done(row: ExecutionRow) -> str:
    return f"{row.command} of {_named(row)}" if row.identity is not None else row.kind


def _named(row: ExecutionRow) -> str:
    return f"{row.kind} {row.identity}" if row.identity is not None and row.identity != row.kind else row.kind


def _listed(lines: Sequence[str]) -> list[str]:
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"and {more:,} more"] if more > 0 else [])]


def _drifted(one: Difference) -> str:
    what = _what(one)
    if not one.path:
        return f"{what}is gone" if one.live == "null" else f"{what}is there, though it should not be"
    return f"{what}{_code(one.path)}: recorded {_code(_value(one.recorded))}, live {_code(_value(one.live))}"


def _healed(one: Difference) -> str:
    how = "was brought back" if one.remediated else "is as recorded"
    return f"{_what(one)}{_code(one.path) if one.path else 'it'} {how}"


def _what(one: Difference) -> str:
    return f"{_code(one.resource)} {one.type} ".replace("  ", " ") if one.resource else ""


def _value(text: str) -> str:
    """A value of JSON for people: text without its quotes."""
    value: object = msgspec.json.decode(text)
    return value if isinstance(value, str) else text


def _code(text: str) -> str:
    """Text that stands as it is in Markdown."""
    return f"`{_short(text).replace('`', chr(39)) or ' '}`"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
