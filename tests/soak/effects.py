"""What steps do to the world in a soak: each leaves one line in a file outside of the store.

A line is written whole and is on the disk before the step goes on. It says who did what, under which token; `effect`
is a number of its own, which the step returns. So the journal names the very line that it takes for done.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was done, or found."""

    what: str  # "main", "watch", "interrupted", "undo", "held"
    kind: str
    execution: str
    token: str  # the step's
    fence: int  # of the claim under which it was done
    pid: int
    effect: str = ""
    attempt: int = 1
    after: tuple[str, ...] = ()  # effects that it was handed: they were acknowledged


_encode, _decoder = msgspec.json.Encoder().encode, msgspec.json.Decoder(Line)


class Log:
    """The file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def write(self, line: Line) -> None:
        """Add a line; returns once it would outlive a power cut."""
        log = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(log, _encode(line) + b"\n")
            os.fsync(log)
        finally:
            os.close(log)

    def lines(self) -> list[Line]:
        """All that was done, in order."""
        return [_decoder.decode(line) for line in self._text().splitlines()]

    def let_go(self) -> None:
        """Let what is held go on."""
        self._file.with_suffix(".go").touch()

    @property
    def is_let_go(self) -> bool:
        return self._file.with_suffix(".go").exists()

    def of(self, token: str) -> Iterator[Line]:
        """What was done under a token."""
        for line in self._text().splitlines():
            if token.encode() in line:
                yield _decoder.decode(line)

    def _text(self) -> bytes:
        """The whole lines: one that is being written just now may be seen in part."""
        text = self._file.read_bytes() if self._file.exists() else b""
        return text[: text.rfind(b"\n") + 1]


def new_effect() -> str:
    """The number of an effect."""
    return uuid4().hex[:16]
