"""Pictures of the demo for the README: the tree of its first roll-out, and the report of one that failed in part."""

import io
import re
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from orbits_tenants import Report

WIDTH = 116
IN_COLOUR = {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
"""The environment in which the command line prints what a picture can be made of."""


class Pictures:
    """Draws into a folder, or nothing if there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def tree(self, printed: str) -> None:
        """The tree of a roll-out, as the command line has printed it in colour."""
        self._draw(Text.from_ansi(printed.rstrip()), "tree", "orbits up clients release=1")

    def report(self, outputs: Any) -> None:
        """The report of a roll-out, from its outputs."""
        self._draw(Report.model_validate(outputs), "report", "orbits up clients release=2")

    def _draw(self, what: RenderableType, name: str, title: str) -> None:
        if self._folder is None:
            return
        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
        console.print(what)
        drawn = console.export_svg(title=title, unique_id=name)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{name}.svg").write_text(_without_fonts(drawn), encoding="utf-8")


def _without_fonts(drawn: str) -> str:
    """The picture without the fonts that it would load from elsewhere: a reader's own will do."""
    return re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", drawn, flags=re.DOTALL)
