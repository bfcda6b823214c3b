"""Rollout: in which waves tenants are updated, how many at a time, and how many may fail. Pure: no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from typing import Any, Literal, get_args

from orbits_iac.provider import StepOptions, UsageError, like
from orbits_tenants.amounts import amount, is_amount
from orbits_tenants.policy import Policy
from orbits_tenants.selector import Selector
from orbits_tenants.tenant import Tenant

OnFailure = Literal["stop", "continue", "rollback-wave", "rollback-all"]
Promotion = Literal["by itself", "by hand"]
Check = Literal["none", "drift"]
PLACES = ("account", "region")
"""What `at_most` may name beside labels: parts of where a tenant's targets are."""

_NO_TIME = timedelta()


@dataclass(frozen=True)
class Wave:
    """A part of a roll-out, and what has to be so before the next one begins.

    Attributes:
        reaches: how many tenants have been reached when it is over: a number (`1`), a share of the whole fleet (`10%`,
            rounded up); or who belongs to it, by labels (`ring=canary`), of those that no earlier wave has reached.
        promote: when the next one begins: `by itself`; `by hand`, once somebody says so (`orbits tenants promote`); or
            by a policy such as `ByPolicy()`: by itself, unless that says of what the next wave would do that somebody
            has to look at it first. None: as the roll-out.
        bake: how long the next one waits. None: as the roll-out.
        check: what has to be so after that: `drift`: nothing in the wave has drifted. None: as the roll-out.

    Raises UsageError for what is none of these.
    """

    reaches: str
    promote: Promotion | Policy | None = None
    bake: timedelta | None = None
    check: Check | None = None

    def __post_init__(self) -> None:
        """Refuse what would be noticed in the middle of a roll-out, or never."""
        if not isinstance(self.reaches, str):
            raise UsageError(f"Wave(reaches={self.reaches!r}): give a text, as in '1', '10%' or 'ring=canary'")
        _refuse_between("Wave", self.promote, self.bake, self.check)


@dataclass(frozen=True)
class Cut:
    """A wave of a fleet: who is in it."""

    wave: Wave  # with the roll-out's own settings where it has none
    tenants: tuple[Tenant, ...]

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return self.wave.reaches


class Rollout:
    """How a release reaches the tenants.

    A wave begins when the one before it has ended, has baked for `bake`, has passed its `check`, and was promoted where
    that is done by hand, or a policy wants somebody to look first. The last one has to reach `100%`. In a wave at most
    `max_concurrency` tenants are updated at a time, and none is stopped by another's failure; `at_most` narrows that
    for those that have something in common: an `account`, a `region` or the value of a label, as in
    `{"region": 3, "plan": 1}`. A label that nobody has is refused when the list is read.
    One that takes longer than `tenant_timeout` is asked to stop and has failed; no wave waits for it beyond the `grace`
    of its stack.

    When more have failed at the end of a wave than is tolerated, `on_failure` decides: `stop` begins no further wave,
    `continue` goes on, `rollback-wave` brings the wave back to what it was before the roll-out and stops, and
    `rollback-all` brings back all that it has reached. Tolerated are `failure_tolerance` in all, a number or a share of
    the whole fleet, and in a wave `wave_tolerance`, a number or a share of the wave. A wave that does not pass its
    check is beyond what is tolerated.

    Raises UsageError for settings that are none, and for waves that leave somebody out.
    """

    def __init__(  # noqa: PLR0913 - each by its name
        self,
        *,
        waves: Sequence[str | Wave],
        max_concurrency: int = 10,
        at_most: Mapping[str, int] | None = None,
        failure_tolerance: str = "0%",
        wave_tolerance: str = "100%",
        on_failure: OnFailure = "stop",
        promote: Promotion | Policy = "by itself",
        bake: timedelta = _NO_TIME,
        check: Check = "none",
        tenant_timeout: timedelta | None = None,
    ) -> None:
        made = _waves(waves)
        amount(failure_tolerance, 1, "Rollout(failure_tolerance=...)")
        amount(wave_tolerance, 1, "Rollout(wave_tolerance=...)")
        _refuse_most(max_concurrency, at_most)
        _refuse_between("Rollout", promote, bake, check)
        _refuse_time("Rollout(tenant_timeout", tenant_timeout)
        if tenant_timeout == _NO_TIME:
            raise UsageError("Rollout(tenant_timeout=0 s): nothing is done in no time; leave it out to set no limit")
        _refuse_other("Rollout(on_failure", on_failure, get_args(OnFailure))
        self.waves = tuple(
            replace(
                wave,
                promote=promote if wave.promote is None else wave.promote,
                bake=bake if wave.bake is None else wave.bake,
                check=check if wave.check is None else wave.check,
            )
            for wave in made
        )
        self.max_concurrency = max_concurrency
        self.at_most = dict(at_most or {})
        self.failure_tolerance = failure_tolerance
        self.wave_tolerance = wave_tolerance
        self.on_failure: OnFailure = on_failure
        self.tenant_timeout = tenant_timeout

    def limits(self) -> StepOptions:
        """How long a tenant's stack may take."""
        return {} if self.tenant_timeout is None else {"timeout": self.tenant_timeout}

    def cut(self, tenants: Sequence[Tenant]) -> list[Cut]:
        """The waves of a fleet, in order; those whose tenants have been reached before are left out.

        Raises UsageError if a wave goes by labels that nobody has: misspelt ones would leave the canaries out.
        """
        if not tenants:
            return []
        cuts: list[Cut] = []
        left = list(tenants)
        for wave in self.waves:
            if is_amount(wave.reaches):
                until = ceil(amount(wave.reaches, len(tenants), "Rollout(waves=...)"))
                members = tuple(left[: max(0, until - (len(tenants) - len(left)))])
            else:
                try:
                    named = {tenant.id for tenant in Selector(wave.reaches).chosen(tenants)}
                except UsageError as error:
                    raise UsageError(f"Rollout(waves=...): {error}") from error
                if not named:
                    raise UsageError(
                        f"Rollout(waves=...): no tenant is in the wave {wave.reaches!r}: label some, or take it away"
                    )
                members = tuple(tenant for tenant in left if tenant.id in named)
            reached = {tenant.id for tenant in members}
            left = [tenant for tenant in left if tenant.id not in reached]
            if members:
                cuts.append(Cut(wave, members))
        return cuts

    def refuse_unknown(self, tenants: Iterable[Tenant]) -> None:
        """Raise UsageError if `at_most` goes by a label that none of these has: a misspelt one would limit nothing."""
        known = {label for tenant in tenants for label in tenant.labels}
        for what in self.at_most:
            if what not in known and what not in PLACES:
                there = [*PLACES, *sorted(known.difference(PLACES))]
                raise UsageError(
                    f"Rollout(at_most=...): no tenant has a label {what!r}; there are: {', '.join(there)}"
                    f"{like(str(what), there)}"
                )

    def tolerates(self, *, failed: int, tenants: int) -> bool:
        """Whether so many of all the tenants may have failed."""
        return failed <= amount(self.failure_tolerance, tenants, "Rollout(failure_tolerance=...)")

    def tolerates_in_wave(self, *, failed: int, tenants: int) -> bool:
        """Whether so many of a wave's tenants may have failed."""
        return failed <= amount(self.wave_tolerance, tenants, "Rollout(wave_tolerance=...)")

    def lanes(self, tenant: Tenant) -> list[tuple[str, str, int]]:
        """What a tenant shares with others of which only so many are updated at a time: what, its value, how many."""
        found: list[tuple[str, str, int]] = []
        for what, most in sorted(self.at_most.items()):
            values = [tenant.labels[what]] if what in tenant.labels else []
            if what in PLACES:
                values = sorted({str(value) for one in tenant.targets if (value := getattr(one, what, None))}) or values
            found += [(what, value, most) for value in values]
        return found


