"""Tenants: the Resource that rolls one stack out for each tenant of a source.

What always holds: its update writes no record but its own, so a tenant's record is held only while that tenant is
updated; a failed tenant is reported, and fails neither the others nor the roll-out; a rollback of the `Tenants` itself
never touches a tenant; and no list, whatever it says, removes or moves one.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Generic

from pydantic import AfterValidator, PrivateAttr
from typing_extensions import TypeVar

from orbits_iac import Options, Resource, Revision
from orbits_iac.provider import OutputsOf, UsageError, check_identity, kind_of, like, options_of
from orbits_tenants.back import WayBack
from orbits_tenants.drift import look_after
from orbits_tenants.drift_policy import DriftPolicy, left_alone
from orbits_tenants.intake import take_in
from orbits_tenants.lanes import Lanes
from orbits_tenants.membership import Listing
from orbits_tenants.outcome import as_they_stand, carried, in_order, said_of, told
from orbits_tenants.overrides import overridden
from orbits_tenants.refusals import failed, refuse_missing, refuse_passed, refuse_request
from orbits_tenants.report import Report, TenantReport, TenantState
from orbits_tenants.rollout import Rollout
from orbits_tenants.roster import decisions, roster
from orbits_tenants.sources.source import Source, in_short, read
from orbits_tenants.tenant import REF, Tenant, TenantId
from orbits_tenants.waves import RollOut, Scope

S = TypeVar("S", bound=Resource[Any])


def _somebody(ids: tuple[str, ...]) -> tuple[str, ...]:
    if not ids:
        raise ValueError("names nobody: leave it out to go to everybody")
    return ids


Some = Annotated[tuple[TenantId, ...], AfterValidator(_somebody)]


class Tenants(Resource[Report], Generic[S]):
    """One stack for each tenant of `source`, brought to them as `rollout` says; its outputs are the `Report`.

    A tenant that vanishes from the source stays as it is, is looked after by `cycle`, and goes with `uninstall`, which
    removes all tenants, the last first.

    Attributes:
        source: where tenants come from.
        rollout: how a release reaches them.
        listing: how far the source is believed.
        drift: what the cycles of its schedule do about drift; None: what the schedule says.
        only: these tenants alone are gone to; None: all.
        only_failed: those alone that the last roll-out has not left as they should be.
        from_wave: the wave to begin with.
        back: instead of going forward: the tenants that go back, each to this revision of its stack, or to nothing.
        stood_as: of those that go back: whose stack was another then, each with what it was.
        leaving: instead of going forward: the tenants that are removed.
        letting_go: what these have used together with others before they went, and is let go of now if nobody uses it.
        importing: instead of going forward: the tenants whose stacks are recorded as they run, each with what its
            things are called there, by the refs that lead to them.
        found_at: where these were found, by the type of target: who is elsewhere by then is not recorded.

    """

    options = Options(own_build=True, cycles_beside=True)
    source: ClassVar[Source]
    rollout: ClassVar[Rollout]
    listing: ClassVar[Listing] = Listing()
    drift: ClassVar[DriftPolicy | None] = None
    asked_by_commands: ClassVar[frozenset[str]] = frozenset(
        {"back", "stood_as", "leaving", "letting_go", "importing", "found_at"}
    )
    """Fields that nobody types: `orbits tenants` has commands for them, which show first what they would do."""

    only: Some | None = None
    only_failed: bool = False
    from_wave: str = ""
    back: Mapping[TenantId, int | None] = {}
    stood_as: Mapping[TenantId, str] = {}
    leaving: tuple[TenantId, ...] = ()
    letting_go: tuple[str, ...] = ()
    importing: Mapping[TenantId, Mapping[str, str]] = {}
    found_at: Mapping[TenantId, Mapping[str, str]] = {}

    _updating: bool = PrivateAttr(default=False)
    _listed: tuple[Tenant, ...] = PrivateAttr(default=())  # whom the source has, while this is looked at

    def identity(self) -> str:
        """The kind: there is one fleet of each class."""
        return kind_of(type(self))

    def stack(self, tenant: Tenant) -> S:
        """The stack for this tenant. Pure: it is asked for at any time. `overrides` are applied to what it returns."""
        raise NotImplementedError(f"{type(self).__name__} has no stack(): return the Resource for a tenant")

    def shared(self, tenant: Tenant) -> Iterable[Resource[Any]]:
        """What this tenant uses together with others: named Resources, done before the first wave, each once.

        Its stack reads what they publish by `self.execution.outputs`. Pure, as `stack` is.
        """
        del tenant
        return ()

    async def define_shared(self) -> None:
        """What all tenants share, done before anything else: where it fails, so does the roll-out."""

    async def define_check(self, wave: str, report: Report) -> None:
        """What has to be so when a wave has ended and baked; if it raises, the next one does not begin."""

    async def define_finish(self, report: Report) -> None:
        """What is done when the last wave is over; if it fails, the report says so."""

    def check_inputs(self) -> None:
        """Read the source, before anything is written."""
        cls = type(self)
        for name, example in (("source", 'YamlSource("clients.yaml")'), ("rollout", 'Rollout(waves=["1", "100%"])')):
            if not hasattr(cls, name):
                raise UsageError(f"{cls.__name__} has no {name}: give the class one, as in {name} = {example}")
        if kinds := options_of(cls).get("former_kinds"):  # who is known, and what was decided, is kept under it
            raise UsageError(
                f"{cls.__name__}: a fleet that is renamed keeps its kind: options = Options(kind={kinds[-1]!r}), and "
                f"no former_kinds"
            )
        every = options_of(cls).get("schedule")
        if cls.drift is not None and every is not None and every.on_drift != "report":
            raise UsageError(f"{cls.__name__}: schedule and `drift` both say what is done about drift: leave one out")
        waves = [wave.reaches for wave in self.rollout.waves]
        if self.from_wave and self.from_wave not in waves:
            there, meant = ", ".join(waves), like(self.from_wave, waves)
            raise UsageError(f"from_wave: there is no wave {self.from_wave!r}; there are {there}{meant}")
        if self.back or self.leaving:  # it goes to those who are known, whatever the source says now
            return
        if self.listing.on_doubt == "known":  # who is known is not known here
            return
        tenants = read(self.source)
        self.rollout.cut(tenants)
        if cls.drift is not None and (wrong := cls.drift.unknown([tenant.labels for tenant in tenants])):
            raise UsageError(f"{cls.__name__}: drift, {wrong}")
        self._listed = tenants

    async def check_request(self, outputs_of: OutputsOf) -> None:
        """Refuse what names nobody, and stacks that cannot be made, before anything is written."""
        tenants, self._listed = self._listed, ()
        await refuse_request(self, tenants, outputs_of)

    def read_source(self) -> tuple[Tenant, ...]:
        """The tenants as the source has them now."""
        return read(self.source)

    async def define_update(self) -> Report:
        """Bring every tenant to what its stack says, wave by wave, and report."""
        self._updating = True
        last = self._last()
        before = last.tenants
        if self.back:
            return await self._go_back(last, self.back, self.stood_as)
        if self.leaving:
            return await self._let_go(last)
        if self.importing:
            return await take_in(self, last)
        found = await roster(self, before)
        for doubt in found.doubts:
            self.execution.remark(doubt)
        scope = self.scope(before)
        refuse_missing(self, {one.id for one in (*found.present, *found.ending)} | found.apart.keys())
        if self.listing.on_doubt == "known":  # else it was refused before anything was written
            self.rollout.refuse_unknown([*found.present, *found.ending])
        ending = [one for one in found.ending if scope.has(one.id) or before[one.id].state is TenantState.ENDED]
        if not ending:
            refuse_passed(self, scope, found.present)
        if not self.execution.superseded.done():
            await self.define_shared()
        roll_out = RollOut(self, found.present, before=last, scope=scope)
        sharing = roll_out.sharing
        if self.execution.previewing:
            await roll_out.preview(ending)
            await self.execution.keep_children(REF)
            return Report(tenants={})
        await roll_out.run()
        later = {one.id: carried(before[one.id], one) for one in found.ending if one not in ending}
        came = {**roll_out.reports, **await roll_out.expire(ending), **later, **found.apart}
        reports = sharing.noted(await as_they_stand(self.execution, in_order(before, came)))
        await sharing.let_go(reports)
        await self.execution.keep_children(REF)
        await sharing.keep(reports)
        shared = sharing.reports(reports)
        report = Report(tenants=reports, shared=shared, doubts=found.doubts, stopped=roll_out.stopped)
        report = told(self.execution, report)
        try:
            with self.execution.admitted():
                await self.define_finish(report)
        except Exception as error:  # noqa: BLE001 - a roll-out that is over does not fail for its message
            report = report.model_copy(update={"finish_error": said_of(error)})
        return report

    async def define_rollback(self, to: Revision[Report]) -> Report:
        """Bring every tenant back to what stood after the roll-out that made the revision `to`.

        A roll-out that fails as a whole leaves the tenants alone: each that failed has gone back by itself.
        """
        if self._updating:
            return to.outputs
        last, then = self._last(), to.outputs.tenants
        revisions = {id_: then[id_].revision if id_ in then else None for id_ in last.tenants}
        stood_as = {
            id_: then[id_].stack
            for id_, one in last.tenants.items()
            if revisions[id_] is not None and one.has_another_stack_than(then[id_])
        }
        return await self._go_back(last, revisions, stood_as)

    async def define_cycle(self) -> None:
        """Look at every tenant, and do about drift what `drift` says where the schedule asks."""
        cls = type(self)
        kind = kind_of(cls)

        async def left() -> Mapping[str, str]:
            decided = await decisions(self, "cycle")
            tenants = (decided.about(one.tenant) for one in self._last().tenants.values() if one.tenant is not None)
            return left_alone(tenants, self.execution.now())

        await look_after(self.execution, cls.drift, options_of(cls).get("schedule"), f"{kind} {kind}", left)

    async def define_uninstall(self) -> None:
        """Uninstall every tenant's stack, and what they share, the last done first."""
        if self._updating:  # a first roll-out that did not come to its end: what stands of the tenants stays
            return
        await self.execution.uninstall_children()

    async def _go_back(
        self,
        last: Report,
        revisions: Mapping[str, int | None],
        stood_as: Mapping[str, str],
    ) -> Report:
        """Bring tenants back; the others are reported as they stand."""
        before = last.tenants
        self._refuse_unknown("back", revisions, before)
        await self.execution.keep_children()
        if self.execution.previewing:
            return Report(tenants={})
        way = WayBack(self, Lanes(self.rollout))
        came = await way.to(before, revisions, stood_as)
        reports = {id_: came.get(id_) or one.model_copy(update={"earlier": True}) for id_, one in before.items()}
        stand = await as_they_stand(self.execution, reports)
        return told(self.execution, Report(tenants=stand, shared=last.shared))

    async def _let_go(self, last: Report) -> Report:
        """Remove tenants; the others are reported as they stand."""
        before = last.tenants
        if not before.keys() >= {*self.leaving}:  # a roll-out may have ended one since this was asked for
            removed = (await decisions(self, "leaving")).removed
            self._refuse_unknown("leaving", (id_ for id_ in self.leaving if id_ not in removed), before)
        going = [one.tenant for id_ in self.leaving if (one := before.get(id_)) is not None and one.tenant is not None]
        roll_out = RollOut(self, (), before=last, scope=Scope())
        if self.execution.previewing:
            await roll_out.preview(going)
            await self.execution.keep_children()
            return Report(tenants={})
        gone = await roll_out.end(going)
        reports = {id_: gone.get(id_) or one.model_copy(update={"earlier": True}) for id_, one in before.items()}
        reports = roll_out.sharing.noted(await as_they_stand(self.execution, reports))
        await roll_out.sharing.let_go(reports)
        await self.execution.keep_children()
        return told(self.execution, Report(tenants=reports, shared=roll_out.sharing.reports(reports)))

    def _refuse_unknown(self, field: str, ids: Iterable[str], before: Mapping[str, TenantReport]) -> None:
        unknown = ", ".join(id_ for id_ in ids if id_ not in before)
        if unknown:
            raise UsageError(f"{field}: the last report of {kind_of(type(self))} has no {unknown}")

    def _last(self) -> Report:
        """The report of the last roll-out, which is read each time: of a large fleet it takes a while, and room."""
        standing = self.execution.revision
        return Report(tenants={}) if standing is None else standing.outputs

    def scope(self, before: Mapping[str, TenantReport]) -> Scope:
        """To whom this roll-out goes; `before`: the reports of the last one."""
        only = None if self.only is None else frozenset(self.only)
        if self.only_failed:
            only = failed(before) if only is None else only & failed(before)
        return Scope(only=only, from_wave=self.from_wave)

    def stack_of(self, tenant: Tenant) -> S:
        """The tenant's stack, its overrides applied; UsageError for one that could not be asked for."""
        try:
            stack = overridden(tenant, self.stack(tenant))
            if not isinstance(stack, Resource):
                raise UsageError(f"tenant {tenant.id}: stack() returned a {type(stack).__name__}, and no Resource")
            check_identity(stack, f"tenant {tenant.id}")
        except SystemExit as error:  # one tenant's stack ends no roll-out, and no command without a word
            raise UsageError(f"tenant {tenant.id}: {in_short(error)}") from error
        return stack


SCOPE = frozenset(Tenants.model_fields)
"""The fields of every fleet: to whom a roll-out goes, and which way, if not forward to all."""


def is_release(argument: Mapping[str, Any]) -> bool:
    """Whether a roll-out with this argument goes forward."""
    return not any(argument.get(field) for field in Tenants.asked_by_commands)


def released(argument: Mapping[str, Any]) -> dict[str, Any]:
    """What a roll-out with this argument has brought, whomever it went to."""
    return {name: value for name, value in argument.items() if name not in SCOPE}
