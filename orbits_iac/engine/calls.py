"""Calls of `do` and `wait_for`: where in the user's code each stands, and which of them nobody has awaited.

Neither does anything before it is awaited, as any coroutine of Python. One that its definition has forgotten is an
error when the definition ends, with the line that it stands in.
"""

from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from orbits_iac.model.ids import StepKey


def line_of(name: str, line: int) -> str:
    """`shop.py, line 12`: the file as it is seen from the working directory."""
    file = Path(name)
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else Path(file.name)
    return f"{shown}, line {line}"


@dataclass(eq=False, slots=True)
class Call:
    """A `do` or a `wait_for` as it stands in the user's code."""

    what: str  # "do", "wait_for"
    ref: str
    above: StepKey  # the key of the definition that called it
    file: str
    line: int

    @classmethod
    def at(cls, frame: FrameType | None, what: str, ref: str, above: StepKey) -> "Call":
        """The call that `frame` is executing."""
        if frame is None:
            return cls(what, ref, above, "", 0)
        return cls(what, ref, above, frame.f_code.co_filename, frame.f_lineno)

    def where(self) -> str:
        """The file and line, for people."""
        return line_of(self.file, self.line)


def asked_at(call: Call | None) -> str:
    """The file and line of a `do`, for people; None: of no `do`."""
    return "asked for by Orbits itself" if call is None else call.where()


class Calls:
    """The calls of one run that were not awaited yet."""

    def __init__(self) -> None:
        self._waiting: dict[Call, Coroutine[Any, Any, Any]] = {}

    def add(self, call: Call, coroutine: Coroutine[Any, Any, Any]) -> None:
        """There was a call."""
        self._waiting[call] = coroutine

    def begun(self, call: Call) -> None:
        """It was awaited."""
        self._waiting.pop(call, None)

    def forgotten(self, home: StepKey | None) -> list[Call]:
        """Those of the definition `home` (None: of every one) that were never awaited."""
        return [call for call in self._waiting if home is None or call.above == home]

    def drop(self) -> None:
        """Let go of them: nobody will await them any more."""
        waiting, self._waiting = self._waiting, {}
        for coroutine in waiting.values():
            coroutine.close()
