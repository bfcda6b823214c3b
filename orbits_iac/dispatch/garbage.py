"""Python's collector of cycles, in a process that does nothing but advance executions.

Most of what a worker makes is gone by itself as soon as nobody holds it. Looked for as often as Python does by default,
and through all that was imported, the few cycles cost a tenth of its time.
"""

import gc

MADE = 10_000
"""Objects made, less those that are gone, between two looks at the youngest: 700 by default."""


def seldom_collected() -> None:
    """From here on, what is there already is not looked through any more, and what comes less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(MADE)
