"""`python -m orbits_aws.offline.types`: try types, and write the page and the table of what is forgotten."""

import argparse
import logging
import sys
from pathlib import Path

from orbits_aws.offline import OfflineAws
from orbits_aws.offline.cloudformation.resources import TYPES

from . import forgotten
from .table import ELSEWHERE, page, row, rows_of
from .trial import Trial, samples


def main() -> None:
    """Read the options, try, write."""
    parser = argparse.ArgumentParser(prog="python -m orbits_aws.offline.types", description="Try all types.")
    parser.add_argument("--page", type=Path, default=Path("docs/offline-types.md"), help="the page to write")
    parser.add_argument("types", nargs="*", help="try these alone, and keep the other rows; none: try all")
    options = parser.parse_args()
    logging.getLogger("orbits_aws.offline").setLevel(logging.CRITICAL)  # moto's own failures are in the answers
    forgotten.write()
    known = rows_of(options.page.read_text(encoding="utf-8")) if options.types else {}
    rows = {**ELSEWHERE, **{name: known[name] for name in known if name in TYPES}}
    with OfflineAws() as aws:
        trial = Trial(aws, "123456789012")
        for name, sample in samples().items():
            if name in rows and name not in options.types:
                continue
            rows[name] = row(sample, trial.run(sample))
            sys.stderr.write(f"{rows[name]}\n")
    options.page.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
