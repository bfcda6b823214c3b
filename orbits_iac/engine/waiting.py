"""Waiting for events: the open waits of one execution, and the events in its inbox that none of them has taken.

What always holds: events are tried in the order in which they came, waits in the order in which they were asked for; an
event is deleted in the transaction that journals the outcome it is. One that was sent to this execution and fits no
wait stays in the inbox for a later one; one that was sent to all is dropped.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orbits_iac.codec import explain
from orbits_iac.engine.above import ABOVE
from orbits_iac.engine.attempts import Done, End, Failed
from orbits_iac.engine.calls import Call, asked_at
from orbits_iac.engine.events import WAITS, kind_of_event, schema_of, sent_in
from orbits_iac.engine.noticing import waits_for
from orbits_iac.engine.pages import is_closed
from orbits_iac.engine.request import Request
from orbits_iac.model.errors import Failure, UsageError
from orbits_iac.model.ids import StepKey, refs, step_key
from orbits_iac.model.outputs import Event
from orbits_iac.model.rows import EntryRow, MessageRow, WaitRow, amended
from orbits_iac.model.states import State
from orbits_iac.steps.options import Options

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run

Where = Callable[[Any], bool]


class Waits:
    """What one execution waits for, and what has come for it."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._open: dict[StepKey, Request] = {}
        self._kept: dict[str, MessageRow] = {}
        # Who has not been tried with what yet; without a request: everything that was open has been.
        self._untried: deque[Iterator[tuple[MessageRow, Request | None]]] = deque()

    @property
    def seen(self) -> frozenset[str]:
        """The ids of the messages that stay in the inbox: an execution that parks knows them."""
        return frozenset(self._kept)

    @property
    def untried(self) -> bool:
        """Whether there is an event that has not been tried with every wait."""
        return bool(self._untried)

    def open(self, request: Request) -> None:
        """A definition waits for an event: journal that, and try what is there already."""
        run, entry = self._run, self._run.pages.entries.get(request.key)
        at = run.now()
        if entry is None or is_closed(entry):
            entry = EntryRow(
                execution=run.pages.execution.id,
                key=request.key,
                kind=request.kind,
                command=WAITS,
                generation=1 if entry is None else entry.generation,
                state=State.IN_PROGRESS,
                argument=request.argument,
                started_at=at,
            )
            run.pages.put(entry, at=at, why=f"waits for {request.kind}")
            run.pages.add(_row(run, request), request.key)
            if (notice := waits_for(run, request.kind)) is not None:
                run.pages.add(notice, notice.id)
        elif entry.argument != request.argument:
            run.pages.put(amended(entry, argument=request.argument), at=at)
        self._open[request.key] = request
        if self._kept:
            self._untried.append(self._with_each(tuple(self._kept.values()), request))

    def arrive(self, message: MessageRow) -> None:
        """An event is in the inbox."""
        if message.id in self._kept:
            return
        self._kept[message.id] = message
        waits: tuple[Request | None, ...] = tuple(self._open.values())
        if sent_in(message).all:
            waits = (*waits, None)
        if waits:
            self._untried.append((message, request) for request in waits)

    def match(self) -> tuple[StepKey, End] | None:
        """The next outcome of a wait, if an event is one; the event is deleted with whatever is written next."""
        while self._untried:
            for message, request in self._untried[0]:
                if message.id not in self._kept:
                    continue
                if request is None:
                    self._take(message)
                elif self._open.get(request.key) is request and (end := self._try(message, request)) is not None:
                    if isinstance(end, Done):
                        self._take(message)
                    self._close(request)
                    return request.key, end
            self._untried.popleft()
        return None

    def _with_each(self, messages: Sequence[MessageRow], request: Request) -> Iterator[tuple[MessageRow, Request]]:
        """A wait with each of these, as long as it is open: ten thousand that wait are not gone through by each."""
        for message in messages:
            if self._open.get(request.key) is not request:
                return
            yield message, request

    def give_up(self, request: Request) -> bool:
        """A definition does not wait any more; whether it did."""
        if self._open.get(request.key) is not request:
            return False
        self._close(request)
        failure = Failure(error_type="Cancelled", message=f"{request.kind} is not waited for any more")
        self._run.arrived.append((request.key, Failed(error=asyncio.CancelledError(), failure=failure)))
        return True

    def _try(self, message: MessageRow, request: Request) -> End | None:
        """What comes of a wait by this event; None if it is not the one."""
        run, sent = self._run, sent_in(message)
        if sent.kind != request.kind:
            return None
        try:
            event = run.engine.codec.decode(sent.value, request.returns)
        except ValidationError as error:
            why = run.engine.codec.mask(f"{sent.kind} came, and is none: {explain(error)}")
            run.pages.note(at=run.now(), key=request.key, why=why)
            return None
        try:
            if request.fits is not None and not request.fits(event):
                return None
        except BaseException as error:  # noqa: BLE001 - whatever a user's condition raises is the outcome
            return Failed(error=error, failure=run.failure(error, request))
        return Done(result=sent.value)

    def _take(self, message: MessageRow) -> None:
        del self._kept[message.id]
        self._run.pages.delete(message)

    def _close(self, request: Request) -> None:
        del self._open[request.key]
        self._run.pages.delete(_row(self._run, request))


def waiting(run: "Run", call: Call, event: type[Event], where: Where | None) -> Request:
    """The request of a definition that waits for an event; UsageError if it cannot be waited for so."""
    given: object = event
    if not (isinstance(given, type) and issubclass(given, Event)):
        raise UsageError(f"wait_for({call.ref!r}, ...) takes a class of events, and got {event!r} ({call.where()})")
    key = step_key(ABOVE.get(), call.ref, kind_of_event(event), WAITS, "")
    if key in run.asked:
        raise UsageError(
            f"{'.'.join(refs(key))}: {kind_of_event(event)} is waited for twice under the ref {call.ref!r} in one run "
            f"({call.where()}, after {asked_at(run.asked[key])}); give each wait a ref of its own, as in "
            f"wait_for(f'{call.ref} {{number}}', ...)"
        )
    return Request(
        key=key,
        ref=call.ref,
        kind=kind_of_event(event),
        command=WAITS,
        step=None,
        argument=schema_of(event),
        digest="",
        returns=event,
        options=Options(),
        targets={},
        future=run.loop.create_future(),
        fits=where,
        call=call,
    )


def _row(run: "Run", request: Request) -> WaitRow:
    execution = run.pages.execution
    return WaitRow(event=request.kind, execution=execution.id, key=request.key, root=execution.root)
