"""A roll-out as it goes: wave by wave, each tenant by itself, and back again where that was asked for.

`Tenants.define_update` runs it; it is part of that definition, and so is run again after a crash. What always holds: a
tenant that fails is a report, and stops no other; whatever is decided is decided by reports alone.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from orbits_iac import ExecutionFailed
from orbits_iac.provider import Below, RecordId, UsageError, kind_of, kinds_of
from orbits_tenants.amounts import counted, few, is_amount
from orbits_tenants.back import WayBack
from orbits_tenants.between import Between
from orbits_tenants.decisions import Decided
from orbits_tenants.doing import do_for, do_stack, preview_all
from orbits_tenants.lanes import Lanes
from orbits_tenants.outcome import carried, failed, left_out, reached_nobody, said_of, succeeded
from orbits_tenants.overrides import refuse_plain_secrets
from orbits_tenants.report import BAD, UNTRIED, Report, TenantReport, TenantState
from orbits_tenants.rollout import Cut, Rollout, in_place_of
from orbits_tenants.roster import Lately, decisions
from orbits_tenants.shared import Sharing, without
from orbits_tenants.superseded import Superseded
from orbits_tenants.tenant import REF, Tenant
from orbits_tenants.unchanged import Unchanged, pass_over

if TYPE_CHECKING:
    from orbits_iac import Resource
    from orbits_tenants.tenants import Tenants

_NAMED = 5  # paused tenants that a preview names


@dataclass(frozen=True, kw_only=True)
class Scope:
    """To whom of a fleet a roll-out goes; to all, unless something is said.

    Attributes:
        only: these alone; None: whoever.
        from_wave: the wave that is the first one; "": the first there is.

    """

    only: frozenset[str] | None = None
    from_wave: str = ""

    def has(self, tenant: str) -> bool:
        """Whether it goes to the tenant of this id, if that is in one of its waves."""
        return self.only is None or tenant in self.only

    def passed(self, cuts: Sequence[Cut]) -> list[str]:
        """Who of those that are meant is in a wave before the first one; nobody if others are in that or after it."""
        names = [cut.name for cut in cuts]
        if self.only is None or self.from_wave not in names:
            return []
        first = names.index(self.from_wave)
        if any(self.has(one.id) for cut in cuts[first:] for one in cut.tenants):
            return []
        return [one.id for cut in cuts[:first] for one in cut.tenants if self.has(one.id)]

    def cuts(self, cuts: Sequence[Cut]) -> list[Cut]:
        """The waves that are gone through, each with those who are meant; UsageError if there is none of the name."""
        names = [cut.name for cut in cuts]
        if self.from_wave and self.from_wave not in names:
            raise UsageError(
                f"from_wave: there is no wave {self.from_wave!r} with tenants; there are {', '.join(names)}"
            )
        chosen = cuts[names.index(self.from_wave) :] if self.from_wave else cuts
        meant = [replace(cut, tenants=tuple(one for one in cut.tenants if self.has(one.id))) for cut in chosen]
        return [cut for cut in meant if cut.tenants]


@dataclass(frozen=True)
class _Late:
    """One whose window was closed when its wave came, and what was known of it then."""

    cut: Cut
    tenant: Tenant
    decided: Decided
    unchanged: Unchanged


class RollOut:
    """One roll-out of a fleet to these tenants, in their order."""

    def __init__(
        self,
        fleet: "Tenants[Any]",
        tenants: Sequence[Tenant],
        *,
        before: Report,
        scope: Scope,
    ) -> None:
        """Prepare it; nothing is done before `run`.

        Args:
            fleet: whose definition this is a part of.
            tenants: the whole fleet.
            before: the report of the last roll-out.
            scope: to whom of them it goes.

        """
        self._fleet = fleet
        self._rollout: Rollout = fleet.rollout
        self._tenants = tuple(tenants)
        self._before = before.tenants
        self.sharing = Sharing(fleet, before)
        self._scope = scope
        self._lanes = Lanes(self._rollout)
        self._between = Between(fleet, self._lanes, self._before)
        self._superseded = Superseded(fleet.execution)
        self._lately = Lately(fleet)
        self.reports: dict[str, TenantReport] = {}
        self.stopped = ""

    async def run(self) -> None:
        """Go through the waves; `reports` and `stopped` say what came of it."""
        cuts = await self._with_what_they_share(self._scope.cuts(self._rollout.cut(self._tenants)))
        later: list[_Late] = []
        reached = 0
        number = 0
        while number < len(cuts):
            number, cut = number + 1, cuts[number]
            if self._superseded:
                break
            decided = await self._lately.decided(again=True)
            self._fleet.execution.progress(
                f"wave {number} of {len(cuts)} ({cut.name}): {counted(len(cut.tenants))}",
                reached / len(self._tenants),
            )
            closed = await self._update(cut, decided)
            reached += len(cut.tenants)
            last = number == len(cuts)
            if not last and closed and self._shows_nothing(cut, closed):
                await self._in_their_windows(closed)
            else:
                later += closed
            why = self._why_not_on(cut)
            if not why and is_amount(cut.name) and self._tried_nobody(cut.tenants, closed):
                cuts = in_place_of(cuts, number - 1)
                continue
            why = why or ("" if last else self._why_untried(cut))
            if not last and (not why or self._rollout.on_failure == "continue"):
                held = await self._superseded.unless(self._hold(number, cut, cuts[number]))
                why = why or held or ""
            if why and self._rollout.on_failure != "continue":
                # Else nothing is left to be stopped; but if nobody was reached, nothing else says that it went wrong.
                if not last or later or self._rollout.on_failure != "stop" or reached_nobody(self.reports.values()):
                    await self._stop(cut, why)
                break
        else:
            if later:
                late = await self._in_their_windows(later)
                why = self._why_not_on(late)
                if why and self._rollout.on_failure != "continue":
                    await self._stop(late, why)
        self._leave_out(cuts)

    async def _hold(self, number: int, cut: Cut, following: Cut) -> str:
        """Why the wave after the `number`-th does not begin; "" once it may, which some do whatever has failed."""
        why = await self._between.check(number, cut, self.reports)
        if why and self._rollout.on_failure == "continue":
            self._fleet.execution.remark(f"{why}: the roll-out goes on, as its on_failure says")
        elif why:
            return why
        await self._between.promote(number, cut, following)
        return why

    async def _in_their_windows(self, later: "Sequence[_Late]") -> Cut:
        """Update those whose windows were closed: together they are a wave, of which each begins at its time."""
        late = replace(later[-1].cut, tenants=tuple(one.tenant for one in later))
        first = min(late.tenants, key=self._opens_in)
        opens, more = self._fleet.execution.now() + self._opens_in(first), len(later) > 1
        self._fleet.execution.progress(
            f"{counted(len(later))} to be updated when {'their windows open' if more else 'its window opens'}: "
            f"{first.id} at {opens:%Y-%m-%d %H:%M} UTC{', the others later' if more else ''}"
        )
        await asyncio.gather(*(self._in_its_window(one, late) for one in later))
        return late

    async def _with_what_they_share(self, cuts: Sequence[Cut]) -> list[Cut]:
        """Do what the tenants of these waves use together; the waves without those for whom that has failed."""
        decided = await decisions(self._fleet, "shared")
        tenants = [tenant for cut in cuts for tenant in cut.tenants]
        held = await self.sharing.roll_out([tenant for tenant in tenants if not decided.about(tenant).paused])
        for cut in cuts:
            for one in (tenant for tenant in cut.tenants if tenant.id in held):
                report = left_out(one, self._before.get(one.id), TenantState.HELD_BACK, held[one.id], cut.name)
                pinned = tuple(sorted(decided.about(one).pinned))
                self.reports[one.id] = report.model_copy(update={"pinned": pinned})
        return without(cuts, held)

    async def preview(self, ending: Sequence[Tenant]) -> None:
        """Ask at once for all that a roll-out would do if it went well: what is not known yet ends a branch alone."""
        decided = await decisions(self._fleet, "before")
        cuts = self._scope.cuts(self._rollout.cut(self._tenants))
        members = [decided.about(tenant) for cut in cuts for tenant in cut.tenants]
        going = [one for one in members if not one.paused]
        if paused := [one.id for one in members if one.paused]:
            self._fleet.execution.remark(f"{len(paused)} paused: {few(paused, _NAMED)}")
        steps = [*self.sharing.steps(going), *(do_stack(self._fleet, one, self._fleet.stack_of(one)) for one in going)]
        ends = [self._ended(one) for one in ending if self._before[one.id].state is not TenantState.ENDED]
        await asyncio.gather(preview_all([*steps, *ends]), self._between.foresee(cuts))
        await self.sharing.preview(self._tenants, ending)

    def _why_not_on(self, cut: Cut) -> str:
        """Why more have failed than is tolerated, or nobody could be reached so far; "" if neither."""
        rollout = self._rollout
        if not cut.tenants:
            return f"everybody in wave {cut.name} waits for what has failed before, so nothing was tried in it"
        bad = sum(report.state in BAD for report in self.reports.values())
        here = sum(self.reports[tenant.id].state in BAD for tenant in cut.tenants if tenant.id in self.reports)
        if unreached := reached_nobody(self.reports.values()):
            return f"none of {unreached} tenants could be reached: that shows nothing of the release"
        if not rollout.tolerates(failed=bad, tenants=len(self._tenants)):
            return f"{bad} of {len(self._tenants)} tenants failed, and {rollout.failure_tolerance} may"
        if not rollout.tolerates_in_wave(failed=here, tenants=len(cut.tenants)):
            return f"{here} of {len(cut.tenants)} tenants of wave {cut.name} failed, and {rollout.wave_tolerance} may"
        return ""

    def _tried_nobody(self, tenants: Iterable[Tenant], closed: "Iterable[_Late]" = ()) -> bool:
        """Whether nothing could be done to any of these, though their wave is over; `closed`: whose windows were."""
        waiting = {one.tenant.id for one in closed}
        return all(
            tenant.id in waiting or (tenant.id in self.reports and self.reports[tenant.id].state in UNTRIED)
            for tenant in tenants
        )

    def _shows_nothing(self, cut: Cut, closed: "Iterable[_Late]" = ()) -> bool:
        """Whether a wave by labels shows nothing of the release, and nothing else has so far either."""
        if is_amount(cut.name) or not self._tried_nobody(cut.tenants, closed):
            return False
        return all(report.state in UNTRIED for report in self.reports.values())

    def _why_untried(self, cut: Cut) -> str:
        """Why the next wave does not begin after one that shows nothing; "" if it may."""
        nothing = f"nobody in wave {cut.name} could be gone to, so nothing was tried in it"
        return nothing if self._shows_nothing(cut) else ""

    async def _stop(self, cut: Cut, why: str) -> None:
        """Begin no more; bring back the wave, or all, where that was asked for."""
        self.stopped = f"stopped after wave {cut.name}: {why}"
        back = {"rollback-wave": cut.tenants, "rollback-all": self._tenants}.get(self._rollout.on_failure, ())
        way = WayBack(self._fleet, self._lanes)
        reached = [self.reports[one.id] for one in back if one.id in self.reports]
        self.reports |= await way.from_this(reached, self._before) if reached else {}

    async def expire(self, tenants: Sequence[Tenant]) -> dict[str, TenantReport]:
        """Remove those that have expired, unless the roll-out is superseded: then the next one does."""
        if not self._superseded:
            return await self.end(tenants)
        before, why = self._before, self._superseded.why
        return {
            tenant.id: before[tenant.id]
            if before[tenant.id].state is TenantState.ENDED
            else left_out(tenant, before[tenant.id], TenantState.NOT_STARTED, why)
            for tenant in tenants
        }

    async def end(self, tenants: Sequence[Tenant]) -> dict[str, TenantReport]:
        """Remove these; what cannot be removed is reported, and tried again by the next roll-out if it has expired."""
        stand = any(self._before[tenant.id].state is not TenantState.ENDED for tenant in tenants)
        below = await self._fleet.execution.standing_children() if stand else ()
        stacks: dict[str | None, list[Below]] = {}
        for child in below:
            stacks.setdefault(child.tenant if child.ref == REF else None, []).append(child)
        owners = {RecordId(child.kind, child.identity): child.tenant for child in below if child.ref == REF}
        return await self._lanes.each(tenants, lambda one: self._end(one, stacks.get(one.id, ()), owners))

    async def _end(
        self, tenant: Tenant, stacks: Sequence[Below], owners: Mapping[RecordId, str | None]
    ) -> TenantReport:
        before = self._before[tenant.id]
        if before.state is TenantState.ENDED:
            return before
        async with self._lanes.room(tenant):
            try:
                stack: Resource[Any] = self._fleet.stack_of(tenant)
                name = RecordId(kind_of(type(stack)), stack.identity() or "")
                if owners.get(name, tenant.id) != tenant.id:
                    stays = [f"{name}: it is that of tenant {owners[name]}"]
                else:
                    stays = list(await self._ended(tenant) or ())
                for child in stacks:  # what it had before its stack became another goes, too
                    if child.kind not in kinds_of(type(stack)) or child.identity != stack.identity():
                        stays += await self._fleet.execution.let_go(child.kind, child.identity) or ()
            except Exception as error:  # noqa: BLE001 - one that cannot be removed stops no other
                return left_out(tenant, before, TenantState.LEFT, said_of(error))
        return TenantReport(state=TenantState.ENDED, wave="", tenant=tenant, changed=True, left=tuple(stays))

    async def _ended(self, tenant: Tenant) -> list[str] | None:
        step = self._fleet.stack_of(tenant).uninstall()
        return await do_for(self._fleet, tenant, "end", step)

    # Each tenant.

    async def _update(self, cut: Cut, decided: Decided) -> "list[_Late]":
        """Update those of a wave; returns those whose windows are closed, or had closed when it was their turn."""
        unchanged = await self._pass_over(cut.tenants, decided)
        found = await self._lanes.each(cut.tenants, lambda one: self._one(cut.name, one, decided, unchanged))
        self.reports |= {id_: report for id_, report in found.items() if report is not None}
        return [_Late(cut, tenant, decided, unchanged) for tenant in cut.tenants if found[tenant.id] is None]

    async def _in_its_window(self, one: "_Late", late: Cut) -> None:
        """Update a tenant once its window opens; by then it may have been paused, or more may have failed than may.

        If that has closed again when it is its turn, or since nobody was there to begin it, it waits for the next time.
        """
        tenant = one.tenant
        while tenant.id not in self.reports:
            await self._superseded.unless(asyncio.sleep(self._opens_in(tenant).total_seconds()))
            if self._superseded or (self._rollout.on_failure != "continue" and self._why_not_on(late)):
                return
            report = await self._one(one.cut.name, tenant, one.decided, one.unchanged)
            self.reports |= {} if report is None else {tenant.id: report}

    async def _pass_over(self, tenants: Sequence[Tenant], decided: Decided) -> Unchanged:
        """Let those stand of which nothing has changed."""
        meant = [tenant for tenant in map(decided.about, tenants) if not tenant.paused]
        return await pass_over(self._fleet.execution, REF, self._stacks(meant), self._before)

    def _stacks(self, tenants: Iterable[Tenant]) -> "Iterator[tuple[Tenant, Resource[Any]]]":
        for tenant in tenants:
            with suppress(Exception):  # one whose stack cannot be made is reported where it is to be updated
                yield tenant, self._fleet.stack_of(tenant)

    async def _one(self, wave: str, listed: Tenant, decided: Decided, unchanged: Unchanged) -> TenantReport | None:
        """Update one tenant, by what was decided about it; whatever happens to it is its report.

        None if its window had closed when it was its turn: nothing was done.
        """
        at_wave = decided.about(listed)  # who was passed over then is done with
        tenant, digest = at_wave, unchanged.digest(at_wave)
        if (report := unchanged.report(at_wave, wave)) is None:
            async with self._lanes.room(listed):
                tenant = (await self._lately.decided()).about(listed)
                report = await self._reported(wave, tenant, digest if tenant == at_wave else "")
        if report is None:
            return None
        before = self._before.get(tenant.id)
        reached = (report.revision or 0) + (report.state is TenantState.HELD)  # it was on its way to that one
        passed = {**(before.passed if before else {}), **dict.fromkeys(report.no_return, reached)}
        pinned = tuple(sorted(tenant.pinned))
        return report.model_copy(update={"tenant": listed, "pinned": pinned, "passed": passed})

    async def _reported(self, wave: str, tenant: Tenant, digest: str) -> TenantReport | None:
        before = self._before.get(tenant.id)
        if tenant.paused:
            return left_out(tenant, before, TenantState.PAUSED, tenant.paused, wave)
        if why := self.sharing.awaited_by(tenant):  # it was paused when that was done, and is not any more
            return left_out(tenant, before, TenantState.HELD_BACK, why, wave)
        if self._superseded:
            return left_out(tenant, before, TenantState.NOT_STARTED, self._superseded.why, wave)
        if self._opens_in(tenant):
            return None
        try:
            stack = self._fleet.stack_of(tenant)
            refuse_plain_secrets(tenant, stack)
            self.sharing.of(tenant)
        except Exception as error:  # noqa: BLE001 - one tenant's stack that cannot be made stops no other
            return left_out(tenant, before, TenantState.FAILED, said_of(error), wave)
        return await self._stack(wave, tenant, stack, digest)

    async def _stack(self, wave: str, tenant: Tenant, stack: "Resource[Any]", digest: str) -> TenantReport:
        fleet, began = self._fleet, self._fleet.execution.now()
        try:
            await do_stack(fleet, tenant, stack)
        except ExecutionFailed as error:
            report = failed(tenant, wave, await fleet.execution.standing(REF, stack, key=tenant.id), error)
        else:
            report = succeeded(tenant, wave, await fleet.execution.standing(REF, stack, key=tenant.id), digest)
        return report.model_copy(update={"began": began, "ended": fleet.execution.now()})

    def _opens_in(self, tenant: Tenant) -> timedelta:
        now = self._fleet.execution.now()
        return timedelta() if tenant.window is None else tenant.window.opens(now) - now

    def _leave_out(self, cuts: Iterable[Cut]) -> None:
        """Report those that the roll-out did not come to, or did not go to; all in the order of the fleet."""
        why = self._superseded.why
        waves = {tenant.id: cut.name for cut in cuts for tenant in cut.tenants}
        reports: dict[str, TenantReport] = {}
        for tenant in self._tenants:
            before, wave = self._before.get(tenant.id), waves.get(tenant.id)
            if tenant.id in self.reports:
                reports[tenant.id] = self.reports[tenant.id]
            elif wave is not None:
                reports[tenant.id] = left_out(tenant, before, TenantState.NOT_STARTED, why, wave)
            else:
                reports[tenant.id] = carried(before, tenant)
        self.reports = reports
        left = any(one.state is TenantState.NOT_STARTED and not one.earlier for one in reports.values())
        if why and left and not self.stopped:
            self.stopped = why