def in_place_of(cuts: Sequence[Cut], at: int) -> list[Cut]:
    """The waves of a fleet where nobody could be gone to in the one at `at`: as many of those after it come next.

    These are taken from the waves by number, and are a wave of the same name: what is released is tried by so many
    before it goes further.
    """
    taken: list[Tenant] = []
    after: list[Cut] = []
    for cut in cuts[at + 1 :]:
        room = len(cuts[at].tenants) - len(taken) if is_amount(cut.name) else 0
        taken += cut.tenants[:room]
        if cut.tenants[room:] or not is_amount(cut.name):
            after.append(replace(cut, tenants=cut.tenants[room:]))
    return [*cuts[: at + 1], *([replace(cuts[at], tenants=tuple(taken))] if taken else []), *after]


def _waves(given: Any) -> list[Wave]:
    """The waves as they are given; UsageError for what is none, and if they leave somebody out."""
    if isinstance(given, str):
        raise UsageError(f"Rollout(waves={given!r}): give a list, as in ['1', '100%']")
    made: list[Wave] = []
    for one in given:
        if not isinstance(one, str | Wave):
            raise UsageError(f"Rollout(waves=...): {one!r} is no wave: give a text, as in '1' or '10%', or a Wave")
        made.append(one if isinstance(one, Wave) else Wave(one))
    if not made or made[-1].reaches != "100%":
        raise UsageError("Rollout(waves=...): the last wave has to be '100%', or tenants would be left out")
    for reaches in (each.reaches for each in made if not is_amount(each.reaches)):
        if reaches.replace("%", "").strip("-").isdigit():
            amount(reaches, 1, "Rollout(waves=...)")
        Selector(reaches)
    return made


def _refuse_most(max_concurrency: Any, at_most: Any) -> None:
    """Refuse what does not say how many tenants are updated at a time."""
    if not (at_most is None or isinstance(at_most, Mapping)):
        raise UsageError(f"Rollout(at_most={at_most!r}): give what is limited and to how many, as in {{'region': 3}}")
    narrow = [(f"at_most={{{of!r}: {most!r}}}", most) for of, most in (at_most or {}).items()]
    for said, most in [(f"max_concurrency={max_concurrency!r}", max_concurrency), *narrow]:
        if not isinstance(most, int) or isinstance(most, bool):
            raise UsageError(f"Rollout({said}): give a whole number, as in 3")
        if most < 1:
            raise UsageError(f"Rollout({said}): at least 1 tenant is updated at a time")


def _refuse_between(of: str, promote: Any, bake: Any, check: Any) -> None:
    """Refuse what cannot be between two waves; None is left to the roll-out."""
    if not (promote is None or callable(promote)):
        _refuse_other(f"{of}(promote", promote, get_args(Promotion), ", or a policy such as ByPolicy()")
    if check is not None:
        _refuse_other(f"{of}(check", check, get_args(Check), "; what else has to be so is for define_check()")
    _refuse_time(f"{of}(bake", bake)


def _refuse_other(said: str, given: Any, known: Sequence[str], more: str = "") -> None:
    if given not in known:
        meant = like(given, known) if isinstance(given, str) else ""
        raise UsageError(f"{said}={given!r}): it is one of {', '.join(known)}{more}{meant}")


def _refuse_time(said: str, given: Any) -> None:
    if not (given is None or isinstance(given, timedelta)):
        raise UsageError(f"{said}={given!r}): give a timedelta, as in timedelta(minutes=5)")
    if given is not None and given < _NO_TIME:
        raise UsageError(f"{said}={given.total_seconds():g} s): a time is not negative")
