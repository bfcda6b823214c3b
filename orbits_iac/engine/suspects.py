"""Steps whose process died while they ran: which of them may be what it died of, and are not begun for ever.

A process that dies takes all its attempts with it, and whoever takes them over begins those again that may be: the one
too that ends each process, worker after worker. So an entry counts how often it was taken up again with no outcome in
between, before that is done, and:

- once or twice taken up, it is begun with all others: processes die for many reasons;
- after that the suspects of one process are begun one at a time, so that one which was only there goes on to its
  outcome;
- one that was taken up `MOST` times fails with `Interrupted`.

What runs in a process of its own counts for nothing here, and what a worker gave back when it left is not counted.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from orbits_iac.engine.attempts import End, Failed
from orbits_iac.model.errors import Interrupted
from orbits_iac.model.rows import EntryRow, amended
from orbits_iac.store.contract import Transaction

if TYPE_CHECKING:
    from orbits_iac.engine.request import Request
    from orbits_iac.engine.run import Run

TOGETHER = 2
"""How often one may be taken up beside others."""
MOST = 5
"""How often one is taken up at all."""


class Suspects:
    """Those of one process."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def attempt(self, run: "Run", request: "Request", attempt: Callable[[], Awaitable[End]]) -> End:
        """Take a step up again with `attempt`, when it may be; what comes of it."""
        taken_up = run.pages.entries[request.key].taken_up
        if taken_up >= MOST:
            return _given_up(run, request)
        if taken_up < TOGETHER:
            await _count(run, request)
            return await attempt()
        async with self._turn:
            await _count(run, request)
            return await attempt()


def counted_back(entry: EntryRow) -> EntryRow:
    """An entry whose attempt is begun again elsewhere, though its process has not died."""
    return amended(entry, taken_up=max(0, entry.taken_up) - 1)


async def _count(run: "Run", request: "Request") -> None:
    """Make durable that it is taken up once more: by itself, since the process may die of it."""
    entry = run.pages.entries[request.key]
    counted = amended(entry, taken_up=entry.taken_up + 1)
    await run.engine.commit(Transaction(fence=run.pages.fence, put=[counted]))
    run.pages.entries[request.key] = counted


def _given_up(run: "Run", request: "Request") -> Failed:
    error = Interrupted(
        f"{request.kind} was begun {MOST + 1} times, and each time its process died while it ran. If it is what "
        f"processes die of, give it one of its own: executor=Subprocess()"
    )
    return Failed(error=error, failure=run.failure(error, request))
