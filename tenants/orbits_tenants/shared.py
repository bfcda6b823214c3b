"""What several tenants use together: a stage of a roll-out before its waves, and what goes with the last who uses it.

What always holds: each is done once, however many use it. One that fails goes back by itself, and holds back those
tenants alone that use it. Nothing is removed that a tenant uses, by what its class says now or said when it was rolled
out last; and no list removes anything: only a tenant's removal does, or its expiry. Called by `waves` and `tenants`.
"""

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orbits_iac import ExecutionFailed, Resource
from orbits_iac.provider import Left, RecordId, Rest, UsageError, kind_of
from orbits_tenants.amounts import is_amount
from orbits_tenants.outcome import failed, left_out, said_of, succeeded
from orbits_tenants.report import OK, Report, TenantReport, TenantState
from orbits_tenants.rollout import Cut
from orbits_tenants.superseded import Superseded
from orbits_tenants.tenant import SHARED, Tenant
from orbits_tenants.unchanged import passed_over

if TYPE_CHECKING:
    from orbits_tenants.tenants import Tenants


def used_by(fleet: "Tenants[Any]", tenant: Tenant) -> dict[str, Resource[Any]]:
    """What a tenant uses together with others, by kind and identity; UsageError for what cannot be shared."""
    found: dict[str, Resource[Any]] = {}
    for one in fleet.shared(tenant):
        if not isinstance(one, Resource):
            raise UsageError(f"tenant {tenant.id}: shared() returns Resources, and {one!r} is none")
        identity = one.identity()
        if identity is None:
            raise UsageError(
                f"tenant {tenant.id}: {kind_of(type(one))} is shared and has no identity(): give it one, by which all "
                f"who use it name the same"
            )
        found[f"{kind_of(type(one))} {identity}"] = one
    return found


def refuse_unlike(used: Mapping[str, Mapping[str, Resource[Any]]]) -> None:
    """Raise UsageError where two tenants, by whose ids this is what they use, want the same thing otherwise."""
    _, unlike = _wanted(used)
    for why in unlike.values():
        raise UsageError(why)


def without(cuts: Sequence[Cut], held: Collection[str]) -> list[Cut]:
    """The waves without these tenants.

    A wave by number in which nobody is left takes as many from those by number that come after it, so that there is a
    canary still; one by labels stays there, empty, since nobody else can stand for those whom it names.
    """
    members = [[tenant for tenant in cut.tenants if tenant.id not in held] for cut in cuts]
    for at, cut in enumerate(cuts):
        lacking = 0 if members[at] or not is_amount(cut.name) else len(cut.tenants)
        for later in range(at + 1, len(cuts)) if lacking else ():
            if is_amount(cuts[later].name):
                room = lacking - len(members[at])
                members[at] += members[later][:room]
                members[later] = members[later][room:]
    return [
        replace(cut, tenants=tuple(those))
        for cut, those in zip(cuts, members, strict=True)
        if those or not is_amount(cut.name)
    ]


