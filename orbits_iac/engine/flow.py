"""What `self.execution` is in a definition: `do`, time, chance, and what composites do with their children."""

import asyncio
import sys
from collections.abc import Callable, Collection, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from random import Random
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from pydantic import BaseModel
from typing_extensions import TypeVar

from orbits_iac.engine import ahead, at_rest, children, restoring
from orbits_iac.engine.above import ABOVE, ADMITTED, RUNNING, enter
from orbits_iac.engine.adopting import check_adopts
from orbits_iac.engine.attempting import attempts
from orbits_iac.engine.attempts import find_target
from orbits_iac.engine.bounds import published, realm_of
from orbits_iac.engine.calls import Call
from orbits_iac.engine.handed_executor import executor_of, text_of
from orbits_iac.engine.looking import Seen, take
from orbits_iac.engine.names import Name, record_kind
from orbits_iac.engine.naming import (
    check_name,
    key_of,
    result_of,
    subject_of,
)
from orbits_iac.engine.nested import begin, begin_nested
from orbits_iac.engine.placing import may_move
from orbits_iac.engine.preview_definition import Judge
from orbits_iac.engine.rebuilding import refuse_to_wait
from orbits_iac.engine.repeating import Repeat, repeating
from orbits_iac.engine.request import Request
from orbits_iac.engine.revisions import StoredRevision
from orbits_iac.engine.run import BarredError
from orbits_iac.engine.unbuilt import refuse_unbuilt
from orbits_iac.engine.waiting import waiting
from orbits_iac.engine.wanted import PLAIN, Wanted, check_step, request_of
from orbits_iac.model.below import Below
from orbits_iac.model.errors import ExecutionFailed, Refused, UsageError
from orbits_iac.model.ids import UNDO, RecordId, StepKey, step_key
from orbits_iac.model.news import Stop
from orbits_iac.model.outputs import Event, Outputs
from orbits_iac.model.rows import Difference, Json, RecordRow
from orbits_iac.model.standing import Rest, Standing
from orbits_iac.model.target import Target
from orbits_iac.steps.action import Action
from orbits_iac.steps.execution import Flow, Left
from orbits_iac.steps.options import Executor, OnDrift, Options, StepOptions
from orbits_iac.steps.resource import Resource, Revision
from orbits_iac.steps.step import Step, bind, kind_of, kinds_of, options_of, result_type
from orbits_iac.steps.workflow import Workflow

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run

T = TypeVar("T")
TG = TypeVar("TG", bound=Target)
E = TypeVar("E", bound=Event)
O = TypeVar("O", bound=Outputs | None, default=None)


