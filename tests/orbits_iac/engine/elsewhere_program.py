"""A program that is killed while its step runs elsewhere: `elsewhere_program.py STORE [LOG HERE GATE]`.

With the last three it begins the step; without, it goes on with what there is. It ends when nothing is left to do.
"""

import asyncio
import sys
from pathlib import Path

from orbits_iac import Action, Options, Orbits, Settings
from orbits_iac.executors import Subprocess
from orbits_iac.model.rows import ExecutionRow


class Held(Action[str]):
    """Adds a line, says that it is there, and waits."""

    options = Options(executor=Subprocess())
    log: str
    here: str
    gate: str

    def main(self) -> str:
        with Path(self.log).open("a") as log:
            log.write("begun 1 0\n")
        Path(self.here).write_text("here\n")
        return Path(self.gate).read_text().strip()


async def main() -> None:
    async with Orbits(Settings(store=sys.argv[1], project="tests")) as orbits:
        if len(sys.argv) > 2:
            await orbits.start(Held(log=sys.argv[2], here=sys.argv[3], gate=sys.argv[4]))
        for row in await orbits.store.find(ExecutionRow):
            await orbits.execution(row.id)


if __name__ == "__main__":
    asyncio.run(main())
