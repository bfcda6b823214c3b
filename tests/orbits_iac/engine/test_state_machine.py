"""Hypothesis drives an engine through requests, crashes, operations and jumps of the clock, beside a small model of it.

What always holds: a record has one holder; no step is done twice under one token; what has ended stays as it is until
it is replayed. At the end the world is mended and everything let go on: then all has ended, nothing is left in the
store, and each record's revision is what stands in the world.

`ORBITS_STATE_MACHINE=1000 make test ARGS="... -k machine"` tries as many courses, rather than a few.
"""

import asyncio
import os
from collections import Counter
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from orbits_iac import Orbits, Resource, Workflow
from orbits_iac.handles import Execution
from orbits_iac.model.errors import Refused, UsageError
from orbits_iac.model.rows import (
    ExecutionRow,
    MessageRow,
    RecordRow,
    RevisionRow,
    SubscriberRow,
    TaskRow,
    WaitRow,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.memory import MemoryStore
from orbits_iac.testing.held import HeldClock, HeldLoop
from orbits_iac.testing.inline import Inline

from .crash import SETTINGS
from .operated import Brittle, Long
from .world import WORLD, Thing, ThingState, add

COURSES = int(os.environ.get("ORBITS_STATE_MACHINE", "25"))
LIMIT = 3600.0  # seconds on the held clock that anything may take


class Box(Resource[ThingState]):
    """A thing of some value, with a long step and one that may fail."""

    name: str
    value: int

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> ThingState:
        thing = await self.do("thing", Thing(value=self.value))
        await self.do("long", Long())
        await self.do("brittle", Brittle(name=f"brittle {self.name}"))
        return thing


class Boxes(Workflow[int]):
    """A step that is undone, and two boxes at once."""

    values: tuple[int, int]

    async def define(self) -> int:
        first = await self.do("first", add(1, 1), undo=add(-1, -1))
        one, two = self.values
        boxes = await asyncio.gather(
            self.do("box", Box(name="a", value=one), key="a"), self.do("box", Box(name="b", value=two), key="b")
        )
        await self.do("last", Brittle(name="last"))
        return first + sum(box.value for box in boxes)


class SetClock(HeldClock):
    """A held clock that people set ahead and back."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Machine(RuleBasedStateMachine):
    """An engine whose process may die at any time, and people who want things of it."""

    executions = Bundle("executions")

    def __init__(self) -> None:
        super().__init__()
        WORLD.clear()
        self.loop = HeldLoop()
        self.clock = SetClock(self.loop)
        self.store = MemoryStore()
        self.ended: dict[str, ExecutionRow] = {}
        self.orbits: Orbits
        self.inline: Inline

    @initialize()
    def process(self) -> None:
        """A process comes."""
        self.orbits = Orbits(SETTINGS, store=self.store, clock=self.clock, work=False)
        self.orbits.look_every = None
        self.now(self.orbits.__aenter__())
        for kind in (Box, Boxes):
            self.orbits.registry.know(kind)
        self.inline = Inline(self.orbits.engine)
        self.now(self.inline.__aenter__())

    def now(self, work: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, LIMIT))

    @rule(target=executions, name=st.sampled_from("ab"), value=st.integers(1, 3))
    def box(self, name: str, value: int) -> str:
        return self.started(Box(name=name, value=value))

    @rule(target=executions, values=st.tuples(st.integers(1, 3), st.integers(1, 3)))
    def boxes(self, values: tuple[int, int]) -> str:
        return self.started(Boxes(values=values))

    def started(self, step: Any) -> str:
        execution: Execution[Any] = self.now(self.orbits.start(step))
        return execution.id

    @rule(seconds=st.sampled_from([0.0, 0.5, 5.0, 60.0]), turns=st.integers(0, 60))
    def work(self, seconds: float, turns: int) -> None:
        """Time passes: some turns of the event loop, and then so many seconds."""

        async def wait() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await asyncio.sleep(seconds)

        self.now(wait())

    @rule(seconds=st.sampled_from([3600.0, -3600.0, -1.0]))
    def set_the_clock(self, seconds: float) -> None:
        self.clock.ahead += seconds

    @rule()
    def die(self) -> None:
        """The process dies where it is, and another comes."""
        store, world = self.store.copied(), WORLD.snapshot()
        self.leave()
        self.store = store
        WORLD.restore(world)
        self.process()

    def leave(self) -> None:
        self.now(self.inline.__aexit__(None, None, None))
        self.now(self.orbits.__aexit__(None, None, None))

    @rule(what=st.sampled_from(["brittle a", "brittle b", "last", "1", "2", "3"]))
    def breaks(self, what: str) -> None:
        WORLD.failing.add(what)

    @rule()
    def mends(self) -> None:
        WORLD.failing.clear()

    @rule(execution=executions)
    def cancel(self, execution: str) -> None:
        with suppress(UsageError):  # it has ended
            self.now(self.orbits.execution(execution).cancel())

    @rule(execution=executions)
    def pause(self, execution: str) -> None:
        with suppress(UsageError):  # it has ended
            self.now(self.orbits.execution(execution).pause())

    @rule(execution=executions)
    def resume(self, execution: str) -> None:
        with suppress(UsageError):  # it has ended
            self.now(self.orbits.execution(execution).resume())

    @rule(execution=executions, path=st.sampled_from(["", "thing", "long", "brittle", "last", "box[a].long"]))
    def replay(self, execution: str, path: str) -> None:
        try:
            self.now(self.orbits.execution(execution).replay(path))
        except Refused:
            return
        for row in self.rows(ExecutionRow):
            self.ended.pop(row.id, None)

    @rule(execution=executions)
    def bring_back_again(self, execution: str) -> None:
        try:
            self.now(self.orbits.execution(execution).bring_back_again())
        except Refused:
            return
        self.ended.pop(execution, None)

    @rule(execution=executions)
    def end(self, execution: str) -> None:
        try:
            self.now(self.orbits.execution(execution).end(State.ERROR, why="enough"))
        except Refused:
            return

    def rows(self, table: Any) -> list[Any]:
        found: list[Any] = self.now(self.store.find(table))
        return found

    @invariant()
    def what_has_ended_stays(self) -> None:
        for row in self.rows(ExecutionRow):
            before = self.ended.get(row.id)
            assert before is None or (before.state, before.result) == (row.state, row.result)
            if row.state in ENDED:
                self.ended[row.id] = row

    @invariant()
    def a_record_has_one_holder(self) -> None:
        held = {task.id for task in self.rows(TaskRow) if task.owner is not None}
        executing = Counter(
            (row.kind, row.identity)
            for row in self.rows(ExecutionRow)
            if row.identity is not None and row.id in held and row.state is State.EXECUTING
        )
        assert all(count == 1 for count in executing.values())

    @invariant()
    def what_was_made_was_made_once_a_token(self) -> None:
        """A thing that stands is not made again by the same token."""
        made = Counter(
            (line, token) for line, token in zip(WORLD.log, WORLD.tokens, strict=True) if line.startswith("create")
        )
        assert all(count == 1 for count in made.values())

    def teardown(self) -> None:
        try:
            WORLD.failing.clear()
            for row in self.rows(ExecutionRow):
                self.resume(row.id)
            self.now(self.inline.settled())
            self.now(self.all_ended())
            self.nothing_is_left()
            self.records_are_what_stands()
        finally:
            self.leave()
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
            WORLD.clear()

    async def all_ended(self) -> None:
        for row in await self.store.find(ExecutionRow):
            await self.orbits.execution(row.id).ended()
        await self.inline.settled()

    def nothing_is_left(self) -> None:
        for table in (TaskRow, MessageRow, SubscriberRow, WaitRow):
            assert self.rows(table) == []
        assert [row for row in self.rows(RecordRow) if row.queue] == []

    def records_are_what_stands(self) -> None:
        unsure = {row.identity for row in self.rows(ExecutionRow) if row.state in {State.QUARANTINED, State.ERROR}}
        for row in self.rows(RecordRow):
            if row.kind != "Thing" or unsure & {row.identity, row.identity.partition(" ")[2].partition("/")[0]}:
                continue
            live = WORLD.things.get(f"Thing {row.identity}")
            if row.revision is None:
                assert live is None
            else:
                revision = self.now(self.store.get(RevisionRow, row.kind, row.identity, row.revision))
                assert f'"value":{live}' in revision.outputs


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=COURSES,
    stateful_step_count=25,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
