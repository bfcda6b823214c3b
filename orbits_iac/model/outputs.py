"""What a Resource publishes and what happens to it from outside, as users declare them."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Outputs(BaseModel):
    """What a Resource publishes: subclass it with a field for each value.

    The command line shows them as a table; one that has `__rich__` is shown by that instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def exit_code(self) -> int:
        """What the command line exits with after a run that returned this; a fleet's report says 4 for a part of it."""
        return 0

    def problem(self) -> str:
        """What of it somebody has to be told of though nothing failed; "" for nothing.

        The first line is a title; those after it, in Markdown, are what there is to say.
        """
        return ""

    def next_steps(self, stack: str) -> Sequence[tuple[str, str]]:
        """Command lines that come next where it did not all go well, each with what it is for.

        `stack`: what was brought up, as it was named on the command line.
        """
        del stack
        return ()

    def compared(self) -> object:
        """What of them decides whether an update changed anything; a report of what was done leaves that out."""
        return self


class Event(BaseModel):
    """Something that happens outside and that executions wait for: subclass it with its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")
