"""Shell: an Action that is a command line."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from orbits_iac.steps.action import Action

LONGEST_OUTPUT = 1_000_000
"""Bytes of a command's output that are kept; of a longer one, the beginning and the end."""


class Done(BaseModel):
    """What a command has left.

    Attributes:
        stdout: what it printed, as text; what was left out of a long one is said in it.
        artifacts: paths of the files that `outputs` matched, kept beside the store, by their names.

    """

    model_config = ConfigDict(frozen=True)

    stdout: str
    artifacts: Mapping[str, str]


class Shell(Action[Done]):
    """A command line, run by `/bin/sh` where the executor says; on this machine if none does.

    It runs in the working folder of the executor: on this machine, the worker's own, as a process that goes on if the
    worker dies, and that the next one finds again. An exit status other than 0 is an error with the last lines of
    stderr. A time limit or a cancel ends it with all that it started. It may not be run twice unless a subclass says
    `options = Options(idempotent=True)`.
    """

    command: str
    inputs: Sequence[str] = ()
    """Artifacts of earlier steps, put into the working folder under their names before it starts."""
    outputs: Sequence[str] = ()
    """Globs, relative to the working folder (`dist/**`): what matches is kept as artifacts. Each has to match."""

    async def main(self) -> Done:
        return await self.execution.shell(self, begin=True)

    async def on_interrupted(self) -> Done:
        return await self.execution.shell(self, begin=False)
