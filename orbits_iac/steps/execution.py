"""What `self.execution` offers while a hook runs: abstract here, made by the engine.

`Current` is there in every hook; `Flow` in definitions, where time, chance and other executions come from it too. What
is called by a hook and does not know it, a client for instance, finds it by `current`.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel
from typing_extensions import TypeVar

from orbits_iac.model.below import Below
from orbits_iac.model.errors import Refused
from orbits_iac.model.news import Stop
from orbits_iac.model.outputs import Event, Outputs
from orbits_iac.model.rows import Difference
from orbits_iac.model.standing import Rest, Standing
from orbits_iac.model.target import Target
from orbits_iac.steps.options import OnDrift, StepOptions

if TYPE_CHECKING:
    import asyncio

    from orbits_iac.model.plans import Change
    from orbits_iac.steps.resource import Resource, Revision
    from orbits_iac.steps.shell import Done, Shell
    from orbits_iac.steps.step import Step

T = TypeVar("T")
TG = TypeVar("TG", bound=Target)
E = TypeVar("E", bound=Event)
O = TypeVar("O", bound=Outputs | None, default=None)


class Shared(NamedTuple):
    """Who keeps to a rate that workers share."""

    workers: int = 1  # that are known to, this one included
    most: int = 1  # that might: as many as there are, until the others are known
    rate: float | None = None  # what the others keep to together, in calls a second; None if there are none


class Left(NamedTuple):
    """A Resource that a definition is about to do, and how it was left when it was done last."""

    resource: "Resource[Any]"
    labels: Mapping[str, str]  # that it is done with
    digest: str = ""  # the one of then, of `Rest`; "" if it was not left well
    revision: int | None = None
    targets: Sequence[Target] = ()  # that it is done at, or may be


class Current(ABC):
    """The execution that `self` belongs to while a hook runs.

    Attributes:
        id: the execution's id.
        token: stable for a step across its attempts: give it to a service as the idempotency token.
        tenant: the client that this is done for, if it is done for one.
        attempt: which attempt this is, from 1.
        project: the project's name: with the record, what everything made is tagged with.
        record: the kind and identity of the Resource that this belongs to, or None.
        called: what the record's thing is called where it is, if it was recorded under a name of its own; "" if not.
        looking: whether this is part of a cycle, which has time.
        takes_over: a project of which what is found counts as this project's, because somebody said so; "" for none.

    """

    id: str
    token: str
    tenant: str | None
    attempt: int
    project: str
    record: tuple[str, str] | None
    called: str = ""
    takes_over: str = ""
    looking: bool = False

    @abstractmethod
    def progress(self, message: str, share: float | None = None) -> None:
        """Say how far it is: `message` for people, `share` from 0 to 1 where it is known."""

    @abstractmethod
    def target(self, kind: type[TG]) -> TG:
        """The target of this type; raises `Refused` where none was given here or above."""

    def admit(self, target: Target) -> None:
        """Raise `Refused` where this is done for a tenant, and `target` is beyond what that was given.

        Asked by whoever turns a target into credentials.
        """
        del target

    @abstractmethod
    def now(self) -> datetime:
        """The time (UTC); in a definition, the time of the last outcome, the same on a re-run."""

    @abstractmethod
    def uuid(self) -> UUID:
        """A new UUID; in a definition, the same on a re-run."""

    def hold(self) -> None:
        """Return if nobody else can have taken over this execution: to be called just before a call changes anything.

        In a thread it waits for a lease that could not be renewed in time to be so again. Raises `NotHeld` where it is
        not, and nothing may be changed any more.
        """

    def shared(self, bucket: str, rate: float | None) -> Shared:
        """Which workers keep to the rate that `bucket` names, and to what; from any thread.

        `rate`: what this one keeps to there, in calls a second; with None it does not count.
        """
        del bucket, rate
        return Shared()

    def pause(self, seconds: float) -> None:
        """Wait in a thread; raises CancelledError as soon as the hook is cancelled."""
        time.sleep(seconds)

    async def shell(self, step: "Shell", *, begin: bool) -> "Done":
        """What a Shell's hooks call: find its command, which may have begun already, or `begin` it, and wait for it."""
        raise Refused("a shell command runs in an Action alone")


CURRENT: ContextVar[Current] = ContextVar("orbits_current")
"""Set by who calls a hook, in the task or thread that it is called in."""


def current() -> Current | None:
    """What `self.execution` is in the hook that is running here; None outside of hooks."""
    return CURRENT.get(None)


