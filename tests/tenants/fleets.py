"""Fleets to be reported, made up: the same for the same number of tenants."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from orbits_tenants.fleet import (
    Drift,
    DriftState,
    Finding,
    Fleet,
    LastRollOut,
    Member,
    Mood,
    Service,
    ServiceState,
    worst,
)

NOW = datetime(2026, 3, 6, 16, 30, tzinfo=UTC)
BEGAN = NOW - timedelta(minutes=50)
SERVICES = ("network", "database", "backend", "frontend", "monitoring")
WAVES = (("1", 1), ("10%", 0.1), ("100%", 1.0))
NAMES = ("acme", "bolt", "cafe", "dune", "echo", "fern", "glow", "haze", "iris", "jade", "kilo", "luna", "mint", "nova")


def fleet(tenants: int) -> Fleet:
    """A fleet of so many tenants, of which some failed, some drifted, and one needs a person."""
    chance = Random(tenants)
    members = tuple(_members(tenants, chance))
    return Fleet(
        name="Shops",
        at=NOW,
        members=members,
        shared=(_service("registry", "all", chance, Mood.WELL, revision=2),),
        rollout=LastRollOut(
            execution="0001r3m8k2q4w6e8t",
            who="dana@release",
            began=BEGAN,
            ended=max((one.ended for one in members if one.ended), default=BEGAN) + timedelta(seconds=4),
            argument={"release": "2026.3"},
        ),
    )


def _members(tenants: int, chance: Random) -> Iterator[Member]:
    lanes: list[datetime] = []
    wave, begins = "", BEGAN
    for number in range(tenants):
        now = next(name for name, until in WAVES if number < (until if isinstance(until, int) else until * tenants))
        if now != wave:
            begins = max(lanes, default=BEGAN) + timedelta(seconds=20 if wave else 0)
            wave, lanes = now, [begins] * 10
        began = min(lanes)
        ended = began + timedelta(seconds=chance.uniform(2, 9) * (1 if tenants > 100 else 12))
        lanes[lanes.index(began)] = ended
        yield _member(number, wave, began, ended, chance)


def _member(number: int, wave: str, began: datetime, ended: datetime, chance: Random) -> Member:
    state, mood, happened = "updated", Mood.WELL, "went forward"
    path: tuple[str, ...] = ()
    at = chance.random()
    if number == 1:
        state, mood, path = "forward only", Mood.PERSON, ("database", "migrate")
        happened = (
            "database.migrate: Permanent: column orders.total cannot be narrowed: 12 rows hold more than 9999.99 → "
            "forward only: database.expand cannot be taken back"
        )
    elif number % 23 == 4:
        state, mood, path = "reverted", Mood.FAILED, ("backend",)
        happened = "backend.rollout: TimeoutError: 2 of 3 pods were not ready after 300 s → back at revision 6"
    elif at < 0.1:
        state, happened = "unchanged", "nothing to change"
    elif number > 5 and at < 0.13:
        state, mood, happened = "paused", Mood.WAITING, "is paused: they migrate their own database this week"
    revision = 6 if mood is Mood.FAILED else 7
    services = tuple(
        _service(
            name,
            f"t{number}",
            chance,
            Mood.FAILED if path[:1] == (name,) else Mood.WELL,
            revision=revision if name != "network" else 2,
        )
        for name in SERVICES
    )
    name = NAMES[number] if number < len(NAMES) else f"{NAMES[number % len(NAMES)]}-{number // len(NAMES):02}"
    return Member(
        id=name,
        state=state,
        mood=mood,
        happened=happened,
        labels={"plan": chance.choice(["small", "large"]), "region": chance.choice(["eu", "us"])},
        account=f"{448811220000 + number}/eu-west-1",
        wave=wave,
        revision=revision,
        since=ended if state in {"updated", "forward only"} else NOW - timedelta(days=9),
        by="dana@release",
        drift=worst(service.drift for service in services),
        path=path,
        execution="0001r3m8k2q4w6e9v" if path else "",
        began=None if mood is Mood.WAITING else began,
        ended=None if mood is Mood.WAITING else ended,
        services=services,
    )


def _service(name: str, of: str, chance: Random, mood: Mood, *, revision: int) -> Service:
    looked, at = NOW - timedelta(hours=chance.randint(1, 5)), chance.random()
    drift: Drift = Drift(state=DriftState.IN_SYNC, at=looked)
    if at < 0.01:
        finding = Finding(where="", path="desired_count", recorded="3", live="5")
        drift = Drift(state=DriftState.DRIFTED, at=looked, findings=(finding,))
    elif at < 0.02:
        drift = Drift()
    return Service(
        name=name,
        kind=name.capitalize(),
        identity=f"Shop {of}/{name}",
        state=ServiceState.STANDS if mood is Mood.WELL else ServiceState.FAILED,
        mood=mood,
        revision=revision,
        since=NOW - timedelta(days=1),
        by="dana@release",
        drift=drift,
    )
