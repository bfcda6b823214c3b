"""What is long of a row stands apart from it: whoever reads many rows does without."""

from orbits_iac.model.rows import R, amended

LONG = 64 * 1024  # characters


def parted(row: R) -> tuple[R, str | None]:
    """A row without its `APART` field, and what that has, if that is over `LONG`; else the row as it is.

    What is no Unicode text is its writer's error, not that of all who are written with it: UnicodeEncodeError.
    """
    text: str | None = getattr(row, row.APART) if row.APART is not None else None
    if text is None or len(text) <= LONG:
        return row, None
    if not text.isascii():
        text.encode()
    return amended(row, **{str(row.APART): None}), text
