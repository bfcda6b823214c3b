"""What worker processes of a benchmark do; imported by them and by who asks for it.

`Steps`, of bench_steps, is for throughput.
"""

import time
from datetime import timedelta

from benchmarks.bench_steps import Steps
from orbits_iac import Action, Every, Options, Resource, Workflow

__all__ = ["Hourly", "Probe", "Steps", "say"]


def say(what: str, name: str) -> None:
    """Tell whoever started this process that something happened, and when."""
    print(what, name, time.perf_counter(), flush=True)


class Told(Action):
    """Says when its main() has begun."""

    options = Options(idempotent=True)
    number: int

    async def main(self) -> None:
        say("step", str(self.number))


class Probe(Workflow):
    """One step that says when it begins."""

    number: int

    async def define(self) -> None:
        await self.do("told", Told(number=self.number))


class Hourly(Resource):
    """Has a cycle every hour, with nothing to do in it."""

    options = Options(schedule=Every(timedelta(hours=1)))
    number: int

    def identity(self) -> str:
        return str(self.number)

    async def define_update(self) -> None:
        """Nothing."""
