"""`@on`: what is done whenever an event is sent to all.

A function of the event returns a step. For an event that somebody sends, and that concerns one of its functions, one
execution is made: it has the event as its argument, and does the steps of all functions that it concerns, each under
the function's name. One that fails does not stop the others.
"""

import asyncio
import inspect
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakSet

from pydantic import create_model
from typing_extensions import TypeVar

from orbits_iac.model.errors import UsageError
from orbits_iac.model.outputs import Event
from orbits_iac.steps.options import Options
from orbits_iac.steps.step import Step
from orbits_iac.steps.workflow import Workflow

E = TypeVar("E", bound=Event)
Function = Callable[[E], Step[Any]]

_functions: WeakSet[Callable[..., Any]] = WeakSet()  # that are marked: as classes know their subclasses
_order = itertools.count()
_MARK = "orbits_trigger"
_CLASS = "orbits_triggered"


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A function that an event is for."""

    event: type[Event]
    where: Callable[[Any], bool] | None
    function: Function[Any]
    order: int  # of two with one name in one module, the later one counts: it was imported again

    @property
    def name(self) -> str:
        """The ref of its step."""
        return self.function.__name__

    @property
    def module(self) -> str:
        """Where it stands."""
        return self.function.__module__

    def concerns(self, event: Event) -> bool:
        """Whether it is for this event."""
        return self.where is None or bool(self.where(event))


def on(event: type[E], *, where: Callable[[E], bool] | None = None) -> Callable[[Function[E]], Function[E]]:
    """Do what the function returns whenever an event of this class is sent to all, and `where(event)` is true.

    Its name is the ref of the step: among the functions for one class of events there is one of each name. Like a
    definition it may be called again after a crash, and has to return the same step for the same event.
    """
    given: object = event
    if not (inspect.isclass(given) and issubclass(given, Event)):
        raise TypeError(f"@on takes a class of events, and got {event!r}")

    def mark(function: Function[E]) -> Function[E]:
        if not inspect.isfunction(function):
            raise TypeError(f"@on({event.__name__}) is for functions of the event, and not for {function!r}")
        trigger = Trigger(event=event, where=where, function=function, order=next(_order))
        setattr(function, _MARK, trigger)
        _functions.add(function)
        triggered(event)
        return function

    return mark


def all_triggers() -> Iterable[Trigger]:
    """Every trigger that was imported and is still there."""
    found: dict[tuple[type[Event], str, str], Trigger] = {}
    for trigger in sorted((getattr(function, _MARK) for function in _functions), key=lambda one: one.order):
        found[trigger.event, trigger.name, trigger.module] = trigger
    return found.values()


def triggers(event: type[Event]) -> list[Trigger]:
    """The triggers for this class of events, by name; UsageError if two in different modules have one name."""
    found = sorted((one for one in all_triggers() if one.event is event), key=lambda one: one.name)
    for one, other in itertools.pairwise(found):
        if one.name == other.name:
            raise UsageError(
                f"two functions for {event.__name__} are called {one.name!r}, in {one.module} and in {other.module}: "
                f"each does its step under its name, so rename one"
            )
    return found


class Triggered(Workflow):
    """What one event sets off. There is a class of it for each class of events, with the event as its field."""

    async def define(self) -> None:
        event = cast("Event", getattr(self, "event"))  # noqa: B009 - the field of each class
        steps = [self._do(trigger, event) for trigger in triggers(type(event))]
        failed = [one for one in await asyncio.gather(*steps, return_exceptions=True) if one is not None]
        if failed:
            raise failed[0] if len(failed) == 1 else BaseExceptionGroup(f"{len(failed)} of its steps failed", failed)

    async def _do(self, trigger: Trigger, event: Event) -> None:
        if trigger.concerns(event):
            await self.do(trigger.name, trigger.function(event))


def triggered(event: type[Event]) -> type[Triggered]:
    """The class whose executions do what events of this class set off."""
    known = event.__dict__.get(_CLASS)
    if known is None:
        name = f"On{event.__name__}"
        known = create_model(name, __base__=Triggered, __module__=event.__module__, event=(event, ...))
        known.options = Options(kind=f"on {event.__name__}")
        type.__setattr__(event, _CLASS, known)
    return cast("type[Triggered]", known)


def concerned(event: Event) -> bool:
    """Whether anything is to be done for this event; a condition that raises is left to the execution, to be seen."""
    return any(_may_concern(trigger, event) for trigger in triggers(type(event)))


def _may_concern(trigger: Trigger, event: Event) -> bool:
    try:
        return trigger.concerns(event)
    except Exception:  # noqa: BLE001 - it is raised again where it is seen
        return True
