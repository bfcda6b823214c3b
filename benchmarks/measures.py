"""What the benchmarks share: the table in which each says what it measured, and the machine that it ran on.

Each script prints its rows as they come and leaves them in results/, beside what the machine can do by itself: how many
rows a second plain SQLite commits one by one, and how fast Python counts. Figures of two machines, or of two hours of
a shared one, are compared by their ratio to those, which were measured in the same run.
"""

import json
import os
import platform
import sqlite3
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
_ROW = "{:<66} {:>14} {:>16}"


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach, or not to pass."""

    value: float
    at_least: bool = False

    def holds(self, measured: float) -> bool:
        """Whether the figure does."""
        return measured >= self.value if self.at_least else measured <= self.value

    def __str__(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.value:,g}"


@dataclass(frozen=True)
class Row:
    """One figure."""

    what: str
    value: float
    unit: str
    bar: Bar | None = None


@dataclass
class Table:
    """The figures of one script."""

    name: str
    folder: Path  # on the disk that is measured
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine = machine(self.folder)
        print(_ROW.format(self.name, "measured", "to be"))

    def add(self, what: str, value: float, unit: str, bar: Bar | None = None) -> None:
        """Keep a figure, and print it."""
        self.rows.append(Row(what, value, unit, bar))
        print(_ROW.format(what, f"{_short(value)} {unit}", str(bar or "")), flush=True)

    def write(self) -> None:
        """Leave the figures in results/."""
        RESULTS.mkdir(exist_ok=True)
        found = {"machine": self.machine, "rows": [asdict(row) for row in self.rows]}
        (RESULTS / f"{self.name}.json").write_text(json.dumps(found, indent=2) + "\n")


def machine(folder: Path) -> dict[str, str | float]:
    """What the machine is, and what it can do by itself at the moment; `folder` is on the disk in question."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_before": round(os.getloadavg()[0], 2),
        "plain_sqlite_commits_a_second": round(_commits(folder)),
        "python_additions_a_second": round(_additions()),
    }


def folder_of(arguments: list[str]) -> "tempfile.TemporaryDirectory[str]":
    """A folder for the files of a run: below the one that the command line names, or where temporary files go."""
    return tempfile.TemporaryDirectory(dir=arguments[1] if len(arguments) > 1 else None)


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _commits(folder: Path, commits: int = 500) -> float:
    """One row a transaction, as durable as a store's: WAL, synchronous=FULL."""
    connection = sqlite3.connect(folder / "plain.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE line (id INTEGER PRIMARY KEY, text TEXT)")
    start = time.perf_counter()
    for number in range(commits):
        connection.execute("INSERT INTO line VALUES (?, ?)", (number, "x" * 150))
    took = time.perf_counter() - start
    connection.close()
    return commits / took


def _additions(count: int = 2_000_000) -> float:
    start, total = time.perf_counter(), 0
    for number in range(count):
        total += number
    return count / (time.perf_counter() - start)


def _said(described: dict[str, str | float]) -> str:
    return ", ".join(f"{name} {value}" for name, value in described.items())


def _short(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def summary() -> None:
    """Write results/README.md from what all scripts have left: the figures that have a bar, then the others."""
    found = {file.stem: json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"))}
    barred, others = [], []
    for name, one in found.items():
        for row in one["rows"]:
            figure = f"{_short(row['value'])} {row['unit']}"
            if row["bar"] is None:
                others.append(f"| {name} | {row['what']} | {figure} |")
            else:
                bar = Bar(**row["bar"])
                held = "yes" if bar.holds(row["value"]) else "**no**"
                barred.append(f"| {name} | {row['what']} | {figure} | {bar} | {held} |")
    machines = [f"- {name}: {_said(one['machine'])}" for name, one in found.items()]
    text = [
        "# What was measured",
        "",
        "Written by `make bench`. A figure of a shared machine is worth its ratio to what the machine could do by",
        "itself at that moment, which stands at the end of this page.",
        "",
        "| script | measure | figure | to be | held |",
        "|---|---|---|---|---|",
        *barred,
        "",
        "| script | measure | figure |",
        "|---|---|---|",
        *others,
        "",
        "## The machine",
        "",
        *machines,
        "",
    ]
    (RESULTS / "README.md").write_text("\n".join(text))


if __name__ == "__main__":
    summary()
    print((RESULTS / "README.md").read_text())
