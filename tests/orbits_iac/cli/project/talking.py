"""A step that logs, in its thread, with a secret; and one that says what it is asked."""

import logging

from pydantic import SecretStr

from orbits_iac import Workflow, action

log = logging.getLogger("talking")


@action
def talking_step(secret: SecretStr) -> None:
    log.info("opened with %s", secret.get_secret_value())
    log.debug("not shown")
    try:
        raise ValueError("no such door")
    except ValueError:
        log.exception("closed again")


class Talking(Workflow):
    secret: SecretStr

    async def define(self) -> None:
        await self.do("step", talking_step(self.secret))
