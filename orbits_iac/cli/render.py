"""How a tree looks: a line a step, in columns; what is unchanged or finished takes little room.

Glyph and colour say the same, so that neither is needed alone: green is done, red wants a person, yellow goes or went
back, cyan is under way, and what is dim needs no look.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbits_iac.cli.tree import Mark, Node

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
GLYPHS: dict[Mark, tuple[str, str]] = {
    Mark.WAITS: ("◌", "dim"),
    Mark.ASKS: ("◇", "yellow"),
    Mark.RUNS: ("▸", "cyan"),
    Mark.RETRIES: ("⟳", "yellow"),
    Mark.PAUSED: ("‖", "magenta"),
    Mark.DONE: ("✔", "green"),
    Mark.SAME: ("=", "dim"),
    Mark.SKIPPED: ("=", "dim"),
    Mark.FAILED: ("✘", "bold red"),
    Mark.REVERTING: ("↩", "yellow"),
    Mark.REVERTED: ("↩", "yellow"),
    Mark.QUARANTINED: ("!", "bold red"),
    Mark.CANCELLED: ("⊘", "yellow"),
    Mark.STOPPED: ("?", "red"),
}
MANY = 12  # children below one step, from which on finished ones are only counted
_BAR = 10
_RIGHT = 2  # the column that stands on the right of its room


@dataclass(frozen=True, kw_only=True)
class Style:
    """How much is shown."""

    everything: bool = False  # unchanged things' own steps and hooks too
    fold: int = 0  # 1: finished steps without what is below them; 2: finished steps only counted
    frame: int = 0  # of the spinner
    moving: bool = False  # whether what runs has a spinner


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the tree: its guides, and the step or the count that stands there."""

    guides: str
    node: Node | None = None
    count: str = ""


