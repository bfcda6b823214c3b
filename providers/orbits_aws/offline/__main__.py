"""`python -m orbits_aws.offline --port P`: the offline AWS without the rest of Orbits."""

import argparse
from pathlib import Path

from .program import serve


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m orbits_aws.offline", description="An AWS on this machine.")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0 takes a free one")
    parser.add_argument("--json", action="store_true", help="print where it listens as JSON")
    parser.add_argument(
        "--state", type=Path, help="a file: what it holds is loaded, and all is saved into it at the end"
    )
    options = parser.parse_args()
    serve(options.port, as_json=options.json, state=options.state)


if __name__ == "__main__":
    main()
