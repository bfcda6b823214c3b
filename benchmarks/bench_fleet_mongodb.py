"""The fleet of bench_fleet over MongoDB, beside the same on a file of SQLite: rolled out, passed over, cycled.

One worker does it, as there. The server is a replica set of one node, on a disk, as tests/servers starts it.

python -m benchmarks.bench_fleet_mongodb [folder] [tenants]
"""

import sys
from pathlib import Path

from benchmarks.bench_fleet import SERVICES, TENANTS, measured
from benchmarks.measures import Table, folder_of
from benchmarks.stores import stores


def main() -> None:
    """Measure, print a table, and keep it."""
    tenants = int(sys.argv[2]) if len(sys.argv) > 2 else TENANTS
    parts = {
        "first": (f"first roll-out of {tenants:,} tenants of {len(SERVICES)} services", f"{tenants} updated"),
        "unchanged": ("one in which nothing has changed", f"{tenants} unchanged"),
        "cycle": (f"a cycle with nothing to do, {tenants * len(SERVICES):,} units", ""),
    }
    with folder_of(sys.argv) as folder, stores(Path(folder), []) as found:
        table = Table("fleet_mongodb", Path(folder))
        for name, (what, ended) in parts.items():
            expect = f"{tenants:,} tenants: {ended}" if ended else "cycled"
            here = measured(name, found.address("fleet"), tenants, expect)
            file = measured(name, f"sqlite:{folder}/fleet.db", tenants, expect)
            table.add(what, here["took"], "s")
            table.add("    to that on a file of SQLite", here["took"] / file["took"], "times")
            table.add("    processor time of each tenant, the server's apart", here["cpu"] / tenants * 1e3, "ms")
        if tenants == TENANTS:
            table.write()


if __name__ == "__main__":
    main()
