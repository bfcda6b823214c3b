"""Python's collector of cycles, in a process that does nothing but advance executions."""

import gc


def collect_new_alone() -> None:
    """From here on, what is there already, imports above all, is not looked through any more: it cost a twentieth.

    What comes is looked at as often as ever: looked at seldom, 10,000 executions that wait took twice the memory.
    """
    gc.collect()
    gc.freeze()
