"""What is sent to all when drift is found or healed, for whoever wants to know."""

from orbits_iac.model.outputs import Event
from orbits_iac.model.rows import Difference


class DriftNews(Event):
    """What a cycle with `on_drift="notify"` or `"remediate"` has found otherwise than the one before it.

    Sent once for each new drift, and once when it is healed: by somebody, or brought back by the cycle itself.

    Attributes:
        kind: of the record that was looked at.
        identity: the record's.
        tenant: the client that it is for, if it is for one.
        new: what has drifted since.
        healed: what had drifted and is as it was recorded.
        stopped: why it is not brought back any more, where that has just begun.

    """

    kind: str
    identity: str
    tenant: str | None = None
    new: tuple[Difference, ...] = ()
    healed: tuple[Difference, ...] = ()
    stopped: str = ""
