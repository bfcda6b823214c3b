"""The outbox: notices that were written beside their causes, made into messages by whichever worker gets there first.

What always holds: the notices that a message is made of are deleted in the transaction that makes the execution which
sends it, and only if all are there still, so that over all workers each is sent by one execution. A notice waits for
those that come within `digest_within` of the first: many become one message. What comes one by one, as the drift of a
fleet that is looked at all night, waits longer and longer, so that it becomes few messages too.
"""

import asyncio
import logging

from orbits_iac.engine.engine import Engine
from orbits_iac.engine.events import joined
from orbits_iac.engine.requests import Asked, creation
from orbits_iac.model.errors import Conflict, StoreError
from orbits_iac.model.happenings import NO_EXECUTION
from orbits_iac.model.ids import NOTIFICATION
from orbits_iac.model.rows import ExecutionRow, MessageRow
from orbits_iac.notify.messages import messages_of
from orbits_iac.notify.notices import of_row
from orbits_iac.notify.settings import NotifySettings
from orbits_iac.notify.steps import Notification
from orbits_iac.notify.targets import targets
from orbits_iac.store.contract import Transaction

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks: one read of a row that is rarely there."""

HOUR = 3600.0
"""Seconds in which so many messages as make a digest are sent without waiting for longer."""

LONGEST = 10
"""How many times `digest_within` a notice waits at most."""

MOST = 2000
"""Notices that one message is made of, at most."""


class Outbox:
    """The notices of a store, as one worker looks after them."""

    def __init__(self, engine: Engine, settings: NotifySettings) -> None:
        self._engine = engine
        self._settings = settings
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="outbox")

    async def stop(self) -> None:
        """Look no more; what is there is for the next worker."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def due(self) -> float | None:
        """When the next message is to be made; None if there is nothing to tell."""
        rows = await self._engine.store.find(MessageRow, execution=NO_EXECUTION, limit=1)
        return of_row(rows[0]).at + await self._window() if rows else None

    async def _window(self) -> float:
        """Seconds that a notice waits for others: twice as many for each message too many within the last hour."""
        store, after = self._engine.store, self._settings.digest_after
        sent = await store.find(ExecutionRow, kind=NOTIFICATION, newest=True, limit=after + LONGEST, whole=False)
        since = self._engine.clock.now() - HOUR
        late = sum(row.created_at > since for row in sent) - after
        return self._settings.digest_within.total_seconds() * min(1 << max(0, late), LONGEST)

    async def sweep(self) -> bool:
        """Make messages of what has waited long enough; whether there was any."""
        engine, due = self._engine, await self.due()
        if due is None or due > engine.clock.now():
            return False
        rows = await engine.store.find(MessageRow, execution=NO_EXECUTION, limit=MOST)
        if not rows:
            return False
        notices = sorted((of_row(row) for row in rows), key=lambda notice: notice.at)
        messages = messages_of(notices, digest_after=self._settings.digest_after)
        step = Notification(targets=targets(self._settings), messages=messages)
        argument = engine.codec.encode(step, Notification)
        digest = engine.codec.digest(NOTIFICATION, "run", argument, "{}")
        asked = Asked(kind=NOTIFICATION, command="run", argument=argument, digest=digest, who="notify")
        taken = Transaction(unchanged=rows, delete=rows)
        try:
            await engine.commit(joined(taken, creation(engine, asked)))
        except Conflict:  # another worker has just taken them
            return False
        return True

    async def _run(self) -> None:
        while True:
            try:
                while await self.sweep():
                    pass
            except StoreError as error:
                log.warning("what is to be told waits for the store: %s", error)
            except Exception:
                log.exception("what is to be told waits, and this is a defect of Orbits")
            await asyncio.sleep(LOOK_EVERY)