class Sharing:
    """What the tenants of a fleet share, in one roll-out."""

    def __init__(self, fleet: "Tenants[Any]", before: Report) -> None:
        """Prepare it; `before`: the report of the last roll-out."""
        self._fleet = fleet
        self._before = before
        self._used: dict[str, dict[str, Resource[Any]]] = {}
        self._done: dict[str, TenantReport] = {}

    def of(self, tenant: Tenant) -> Mapping[str, Resource[Any]]:
        """What a tenant uses together with others, by kind and identity; raises what its class's `shared` raises."""
        if tenant.id not in self._used:
            self._used[tenant.id] = used_by(self._fleet, tenant)
        return self._used[tenant.id]

    def steps(self, tenants: Iterable[Tenant]) -> "Iterator[Coroutine[Any, Any, Any]]":
        """What a preview does for these tenants: each thing once."""
        return (self._do(name, one) for name, one in self._wanted_by(tenants)[0].items())

    async def preview(self, tenants: Iterable[Tenant], ending: Iterable[Tenant]) -> None:
        """Show what those who end were the last to use, if all went well with these tenants; all else stays."""
        before = {id_: one.model_copy(update={"earlier": True}) for id_, one in self._before.tenants.items()}
        others = {one.id: left_out(one, None, TenantState.NOT_STARTED) for one in tenants}
        ended = {one.id: left_out(one, None, TenantState.ENDED) for one in ending}
        reports = self.noted({**before, **others, **ended})
        await self.let_go(reports)
        await self.keep(reports)

    async def roll_out(self, tenants: Sequence[Tenant]) -> dict[str, str]:
        """Do what these tenants use, as much at a time as there is room for.

        Returns those who use something that has failed, by their ids, with what that is: nothing is to be done to them.
        """
        wanted, unlike = self._wanted_by(tenants)
        if not wanted and not unlike:
            return {}
        flow = self._fleet.execution
        flow.progress(f"before the waves: {', '.join([*wanted, *unlike])}")
        lasts = {name: self._before.shared.get(name) for name in wanted}
        rests = await flow.pass_over(SHARED, {name: _left(one, lasts[name]) for name, one in wanted.items()})
        slots, superseded = asyncio.Semaphore(self._fleet.rollout.max_concurrency), Superseded(flow)

        async def one(name: str) -> TenantReport | None:
            last, rest = lasts[name], rests.get(name)
            if last is not None and rest is not None and rest.looked_at is not None:
                return passed_over(last, rest, flow.now())
            async with slots:
                return None if superseded else await self._one(name, wanted[name], rest)

        came = zip(wanted, await asyncio.gather(*map(one, wanted)), strict=True)
        self._done = {name: report for name, report in came if report is not None}
        self._done |= {
            name: TenantReport(state=TenantState.FAILED, wave="", error=f"UsageError: {why}")
            for name, why in unlike.items()
        }
        waits = {tenant.id: self._failed_of(tenant) for tenant in tenants}
        return {id_: f"waits for {', '.join(names)}" for id_, names in waits.items() if names}

    def awaited_by(self, tenant: Tenant) -> str:
        """What a tenant waits for by the time it is its turn; "" if all that it uses was done, and went well.

        One that was paused when that was done was not asked about then.
        """
        if bad := self._failed_of(tenant):
            return f"waits for {', '.join(bad)}"
        left = ", ".join(name for name in self._names(tenant) if name not in self._done)
        return f"waits for {left}: not done in this roll-out, since all who use it were paused" if left else ""

    def _failed_of(self, tenant: Tenant) -> list[str]:
        return [name for name in self._names(tenant) if name in self._done and self._done[name].state not in OK]

    async def _one(self, name: str, one: Resource[Any], rest: Rest | None) -> TenantReport:
        flow, digest = self._fleet.execution, "" if rest is None else rest.digest
        began = flow.now()
        try:
            await self._do(name, one)
        except ExecutionFailed as error:
            report = failed(None, "", await flow.standing(SHARED, one, key=name), error)
        else:
            report = succeeded(None, "", await flow.standing(SHARED, one, key=name), digest)
        return report.model_copy(update={"began": began, "ended": flow.now()})

    async def _do(self, name: str, one: Resource[Any]) -> Any:
        return await self._fleet.do(SHARED, one, key=name, shared=True)

    def noted(self, reports: Mapping[str, TenantReport]) -> dict[str, TenantReport]:
        """The reports, each with what its tenant uses: until it is brought to what it wants, what it had as well."""
        noted: dict[str, TenantReport] = {}
        for id_, one in reports.items():
            had = self._before.tenants[id_].shared if id_ in self._before.tenants else ()
            now = self._names(one.tenant) if one.tenant is not None else ()
            uses = now if one.state in OK and not one.earlier else tuple(dict.fromkeys((*had, *now)))
            uses = () if one.state is TenantState.ENDED else uses
            noted[id_] = one if one.shared == uses else one.model_copy(update={"shared": uses})
        return noted

    async def let_go(self, reports: Mapping[str, TenantReport]) -> None:
        """Let go of what those who have ended were the last to use, the last done first."""
        gone = dict.fromkeys(id_ for id_, one in reports.items() if one.state is TenantState.ENDED)
        names = self.last_used_by(gone, reports)
        if self._fleet.leaving:  # of one who was removed before something may have stayed
            used = {name for one in reports.values() for name in one.shared}
            names += [name for name in reversed(self._fleet.letting_go) if name not in {*used, *names}]
        for name in names:
            flow, last = self._fleet.execution, self._before.shared.get(name)
            try:
                stays = await flow.let_go(*RecordId.named(name))
            except Exception as error:  # noqa: BLE001 - what cannot be removed is reported, and stays
                failure = error.failure if isinstance(error, ExecutionFailed) else None
                why = said_of(error) if failure is None else f"{failure.error_type}: {failure.message}"
                report = TenantReport(state=TenantState.LEFT, wave="", error=why, left=(f"{name} stays",))
                self._done[name] = report.model_copy(update={"revision": last.revision if last is not None else None})
            else:
                if stays is not None:
                    self._done[name] = TenantReport(state=TenantState.ENDED, wave="", changed=True, left=tuple(stays))

    def last_used_by(self, gone: Collection[str], reports: Mapping[str, TenantReport]) -> list[str]:
        """What these tenants use and none of the others, the last done first."""
        before = self._before.tenants
        left = [before[id_] for id_ in gone if id_ in before and before[id_].state is not TenantState.ENDED]
        theirs = dict.fromkeys(name for one in left for name in self._all_of(one))
        others = {name for id_, one in reports.items() if id_ not in gone for name in one.shared}
        return [name for name in reversed(theirs) if name not in others]

    async def keep(self, reports: Mapping[str, TenantReport]) -> None:
        """Let what these use stay, though it was not done this time: the rest is no longer done."""
        used = dict.fromkeys(name for one in reports.values() for name in one.shared)
        await self._fleet.execution.keep_children(SHARED, among=[RecordId.named(name) for name in used])

    def reports(self, tenants: Mapping[str, TenantReport]) -> dict[str, TenantReport]:
        """What came of each thing that is shared, and of those not done this time what came of them before."""
        used = {name for one in tenants.values() for name in one.shared}
        earlier = {
            name: one.model_copy(update={"earlier": True, "changed": False})
            for name, one in self._before.shared.items()
            if name in used
        }
        return {**earlier, **self._done}

    def _all_of(self, one: TenantReport) -> tuple[str, ...]:
        now = self._names(one.tenant) if one.tenant is not None else ()
        return tuple(dict.fromkeys((*one.shared, *now)))

    def _names(self, tenant: Tenant) -> tuple[str, ...]:
        """The names of what a tenant uses; none where that cannot be told: its own report says why."""
        with suppress(Exception):
            return tuple(self.of(tenant))
        return ()

    def _wanted_by(self, tenants: Iterable[Tenant]) -> tuple[dict[str, Resource[Any]], dict[str, str]]:
        return _wanted({tenant.id: self.of(tenant) for tenant in tenants if self._names(tenant)})


def _wanted(
    used: Mapping[str, Mapping[str, Resource[Any]]],
) -> tuple[dict[str, Resource[Any]], dict[str, str]]:
    """All that tenants use, each once; and why not, of what is wanted otherwise by one than by another."""
    wanted: dict[str, Resource[Any]] = {}
    first: dict[str, str] = {}
    unlike: dict[str, str] = {}
    for id_, theirs in used.items():
        for name, one in theirs.items():
            same = wanted.setdefault(name, one)
            by = first.setdefault(name, id_)
            if name not in unlike and dict(same) != dict(one):
                fields = ", ".join(field for field in dict(one) if dict(one)[field] != dict(same)[field])
                unlike[name] = (
                    f"{name} is shared, and tenant {id_} wants it with another {fields} than tenant {by}: what "
                    f"they share is the same for all of them, or has names of its own"
                )
    return {name: one for name, one in wanted.items() if name not in unlike}, unlike


def _left(one: Resource[Any], last: TenantReport | None) -> Left:
    """A shared thing and how the last roll-out left it."""
    if last is None or last.state not in OK:
        return Left(one, labels={})
    return Left(one, labels={}, digest=last.digest, revision=last.revision)
