"""Rates that several workers share: how many keep to one, and to what, so that each keeps to its part.

What always holds:

- a worker says what it keeps to by a row for each bucket, written when it begins or when that is much otherwise, and
  deleted when it has not called there for long, or leaves; no call waits for the store, and none writes to it;
- a row counts while its worker lives: no clocks are compared, and a dead worker's part is the others' once it is known
  to be dead;
- until a worker knows who else is there, each worker that lives might be: so it takes too little for a few seconds,
  rather than too much. While the store is gone, what was known last stands.

Who calls asks by `execution.shared`, from any thread. The worker keeps this up to date, in its sweep.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import ShareRow, WorkerRow
from orbits_iac.steps.execution import Shared
from orbits_iac.store.contract import Store, Transaction

EVERY = 2.0
"""Seconds between two looks at who shares what."""
UNUSED = 60.0
"""Seconds without a call after which a worker does not count any more."""

_MUCH = 0.1  # the share of a rate by which it has to be otherwise to be written again
_PAGE = 1000


class Sharing:
    """What one worker keeps to, and what the others do."""

    def __init__(self, store: Store, worker: WorkerId, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._worker = worker
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[str, tuple[float, float]] = {}  # when a bucket was asked for last, and what is kept to
        self._said: dict[str, ShareRow] = {}
        self._known: frozenset[str] = frozenset()  # buckets that were said when the others were looked at
        self._others: dict[str, list[float]] = {}  # what each of the others keeps to
        self._living = 1
        self._looked: float | None = None

    def shared(self, bucket: str, rate: float | None) -> Shared:
        """Who shares a bucket, with this worker, which keeps to `rate` there; with None it does not count."""
        if rate is not None:
            with self._lock:
                self._used[bucket] = (self._clock(), rate)
        others = self._others.get(bucket, [])
        workers = 1 + len(others)
        most = workers if bucket in self._known else max(workers, self._living)
        return Shared(workers=workers, most=most, rate=sum(others) if others else None)

    async def sweep(self, living: Sequence[WorkerRow]) -> None:
        """Say what is kept to here, and learn what the `living` workers, this one among them, keep to."""
        now = self._clock()
        if self._looked is not None and now - self._looked < EVERY:
            return
        self._looked = now
        self._living = max(1, len(living))
        with self._lock:
            self._used = {bucket: used for bucket, used in self._used.items() if now - used[0] < UNUSED}
            rates = {bucket: rate for bucket, (_, rate) in self._used.items()}
        await self._say(rates)
        rows, names = await self._all(), {row.id for row in living}
        others: defaultdict[str, list[float]] = defaultdict(list)
        for row in rows:
            if row.worker in names and row.worker != self._worker:
                others[row.bucket].append(row.rate)
        self._others, self._known = dict(others), frozenset(rates)
        await self._forget({row.worker for row in rows} - names)

    async def leave(self) -> None:
        """Say that nothing is called from here any more."""
        await self._say({})

    async def _say(self, rates: dict[str, float]) -> None:
        put = [
            ShareRow(bucket=bucket, worker=self._worker, rate=rate)
            for bucket, rate in rates.items()
            if bucket not in self._said or abs(self._said[bucket].rate - rate) > _MUCH * rate
        ]
        gone = [row for bucket, row in self._said.items() if bucket not in rates]
        if put or gone:
            self._said.update({row.bucket: row for row in put if row.bucket not in self._said})  # or the answer is lost
            await self._store.commit(Transaction(put=put, delete=gone))
            self._said.update({row.bucket: row for row in put})
            for row in gone:
                del self._said[row.bucket]

    async def _all(self) -> list[ShareRow]:
        rows = page = await self._store.find(ShareRow, limit=_PAGE)
        while len(page) == _PAGE:
            page = await self._store.find(ShareRow, limit=_PAGE, after=(page[-1].bucket, page[-1].worker))
            rows += page
        return rows

    async def _forget(self, workers: set[WorkerId]) -> None:
        """Delete what workers have left that are not there any more."""
        for worker in workers:
            if await self._store.get(WorkerRow, worker) is None:
                await self._store.commit(Transaction(delete=await self._store.find(ShareRow, worker=worker)))
