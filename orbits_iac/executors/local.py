"""This process: where an Action runs when nothing else is said."""

from orbits_iac.steps.options import Executor


class Local(Executor):
    """Hooks are called in this process. Say it at a `do` to have that whatever the class's options say.

    There is no process to find again: one that dies in `main()` takes the attempt with it.
    """
