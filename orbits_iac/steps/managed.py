"""Managed: a Resource that is one thing in one system, made, read, changed and deleted by calls."""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self, cast

from pydantic import JsonValue, ValidationError
from pydantic_core import to_jsonable_python
from typing_extensions import TypeVar

from orbits_iac.drift.compare import Comparison, compare, json_text
from orbits_iac.drift.rules import Rules
from orbits_iac.model.outputs import Outputs
from orbits_iac.model.plans import Change, PropertyChange, Verb
from orbits_iac.model.retry import Retry
from orbits_iac.model.rows import Difference
from orbits_iac.steps.action import Action, InProgress
from orbits_iac.steps.concealed import concealed, without_digests
from orbits_iac.steps.hook import hook
from orbits_iac.steps.resource import Resource, Revision, command
from orbits_iac.steps.step import Step, bind, kind_of, options_of, result_type

S = TypeVar("S", bound=Outputs)


class Managed(Resource[S]):
    """One thing in one system: say how it is read, made, changed and deleted; the rest follows.

    The hooks are `async def` or a plain `def`, which runs in a thread. Each is durable on its own: after a crash in
    `create` the thing is read first. If it is not there it is made again with the same token; if it is there and was
    not made whole, `change` does the rest.

    `compared_by` says which properties mean the same in more than one form. `hook_retry` is how often
    the hooks are attempted, and after which errors: each may then be called again after it failed.
    """

    compared_by: ClassVar[Rules] = Rules()
    hook_retry: ClassVar[Retry] = Retry()

    def desired(self) -> Mapping[str, Any]:
        """What is compared with the fields of the same name in S; by default the fields of `self`."""
        return self.model_dump()

    def differing(self, live: S, /) -> frozenset[str]:
        """Names of the properties that differ from what is live; not those that `read` does not tell."""
        return frozenset(_top(found.path) for found in self._compared(live).differences)

    def replaces(self, live: S, /) -> Sequence[str]:
        """Names of the properties that differ and cannot be changed in place."""
        return ()

    def read(self, recorded: S | None, /) -> Awaitable[S | None] | S | None:
        """The live thing, or None if there is none. `recorded` is what was last known of it."""
        raise NotImplementedError(f"{type(self).__name__} has no read()")

    def adoptable(self) -> Awaitable[S | None] | S | None:
        """The live thing that `adopt=True` takes into the record; by default what `read` finds.

        For a `read` that refuses what nobody has recorded.
        """
        raise NotImplementedError(f"{type(self).__name__} has no adoptable()")

    def create(self) -> Awaitable[S | InProgress[S]] | S | InProgress[S]:
        """Make it. `self.execution.token` is the same if this is called again after a lost answer."""
        raise NotImplementedError(f"{type(self).__name__} has no create()")

    def change(self, live: S, /) -> Awaitable[S | InProgress[S]] | S | InProgress[S]:
        """Bring the live thing to what the fields say."""
        raise NotImplementedError(f"{type(self).__name__} has no change()")

    def settled(self, begun: S, /) -> Awaitable[S | InProgress[S]] | S | InProgress[S]:
        """Look how far it is, after `create` or `change` returned `InProgress(begun)`: the thing once it is done."""
        raise NotImplementedError(f"{type(self).__name__} returned InProgress, and has no settled()")

    def delete(self, live: S, /) -> Awaitable[InProgress[S] | None] | InProgress[S] | None:
        """Remove the live thing; no error if it is gone."""
        raise NotImplementedError(f"{type(self).__name__} has no delete()")

    def gone(self, live: S, /) -> Awaitable[InProgress[S] | None] | InProgress[S] | None:
        """Look how far it is, after `delete` returned `InProgress(live)`: None once it is gone."""
        raise NotImplementedError(f"{type(self).__name__} returned InProgress, and has no gone()")

    async def define_adopt(self) -> S | None:
        """What `adoptable` finds, or else `read`."""
        if type(self).adoptable is Managed.adoptable:
            return await self._read("read")
        returns = result_type(type(self)) | None
        found = hook(self.adoptable, returns=returns, idempotent=True, retry=self.hook_retry)
        return cast("S | None", await self.do("read", found))

    async def define_rebuild(self) -> S | None:
        """What `read` finds without a record."""
        return await self._read("read")

    async def define_update(self) -> S:
        """Read; then create, change, replace, or leave it."""
        return await self._apply()

    async def define_rollback(self, to: Revision[S]) -> S:
        """Bring it to what the revision `to` was asked for."""
        return await type(self).model_validate(to.argument)._apply_as(self)  # noqa: SLF001 - another of this class

    async def define_cycle(self) -> None:
        """Read, compare with the recorded argument, and bring it back if that is asked for."""
        found = await self._look("look")
        if found:
            await self._look("look again", before=found, made=await self._apply())

    async def define_uninstall(self) -> None:
        """Delete it, if it is there."""
        live = await self._read("read")
        if live is not None:
            await self._delete(live)

    def define_inventory(self, revision: Revision[S]) -> Step[str | None]:
        """One `read`, by what the revision published."""
        return self.look_for_remains(dict(revision.outputs))

    @command
    async def look_for_remains(self, recorded: dict[str, Any]) -> str | None:
        """Whether what was recorded once is there; None if it is gone."""
        live = await self._read("read", result_type(type(self)).model_validate(recorded))
        return None if live is None else "it is there"

    async def define_preview(self, revision: Revision[S] | None) -> Change:
        """What `define_update` would do, from one read; two where it would be replaced."""
        own = type(self).adoptable is not Managed.adoptable
        if self.execution.may_adopt and own:
            live = await _called(self.adoptable)
        else:
            live = await _called(self.read, revision.outputs if revision else None)
        if live is None:
            return Change(verb=Verb.CREATE, kind=kind_of(type(self)))
        wanted = self._keeping_ignored(live)
        differences = wanted._to_do(live, revision).differences  # noqa: SLF001 - another of this class
        if not differences:
            return Change(verb=Verb.UNCHANGED, kind=kind_of(type(self)))
        verb = Verb.REPLACE if wanted.replaces(live) else Verb.UPDATE
        if verb is Verb.REPLACE:
            await _called(self.read, None)  # what stands in the way of the new one is refused here already
        drifted = self._drifted(live, revision)
        return Change(
            verb=verb,
            kind=kind_of(type(self)),
            properties=tuple(
                PropertyChange(path=d.path, before=drifted[d.path], after=d.recorded, live=d.live)
                if d.path in drifted
                else PropertyChange(path=d.path, before=d.live, after=d.recorded)
                for d in differences
            ),
            stateful_loss=verb is Verb.REPLACE and bool(options_of(type(self)).get("stateful")),
        )

    async def _apply_as(self, other: "Managed[S]") -> S:
        """`_apply` with the argument of `self` in the execution of `other`, which may have begun to apply its own."""
        bind(self, other.execution)
        return await self._apply(other)

    async def _apply(self, begun: "Managed[S] | None" = None) -> S:
        live = await self._read("read")
        if live is None:
            return await self._create()
        revision = self.execution.revision
        wanted = self._keeping_ignored(live)
        differences = wanted._to_do(live, revision, begun).differences  # noqa: SLF001 - another of this class
        if not differences:
            return live
        drifted = self._drifted(live, revision)
        for each in differences:
            if each.path in drifted:
                was, is_, becomes = drifted[each.path], each.live, each.recorded
                self.execution.progress(f"{each.path}: it was changed from {was} to {is_}, and becomes {becomes}")
        cannot = wanted.replaces(live)
        if not cannot:
            return await wanted._change(live)  # noqa: SLF001
        self.execution.allow_loss(f"{kind_of(type(self))}: {', '.join(cannot)} cannot be changed in place")
        # What stands in the way of the new one is found out while the old one is still there.
        await self.do("look ahead", self._reading(None))
        await self._delete(live)
        return await self._create()

    async def _create(self) -> S:
        returns = result_type(type(self))
        create = hook(
            self.create,
            returns=returns,
            handle=returns,
            watch=self.settled,
            on_interrupted=self._create_interrupted,
            retry=self.hook_retry,
        )
        return cast("S", await self.do("create", create))

    async def _change(self, live: S) -> S:
        returns = result_type(type(self))
        change = hook(
            self.change,
            live,
            returns=returns,
            handle=returns,
            watch=self.settled,
            idempotent=True,
            retry=self.hook_retry,
        )
        return cast("S", await self.do("change", change))

    async def _delete(self, live: S) -> None:
        handle = result_type(type(self))
        delete = hook(self.delete, live, handle=handle, watch=self.gone, idempotent=True, retry=self.hook_retry)
        await self.do("delete", delete)

    def _compared(self, live: S) -> Comparison:
        return without_digests(compare(self._wanted(), concealed(live), self.compared_by))

    def _to_do(self, live: S, revision: Revision[S] | None, begun: "Managed[S] | None" = None) -> Comparison:
        """What differs from what is live; and, of what `read` does not tell, from what was asked for before."""
        wanted, seen = self._wanted(), concealed(live)
        unread = {name: value for name, value in wanted.items() if name not in seen}
        before = [begun, self._recorded(revision)] if unread else []
        asked = [one._wanted() for one in before if one is not None]  # noqa: SLF001 - others of this class
        differences = [d for known in asked for d in compare(unread, known, self.compared_by).differences]
        found = compare(wanted, seen, self.compared_by)
        unique = {d.path: d for d in (*found.differences, *differences)}
        return without_digests(replace(found, differences=tuple(unique.values())))

    def _drifted(self, live: S, revision: Revision[S] | None) -> dict[str, str]:
        """What somebody has changed since it was recorded: by its path, what was recorded."""
        recorded = self._recorded(revision)
        return {} if recorded is None else {d.path: d.recorded for d in recorded._compared(live).differences}  # noqa: SLF001

    def _keeping_ignored(self, live: S) -> Self:
        """The same, but for what differs from what is live and is ignored: that stays as it is live."""
        found = compare(self._wanted(), concealed(live), self.compared_by).differences
        counted = self.execution.counted(found)
        stay: dict[str, Any] = {}
        for name, *below in (re.split(r"[.\[]", d.path.replace("]", "")) for d in found if d not in counted):
            if name in type(self).model_fields and hasattr(live, name):
                stay[name] = _with_live(stay.get(name, getattr(self, name)), getattr(live, name), below)
        if not stay:
            return self
        kept = self.model_copy(update=stay)
        bind(kept, self.execution)
        return kept

    def _recorded(self, revision: Revision[S] | None) -> "Managed[S] | None":
        """What `revision` was asked for; None where that is no longer accepted: nothing is known of it then."""
        if revision is None:
            return None
        try:
            found = type(self).model_validate(revision.argument)
        except ValidationError:
            return None
        bind(found, self.execution)
        return found

    def _wanted(self) -> Mapping[str, JsonValue]:
        return concealed(self if type(self).desired is Managed.desired else self.desired())

    async def _create_interrupted(self) -> S | InProgress[S]:
        """After a crash in `create`: what is there, with what it lacks; or the same again with the same token."""
        live = await _called(self.read, None)
        if live is None:
            return cast("S | InProgress[S]", await _called(self.create))
        if not self.differing(live) and not self._wanted().keys() - concealed(live).keys():
            return cast("S", live)
        return cast("S | InProgress[S]", await _called(self.change, live))

    async def _read(self, ref: str, made: S | None = None) -> S | None:
        """What is live, by what was `made` just now, else by what is recorded."""
        revision = self.execution.revision
        recorded = made if made is not None or revision is None else revision.outputs
        return await self.do(ref, self._reading(recorded))

    def _reading(self, recorded: S | None) -> Action[S | None, Any]:
        returns = result_type(type(self)) | None
        return hook(self.read, recorded, returns=returns, idempotent=True, retry=self.hook_retry)

    async def _look(
        self, ref: str, *, before: Sequence[Difference] = (), made: S | None = None
    ) -> Sequence[Difference]:
        live = await self._read(ref, made)
        if live is None:
            differences: tuple[Difference, ...] = (
                Difference(path="", recorded=json_text(to_jsonable_python(self.desired())), live="null"),
            )
            return await self.execution.looked(differences=differences, unchecked=(), checked=0)
        found = self._compared(live)
        healed = tuple(
            Difference(path=d.path, recorded=d.recorded, live=d.live, remediated=True)
            for d in before
            if d.path not in {still.path for still in found.differences}
        )
        return await self.execution.looked(
            differences=(*healed, *found.differences),
            unchecked=found.unchecked,
            ignored=found.ignored,
            checked=found.checked,
            outputs=made,
        )


def _with_live(own: Any, live: Any, below: Sequence[str]) -> Any:
    """A value with what is live of one of its members; of anything deeper, or no mapping, the whole live one."""
    if len(below) != 1 or not isinstance(own, Mapping) or not isinstance(live, Mapping):
        return live
    rest = {name: value for name, value in own.items() if name != below[0]}
    return {**rest, below[0]: live[below[0]]} if below[0] in live else rest


def _top(path: str) -> str:
    """The property that a path, as people write it, is in."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


async def _called(method: Callable[..., Any], *arguments: Any) -> Any:
    """What a hook returns: awaited if it is `async def`, from a thread if it is a plain `def`."""
    if inspect.iscoroutinefunction(method):
        return await method(*arguments)
    return await asyncio.to_thread(method, *arguments)
