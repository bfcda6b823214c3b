"""Pictures of the demo for the README: what a roll-out looks like on a terminal, from the real run."""

import io
import re
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from orbits_tenants import Report

WIDTH = 116
IN_COLOUR = {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
"""The environment in which the command line prints what a picture can be made of."""


class Pictures:
    """Draws into a folder, or nothing if there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @property
    def wanted(self) -> bool:
        """Whether there is anywhere to draw."""
        return self._folder is not None

    def draw(self, name: str, title: str, printed: str, outputs: Any) -> None:
        """A roll-out: its tree, as `orbits get` has printed it in colour, and the report that its outputs are."""
        if self._folder is None:
            return
        tree = re.split(r"\n[ \t]*\n", printed)[1]
        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
        console.print(Text.from_ansi(tree), "", Report.model_validate(outputs), sep="\n")
        self._folder.mkdir(parents=True, exist_ok=True)
        drawn = _without_fonts(console.export_svg(title=title, unique_id=name))
        (self._folder / f"{name}.svg").write_text(drawn, encoding="utf-8")


def _without_fonts(drawn: str) -> str:
    """The picture without the fonts that it would load from elsewhere: a reader's own will do."""
    return re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", drawn, flags=re.DOTALL)
