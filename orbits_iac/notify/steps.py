"""What sends messages durably: an execution for each batch, with a step for each message and target.

What always holds: a step that was begun and whose process died is done again, so that a message may come twice and
never not at all; a target that does not take it is tried again for about an hour, and keeps no other waiting; if one
has not taken all, the execution ends as ERROR, with the reason, and concerns no other.

Imported by processes that send alone: a worker without it does not have these kinds, and leaves such executions to
others.
"""

import asyncio
import logging
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from orbits_iac.measures import Measures
from orbits_iac.model.errors import UsageError
from orbits_iac.model.ids import NOTIFICATION
from orbits_iac.model.retry import Retry
from orbits_iac.notify import SEND
from orbits_iac.notify.messages import Message
from orbits_iac.notify.settings import NotifySettings
from orbits_iac.notify.targets import Target, url_of
from orbits_iac.steps.action import Action
from orbits_iac.steps.options import Options
from orbits_iac.steps.workflow import Workflow

log = logging.getLogger(__name__)

RETRY = Retry(attempts=7, delay=timedelta(seconds=10), factor=3)
"""Seven attempts, the last one an hour after the first."""


@dataclass(frozen=True, kw_only=True)
class Sender:
    """What a process sends with."""

    settings: NotifySettings
    measures: Measures


SENDER: ContextVar[Sender] = ContextVar("orbits_sender")
"""Set where a process that sends begins to advance executions."""


class NotTakenError(Exception):
    """A target has not taken a message."""


class Send(Action[None]):
    """Sends one message to one target."""

    options = Options(kind=SEND, idempotent=True, retry=RETRY)
    target: Target
    message: Message

    async def main(self) -> None:
        """Send it; raises `NotTakenError` with the reason."""
        from orbits_iac.notify.sending import send

        sender = SENDER.get()
        try:
            why = await send(url_of(sender.settings, self.target), self.message)
        except UsageError as error:
            why = str(error)
        label = f"{self.target.place} {self.target.scheme}"
        sender.measures.notified(label, "sent" if why is None else "failed")
        if why is None:
            return
        attempt = self.execution.attempt
        log.warning("%s has not taken a message, attempt %d of %d: %s", self.target, attempt, RETRY.attempts, why)
        raise NotTakenError(f"{self.target}: {why}")


class Notification(Workflow):
    """Sends messages to all targets: to each in their order, and to all at once."""

    options = Options(kind=NOTIFICATION)
    targets: tuple[Target, ...]
    messages: tuple[Message, ...]

    async def define(self) -> None:
        """Send them; fails once all was tried if a target has not taken one."""
        ended = await asyncio.gather(*(self._to(target) for target in self.targets), return_exceptions=True)
        failed = [one for one in ended if one is not None]
        if failed:
            raise failed[0] if len(failed) == 1 else BaseExceptionGroup("several targets have not taken it", failed)

    async def _to(self, target: Target) -> None:
        failed: list[Exception] = []
        for number, message in enumerate(self.messages, start=1):
            key = str(number) if number > 1 else None
            try:
                await self.do(str(target), Send(target=target, message=message), key=key)
            except Exception as error:  # noqa: BLE001 - the next one may be taken
                failed.append(error)
        if failed:
            raise failed[0]
