"""Many workers are killed at once: who is left takes over at its next look, or once a lease has passed in its looks.

What is counted is looks, not seconds: a machine that is busy looks later, and counts as far.
"""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from orbits_iac import Orbits, Settings
from orbits_iac.dispatch.leases import passed
from orbits_iac.dispatch.worker import LONGEST_WAIT
from orbits_iac.model.rows import TaskRow
from orbits_iac.model.states import State

from .forking import Zygote
from .zygote import KilledHolder

VICTIMS = {"sqlite": 25, "mongodb": 8}
LEASE = 4.0  # seconds, where it has to run out
NEVER = 60.0  # seconds, where it must not


@dataclass(frozen=True)
class Look:
    """What the worker that is left saw of the others' leases, and whom it took for dead."""

    at: float
    seen: dict[str, int]
    dead: frozenset[str]


class Killed:
    """Workers that each hold one execution, one that looks at them, and their end."""

    def __init__(self, forking: Zygote, orbits: Orbits, looks: Path, count: int) -> None:
        self.count = count
        self._forking = forking
        self._orbits = orbits
        self._looks = looks

    async def end(self, *, alone: bool) -> tuple[set[str], float, float]:
        """Have them, kill them, and wait until all is done; the workers, and between which times they died."""
        try:
            async with asyncio.timeout(60):
                return await self._end(self.count, alone=alone)
        except TimeoutError:
            tasks = await self._orbits.store.find(TaskRow)
            pytest.fail(f"it is not over: {tasks}; {self.looks()[-2:]}; {self._forking.said()}")

    async def _end(self, count: int, *, alone: bool) -> tuple[set[str], float, float]:
        executions = [await self._orbits.start(KilledHolder(name=str(number))) for number in range(count)]
        lease = LEASE if alone else NEVER
        pids = [await self._forking.fork(concurrency=1, lease=lease, alone=alone, holds=True) for _ in range(count)]
        while len(self._forking.lines()) < count:
            await self._orbits.store.changed(0.1)
        victims = {task.owner or "nobody" for task in await self._orbits.store.find(TaskRow)}
        assert len(victims) == count, self._forking.said()
        survivor = await self._forking.fork(lease=lease, alone=alone, looks=self._looks)
        while not victims <= self._seen():
            await self._orbits.store.changed(0.1)
        began = passed()
        await self._forking.kill_all(pids)
        ended = passed()
        assert {(await execution.ended()).state for execution in executions} == {State.SUCCESS}, self._forking.said()
        await self._forking.kill(survivor)
        return victims, began, ended

    def looks(self) -> Sequence[Look]:
        text = self._looks.read_text() if self._looks.exists() else ""
        lines = map(json.loads, text[: text.rfind("\n") + 1].splitlines())  # one may be half there
        return [Look(line["at"], line["seen"], frozenset(line["dead"])) for line in lines]

    def _seen(self) -> set[str]:
        looks = self.looks()
        return set(looks[-1].seen) if looks else set()


@pytest.fixture(params=VICTIMS)
def forking(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zygote]:
    monkeypatch.setenv("ORBITS_SECRET_KEY", Fernet.generate_key().decode())
    made = Zygote(tmp_path, store=request.getfixturevalue("mongodb") if request.param == "mongodb" else "")
    yield made
    made.close()


@pytest.fixture
async def killed(forking: Zygote, tmp_path: Path) -> AsyncIterator[Killed]:
    async with Orbits(Settings(store=forking.store), work=False) as orbits:
        await orbits.register_build()
        count = VICTIMS["sqlite" if forking.store.startswith("sqlite") else "mongodb"]
        yield Killed(forking, orbits, tmp_path / "looks", count)


async def test_of_many_that_die_on_the_same_machine_all_are_taken_over_at_the_next_look(
    killed: Killed, forking: Zygote
) -> None:
    victims, began, ended = await killed.end(alone=False)
    looks = killed.looks()
    first = next(number for number, look in enumerate(looks) if look.at >= ended)
    assert frozenset().union(*(look.dead for look in looks[: first + 1])) == victims
    assert frozenset().union(*(look.dead for look in looks if look.at < began)) == frozenset()
    _done_twice(forking, killed.count)


async def test_of_many_that_fall_silent_all_are_taken_over_once_a_lease_has_passed(
    killed: Killed, forking: Zygote
) -> None:
    victims, began, _ = await killed.end(alone=True)
    looks = killed.looks()
    most = math.ceil(LEASE / min(LONGEST_WAIT / 2, LEASE / 8)) + 2
    for victim in victims:
        taken = next(number for number, look in enumerate(looks) if victim in look.dead)
        since = next(number for number, look in enumerate(looks) if look.seen.get(victim) == looks[taken].seen[victim])
        assert looks[taken].at - looks[since].at > LEASE
        assert looks[taken - 1].at - looks[since].at <= LEASE
        assert sum(began < look.at <= looks[taken].at for look in looks) <= most
    _done_twice(forking, killed.count)


def _done_twice(forking: Zygote, count: int) -> None:
    """Each step was begun by the one that was killed, and done by the one that was left, with the same token."""
    lines = forking.lines()
    assert len(lines) == 2 * count
    assert len({token for _, token, _ in lines}) == count
    assert len({pid for _, _, pid in lines[count:]}) == 1
