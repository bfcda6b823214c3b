"""Messages: what is sent of notices, a message for each or one for many. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from orbits_iac.notify.notices import News, Notice

Mood = Literal["info", "success", "warning", "failure"]

NAMED = 10
"""Problems of each kind that a digest names; of more it says how many."""

_LONGEST_TITLE = 120  # characters
_MOODS: dict[News, Mood] = {
    News.DRIFT: "warning",
    News.HEALED: "success",
    News.STOPPED: "warning",
    News.FAILED: "failure",
    News.ROLLOUT: "failure",
    News.WAITING: "info",
}
_COUNTED = {
    News.FAILED: "failed",
    News.ROLLOUT: "roll-outs that need somebody",
    News.STOPPED: "not brought back any more",
    News.DRIFT: "drifted",
    News.WAITING: "waiting",
    News.HEALED: "healed",
}  # the worst first


class Message(BaseModel):
    """What is sent to each target: a short title, and a body in Markdown."""

    model_config = ConfigDict(frozen=True)

    title: str
    body: str
    mood: Mood


def messages_of(notices: Sequence[Notice], *, digest_after: int) -> tuple[Message, ...]:
    """A message for each of them, or, if they are more than so many, one for all."""
    if len(notices) > digest_after:
        return (_digest(notices),)
    return tuple(_single(notice) for notice in notices)


def _single(notice: Notice) -> Message:
    who = f" ({notice.tenant})" if notice.tenant and notice.tenant not in notice.title.split() else ""
    lines = [f"- {line}" for line in notice.details]
    facts = [("tenant", notice.tenant), ("where", notice.where), ("part of", notice.stack), ("since", _since(notice))]
    facts += [("to do", " or ".join(f"`{command}`" for command in notice.todo))]
    lines += ["", *(f"- **{name}:** {what}" for name, what in facts if what)]
    return Message(title=_cut(f"{notice.title}{who}"), body="\n".join(lines).strip(), mood=_MOODS[notice.news])


def _digest(notices: Sequence[Notice]) -> Message:
    counts = Counter(notice.news for notice in notices)
    worst = [news for news in _COUNTED if counts[news]]
    said = ", ".join(f"{counts[news]:,} {_COUNTED[news]}" for news in worst)
    tenants = {notice.tenant for notice in notices if notice.tenant}
    of = f" ({len(tenants):,} tenants)" if len(tenants) > 1 else ""
    lines = [f"Between {_time(min(n.at for n in notices))} and {_time(max(n.at for n in notices))}:"]
    for news in worst:
        these = [notice for notice in notices if notice.news is news]
        lines += ["", f"**{counts[news]:,} {_COUNTED[news]}**", "", *(f"- {_line(one)}" for one in these[:NAMED])]
        if len(these) > NAMED:
            lines.append(f"- and {len(these) - NAMED:,} more")
    return Message(title=_cut(f"{said}{of}"), body="\n".join(lines), mood=_MOODS[worst[0]])


def _line(notice: Notice) -> str:
    place = "; ".join(part for part in (notice.tenant, notice.where) if part)
    todo = f": `{notice.todo[0]}`" if notice.todo else ""
    return f"{notice.title}{f' ({place})' if place else ''}{todo}"


def _since(notice: Notice) -> str:
    if notice.since is not None or notice.before is None:
        return _time(notice.since or notice.at)
    before = "was a problem from" if notice.news is News.HEALED else "was in order at"
    return f"{_time(notice.at)} ({before} {_time(notice.before)})"


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _cut(title: str) -> str:
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…"
