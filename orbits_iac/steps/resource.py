"""Resource: a step with an identity, a record that outlives executions, and commands."""

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, ParamSpec, cast

from pydantic import BaseModel, JsonValue
from typing_extensions import TypedDict, TypeVar

from orbits_iac.model.outputs import Outputs
from orbits_iac.model.plans import Change
from orbits_iac.steps.step import Step
from orbits_iac.steps.workflow import Composite

P = ParamSpec("P")
T = TypeVar("T")
B = TypeVar("B", bound=BaseModel)
O = TypeVar("O", bound=Outputs | None, default=None)


class Revision(Generic[O]):
    """One successful update of a Resource: what `history` lists and what `define_rollback` is given.

    Attributes:
        number: counts up from 1; 0 is what was adopted.
        argument: what the update was asked for.
        outputs: what it published.
        at: when it was made (UTC).
        who: who asked for it.
        build: the digest of the code that made it.

    """

    number: int
    argument: Mapping[str, JsonValue]
    outputs: O
    at: datetime
    who: str
    build: str

    def payload(self, kind: type[B]) -> B:
        """What the update kept with `execution.keep`."""
        raise NotImplementedError


class Resource(Composite[O], Generic[O]):
    """Something that is kept: named by `identity()`, installed, updated, looked after, rolled back, uninstalled.

    Its hooks are definitions. A hook that is not overridden does what is right for a composite: cycle, rollback and
    uninstall go through the children that install and update did.
    """

    def identity(self) -> str | None:
        """The name under which its record is kept: whoever names it shares it. None: it belongs to its place."""
        return None

    async def define_install(self) -> None:
        """What is done before the first update, and again when `Options(install_version=)` goes up."""

    async def define_rebuild(self) -> O | None:
        """What is there of it and marked as its own, where records are made again for a store that is gone.

        By default what `define_update` does, with no step run but the Resources in it. One that reads by itself, by
        `hook`s, returns what it finds, or None if there is nothing; what it keeps with `execution.keep` is recorded.
        """
        return await self.define_update()

    async def define_adopt(self) -> O | None:
        """What is live of it before it has a record, by reading alone; None if there is nothing.

        Called first where it is done with `adopt=True`. The fields of the same names as in what it returns, and what it
        keeps with `execution.keep`, are revision 0: what a rollback goes back to. What has no outputs returns None too,
        and is there if it has kept something.
        """
        raise NotImplementedError(f"{type(self).__name__} has no define_adopt()")

    async def define_update(self) -> O:
        """Bring it to what the fields say, and return its outputs."""
        raise NotImplementedError(f"{type(self).__name__} has no define_update()")

    async def define_cycle(self) -> None:
        """Compare what is live with what was recorded; on a schedule, or when asked."""
        await self.execution.cycle_children()

    async def define_rollback(self, to: Revision[O]) -> O:
        """Bring it back to the revision `to`, from what that revision kept."""
        await self.execution.restore_children(to)
        return to.outputs

    async def define_uninstall(self) -> None:
        """Remove it."""
        await self.execution.uninstall_children()

    def define_preview(self, revision: Revision[O] | None) -> Awaitable[Change | None] | Change | None:
        """What an update would do to the live thing, found out by reading alone; None: what its steps would do.

        `revision` is the record's current one. A plain `def` runs in a thread, as an Action's hooks do.
        """
        return None

    def define_inventory(self, revision: Revision[O]) -> Step[str | None] | None:
        """The command of its own that looks for what `revision` made; its result says what is there, None: nothing.

        Run when this Resource was removed, to certify that. None, as by default: it has nothing of its own.
        """
        del revision
        return None

    @classmethod
    def data_in(cls, revision: Revision[O]) -> Sequence[str]:
        """The parts of what `revision` made that hold data which an uninstall would lose, each named for people.

        Asked of what is not `stateful` as a whole, before anything is removed: losing it has to be accepted by name.
        """
        del revision
        return ()

    def cycle(self) -> Step[None]:
        """The command that compares this Resource with what is live."""
        return Command[None](resource=self, command="cycle")

    def rollback(self, to: int | None = None) -> Step[O]:
        """The command that brings this Resource back to revision `to`.

        Without `to`: from a definition, to what stood when the calling execution began; from the command line, to the
        revision before the current one.
        """
        return cast("Step[O]", Command(resource=self, command="rollback", arguments={} if to is None else {"to": to}))

    def uninstall(self, *, keep_data: bool = False) -> Step[list[str] | None]:
        """The command that removes this Resource; it returns what stays, if anything does.

        With `keep_data` what holds data stays, and is no reason to refuse.
        """
        arguments = {"keep_data": True} if keep_data else {}
        return Command[list[str] | None](resource=self, command="uninstall", arguments=arguments)


R = TypeVar("R", default=None)


class Command(Step[R], Generic[R]):
    """A command of a Resource, as a step: what `backend.rollback()` returns. An update is the Resource itself."""

    resource: Any  # a Resource: pydantic would take Resource[Any] for another class
    command: str
    arguments: dict[str, Any] = {}


SELF = TypeVar("SELF")
_COMMANDS = "__orbits_command__"


def command(fn: Callable[P, Awaitable[T]], /) -> Callable[P, Step[T]]:
    """Make a method of a Resource a command of its own: called, it is a step that runs it on that Resource."""
    signature = inspect.signature(fn)

    def make(*args: P.args, **kwargs: P.kwargs) -> Step[T]:
        bound = signature.bind(*args, **kwargs).arguments
        resource = bound.pop("self")
        return cast("Step[T]", Command(resource=resource, command=fn.__name__, arguments=bound))

    make.__name__, make.__doc__ = fn.__name__, fn.__doc__
    setattr(make, _COMMANDS, fn)
    return make


def command_of(cls: type[Resource[Any]], name: str) -> Callable[..., Awaitable[Any]] | None:
    """The method behind the user's own command `name`, or None."""
    return cast("Callable[..., Awaitable[Any]] | None", getattr(getattr(cls, name, None), _COMMANDS, None))


def command_result_type(cls: type[Resource[Any]], name: str) -> Any:
    """What the user's own command `name` returns."""
    method = command_of(cls, name)
    return type(None) if method is None else typing.get_type_hints(method).get("return", Any)


@lru_cache(maxsize=4096)
def command_arguments(cls: type[Resource[Any]], name: str) -> Any:
    """The type of the arguments of the user's own command `name`: a dictionary, each by its annotation."""
    method = command_of(cls, name)
    names = [] if method is None else list(inspect.signature(method).parameters)[1:]
    hints = {} if method is None else typing.get_type_hints(method)
    fields = {name: hints.get(name, Any) for name in names}
    return TypedDict("Arguments", fields, total=False)  # type: ignore[operator]  # made from what was found


BUILT_IN = frozenset({"update", "cycle", "rollback", "uninstall"})