class RunFlow(Flow):
    """The definition side of a `Run`: one for each composite, sharing the run's journal."""

    def __init__(self, run: "Run", targets: dict[str, Json], home: StepKey, executor: Executor | None) -> None:
        self._run = run
        self._targets = targets
        self._executor = executor  # of Actions that say nothing else
        self._home = home
        self.id = run.pages.execution.id
        self.token = run.pages.execution.id
        self.attempt = 1
        self.tenant = run.pages.execution.tenant
        self.project = run.engine.project
        self.record = run.record_id
        self.called = run.called
        self.takes_over = run.approval.take_over

    # For users.

    def progress(self, message: str, share: float | None = None) -> None:
        self._run.note_progress(self._home, message, share)

    def target(self, kind: type[TG]) -> TG:
        return find_target(self._run.engine.codec, self._targets, kind, self._run.pages.execution.kind)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._run.loop.time(), UTC)

    def uuid(self) -> UUID:
        return UUID(int=self.random().getrandbits(128), version=4)

    def random(self) -> Random:
        return self._chance

    @cached_property
    def _chance(self) -> Random:  # few definitions ask for it, and to make one takes longer than the rest of this
        return Random(f"{self.id}{self._home}")  # noqa: S311 - has to come out the same again

    def wait_for(
        self, ref: str, event: type[E], *, where: Callable[[E], bool] | None = None, timeout: timedelta | None = None
    ) -> Coroutine[Any, Any, E]:
        call = Call.at(sys._getframe(1), "wait_for", ref, ABOVE.get(StepKey("")))  # noqa: SLF001 - who called it
        coroutine = self._wait_for(call, event, where, timeout)
        self._run.calls.add(call, coroutine)
        return coroutine

    async def outputs(self, kind: type[Resource[O]], identity: str) -> O:
        async def read() -> Json:
            return await children.standing_outputs(self._run, name, identity)

        name = await self._record_kind(kind, identity)
        text = await self.ask("outputs", read, str, key=f"{name} {identity}")
        self._run.given.take(name, identity, text)
        self._run.has_read(name, identity, text)
        value = self._run.engine.codec.decode(text, result_type(kind))
        if self.tenant is not None:  # who is nobody's may read what tenants have, and hands none of it to others
            self._run.found |= published(value)
        return cast("O", value)

    async def revision_of(self, kind: type[Resource[Any]], identity: str) -> int | None:
        async def read() -> int | None:
            record = await self._run.engine.store.get(RecordRow, name, identity)
            return None if record is None else record.revision

        name = await self._record_kind(kind, identity)
        return cast("int | None", await self.ask("revision", read, int | None, key=f"{name} {identity}"))

    async def keep(self, payload: BaseModel) -> None:
        self._run.payload[type(payload).__name__] = self._run.engine.codec.encode(payload, type(payload))

    # For providers and base classes.

    @property
    def revision(self) -> Revision[Any] | None:
        return self._run.standing

    @property
    def on_drift(self) -> OnDrift:
        return cast("OnDrift", self._run.options.get("on_drift", "report"))

    @property
    def asked_with(self) -> Mapping[str, Any]:
        return self._run.options

    @property
    def largest_value(self) -> int:
        return self._run.engine.codec.largest

    @property
    def superseded(self) -> asyncio.Future[str]:
        return self._run.superseded

    async def standing(
        self, ref: str, resource: Resource[Any], *, key: str | None, again: str = "", since: int | None = None
    ) -> Standing:
        name = await self._name(ABOVE.get(), ref, resource, "update", key, None)
        kind, identity = name.kind, name.identity or ""
        done = key_of(ABOVE.get(), ref, kind, "update", key, None if name.owned else identity)
        question = partial(children.standing, self._run, done, kind, identity, since)
        asked = f"{kind} {identity} {again}".rstrip()
        return cast("Standing", await self.ask("standing", question, Standing, key=asked))

    async def may_move(self, ref: str, resource: Resource[Any], *, key: str | None) -> bool:
        name = await self._name(ABOVE.get(), ref, resource, "update", key, None)
        question = partial(may_move, self._run.engine, name.kind, name.identity or "")
        return bool(await self.ask("may move", question, bool, key=f"{name.kind} {name.identity}"))

    async def pass_over(self, ref: str, ones: Mapping[str, Left]) -> Mapping[str, Rest]:
        asked = await self._about_to_do(ref, ones)
        question = partial(at_rest.find, self._run, self._targets, asked)
        first = next(iter(asked), "")
        found = cast("dict[str, Rest]", await self.ask("at rest", question, dict[str, Rest], key=f"{ref} {first}"))
        for key, rest in found.items():
            if rest.looked_at is not None and key in asked:
                at_rest.pass_over(self._run, asked[key])
        return found

    async def _about_to_do(self, ref: str, ones: Mapping[str, Left]) -> dict[str, at_rest.Asked]:
        asked: dict[str, at_rest.Asked] = {}
        for key, left in ones.items():
            name = await self._name(ABOVE.get(), ref, left.resource, "update", key, None)
            named = None if name.owned else name.identity
            asked[key] = at_rest.Asked(key_of(ABOVE.get(), ref, name.kind, "update", key, named), name, left)
        return asked

    async def look_ahead(self, ref: str, ones: Mapping[str, Left], judge: Judge) -> Mapping[str, str]:
        asked = await self._about_to_do(ref, ones)
        question = partial(ahead.look, self._run, self._targets, asked, judge)
        return cast("dict[str, str]", await self.ask("ahead", question, dict[str, str], key=ref))

    async def keep_children(self, ref: str | None = None, *, among: Collection[tuple[str, str]] | None = None) -> None:
        at_rest.keep(self._run, ABOVE.get(), ref, among)

    def remark(self, message: str) -> None:
        self.progress(message)

    async def let_go(self, kind: str, identity: str) -> Sequence[str] | None:
        return await children.let_go(self._run, self, RecordId(kind, identity))

    async def cycle_children(self) -> None:
        await children.cycle(self._run, self)

    async def standing_children(self) -> Sequence[Below]:
        found = await self.ask("children", partial(children.standing_below, self._run), list[Below])
        return cast("list[Below]", found)

    async def cycle_child(self, child: Below, *, on_drift: OnDrift) -> bool:
        return await children.cycle_one(self._run, self, child, on_drift)

    async def drifted(self, below: Sequence[Below]) -> Sequence[int]:
        return cast("list[int]", await self.ask("drifted", partial(children.drifted, self._run, below), list[int]))

    async def restore_children(self, to: Revision[Any]) -> None:
        await restoring.restore(self._run, self, cast("StoredRevision", to))

    async def uninstall_children(self) -> None:
        await children.uninstall(self._run, self)

    def counted(self, differences: Sequence[Difference]) -> Sequence[Difference]:
        kind, _ = self._run.record_id or (self._run.pages.execution.kind, "")
        return self._run.engine.drift.sorted_out(differences, kind, self.tenant)[0]

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
        if self._run.record_id is None:
            raise Refused("only a Resource's cycle records what it found")
        seen = Seen(
            differences=differences,
            unchecked=unchecked,
            ignored=ignored,
            checked=checked,
            error=error,
            left=left,
            stopped=stopped,
            outputs=outputs,
        )
        return await take(self._run, self, self._run.record_id, seen)

    def opens(self, target: Target) -> None:
        self._run.found.add(realm_of(target))

    def leaves(self, *things: str) -> None:
        self._run.residue += [self._run.engine.codec.mask(thing) for thing in things]

    def allow_loss(self, what: str, *, part: str = "") -> None:
        execution, record = self._run.pages.execution, self._run.record
        kind, identity = self._run.record_id or (execution.kind, "")
        stateful = bool(part or options_of(self._run.engine.registry.resource(kind)).get("stateful"))
        protected = record is not None and record.protect
        name = f"{identity}/{part}" if part else identity
        if (stateful or protected) and not self._run.approval.accepts(kind, name):
            why = "it holds data" if stateful else "it is protected"
            raise Refused(
                f"{what}, and {why}. Leave that as it is, make a new one under another name, or accept the loss by "
                f"name: --accept-loss '{kind} {name}'"
            )
        if stateful:
            self._run.lost.add((kind, identity))

    @contextmanager
    def scope(self, name: str) -> Generator[None]:
        above = ABOVE.get(None)
        mark = ABOVE.set(StepKey(f"{above}/{name}" if above else name))
        try:
            yield
        finally:
            ABOVE.reset(mark)

    @contextmanager
    def admitted(self) -> Generator[None]:
        mark = ADMITTED.set(True)
        try:
            yield
        finally:
            ADMITTED.reset(mark)

    def do(
        self,
        ref: str,
        step: Step[T],
        *,
        key: str | None,
        once: bool,
        undo: Step[Any] | Callable[[T], Step[Any]] | None,
        target: Target | Sequence[Target] | None,
        was: str | None,
        options: StepOptions,
    ) -> Coroutine[Any, Any, T]:
        call = Call.at(sys._getframe(2), "do", ref, ABOVE.get(StepKey("")))  # noqa: SLF001 - who called `self.do`
        wanted = Wanted(call, step, key=key, once=once, undo=undo, target=target, was=was, options=options)
        coroutine = self._do(wanted)
        self._run.calls.add(call, coroutine)
        return coroutine

    async def _do(self, wanted: Wanted) -> Any:
        run, call = self._run, wanted.call
        run.calls.begun(call)
        await self._allowed(call)
        check_step(call, wanted.step)
        subject, command = subject_of(wanted.step)
        refuse_unbuilt(call.ref, subject, wanted.options)
        if command == "update" or not isinstance(subject, Resource):
            check_adopts(call.ref, subject, wanted.options)
        if wanted.once and run.record_id is None:
            raise UsageError(f"{call.ref}: once=True needs a Resource above, whose record remembers it")
        return await self._attempted(wanted)

    async def _attempted(self, wanted: Wanted) -> Any:
        run = self._run
        subject, command = subject_of(wanted.step)
        above, ref = wanted.place or (ABOVE.get(), wanted.call.ref)
        name = await self._name(above, ref, subject, command, wanted.key, wanted.was)
        if isinstance(wanted.step, Action):
            request = self._request(wanted, name)
            run.ask(request)
            return await request.future
        return await attempts(run, lambda attempt: self._request(wanted, name, attempt))

    async def _name(
        self, above: StepKey, ref: str, subject: Step[Any], command: str, key: str | None, was: str | None
    ) -> Name:
        """What a step is known by; of a Resource that had other kinds, only the store may know it."""
        name = self._run.names.find(subject, command, above, ref, key, was)
        if name.sure or name.identity is None:
            return name
        return replace(name, kind=await self._record_kind(type(subject), name.identity))

    async def _record_kind(self, cls: type[Step[Any]], identity: str) -> str:
        kinds = kinds_of(cls)
        if len(kinds) == 1:
            return kinds[0]
        question = partial(record_kind, self._run.engine.store, kinds, identity)
        return cast("str", await self.ask("kind", question, str, key=f"{kinds[0]} {identity}"))

    async def _wait_for(
        self, call: Call, event: type[E], where: Callable[[E], bool] | None, timeout: timedelta | None
    ) -> E:
        run = self._run
        run.calls.begun(call)
        await self._allowed(call)
        refuse_to_wait(run, call)
        request = waiting(run, call, event, where)
        run.ask(request)
        try:
            async with asyncio.timeout(None if timeout is None else timeout.total_seconds()):
                return cast("E", await request.future)
        except TimeoutError:
            raise TimeoutError(f"{call.ref}: no {request.kind} that fits has come within {timeout}") from None

    def repeat(
        self, ref: str, step: Step[T], *, every: timedelta, until: Callable[[T], bool], options: StepOptions
    ) -> Coroutine[Any, Any, T]:
        call = Call.at(sys._getframe(2), "repeat", ref, ABOVE.get(StepKey("")))  # noqa: SLF001 - who called it
        coroutine = self._repeat(call, step, every, until, options)
        self._run.calls.add(call, coroutine)
        return coroutine

    async def _repeat(
        self, call: Call, step: Step[T], every: timedelta, until: Callable[[T], bool], options: StepOptions
    ) -> T:
        run, above = self._run, ABOVE.get(StepKey(""))
        run.calls.begun(call)
        await self._allowed(call)
        check_step(call, step)
        refuse_to_wait(run, call)
        refuse_unbuilt(call.ref, subject_of(step)[0], options)

        async def do(time: int) -> Any:
            each = replace(call, ref=str(time), above=request.key)
            return await self._attempted(Wanted(each, step, options=options, place=(above, call.ref), **PLAIN))

        request = repeating(run, call, step, options)
        repeat = Repeat(run, request.key, do, every, until)
        request.begin = lambda: begin(run, self, request, repeat.define)
        run.ask(request)
        return cast("T", await request.future)

    async def ask(self, ref: str, what: Callable[[], Any], returns: Any, *, key: str = "") -> Any:
        """A question of the engine's own to the store, journalled like a step."""
        own = step_key(ABOVE.get(), f"~{ref}", "ask", "main", key)
        if own in self._run.open:  # two ask at once
            return await asyncio.shield(self._run.open[own].future)
        request = Request(
            key=own,
            ref=ref,
            kind="ask",
            command="main",
            step=None,
            argument="null",
            digest="",
            returns=returns,
            options=Options(idempotent=True),
            targets=self._targets,
            future=self._run.loop.create_future(),
            hidden=True,
            ask=what,
        )
        self._run.ask(request)
        return await request.future

    async def command(self, child: "children.Known", command: str, extra: dict[str, Any]) -> Any:
        """Run a command of a child that is known from the store alone."""
        run, codec = self._run, self._run.engine.codec
        text = codec.encode(extra, dict[str, Any])
        cls = run.engine.registry.resource(child.kind)
        request = Request(
            key=step_key(ABOVE.get(), child.ref, child.kind, command, child.identity),
            ref=child.ref.split("/")[-1],
            kind=child.kind,
            command=command,
            step=None,
            argument=child.argument,
            digest=codec.digest(child.kind, command, codec.decode(child.argument, Any), text),
            returns=result_of(cls, command),
            options=cast("Options", {**options_of(cls), **child.options}),
            hands_down=text_of(options_of(cls).get("executor", self._executor)),
            targets=child.targets,
            places=child.places,
            future=run.loop.create_future(),
            identity=child.identity,
            owned=child.owned,
            extra=text,
            references=child.references,
        )
        run.ask(request)
        return await request.future

    # How a `do` becomes a request.

    async def _allowed(self, call: Call) -> None:
        ref = call.ref
        if self._run.abandoned:
            await self._run.loop.create_future()
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not self._run.loop:
            raise Refused(
                f"{ref}: `{call.what}` is there only in a definition, not in main() or a thread ({call.where()}): do "
                f"it one level up"
            )
        if RUNNING.get(None) is not self:
            raise UsageError(
                f"{ref}: `{call.what}` was called on another definition's self ({call.where()}); only the one that is "
                f"running does steps of its own: hand over what it needs, and do it there"
            )
        if self._run.barred and self._run.main not in self._run.settling:
            raise BarredError(f"{ref}: it was cancelled, and its grace is over")
        if self._run.closed and not self._run.reverting and not ABOVE.get().startswith(f"{UNDO}/"):
            await asyncio.sleep(0)
            raise asyncio.CancelledError(f"{ref}: no more steps are started")
        check_name("a ref", ref, call.where)

    def _request(self, wanted: Wanted, name: Name, attempt: int = 1) -> Request:
        request = request_of(self._run, self._targets, self._executor, wanted, name, attempt)
        if isinstance(request.step, Workflow):
            executor = request.options.get("executor", self._executor)
            nested = RunFlow(self._run, request.targets, request.key, executor)
            request.begin = lambda: begin_nested(self._run, nested, request)
        return request


async def run_root(run: "Run", step: Action[Any, Any] | Workflow[Any], targets: dict[str, Json]) -> Any:
    """Do the one step that an execution without a record is about."""
    flow = RunFlow(run, targets, StepKey("run"), executor_of(run.engine, run.pages.execution))
    enter("run", flow)
    if isinstance(step, Workflow):
        bind(step, flow)
        return await step.define()
    try:
        return await flow.do(
            kind_of(type(step)), step, key=None, once=False, undo=None, target=None, was=None, options={}
        )
    except ExecutionFailed as failed:
        raise ExecutionFailed(replace(failed.failure, path=failed.failure.path[1:])) from None