class Drawing:
    """The tree of an execution, to be printed or shown live: in columns, of which only the last gives way."""

    def __init__(self, node: Node, *, now: float, style: Style | None = None) -> None:
        self._style = style or Style()
        self._rows = [_cells(line, now, self._style) for line in lines(node, self._style)]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Text]":
        from rich.text import Text

        room = options.max_width
        most = (room // 2, room // 3, room)
        whole = [row for row in self._rows if len(row) > 1]
        widths = [min(max(row[at].cell_len for row in whole), most[at]) for at in range(3)]
        for row in self._rows:
            if len(row) == 1:
                yield row[0]
                continue
            line = Text()
            for at, (cell, width) in enumerate(zip(row, widths, strict=False)):
                cell.truncate(width, overflow="ellipsis")
                space = " " * (width - cell.cell_len)
                line.append_text(Text.assemble(space, cell, "  ") if at == _RIGHT else Text.assemble(cell, space, "  "))
            line.append_text(row[3])
            line.truncate(room, overflow="ellipsis")
            line.rstrip()
            yield line


def fitted(node: Node, console: "Console", *, now: float, frame: int) -> Drawing:
    """The tree, folded as far as the console's height asks for."""
    room = console.size.height - 2
    for fold in (0, 1, 2):
        style = Style(fold=fold, frame=frame, moving=True)
        if len(list(lines(node, style))) <= room:
            break
    return Drawing(node, now=now, style=style)


def lines(node: Node, style: Style) -> Iterator[Line]:
    """The lines of a tree, the root's first."""
    yield Line(guides="", node=node)
    yield from _lines(node, "", style)


def _lines(node: Node, guides: str, style: Style) -> Iterator[Line]:
    shown, counted = visible(node, style)
    for at, below in enumerate(shown):
        last = at == len(shown) - 1 and not counted
        yield Line(guides=f"{guides}{'└─ ' if last else '├─ '}", node=below)
        yield from _lines(below, f"{guides}{'   ' if last else '│  '}", style)
    if counted:
        yield Line(guides=f"{guides}└─ ", count=_count(counted))


def visible(node: Node, style: Style) -> tuple[list[Node], list[Node]]:
    """What of the steps below is shown, and what is only counted."""
    if style.everything:
        return list(node.below), []
    if node.mark in {Mark.SAME, Mark.SKIPPED} or (style.fold >= 1 and node.mark is Mark.DONE and node.ref):
        return [], []
    below = [step for step in node.below if not step.hook and (step.kind or any(not b.hook for b in step.below))]
    if len(below) <= MANY and style.fold < 2:
        return below, []
    quiet = {Mark.DONE, Mark.SAME, Mark.SKIPPED, Mark.WAITS}
    return [step for step in below if step.mark not in quiet], [step for step in below if step.mark in quiet]


def _count(nodes: Sequence[Node]) -> str:
    counts = Counter(node.mark for node in nodes)
    words = {mark: "waiting" if mark is Mark.WAITS else mark.value for mark in GLYPHS}
    return ", ".join(f"{GLYPHS[mark][0]} {counts[mark]} {words[mark]}" for mark in GLYPHS if counts[mark])


def _cells(line: Line, now: float, style: Style) -> "list[Text]":
    from rich.text import Text

    if line.node is None:
        return [Text(f"{line.guides}{line.count}", style="dim")]
    node = line.node
    return [_name(line.guides, node, style), _kind(node), _time(node, now), _words(node, style)]


def glyph(mark: Mark, style: Style | None = None) -> tuple[str, str]:
    """The sign of a mark and its colour."""
    sign, colour = GLYPHS[mark]
    if mark is Mark.RUNS and style is not None and style.moving:
        sign = FRAMES[style.frame % len(FRAMES)]
    return sign, colour


def _name(guides: str, node: Node, style: Style) -> "Text":
    from rich.text import Text

    sign, colour = glyph(node.mark, style)
    quiet = node.mark in {Mark.SAME, Mark.SKIPPED, Mark.WAITS} or node.hook
    name = node.ref or " ".join(part for part in (node.kind, node.identity, node.command) if part)
    weight = "bold" if not node.ref else "red" if node.mark.bad and node.mark is not Mark.REVERTED else ""
    return Text.assemble((guides, "dim"), (sign, colour), " ", (name, "dim" if quiet else weight))


def _kind(node: Node) -> "Text":
    from rich.text import Text

    if not node.ref:
        return Text()
    kind = node.kind.rpartition(".")[2] if node.hook else node.kind
    return Text(" ".join(part for part in (kind, node.identity, node.command) if part), style="dim")


def _time(node: Node, now: float) -> "Text":
    from rich.text import Text

    seconds = node.seconds(now)
    if seconds is None or node.mark in {Mark.SAME, Mark.SKIPPED, Mark.WAITS} or not (node.kind or node.ref):
        return Text()
    return Text(duration(seconds), style="cyan" if not node.mark.ended else "dim")


def _words(node: Node, style: Style) -> "Text":
    """What is said of a step: how it stands where the glyph is not enough, how far it is, what went wrong."""
    from rich.text import Text

    said: list[tuple[str, str]] = []
    if node.mark in {
        Mark.SAME,
        Mark.SKIPPED,
        Mark.PAUSED,
        Mark.CANCELLED,
        Mark.QUARANTINED,
        Mark.REVERTED,
        Mark.STOPPED,
    }:
        said.append((node.mark.value, GLYPHS[node.mark][1]))
    if node.mark is Mark.WAITS:
        said.append(("waits its turn", "dim"))
    running = _innermost_hook(node) if not node.mark.ended and not style.everything else None
    speaker = running or node
    if speaker.attempt > 1:
        said.append((f"attempt {speaker.attempt}", "yellow"))
    if speaker.share is not None and not speaker.mark.ended:
        said.append((bar(speaker.share), "cyan"))
    said += _message(node, speaker)
    if node.no_return:
        said.append(("no return", "magenta"))
    if node.part:
        said.append((node.part, "dim italic"))
    return Text("  ").join(Text(text.replace("\n", " "), style=colour) for text, colour in said)


def _message(node: Node, speaker: Node) -> list[tuple[str, str]]:
    if node.mark.bad and node.failure is not None:
        inner = any(below.mark.bad and below.kind and not below.hook for below in node.below)
        return [] if inner else [(f"{node.failure.error_type}: {node.failure.message}", "red")]
    if node.mark in {Mark.SAME, Mark.SKIPPED}:
        return []
    said = speaker.message or (speaker.ref if speaker is not node else "")
    return [(said, "yellow" if speaker.mark is Mark.RETRIES else "")] if said else []


def _innermost_hook(node: Node) -> Node | None:
    return next((below for below in reversed(node.below) if below.hook and not below.mark.ended), None)


def bar(share: float) -> str:
    """A share from 0 to 1 as a bar."""
    full = round(max(0.0, min(1.0, share)) * _BAR)
    return f"{'▰' * full}{'▱' * (_BAR - full)} {share:.0%}"


def duration(seconds: float) -> str:
    """Seconds for people: 120ms, 3.2s, 41s, 2m 05s, 1h 02m."""
    if seconds < 0.95:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    if seconds < 59.5:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"
