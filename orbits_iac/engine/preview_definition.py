"""The preview of one definition, with the Workflows in it: run as far as records carry it.

The definition stands on a loop of its own, as in a run. A branch that needs what is not known stays where it is, and
the others go on. Time passes only where nothing is waited for: which of a timer and a step comes first is not known.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from orbits_iac.engine.above import ABOVE
from orbits_iac.engine.loop import definition_loop
from orbits_iac.engine.names import Names
from orbits_iac.engine.naming import returns_of
from orbits_iac.engine.preview_flow import Asked, PreviewFlow
from orbits_iac.engine.preview_records import command_change, command_outputs
from orbits_iac.engine.revisions import StoredRevision
from orbits_iac.model.approvals import named_below
from orbits_iac.model.errors import ExecutionFailed, Failure, OutOfReach, Refused, UsageError, message_of
from orbits_iac.model.ids import StepKey, refs
from orbits_iac.model.plans import Change, Verb
from orbits_iac.model.rows import Child, Json, OnceRow
from orbits_iac.model.states import State
from orbits_iac.steps.action import Action, InProgress
from orbits_iac.steps.hook import is_hook
from orbits_iac.steps.resource import Resource
from orbits_iac.steps.step import Step, bind
from orbits_iac.steps.workflow import Workflow
from orbits_iac.store.contract import Journal

if TYPE_CHECKING:
    from orbits_iac.codec import Codec
    from orbits_iac.engine.engine import Engine
    from orbits_iac.engine.preview import Preview

NOTHING = object()
"""The outputs of what has none yet."""

AT_ONCE = 64
"""Of the steps under one ref, how many are looked at at a time: each takes memory for all that is below it."""

Judge = Callable[[str, Change], str]
"""What is to be said of a change, by the key of what is done."""

_LONGEST = 1000  # characters of what a judge says of one
_OUTSIDE = "something outside"
_TOP = StepKey("")


class Looking:
    """The preview of one definition."""

    def __init__(  # noqa: PLR0913 - what one definition is previewed with
        self,
        preview: "Preview",
        record: tuple[str, str] | None,
        targets: dict[str, Json],
        *,
        once: dict[str, OnceRow] | None = None,
        standing: StoredRevision | None = None,
        children: tuple[Child, ...] = (),
        tenant: str | None = None,
        above: tuple[tuple[str, str], ...] = (),
        journal: Journal | None = None,
        adopts: Mapping[str, str] | None = None,
        name: str = "",
    ) -> None:
        self.preview = preview
        self.engine = preview.engine
        self.record = record
        self.tenant = tenant
        self.standing = standing
        self.adopts = adopts  # what is there of it and below, by its names; None: nothing is to be adopted
        self.called = name or (adopts or {}).get("", "")
        self.names = Names(record, children, {})
        self.loop = definition_loop(self.engine.clock.now())
        self.flow = PreviewFlow(self, targets)
        self.done: set[tuple[str, str]] = set()  # the Resources that it does
        # The refs (None: all of them) under which what was done stays, and which of it; None: all.
        self.keeps: dict[str | None, frozenset[tuple[str, str]] | None] = {}
        self.before_update: list[str] = []  # what it reads the outputs of, and would be updated before
        self.remarks: list[str] = []  # what whoever approves it has to know
        self.lets_go: set[tuple[str, str]] = set()  # the children that go, whatever is approved
        self._above = above
        self._reads = False  # hooks are called: all of them only read
        self._returned: Any = None  # by the definition, if it came to its end
        self._entries = {entry.key: entry for entry in journal.entries} if journal is not None else {}
        self._once = once or {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._asked: dict[StepKey, Asked] = {}
        self._new: list[Asked] = []
        self._outside: list[tuple[str, asyncio.Future[Any]]] = []
        self._questions: list[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]] = []
        self._ahead: list[tuple[str, Collection[str], Judge, asyncio.Future[dict[str, str]]]] = []

    async def follow(
        self, step: Step[Any], definition: Callable[[], Any], scope: str
    ) -> tuple[tuple[Change, ...], tuple[str, ...]]:
        """What a definition would do, and the steps on whose outcome depends what else it does.

        Raises `ExecutionFailed` with the path of what failed; a `Refused` of the definition itself as it is.
        """
        self._asked, self._outside, self.done, self._returned = {}, [], set(), None
        bind(step, self.flow)

        async def main() -> Any:
            ABOVE.set(StepKey(scope))
            return await definition()

        task = self.loop.create_task(main())
        try:
            while not task.done():
                self.loop.drain()
                if not (await self._answer_all() or task.done() or await self._answer_ahead() or self._pass_time()):
                    break
            waits = () if task.done() else self._waits() or (_OUTSIDE,)
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error if isinstance(error, (Refused, ExecutionFailed)) else self._failed(error)
            self._returned = task.result() if task.done() else None
            self.done = {
                (asked.kind, asked.identity)
                for asked in self._asked.values()
                if isinstance(asked.subject, Resource) and asked.command == "update" and asked.identity
            }
            return self._tree(), waits
        finally:
            self._asked = {}  # what its `finally` clauses do on their way out is not part of it
            self.loop.abandon()

    async def found(self, resource: Resource[Any]) -> Any:
        """What is live of a Resource without a record, as its `define_adopt` tells by its hooks; or `NOTHING`."""
        if type(resource).define_adopt is Resource.define_adopt:
            return NOTHING
        self._reads = True
        await self.follow(resource, resource.define_adopt, "adopt")
        return NOTHING if self._returned is None else self._returned

    def ask(self, asked: Asked) -> None:
        """Take up a `do` of the definition."""
        if asked.key in self._asked:
            raise UsageError(
                f"{'.'.join(refs(asked.key))}: {asked.kind} is done twice under the ref "
                f"{asked.ref!r} in one run; give each its own key=, as in do({asked.ref!r}, ..., key=...)"
            )
        self._asked[asked.key] = asked
        if not isinstance(asked.subject, Workflow):
            self._new.append(asked)

    async def wait_outside(self, name: str) -> Any:
        """Wait for what nobody knows yet, for ever."""
        future = self.loop.create_future()
        self._outside.append((name, future))
        return await future

    async def question(self, what: Callable[[], Awaitable[Any]]) -> Any:
        """Ask the store, from the definition."""
        future = self.loop.create_future()
        self._questions.append((what, future))
        return await future

    async def look_ahead(self, ref: str, keys: Collection[str], judge: Judge) -> dict[str, str]:
        """What a judge says of what was asked for under a ref and these keys, once all else has been answered."""
        future: asyncio.Future[dict[str, str]] = self.loop.create_future()
        self._ahead.append((ref, keys, judge, future))
        return await future

    def failed_at(self, asked: Asked, error: BaseException) -> ExecutionFailed:
        """What the definition gets from a step that would fail; the change says so."""
        failed = error if isinstance(error, ExecutionFailed) else self._failed(error)
        asked.change = Change(verb=Verb.UNKNOWN, detail=f"fails: {failed.error_type}: {failed.message}")
        return ExecutionFailed(failed.failure.above(asked.ref))

    def _failed(self, error: BaseException) -> ExecutionFailed:
        failure = Failure.of(error)
        return ExecutionFailed(replace(failure, message=self.engine.codec.mask(failure.message)))

    async def _answer_all(self) -> bool:
        """Answer what was asked since the last time; whether there was anything."""
        new, self._new = self._new, []
        questions, self._questions = self._questions, []
        for what, future in questions:
            try:
                future.set_result(await what())
            except Refused as error:
                future.set_exception(error)
        for _, alike in groupby(new, lambda asked: (asked.ref, asked.kind)):
            await asyncio.gather(*map(self._answered, alike))
        return bool(new or questions)

    async def _answer_ahead(self) -> bool:
        """Let judges say of what is known by now; whether there was anything to say."""
        ahead, self._ahead = self._ahead, []
        for ref, keys, judge, future in ahead:
            asked = {one.name: one for one in self._asked.values() if one.ref == ref and one.name in keys}
            said = {key: await self._judged(key, one, judge) for key, one in asked.items()}
            future.set_result({key: text for key, text in said.items() if text})
        return bool(ahead)

    async def _judged(self, key: str, asked: Asked, judge: Judge) -> str:
        if not asked.change:
            return ""
        if asked.change.verb is Verb.UNKNOWN:
            error = asked.future.exception() if asked.future.done() else None
            out_of_reach = isinstance(error, ExecutionFailed) and error.caused_by(OutOfReach)
            return "" if out_of_reach else f"it cannot be previewed: {asked.change.detail.removeprefix('fails: ')}"
        return await judged(self.engine, asked.tenant or self.tenant, judge, key, asked.change)

    async def _answered(self, asked: Asked) -> None:
        """Answer one; those under one ref are answered at a time, each with all that is below it."""
        try:
            async with self._slots:
                await self._answer(asked)
        except Exception as error:  # noqa: BLE001 - whatever a user's definition or hook raises is the step's end
            asked.future.set_exception(self.failed_at(asked, error))

    def _pass_time(self) -> bool:
        """Let the next timer fire, unless something that is waited for may come before it."""
        timer = self.loop.next_timer()
        if timer is None or self._waits():
            return False
        self.loop.stand_at(timer)
        self.loop.fire()
        return True

    def _waits(self, below: str = "") -> tuple[str, ...]:
        """What is waited for; of the steps only those below this key."""
        steps = [asked for asked in self._asked.values() if not isinstance(asked.subject, Workflow)]
        steps = [asked for asked in steps if asked.key.startswith(below)]
        names = [".".join(refs(asked.key)) for asked in steps if not asked.future.done()]
        outside = [name for name, future in self._outside if not future.done()]
        return tuple(dict.fromkeys((*names, *outside)))

    def is_done(self, asked: Asked) -> bool:
        """Whether a step is done already: once for all, or by the execution that this is a preview of."""
        return self._has_ended(asked) or self._done_once(asked)

    def _has_ended(self, asked: Asked) -> bool:
        entry = self._entries.get(asked.key)
        if entry is None or entry.seq is None:
            return False
        if entry.state is State.SUCCESS:
            asked.change = Change(verb=Verb.SKIP, detail="done")
            asked.future.set_result(self.engine.codec.decode(entry.result or "null", returns_of(asked.step)))
        else:
            failure = entry.failure or Failure(error_type=entry.state.value, message="failed")
            asked.change = Change(verb=Verb.SKIP, detail=f"failed: {failure.message}")
            asked.future.set_exception(ExecutionFailed(failure.above(asked.ref)))
        return True

    def _done_once(self, asked: Asked) -> bool:
        if not asked.once or isinstance(asked.subject, Resource):
            return False
        standing = self.names.remembered(self._once, asked.key, asked.kinds)
        if standing is None or standing.digest not in asked.kinds.values():
            return False
        asked.change = Change(verb=Verb.SKIP, detail="done once already")
        asked.future.set_result(self.engine.codec.decode(standing.result, returns_of(asked.step)))
        return True

    async def _answer(self, asked: Asked) -> None:
        subject = asked.subject
        if self.is_done(asked):
            return
        if self._reads and isinstance(subject, Action) and is_hook(type(subject)):
            await self._read(asked, subject)
        elif not isinstance(subject, Resource):
            self._action(asked)
        elif asked.command == "update":
            names = asked.options.get("as_found")
            if names is None and self.adopts is not None:
                names = named_below(self.adopts, asked.key)
            change, outputs = await self.preview.resource(
                subject,
                asked.identity or "",
                asked.targets,
                tenant=asked.tenant or self.tenant,
                above=self._above,
                adopt=bool(asked.options.get("adopt")),
                adopts=names,
            )
            asked.change = change
            if outputs is NOTHING and returns_of(asked.step) is type(None):
                outputs = None
            if outputs is not NOTHING:
                asked.future.set_result(outputs)
        else:
            asked.change = await command_change(self.engine, asked.step, asked.identity or "", inside=True)
            if asked.change.verb is Verb.REMOVE:
                self.preview.removed.add(f"{asked.change.kind} {asked.change.identity}")
            outputs = await command_outputs(self.engine, asked.step, asked.identity or "")
            if outputs is not NOTHING:
                asked.future.set_result(outputs)

    async def _read(self, asked: Asked, step: Action[Any, Any]) -> None:
        asked.change = Change(verb=Verb.RUN, whole=True)
        bind(step, PreviewFlow(self, asked.targets))
        value = await called(self.engine, self.tenant, step.main)
        if not isinstance(value, InProgress):  # what is not known at once ends the branch
            codec, returns = self.engine.codec, returns_of(asked.step)
            asked.future.set_result(codec.decode(codec.encode(value, returns), returns))

    def _action(self, asked: Asked) -> None:
        asked.change = Change(verb=Verb.RUN, no_return=bool(asked.options.get("no_return")), whole=True)
        if returns_of(asked.step) is type(None) or self.adopts is not None:  # it is taken as done, as `rebuilding` does
            asked.future.set_result(None)

    def _tree(self) -> tuple[Change, ...]:
        """The changes of the steps, in their order, those of a Workflow below it."""
        below: dict[StepKey, list[Asked]] = {}
        for asked in self._asked.values():
            below.setdefault(self._workflow_of(asked), []).append(asked)

        def changes(key: StepKey) -> tuple[Change, ...]:
            return tuple(change(asked) for asked in below.get(key, ()))

        def change(asked: Asked) -> Change:
            found = asked.change if asked.change is not None else self._of_workflow(asked)
            parts = changes(asked.key) or found.below
            if found.verb is Verb.UNCHANGED and any(parts):
                found = replace(found, verb=Verb.RUN)
            return replace(
                found,
                ref=f"{asked.ref}[{asked.name}]" if asked.name else refs(asked.key)[-1],
                kind=asked.kind,
                key=asked.key,
                digest=asked.digest,
                below=parts,
            )

        return changes(_TOP)

    def _of_workflow(self, asked: Asked) -> Change:
        """A Workflow that has not failed: what it does itself is what its steps do."""
        if asked.future.done():
            return Change(verb=Verb.UNCHANGED)
        waits = self._waits(f"{asked.key}/")
        return Change(verb=Verb.RUN, waits=waits, detail=then(waits))

    def _workflow_of(self, asked: Asked) -> StepKey:
        """The key of the innermost Workflow that does this step."""
        above = asked.key.rpartition("/")[0]
        while above:
            other = self._asked.get(StepKey(above))
            if other is not None and isinstance(other.subject, Workflow):
                return other.key
            above = above.rpartition("/")[0]
        return _TOP


async def called(engine: "Engine", tenant: str | None, hook: Callable[..., Any], *arguments: Any) -> Any:
    """What a hook returns; one that is no coroutine function runs in a thread, as its tenant's turn comes."""
    if inspect.iscoroutinefunction(hook):
        return await hook(*arguments)
    thread = await engine.threads.begin(tenant, partial(copy_context().run, hook, *arguments))
    return await asyncio.shield(thread)  # it cannot be stopped: one that nobody waits for any more goes on


def then(waits: tuple[str, ...]) -> str:
    """What of a change is not known yet, for people."""
    return f"then what depends on {', '.join(waits)}" if waits else ""


async def judged(engine: "Engine", tenant: str | None, judge: Judge, key: str, change: Change) -> str:
    """What a judge says of a change, its secrets masked; why it says nothing, if it raises."""
    try:
        said = await called(engine, tenant, judge, key, change)
    except Exception as error:  # noqa: BLE001 - whatever a user's judge raises
        return unseen(engine.codec, error)
    return engine.codec.mask(said)[:_LONGEST] if said else ""


def unseen(codec: "Codec", error: Exception) -> str:
    """What is said of what cannot be previewed, with why."""
    why = message_of(error, codec.mask)
    return f"it cannot be previewed: {why if isinstance(error, ExecutionFailed) else f'{type(error).__name__}: {why}'}"
