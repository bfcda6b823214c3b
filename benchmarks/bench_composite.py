"""What a composite of 3,222 Resources costs the engine when there is nothing to do, and at first.

python benchmarks/bench_composite.py [folder] [resources]
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from orbits_iac import Orbits, Outputs, Resource, Settings

RESOURCES = 3_222
ROWS = "{:<58} {:>12} {:>12}"


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
    """Measure, and print a table."""
    number = int(sys.argv[2]) if len(sys.argv) > 2 else RESOURCES
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        print(ROWS.format("", "in all", "each"))
        async with Orbits(Settings(store=f"sqlite:{Path(folder) / 'composite.db'}")) as orbits:
            for what in ("made", "with nothing to do", "cycled"):
                start = time.perf_counter()
                if what == "cycled":
                    await orbits.record(Many, "many").cycle()
                else:
                    await orbits.run(Many(number=number))
                took = time.perf_counter() - start
                print(ROWS.format(f"{number:,} resources, {what}", f"{took:.1f} s", f"{took / number * 1e3:.2f} ms"))


if __name__ == "__main__":
    asyncio.run(main())
