"""What time it is, where the clocks of those who work on a store differ. Each case in hours, for the eye."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from orbits_iac import Orbits, action
from orbits_iac.dispatch.agreement import AgreedClock
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import WorkerRow, amended
from orbits_iac.settings import Settings
from orbits_iac.store import open_store
from orbits_iac.store.contract import Transaction

HOUR = 3600.0
RIGHT = 1_000 * HOUR


class Machine:
    """A machine's clock, and the time that passes on it."""

    def __init__(self, *, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self.passed = 7.0
        self.clock = AgreedClock(lambda: RIGHT + self.passed - 7.0 + HOUR * self.ahead, lambda: self.passed)

    def hears(self, others: Sequence[float], server: float | None, *, after: float = 1.0) -> float:
        """Let time pass and the others be heard, each ahead by so many hours; by how many it is ahead then."""
        self.passed += after
        rows = [
            WorkerRow(
                id=WorkerId(f"w{number}"),
                build="b",
                lease=10.0,
                counter=int(self.passed),
                wall=self._right + HOUR * hours,
            )
            for number, hours in enumerate(others)
        ]
        self.clock.agree(rows, None if server is None else self._right + HOUR * server)
        return self.is_ahead()

    def is_ahead(self) -> float:
        return (self.clock.now() - self._right) / HOUR

    @property
    def _right(self) -> float:
        return RIGHT + self.passed - 7.0


@pytest.mark.parametrize(
    ("own", "others", "server", "then"),
    [
        (0.0, [], None, 0.0),
        (1.0, [], None, 1.0),
        (1.0, [], 0.0, 0.0),  # who begins takes the database's
        (0.0, [1.0], 0.0, 0.0),
        (1.0, [0.0], 0.0, 0.0),
        (0.0, [0.0], -1.0, 0.0),
        (-1.0, [0.0, 1.0], 0.0, 0.0),
        (0.0, [-1.0, -1.0, -1.0], 0.0, -1.0),  # most machines are wrong: with them, at least
        (0.001, [0.0, 0.0], 0.0, 0.001),  # some seconds are nobody's concern
    ],
)
def test_a_clock_goes_by_what_most_have(own: float, others: list[float], server: float | None, then: float) -> None:
    assert Machine(ahead=own).hears(others, server) == pytest.approx(then, abs=1e-6)


def test_the_workers_of_one_machine_have_one_voice() -> None:
    machine = Machine()
    rows = [
        WorkerRow(id=WorkerId(f"w{number}"), build="b", boot="a", lease=10.0, wall=RIGHT - HOUR) for number in range(3)
    ]
    machine.clock.agree(rows, RIGHT)
    assert machine.is_ahead() == 0.0


def test_a_clock_that_jumps_is_outvoted_and_one_alone_is_followed() -> None:
    machine = Machine()
    assert machine.hears([0.0], 0.0) == 0.0
    machine.ahead = 1.0
    assert machine.is_ahead() == 0.0
    assert machine.clock.has_to_ask()
    assert machine.hears([0.0], 0.0) == 0.0
    assert machine.hears([], 0.0) == 0.0  # one against one: it stays
    assert machine.hears([], None) == 1.0


def test_a_database_that_jumps_changes_nothing() -> None:
    machine = Machine()
    assert [machine.hears([], server) for server in (0.0, 1.0, 2.0, -2.0)] == [0.0] * 4


def test_the_time_goes_on_while_nobody_is_heard() -> None:
    machine = Machine(ahead=1.0)
    assert machine.hears([0.0], 0.0) == 0.0
    machine.passed += 500 * HOUR
    assert machine.is_ahead() == pytest.approx(0.0, abs=1e-6)
    assert machine.clock.has_to_ask()


def test_who_has_stopped_renewing_is_remembered_as_it_was_and_an_old_row_does_not_count() -> None:
    machine = Machine()
    row = WorkerRow(id=WorkerId("w"), build="b", lease=10.0, counter=1, wall=RIGHT - HOUR)
    slow = amended(row, id=WorkerId("slow"), lease=2 * HOUR)
    machine.clock.agree([row, slow], RIGHT - HOUR)
    assert machine.is_ahead() == -1.0
    machine.passed += HOUR
    machine.clock.agree([row, slow], None)
    assert machine.is_ahead() == pytest.approx(-1.0)


@action
async def asked_of_one_behind(number: int) -> int:
    return number + 1


async def test_what_is_asked_for_now_is_due_now_for_workers_that_are_all_an_hour_behind(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:{tmp_path / 'state.db'}")
    behind = AgreedClock(lambda: AgreedClock().now() - HOUR)
    async with Orbits(settings, work=False) as asking, open_store(settings.store) as store:
        asking.engine.clock.has_to_ask = lambda: True  # type: ignore[attr-defined]  # rather than after some seconds
        async with Orbits(settings, clock=behind):
            [row] = await store.find(WorkerRow)
            others = [
                amended(row, id=WorkerId(boot), pid=0, boot=boot, wall=behind.now(), counter=row.counter + 1)
                for boot in ("one machine", "another")
            ]
            await store.commit(Transaction(put=others))
            assert await (await asking.start(asked_of_one_behind(1))) == 2
