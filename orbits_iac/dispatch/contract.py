"""The contract of a dispatcher: who advances which execution, and when.

The journal says what is finished; a dispatcher says only who goes on with it. `Orbits` makes the one that the settings
name (entry points `orbits_iac.dispatchers`), and calls nothing of it but what stands here. Two implement it: workers
that lease from the store (`worker`), and one for tests, inline and in the same order each time
(`orbits_iac.testing.inline`). One conformance suite runs over both (tests/conformance/dispatchers).
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Self

from orbits_iac.model.ids import ExecutionId, WorkerId

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine
    from orbits_iac.settings import Settings


class Condition(NamedTuple):
    """How a dispatcher stands at a moment, for people and their monitoring."""

    concurrency: int | None  # executions that it advances at a time, at most; None: any number
    leaving: bool  # it claims nothing more, because it stops or has stopped
    certain: bool  # nobody can take it for dead
    lease_age: float | None  # seconds since its lease was renewed; None: it has none


class Dispatcher(ABC):
    """Decides in this process which executions its engine advances, together with all others on the same store.

    *What it is given.* An execution that has not ended has a `TaskRow`: its kind and build, when it is due, who holds
    it, with which token. `Store.claim` is the one way to hold it, and gives the next token, the fence of whatever its
    holder writes. With the task it calls `Engine.advance`, which goes on until the execution has ended (`Ended`: the
    task is gone), or waits until a time or for a message (`Parked`). The claim is then given back already, in the
    transaction that parks it and finds it due at once if a message came that the holder has not seen (`Park`). The
    engine also offers

    - `on_due`: to be told that a commit of this process may have made something due; of those of others nobody tells;
    - `poke`: an execution that is being advanced here looks into its inbox. Called for each one that is held here and
      has messages: other processes put them there without a word;
    - `lease`, which the dispatcher sets: whether nobody can have taken over what was claimed at a time (`is_certain`).
      No hook begins without it. A dispatcher that never takes anything over leaves it None;
    - `leave`, `quiet`: to let every execution park as soon as it may, before the process ends, and to wait for what was
      cut off; `knows_more`: whether one has to be kept after a failure;
    - `forget_strangers`: to drop definitions in memory with which other processes have gone on.

    *What it promises.*

    - *One holder.* What is due is advanced by one holder, with the token of its own claim, which is never used again.
    - *None forgotten.* Whatever is due is claimed in the end, as long as a process lives that has its code: what parked
      until a time, then; what parked for a message, once one came; what was due when nobody was there, too.
    - *None lost.* What the holder of which is dead is made due again (`Store.release`), and only then: by a proof that
      the process has ended, or a silence during which it was not certain itself. No clocks are compared.
    - *By build.* Only kinds that are imported here are claimed, of this build or an earlier one (`Builds.claims`), and
      what is for its own build alone, only by that. What no living process may go on with is shown as such
      (`why_stranded`). What is due goes by priority, then by the time
      that it is due; who serves several tenants may let them take turns.
    - *Shares.* Labels, limits and the turns of tenants (`labels`, `permits`, `fairness`) hold over all processes; one
      that is alone, as in tests, may leave them out.
    - *Schedules.* The cycle of each is asked for once over all processes (`Schedules.fire_due` does it, called by as
      many as there are), not made up for after a downtime.
    - *Alone.* Where `Engine.own` is a set, what it has is advanced here and nothing else, and no schedule is fired.
    - *Drain.* After `drain` nothing more begins here, and what was under way has ended or goes on elsewhere.

    *What it may not rely on.* On being told: hints get lost, so it looks by itself, too. On the order of things: an
    execution may be claimed again, here, before the `advance` that parked it has returned. On being alone. On the end
    of `advance`: it lasts as long as the execution has something under way. On the wall clock, except for what is due.

    *When something fails.*

    - `advance` raises `Fenced`: another holds it. It is nobody's matter here any more.
    - It raises another `StoreError`: what came of the execution may be known here alone. While the engine
      `knows_more`, the claim is kept and `advance` called again with the same task; else it is given back.
    - It raises anything else: the code here cannot run it. The claim stands, and is given back, to be tried later.
    - A claim's answer is lost: the execution is held here, and nobody advances it. Who looks at what it holds finds
      it, and gives it back. Likewise when a claim could not be given back.
    - The store is gone: nothing is claimed or taken over until it is back; what is under way waits.
    - The process dies: see *None lost*. It is stopped or cut off for a while: it is not `is_certain`, so it begins
      nothing; what it still writes is fenced, if it was taken over.

    *Another one*, say under Temporal, needs neither another engine nor another store. A workflow an execution, with its
    id, whose single activity claims it (`only=`) under an owner's id of its own attempt, advances it, and heartbeats
    meanwhile; `Engine.lease` is certain for half the heartbeat timeout after the last that the server took. The
    workflow then waits for a timer (`Parked.until`) or a signal, and runs the activity again; or it ends. An attempt
    after the first releases the owner's id of the one before: the server gives it out only when that one is silent.
    Task queues, one a build and kind, say who may have which. Signals are hints here as well: `on_due` and a sweep of
    `Store.due` by every process send one to each that is due (signal-with-start, so a lost start is made good).
    """

    id: WorkerId
    """What this process is known by: as an owner of executions, and in what it writes."""

    @classmethod
    @abstractmethod
    def of(cls, engine: "Engine", settings: "Settings", *, who: str) -> Self:
        """The one for this engine, which has not begun yet; `who` starts it, for people.

        Settings of its own stand in a table of its own in orbits.toml. Temporal: the address, namespace and queue.
        """

    @abstractmethod
    async def start(self) -> None:
        """Make this process known, with its build and kinds, and begin to claim. If it raises, nothing has begun.

        The engine is open, and the build registered. Temporal: start the worker with its activity; the row of a worker
        (`WorkerRow`) is for people then, and says who is there.
        """

    @property
    @abstractmethod
    def holds(self) -> int:
        """How many executions are being advanced here now; for people."""

    @abstractmethod
    async def drain(self) -> tuple[ExecutionId, ...]:
        """Claim nothing more, begin nothing more, and give back what is under way: it goes on elsewhere, or later.

        An Action that may not be done twice, or that has a thread, is waited for, and so is a store that does not take
        what came of one: for a grace, so that it is kept. Returns the executions of which something is under way here
        even then; they stay held, for nobody may go on with them while this process lives. The engine is still open.
        Temporal: `worker.shutdown`, with the grace; the activities return as `Parked` do.
        """

    @abstractmethod
    async def stop(self) -> None:
        """Drain, if that is not done, and make this process unknown: what it holds still is due at once.

        `Orbits` closes the engine before, so that nothing is under way here any more. Nobody takes this process for
        dead then. The store may be gone: `StoreError`, when all has ended here.
        """

    @abstractmethod
    def condition(self) -> Condition:
        """How it stands now; asked from any thread, and never waits.

        Temporal: `certain` and `lease_age` by the last heartbeat that the server took.
        """

    @abstractmethod
    async def settled(self) -> None:
        """Return when nothing is due that may be advanced here, and nothing is; for who holds the clock, as tests do.

        Temporal: when no workflow of these queues has an activity that is scheduled or running.
        """

    @abstractmethod
    async def why_stranded(self, execution: ExecutionId) -> str | None:
        """Why no living process may go on with an execution, and what to do; None if one may, or if it has ended.

        Temporal: as here, by the rows of workers, of which those are alive that poll (`DescribeTaskQueue`).
        """

    @abstractmethod
    async def go_on_here(self, execution: ExecutionId, *, who: str) -> None:
        """Let the code of this process go on with an execution, and with what it waits for, though they be of later.

        A person has decided so (`orbits resume --here`). Raises `Refused` if another process holds one of them.
        Temporal: as here (`stranded.go_on_here`); the signal that follows goes to the queue of this build.
        """
