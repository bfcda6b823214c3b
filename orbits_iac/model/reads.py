"""What an update has read of others, as its record keeps it: who has read the same since need not be done again."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """Outputs that an update has read of a record that somebody else keeps."""

    kind: str
    identity: str
    digest: str  # keyed, of the outputs
