"""What every Resource of a provider has to do, as tests that a provider runs: `ProviderSuite`, over a `Subject`.

    class TestRecord(ProviderSuite):
        @pytest.fixture
        def subject(self, dns: DnsServer) -> Subject:
            return RecordSubject(dns)

The suite makes, changes, loses, adopts and removes the thing that the subject tells of, by an Orbits on held time, and
looks each time at what stands in the system and how often it was written to. It also kills the process before and after
each call. The subject stands for the system; it needs nothing of the engine.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Literal, TypeVar

import pytest

from orbits_iac.handles import DriftReport
from orbits_iac.inventory import look_for, things
from orbits_iac.model.errors import ExecutionFailed
from orbits_iac.model.ids import RecordId
from orbits_iac.model.plans import Change, Plan, Verb
from orbits_iac.model.rows import ExecutionRow, RecordRow
from orbits_iac.model.target import Target
from orbits_iac.orbits import Orbits
from orbits_iac.steps.options import StepOptions
from orbits_iac.steps.resource import Command, Resource
from orbits_iac.testing.crashes import SETTINGS, crash_everywhere, start_once, worlds_after_calls
from orbits_iac.testing.held import HeldClock, HeldLoop, run_held
from orbits_iac.testing.inline import Inline

T = TypeVar("T")

_SUBJECT: ContextVar["Subject"] = ContextVar("subject")


class Subject(ABC):
    """One Resource of a provider, and the system that it is a thing of. Each test gets a new one.

    When a test begins, the system holds nothing of the Resource; `snapshot` and `restore` are of the whole system.
    """

    target: Target | None = None
    """Where it is, for a Resource that needs a target."""
    residue: Any = None
    """What `stands` says after an uninstall: nothing, unless the Resource declares that something stays."""

    previews_write = False
    """Whether a preview may write what it takes away again, such as a change set; what stands is compared then."""

    @abstractmethod
    def first(self) -> Resource[Any]:
        """The Resource as it is made at first."""

    @abstractmethod
    def changed(self) -> Resource[Any]:
        """The same thing, with something else that can be changed in place."""

    @abstractmethod
    def by_hand(self) -> None:
        """Make what `first` makes, as somebody without Orbits would: it can be adopted."""

    @abstractmethod
    def stands(self) -> Any:
        """What there is of it, compared by `==`: without what a second making would have anew (ids, times).

        Everything of its kind counts, so that a second thing beside the first is seen. None if there is nothing.
        """

    @abstractmethod
    def snapshot(self) -> Any:
        """A copy of the whole system."""

    @abstractmethod
    def restore(self, snapshot: Any, /) -> None:
        """Let the system be as it was copied."""

    @abstractmethod
    def writes(self) -> int:
        """How many calls have changed anything so far, or could have."""

    @abstractmethod
    def calling(self) -> AbstractContextManager[None]:
        """Inside, each call to the system stands in `outside("what it is")`, so that a process may die at it."""

    @abstractmethod
    def refusing_changes(self) -> AbstractContextManager[None]:
        """Inside, the system refuses the call that would change the thing, for good, and does nothing."""

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        """What others may do to what `first` made: each has to be found by a look, and brought back.

        One that is called `removed` takes the thing away.
        """
        return {}

    def foreign(self) -> Mapping[str, Callable[[], object]]:
        """Ways in which a thing of this name may be there already without being ours: it has to be left as it is."""
        return {}


class Holder(Resource):
    """Whoever has the Resource under test as a part."""

    which: Literal["first", "changed"] = "first"
    adopt: bool = False
    as_found: bool = False

    def identity(self) -> str:
        """There is one in a test."""
        return "holder"

    async def define_update(self) -> None:
        """Do the Resource."""
        subject = _SUBJECT.get()
        resource: Resource[Any] = subject.first() if self.which == "first" else subject.changed()
        options: StepOptions = {"adopt": self.adopt}
        if self.as_found:
            options["as_found"] = {}
        await self.do("it", resource, target=subject.target, **options)


FIRST, CHANGED = Holder(which="first"), Holder(which="changed")


class ProviderSuite:
    """The tests: subclass it as `Test...`, with a fixture `subject` that gives a new `Subject`."""

    @pytest.fixture(autouse=True)
    def _of(self, subject: Subject) -> Iterator[None]:
        token = _SUBJECT.set(subject)
        yield
        _SUBJECT.reset(token)

    def test_it_is_made_and_is_then_in_sync(self, subject: Subject) -> None:
        """An update makes it; a look finds nothing else than was asked for."""

        async def course(orbits: Orbits) -> DriftReport:
            await orbits.run(FIRST)
            return await orbits.record(Holder, "holder").drift()

        report = _lived(course)
        assert subject.stands() is not None
        assert report.in_sync, report.drifted

    def test_a_second_update_writes_nothing(self, subject: Subject) -> None:
        """One that is as it should be is read, and a preview says so."""

        async def course(orbits: Orbits) -> tuple[int, Plan, int]:
            await orbits.run(FIRST)
            before = subject.writes()
            await orbits.run(FIRST)
            plan = await orbits.preview(FIRST)
            return subject.writes() - before, plan, len(await orbits.record(Holder, "holder").history())

        written, plan, revisions = _lived(course)
        assert written == 0
        assert _verbs(plan) <= {Verb.UNCHANGED}, _verbs(plan)
        assert revisions == 1

    def test_a_preview_writes_nothing_and_says_what_is_done(self, subject: Subject) -> None:
        """What would be made and what would be changed, found out by reading alone."""

        async def previewed(orbits: Orbits, holder: Holder) -> set[Verb]:
            began, stood = subject.writes(), subject.stands()
            verbs = _verbs(await orbits.preview(holder))
            assert subject.previews_write or subject.writes() == began, f"{subject.writes() - began} writes"
            assert subject.stands() == stood
            return verbs

        async def course(orbits: Orbits) -> tuple[set[Verb], set[Verb]]:
            making = await previewed(orbits, FIRST)
            await orbits.run(FIRST)
            return making, await previewed(orbits, CHANGED)

        making, changing = _lived(course)
        assert Verb.CREATE in making, making
        assert changing & {Verb.UPDATE, Verb.CREATE, Verb.REPLACE}, changing

    def test_what_is_changed_is_as_if_it_had_been_made_so(self, subject: Subject) -> None:
        """Changing leaves nothing of what was before, and is in sync."""
        nothing = subject.snapshot()
        _lived(_run(CHANGED))
        made_so = subject.stands()
        subject.restore(nothing)

        async def course(orbits: Orbits) -> DriftReport:
            await orbits.run(FIRST)
            await orbits.run(CHANGED)
            return await orbits.record(Holder, "holder").drift()

        report = _lived(course)
        assert subject.stands() == made_so
        assert report.in_sync, report.drifted

    def test_a_change_that_fails_ends_as_before_it(self, subject: Subject) -> None:
        """What was refused leaves the thing and its record as they were."""

        async def course(orbits: Orbits) -> tuple[Any, DriftReport, int]:
            await orbits.run(FIRST)
            before = subject.stands()
            with subject.refusing_changes(), pytest.raises(ExecutionFailed):
                await orbits.run(CHANGED)
            holder = orbits.record(Holder, "holder")
            return before, await holder.drift(), len(await holder.history())

        before, report, revisions = _lived(course)
        assert subject.stands() == before
        assert report.in_sync, report.drifted
        assert revisions == 1

    def test_a_rollback_brings_back_what_was_before(self, subject: Subject) -> None:
        """The revision before the current one, from the record alone."""

        async def course(orbits: Orbits) -> Any:
            await orbits.run(FIRST)
            before = subject.stands()
            await orbits.run(CHANGED)
            await orbits.record(Holder, "holder").rollback()
            return before

        assert _lived(course) == subject.stands()

    def test_drift_is_found_without_a_write_and_brought_back(self, subject: Subject) -> None:
        """Each of the subject's `drifts`."""
        nothing = subject.snapshot()
        for name, drift in subject.drifts().items():
            subject.restore(nothing)

            async def course(orbits: Orbits, drift: Callable[[], object] = drift) -> tuple[Any, ...]:
                await orbits.run(FIRST)
                before = subject.stands()
                drift()
                began, holder = subject.writes(), orbits.record(Holder, "holder")
                found = await holder.drift()
                written = subject.writes() - began
                healed = await holder.cycle(on_drift="remediate")
                return before, found, written, healed

            before, found, written, healed = _lived(course)
            assert not found.in_sync, f"{name}: not found"
            assert written == 0, f"{name}: the look wrote"
            assert healed.in_sync, f"{name}: {healed.drifted}"
            assert subject.stands() == before, f"{name}: not brought back"

    def test_what_is_not_ours_is_left_as_it_is(self, subject: Subject) -> None:
        """Each of the subject's `foreign` ways of being there already."""
        nothing = subject.snapshot()
        for name, make in subject.foreign().items():
            subject.restore(nothing)
            make()
            before, began = subject.stands(), subject.writes()
            with pytest.raises(ExecutionFailed):
                _lived(_run(FIRST))
            assert subject.writes() == began, f"{name}: written to"
            assert subject.stands() == before, f"{name}: changed"

    def test_what_is_there_is_adopted_and_then_changed(self, subject: Subject) -> None:
        """Recorded as it is found, it is not written to; adopted, it is a thing like any other."""
        nothing = subject.snapshot()
        _lived(_run(CHANGED))
        made_so = subject.stands()
        subject.restore(nothing)
        subject.by_hand()

        async def course(orbits: Orbits) -> DriftReport:
            began, found = subject.writes(), subject.stands()
            await orbits.run(Holder(which="first", as_found=True))
            assert subject.writes() == began, "to record it wrote to it"
            assert subject.stands() == found
            await orbits.run(Holder(which="first", adopt=True))
            await orbits.run(Holder(which="changed", adopt=True))
            return await orbits.record(Holder, "holder").drift()

        report = _lived(course)
        assert subject.stands() == made_so
        assert report.in_sync, report.drifted

    def test_an_uninstall_leaves_exactly_the_residue(self, subject: Subject) -> None:
        """What the Resource declares to stay, and nothing else; who looks for it to certify that, finds that much."""
        seen: list[str | None] = []

        async def course(orbits: Orbits) -> None:
            await orbits.run(FIRST)
            known = await things(orbits, RecordId("Holder", "holder"))
            await orbits.run(FIRST.uninstall(), accept_loss=await _identities(orbits))
            seen.extend([await look_for(orbits, one) for one in known if one.look is not None])

        _lived(course)
        assert subject.stands() == subject.residue
        assert all((found is None) is (subject.residue is None) for found in seen), seen

    def test_a_lost_answer_makes_no_second_thing(self, subject: Subject) -> None:
        """The process dies after any call, the answer lost, and nobody goes on: a new start finds what is there."""
        nothing = subject.snapshot()
        _lived(_run(FIRST))
        wanted = subject.stands()
        subject.restore(nothing)
        with subject.calling():
            left = worlds_after_calls(_run(FIRST), world=subject)
        assert left, "the subject's calls are not seen: they have to stand in `outside`"
        for state in left:
            subject.restore(state)
            _lived(_run(FIRST))
            assert subject.stands() == wanted

    def test_a_crash_at_any_call_of_its_life_makes_no_difference(self, subject: Subject) -> None:
        """Made, drifted and brought back, changed, removed."""
        drift = next(iter(subject.drifts().values()), None)

        async def life(orbits: Orbits) -> None:
            await (await start_once(orbits, FIRST)).ended()
            asked = {row.command for row in await orbits.store.find(ExecutionRow, kind="Holder")}
            if drift is not None and not asked & {"cycle", "uninstall"}:
                drift()
            cycle = Command[None](resource=FIRST, command="cycle", arguments={"on_drift": "remediate"})
            await (await start_once(orbits, cycle)).ended()
            await (await start_once(orbits, CHANGED)).ended()
            uninstall = await start_once(orbits, CHANGED.uninstall(), accept_loss=await _identities(orbits))
            await uninstall.ended()

        self._crash(subject, life)

    def test_a_crash_at_any_call_of_a_failure_makes_no_difference(self, subject: Subject) -> None:
        """A change that is refused, and the way back."""

        async def failure(orbits: Orbits) -> None:
            await (await start_once(orbits, FIRST)).ended()
            with subject.refusing_changes():
                await (await start_once(orbits, CHANGED)).ended()

        self._crash(subject, failure)

    @staticmethod
    def _crash(subject: Subject, course: Callable[[Orbits], Awaitable[object]]) -> None:
        with subject.calling():
            crash_everywhere(course, world=subject, writes=False, faults=False, again=0, messages=False).check()


def _lived(course: Callable[[Orbits], Awaitable[T]]) -> T:
    """The result of a course, on a store of its own and on held time."""

    async def main(loop: HeldLoop) -> T:
        async with Orbits(SETTINGS, clock=HeldClock(loop), work=False) as orbits, Inline(orbits.engine) as inline:
            return await inline.run(_awaited(course, orbits))

    return run_held(main)


async def _awaited(course: Callable[[Orbits], Awaitable[T]], orbits: Orbits) -> T:
    return await course(orbits)


def _run(holder: Holder) -> Callable[[Orbits], Awaitable[None]]:
    async def course(orbits: Orbits) -> None:
        await orbits.run(holder)

    return course


async def _identities(orbits: Orbits) -> list[str]:
    """What may be lost: everything that is recorded."""
    return [row.identity for row in await orbits.store.find(RecordRow)]


def _verbs(plan: Plan) -> set[Verb]:
    """What a plan does with the Resource under test and what is in it."""
    return set(_walk(plan.root))


def _walk(change: Change) -> Iterator[Verb]:
    yield change.verb
    for below in change.below:
        yield from _walk(below)
