"""What the engine's tests report of themselves."""

import pytest

from .crashing import TRIED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many crash points were tried, and in what time."""
    if TRIED:
        points, seconds = (sum(getattr(one, what) for one in TRIED.values()) for what in ("points", "seconds"))
        terminalreporter.write_line(f"{points} crash points of {len(TRIED)} runs of scenarios in {seconds:.0f} s")
