"""What a composite of 3,222 Resources costs the engine when there is nothing to do, and at first.

python -m benchmarks.bench_composite [folder] [resources]
"""

import asyncio
import sys
import time
from pathlib import Path

from benchmarks.measures import Bar, Table, folder_of
from orbits_iac import Orbits, Outputs, Resource, Settings

RESOURCES = 3_222


class Name(Outputs):
    """What each publishes."""

    name: str


class Nothing(Resource[Name]):
    """There is nothing to do for it: all that it costs is the engine's."""

    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> Name:
        return Name(name=self.name)


class Many(Resource):
    """So many of them, all at once."""

    number: int

    def identity(self) -> str:
        return "many"

    async def define_update(self) -> None:
        await asyncio.gather(*(self.do("thing", Nothing(name=f"thing {n}")) for n in range(self.number)))


async def main() -> None:
    """Measure, print a table, and keep it."""
    number = int(sys.argv[2]) if len(sys.argv) > 2 else RESOURCES
    with folder_of(sys.argv) as folder:
        table = Table("composite", Path(folder))
        async with Orbits(Settings(store=f"sqlite:{Path(folder) / 'composite.db'}")) as orbits:
            for what in ("made", "with nothing to do", "cycled"):
                start = time.perf_counter()
                if what == "cycled":
                    await orbits.record(Many, "many").cycle()
                else:
                    await orbits.run(Many(number=number))
                took = time.perf_counter() - start
                table.add(f"a composite of {number:,} resources, {what}", took, "s", Bar(30))
        if number == RESOURCES:
            table.write()


if __name__ == "__main__":
    asyncio.run(main())
