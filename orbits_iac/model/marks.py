"""What stands in the texts of values for what JSON has no word for: a dictionary with one of these for its only key."""

from enum import StrEnum


class Mark(StrEnum):
    """What the key says of what stands under it."""

    SEALED = "$secret"  # encrypted text
    SEALED_BYTES = "$secret-bytes"  # encrypted: in base 64
    SEALED_VALUE = "$secret-value"  # encrypted: the JSON text of what a `Secret[T]` holds
    BYTES = "$bytes"  # in base 64
    NUMBER = "$number"  # infinite, or none
    DICT = "$dict"  # a dictionary of the user's that would be taken for one of these


SEALS = frozenset({Mark.SEALED.value, Mark.SEALED_BYTES.value, Mark.SEALED_VALUE.value})
