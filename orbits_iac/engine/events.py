"""Sending events from outside: to one execution, or to all that wait for one of that kind now.

What always holds: an event that was sent is in the inbox, with the wake, in one transaction; so whoever sent it is
answered once it is durable. `waiting` is what becomes of it there.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
from pydantic.errors import PydanticInvalidForJsonSchema

from orbits_iac.engine.requests import Asked, creation
from orbits_iac.model.errors import Conflict, Refused, UsageError
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.outputs import Event
from orbits_iac.model.rows import EventRow, ExecutionRow, Json, MessageRow, WaitRow, amended
from orbits_iac.model.states import ENDED
from orbits_iac.steps.step import kind_of
from orbits_iac.steps.trigger import concerned, triggered
from orbits_iac.store.contract import Transaction

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine

WAITS = "event"
"""The command of a step that waits for an event, in its key and its entry."""

_PREFIX = "~event "  # sorts behind the ids of all other messages: the last of an inbox is its last event


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a message that brings an event."""

    kind: str
    value: Json
    all: bool = False  # nobody was named: it is dropped where nothing waits for it


def kind_of_event(event: type[Event]) -> str:
    """What an event is called in keys, rows and commands: its class's name, unique in a project."""
    return event.__name__


@lru_cache(maxsize=4096)
def schema_of(event: type[Event]) -> Json:
    """The JSON schema of an event: what it is answered by where its class is not imported.

    Raises UsageError if a field's type has none.
    """
    try:
        return json.dumps(event.model_json_schema(), ensure_ascii=False, separators=(",", ":"))
    except PydanticInvalidForJsonSchema as error:
        raise UsageError(
            f"{event.__name__} has a field that no JSON can be written for ({error.message}): nobody could send it"
        ) from error


def sent_in(message: MessageRow) -> Sent:
    """The event that a message brings."""
    return msgspec.json.decode(message.body, type=Sent)


async def emit(engine: "Engine", event: Event, *, to: ExecutionId | None, who: str) -> None:
    """Send `event` to execution `to`, or to every execution that waits for its kind now; durable on return.

    One that is sent to all also sets off what its triggers say, in the same transaction.

    Raises `Refused` if `to` has ended, UsageError if there is none, or if the event is no `Event`.
    """
    if not isinstance(event, Event):
        raise UsageError(f"emit takes an Event, and got {type(event).__name__}")
    if to is not None:
        await send(engine, _sent(engine, event, all=False), to, who)
        return
    while True:
        written, wake = await to_all(engine, event, who)
        if not written.put:
            return
        try:
            await engine.commit(written, wake=wake)
        except Conflict:
            continue
        return


def _sent(engine: "Engine", event: Event, *, all: bool) -> Sent:  # noqa: A002 - the field's name
    return Sent(kind=kind_of_event(type(event)), value=engine.codec.encode(event, type(event)), all=all)


async def send(engine: "Engine", sent: Sent, to: ExecutionId, who: str) -> None:
    """Put an event into the inbox of one execution; `Refused` if that has ended, or ends before it is there."""
    while True:
        row = await engine.store.get(ExecutionRow, to)
        if row is None:
            raise UsageError(f"there is no execution {to!r} that {sent.kind} could be sent to")
        if row.state in ENDED:
            raise Refused(f"execution {to} has ended ({row.state.value}): {sent.kind} would reach nobody")
        message = await _message(engine, sent, to)
        try:
            await engine.commit(_transaction(engine, sent, [(message, row.root)], who), wake=[to])
        except Conflict:
            continue
        break
    row = await engine.store.get(ExecutionRow, to)
    unread = await engine.store.get(MessageRow, to, message.id)
    if unread is not None and (row is None or row.state in ENDED):  # meanwhile; nobody reads it any more
        await engine.store.commit(Transaction(delete=[message]))
        raise Refused(f"execution {to} ended before {sent.kind} had reached it")


def _triggered(engine: "Engine", event: Event, who: str) -> Asked | None:
    """The execution of what this event sets off, if there is anything here that it does."""
    if not concerned(event):
        return None
    cls, codec = triggered(type(event)), engine.codec
    engine.registry.know(cls)
    argument = codec.encode(cls.model_validate({"event": event}), cls)
    digest = codec.digest(kind_of(cls), "run", codec.decode(argument, cls), "{}")
    return Asked(kind=kind_of(cls), command="run", argument=argument, digest=digest, who=who)


async def to_all(engine: "Engine", event: Event, who: str) -> tuple[Transaction, list[ExecutionId]]:
    """What sends `event` to all that wait for its kind now and sets off what its triggers say, and whom that wakes."""
    sent = _sent(engine, event, all=True)
    waits = await engine.store.find(WaitRow, event=sent.kind)
    roots = {wait.execution: wait.root for wait in waits}
    messages = [(await _message(engine, sent, execution), root) for execution, root in roots.items()]
    written = _transaction(engine, sent, messages, who)
    sets_off = _triggered(engine, event, who)
    if sets_off is not None:
        written = joined(written, creation(engine, sets_off))
    return written, list(roots)


def joined(one: Transaction, other: Transaction) -> Transaction:
    """A transaction that writes what the other one does too."""
    return amended(
        one,
        absent=[*one.absent, *other.absent],
        put=[*one.put, *other.put],
        events=[*one.events, *other.events],
    )


async def _message(engine: "Engine", sent: Sent, to: ExecutionId) -> MessageRow:
    """The next message of an inbox: ids sort in the order of arrival, whatever the clocks of those who send say."""
    last = await engine.store.find(MessageRow, execution=to, newest=True, limit=1)
    after = int(last[0].id.removeprefix(_PREFIX)) if last and last[0].id.startswith(_PREFIX) else 0
    number = max(int(engine.clock.now() * 1_000_000), after + 1)
    body = msgspec.json.encode(sent).decode()
    return MessageRow(execution=to, id=f"{_PREFIX}{number:020}", what="event", body=body)


def _transaction(
    engine: "Engine", sent: Sent, messages: Sequence[tuple[MessageRow, ExecutionId]], who: str
) -> Transaction:
    """What sends these messages, each to an execution below the root beside it; a Conflict if one has come before."""
    rows = [message for message, _ in messages]
    to = "all that wait for it" if sent.all else "it"
    events = [
        EventRow(
            at=engine.clock.now(),
            execution=message.execution,
            root=root,
            kind=sent.kind,
            who=who,
            why=f"{sent.kind} was sent to {to} by {who}",
        )
        for message, root in messages
    ]
    return Transaction(absent=rows, put=rows, events=events)
