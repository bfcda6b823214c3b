"""What is sent to all when drift is found or healed, for whoever wants to know."""

from dataclasses import dataclass, field

from orbits_iac.model.outputs import Event
from orbits_iac.model.rows import Difference


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """Why something is not brought back, though that is asked for."""

    why: str
    about: str = ""  # what stays as it is while the same stop stands, where `why` has a count, say
    who: str = ""  # the one of a fleet that is left as it is; "" for all that was looked at
    tenant: str | None = None  # that it is, with its labels
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What tells one stop of a record from another."""
        return f"{self.who}: {self.about or self.why}"


class DriftNews(Event):
    """What a cycle with `on_drift="notify"` or `"remediate"` has found, and nobody was told of before.

    Sent once for each new drift, and once when it is healed: by somebody, or brought back by the cycle itself. What a
    cycle that only reports has found, or found healed, is sent by the next one that does not.

    Attributes:
        kind: of the record that was looked at.
        identity: the record's.
        tenant: the client that it is for, if it is for one.
        new: what has drifted since.
        healed: what had drifted and is as it was recorded.
        stopped: why it is not brought back any more, where that has just begun.
        left: of a fleet, who is left as it is while others are brought back, where that has just begun.

    """

    kind: str
    identity: str
    tenant: str | None = None
    new: tuple[Difference, ...] = ()
    healed: tuple[Difference, ...] = ()
    stopped: str = ""
    left: tuple[Stop, ...] = ()
