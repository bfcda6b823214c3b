"""`python -m tests.soak [--seed N] [--seconds N]`: a soak, and what did not hold."""

import argparse
import asyncio
import random
import sys

from .soak import say, soak


def main() -> int:
    """0 if everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--seconds", type=float, default=600.0)
    given = parser.parse_args()
    say(f"seed {given.seed}")
    wrong = asyncio.run(soak(given.seed, given.seconds))
    for text in wrong:
        say(f"VIOLATED {text}")
    say(f"seed {given.seed}: {len(wrong)} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