class Flow(Current):
    """In a definition; `asyncio.sleep` and time limits are durable there.

    Attributes:
        previewing: whether this is a preview: then `do` only reads, and nothing may be written.
        may_adopt: in a preview, whether what is there already would be adopted.

    """

    previewing: bool = False
    may_adopt: bool = False

    @abstractmethod
    def random(self) -> Random:
        """A source of chance that gives the same on a re-run."""

    @abstractmethod
    def wait_for(
        self, ref: str, event: type[E], *, where: Callable[[E], bool] | None = None, timeout: timedelta | None = None
    ) -> Coroutine[Any, Any, E]:
        """Wait for an event of this class from outside, and return it; it is sent with `emit` or `orbits answer`.

        An event that was sent to this execution before it waited is found. Events are taken in the order in which they
        came, by the first wait that they fit.

        Args:
            ref: what the wait is called here; each wait of a definition has a ref of its own.
            event: the class.
            where: which events are meant, from the event alone; others are left for other waits.
            timeout: how long to wait; durable, as every time limit here.

        Raises:
            TimeoutError: none that fits has come in time.
            ExecutionFailed: `where` raised.

        """

    @abstractmethod
    async def outputs(self, kind: "type[Resource[O]]", identity: str) -> O:
        """The outputs of a Resource that somebody else keeps; counts as a use, and fails at once if there are none."""

    @abstractmethod
    async def revision_of(self, kind: "type[Resource[Any]]", identity: str) -> int | None:
        """Which revision stands of a Resource that somebody else keeps: whether to read its outputs again.

        A second time in one definition it is called in a `scope` of its own.
        """

    @abstractmethod
    async def keep(self, payload: BaseModel) -> None:
        """Keep `payload` in the revision that this update makes: what a rollback needs to bring it back."""

    # What follows is for providers and for the base classes of this package.

    @abstractmethod
    def do(
        self,
        ref: str,
        step: "Step[T]",
        *,
        key: str | None,
        once: bool,
        undo: "Step[Any] | Callable[[T], Step[Any]] | None",
        target: Target | Sequence[Target] | None,
        was: str | None,
        options: StepOptions,
    ) -> Coroutine[Any, Any, T]:
        """What `self.do` calls, and nothing else: the line of the user's code is two frames up."""

    @abstractmethod
    def repeat(
        self, ref: str, step: "Step[T]", *, every: timedelta, until: Callable[[T], bool], options: StepOptions
    ) -> Coroutine[Any, Any, T]:
        """What `self.repeat` calls, and nothing else: the line of the user's code is two frames up."""

    @property
    @abstractmethod
    def revision(self) -> "Revision[Any] | None":
        """The record's current revision, as it stood when this command began."""

    @property
    @abstractmethod
    def on_drift(self) -> OnDrift:
        """What this cycle is to do about drift."""

    @property
    @abstractmethod
    def asked_with(self) -> Mapping[str, Any]:
        """What this command was asked with: of a cycle `on_drift`, and `limited` where its schedule has asked."""

    @property
    @abstractmethod
    def largest_value(self) -> int:
        """Characters of JSON that are kept of one argument or result."""

    @property
    @abstractmethod
    def superseded(self) -> "asyncio.Future[str]":
        """Done once another execution is to take the place of this one, with that one's id.

        That one was asked for with `on_conflict="supersede"`, and waits until this one has ended. A definition may end
        sooner for it, where that is safe; one that does not look at this goes on to its end.
        """

    @abstractmethod
    async def standing(
        self, ref: str, resource: "Resource[Any]", *, key: str | None, again: str = "", since: int | None = None
    ) -> Standing:
        """What stands of a Resource that this definition has done under this ref and key, well or badly.

        It is answered once; `again` tells a later question from an earlier one. `since`: a revision (0: none), from
        which on all the steps of no return count that it has passed, by whatever execution.
        """

    @abstractmethod
    async def may_move(self, ref: str, resource: "Resource[Any]", *, key: str | None) -> bool:
        """Whether a Resource that is done under this ref and key may be done in another place than it was.

        It may if nothing of it stands, and what was tried of it has left nothing. Asked before it is done, and once.
        """

    @abstractmethod
    async def pass_over(self, ref: str, ones: Mapping[str, Left]) -> Mapping[str, Rest]:
        """Take as done what would be done by `do(ref, resource, key=, labels=, target=)`, and stands as it was left.

        Args:
            ref: of the `do`.
            ones: by the `key=` of the `do`; each is asked about once.

        Returns the digest of each, to be given here the next time. Those whose `looked_at` is set are not to be done:
        they are children like those that are.
        """

    @abstractmethod
    async def look_ahead(
        self, ref: str, ones: Mapping[str, Left], judge: "Callable[[str, Change], str]"
    ) -> Mapping[str, str]:
        """What `judge` says of what `do(ref, resource, key=, labels=, target=)` would do, found out as a preview is.

        Args:
            ref: of the `do`.
            ones: by the `key=` of the `do`; those that would be passed over are not looked at.
            judge: pure; is called in a thread, with the key and what would be done.

        Returns what was said, by the key; what cannot be previewed is said too, but for what is out of reach: "".
        Nothing is done, and what was said is the same on a re-run. A second time in one definition it is called in a
        `scope` of its own. In a preview it is answered when nothing else can go on, of what the definition has asked
        for by then.
        """

    @abstractmethod
    async def keep_children(self, ref: str | None = None, *, among: Collection[tuple[str, str]] | None = None) -> None:
        """Let what was done before, and by this update is not, stay a child: nobody is to remove it.

        Called when all has been done under `ref`; without one, it holds of all that was not done so far. `among`: it
        holds of these alone, by their kinds and identities.
        """

    @abstractmethod
    def remark(self, message: str) -> None:
        """Say what whoever approves this has to know: a preview shows it, a run says it as progress."""

    @abstractmethod
    async def let_go(self, kind: str, identity: str) -> Sequence[str] | None:
        """Let go of a child that this update does not do: it goes with its last user, unless it is retained.

        Returns what stays, each with why; None if it is no child, or nothing of it stands. Called once for each. Raises
        ExecutionFailed or `Refused` where it would go and cannot, or is protected.
        """

    @abstractmethod
    async def cycle_children(self) -> None:
        """Compare each child with the child's own record: what a composite's cycle is."""

    @abstractmethod
    async def standing_children(self) -> Sequence[Below]:
        """The children of the record that stand, in the order in which they were first done."""

    @abstractmethod
    async def cycle_child(self, child: Below, *, on_drift: OnDrift) -> bool:
        """Compare a child with its own record; False where nothing of it stands by now, or it is busy.

        A second time in one definition it is called in a `scope` of its own. Raises ExecutionFailed.
        """

    @abstractmethod
    async def drifted(self, below: Sequence[Below]) -> Sequence[int]:
        """How many things of each of these, all below it included, differed at the last look and do still."""

    @abstractmethod
    async def restore_children(self, to: "Revision[Any]") -> None:
        """Bring the children back to what they were in `to`: what a composite's rollback is."""

    @abstractmethod
    async def uninstall_children(self) -> None:
        """Uninstall owned children, release used ones, the last done first: what a composite's uninstall is."""

    @abstractmethod
    def counted(self, differences: Sequence[Difference]) -> Sequence[Difference]:
        """Those of the differences that the project does not ignore."""

    @abstractmethod
    async def looked(
        self,
        *,
        differences: Sequence[Difference],
        unchecked: Sequence[str],
        checked: int,
        ignored: Sequence[str] = (),
        error: str | None = None,
        left: str = "",
        stopped: Sequence[Stop] = (),
        outputs: BaseModel | None = None,
    ) -> Sequence[Difference]:
        """Record what a comparison with the live thing found; returns what this cycle is to bring back now.

        That is nothing where the policy is to report or notify, where all of it is ignored, where it was brought back
        too often, or where this cycle has brought it back already: call it again with what is left then.

        Args:
            differences: what differs, and what this cycle has brought back, marked so.
            unchecked: "resource type property: why", of what was not compared.
            ignored: the same of what differs, or may, and does not count.
            checked: how many properties were compared.
            error: why the look itself failed.
            left: why what this cycle was to bring back differs still.
            stopped: why what differs below, or some of it, is not brought back, though that is asked for.
            outputs: what it publishes now, where remediating has made it anew.

        """

    @abstractmethod
    def opens(self, target: Target) -> None:
        """Say that this Resource has made what `target` leads to: its own steps may act there, whoever it is for."""

    @abstractmethod
    def leaves(self, *things: str) -> None:
        """Say in `define_uninstall` what stays, each so that a person finds it: it is what an uninstall returns."""

    @abstractmethod
    def allow_loss(self, what: str, *, part: str = "") -> None:
        """Raise `Refused` if this Resource is stateful or protected, and losing what it holds was not accepted.

        Asked before the thing is replaced; `what` says why it would be. A `part` of it that holds data is accepted by a
        name of its own: the Resource's, a slash, and the part's.
        """

    @abstractmethod
    def scope(self, name: str) -> AbstractContextManager[None]:
        """Steps done inside get keys of their own below `name`."""

    @abstractmethod
    def admitted(self) -> AbstractContextManager[None]:
        """Actions done inside need no plan that shows them: they follow from what came of the rest, and change nothing.

        Such as a check of what was done, or a message about it. A Resource needs one all the same.
        """
