"""Crashing the engine's scenarios everywhere, and counting the points."""

import os
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from orbits_iac import Orbits, Step
from orbits_iac.testing import CrashReport, crash_everywhere

from .world import WORLD

Store = Literal["memory", "sqlite", "mongodb"]
Scenario = Callable[[], Step[Any]] | Callable[[Orbits], Awaitable[object]]

TRIED: dict[tuple[str, Store], CrashReport] = {}
"""What has been tried in this run of the tests, by scenario and store."""

LARGE = {
    "adopted",
    "children dropped",
    "cycle",
    "drift told",
    "forward only",
    "made anew",
    "queued",
    "removal fails",
    "removed by plan",
    "renamed",
    "repeat",
    "replayed",
    "replayed whole",
    "rollback",
    "shared",
    "shared and removed",
    "went back inside",
}
"""Scenarios so long that each point costs as much as ten of another's: a process dies at each moment, and once."""

SHORT = {"accepted", "cancelled", "caught", "chain", "events", "install", "joined", "races", "timer", "undo", "watch"}
"""Scenarios so short that a process may die again at most moments of each recovery."""


class Ends:
    """The world, of which only what stands at the end counts: what was done meanwhile depends on who was faster."""

    def snapshot(self) -> Any:
        return WORLD.snapshot()

    def restore(self, snapshot: Any, /) -> None:
        WORLD.restore(snapshot)

    def stands(self) -> Any:
        return WORLD.stands()["things"]


WHOLE = os.environ.get("ORBITS_CRASHES") == "whole"
"""Whether there is time for all points over MongoDB, as in `make crashes`; each takes as long as ten in memory."""

AGAIN_IN_MONGODB = (
    {"accepted": 16, "undo": 22, **dict.fromkeys(("careful", "chain", "edited", "timer", "watch"), 30)}
    if WHOLE
    else {"accepted": 0, "undo": 0, "careful": 6, "chain": 2, "edited": 1, "timer": 2, "watch": 2}
)
"""Scenarios so short that a process may die again at many moments of each recovery, where each point takes long."""


def crashed(
    name: str, scenario: Scenario, *, store: Store, url: str = "", racing: bool = False, **options: Any
) -> CrashReport:
    """Crash a scenario everywhere; no point makes a difference. `url`: of an empty database, for MongoDB."""
    world: Any = Ends() if racing else WORLD
    in_memory = 0 if name in LARGE else 16 if name in SHORT else 4
    again = {"memory": in_memory, "sqlite": 0, "mongodb": AGAIN_IN_MONGODB.get(name, 0)}[store]
    # Each fault begins anew, which the large ones take long for; the steps of "events" write to the store themselves.
    faults = store == "memory" and not racing and name not in LARGE | {"events"}
    faults = faults or (store == "mongodb" and name in {"careful", "chain", "watch"})
    report = crash_everywhere(scenario, world=world, store=url or store, again=again, faults=faults, **options)
    TRIED[name, store] = report
    report.check()
    return report
