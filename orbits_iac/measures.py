"""Who measures is told here what has just been done, at the place where it was done.

What always holds: nobody waits for being measured, nothing comes out otherwise for it, and where nobody measures
(`OFF`) a call costs less than a thousandth of a durable step. Rows are handed over whole; who measures takes kinds,
states, ids and times from them, never arguments, results or messages. Times are in seconds.

Called by the engine, by dispatchers and by `store.measured`, from any thread; implemented in `telemetry`.
"""

from orbits_iac.model.rows import EntryRow, ExecutionRow


class Measures:
    """Takes note of nothing: each method says what it is told."""

    def attempt_begins(self, execution: ExecutionRow, entry: EntryRow) -> None:
        """A hook of an Action is about to be called, in the task that this is called in."""

    def attempt_failed(self, entry: EntryRow) -> None:
        """An attempt has failed, and the step is tried again."""

    def step_ended(self, execution: ExecutionRow, entry: EntryRow) -> None:
        """A step has come to an outcome: `entry` has it."""

    def execution_ended(self, execution: ExecutionRow) -> None:
        """An execution has ended, durably."""

    def drift_found(self, kind: str, differences: int) -> None:
        """A cycle has found drift that was not there at the look before."""

    def notified(self, target: str, outcome: str) -> None:
        """A message to a target (its place and scheme) was `sent`, or an attempt at it has `failed`."""

    def claimed(self, executions: int) -> None:
        """A worker has claimed so many executions."""

    def claim_lost(self) -> None:
        """Another worker has taken over what is under way here."""

    def taken_over(self, executions: int) -> None:
        """A dead worker was released; it held so many executions."""

    def fired(self, late: float) -> None:
        """A cycle was asked for because its schedule was due, so long ago."""

    def passed_over(self) -> None:
        """A slot of a schedule was used without a cycle: its record was busy, or nothing of it stands."""

    def store_did(self, operation: str, took: float, error: str | None) -> None:
        """The store has answered; `error`: the type of what it raised instead."""


OFF = Measures()
