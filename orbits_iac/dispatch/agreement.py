"""What time it is, for all who work on one store: a clock that is wrong is outvoted by the others.

Whether a worker lives is never judged by a clock. But a timer that one has set is another's to fire, and what one asks
for "now" another has to find due. So each tells in its row what its machine's clock says, and goes by its own as long
as that is what most of them say, the database's among them; else by theirs. Where more than half are for no time, who
works already stays with the time that it has, and who begins takes what the most say, the database before others. The
workers of one machine have one clock, and one voice. Differences of less than `TOLERANCE` are left to the machines.
Called by Orbits when it is opened and asked, and by a worker each time that it looks at the others.
"""

import logging
import time
from collections.abc import Callable, Sequence

from orbits_iac.dispatch.leases import boot, passed
from orbits_iac.engine.clock import Clock
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import WorkerRow
from orbits_iac.store.contract import Store

log = logging.getLogger(__name__)

TOLERANCE = 30.0
"""Seconds that two clocks may differ by, and count as one."""

ASKED_AGAIN = 5.0
"""Seconds after which the others are heard again."""


class AgreedClock(Clock):
    """Goes on by the time that passes, from where most have it; a clock that is set does not move it by itself."""

    def __init__(
        self, wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = passed, machine: str | None = None
    ) -> None:
        self._machine = boot() if machine is None else machine
        self._wall = wall
        self._elapsed = elapsed
        self._start = wall() - elapsed()  # what time it was when nothing had passed: so are all clocks compared
        self._begun = False
        self._heard_at = elapsed()
        self._heard: dict[WorkerId, tuple[int, float | None]] = {}  # the counter of each, and its start if it is known

    def now(self) -> float:
        return self._start + self._elapsed()

    def has_to_ask(self) -> bool:
        """Whether it is time to hear the others: now and then, and at once if the machine's clock was set."""
        since = self._elapsed() - self._heard_at
        return not self._begun or since >= ASKED_AGAIN or not self._is_near(self._own(), self._start)

    def agree(self, others: Sequence[WorkerRow], server: float | None) -> None:
        """Hear what time the other workers have, and the database."""
        self._heard_at = elapsed = self._elapsed()
        own, before = self._own(), self._start
        starts = [own]
        if server is not None:
            starts.insert(0, server - elapsed)
        starts += self._of(others, elapsed)
        agreeing = {start: sum(self._is_near(start, one) for one in starts) for start in starts}
        chosen = max(agreeing, key=lambda start: agreeing[start])  # the first of equals
        if self._begun and 2 * agreeing[chosen] <= len(starts):
            chosen = self._start
        self._start = own if self._is_near(own, chosen) else chosen
        self._begun = True
        if self._is_near(before, self._start):
            return
        if self._start is own:
            log.warning("this machine's clock is what most who work on the store have: it goes by its own from now on")
        else:
            log.warning(
                "this machine's clock is %.0f s %s what most who work on the store have: it goes by theirs",
                abs(own - self._start),
                "ahead of" if own > self._start else "behind",
            )

    def _of(self, others: Sequence[WorkerRow], elapsed: float) -> list[float]:
        """The starts of those whose row is fresh enough to tell."""
        before, self._heard = self._heard, {}
        voices = [(self._machine, self._own())]
        for row in others:
            known = before.get(row.id)
            if known is None or known[0] != row.counter:
                fresh = known is not None or row.lease <= TOLERANCE  # seen first, it is as old as a renewal may be
                known = (row.counter, row.wall - elapsed if row.wall and fresh else None)
            self._heard[row.id] = known
            machine, start = row.boot or row.id, known[1]
            if start is not None and not any(machine == of and self._is_near(start, one) for of, one in voices):
                voices.append((machine, start))
        return [start for _, start in voices[1:]]

    def _own(self) -> float:
        return self._wall() - self._elapsed()

    def _is_near(self, one: float, other: float) -> bool:
        return abs(one - other) <= TOLERANCE


async def agree(clock: Clock, store: Store, others: Sequence[WorkerRow] | None = None) -> None:
    """Let the clock hear the others now, if it is one that does and it is time to; `others`, if they were just read."""
    if isinstance(clock, AgreedClock) and clock.has_to_ask():
        rows = await store.find(WorkerRow) if others is None else others
        clock.agree(rows, await store.clock())
