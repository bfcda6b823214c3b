"""Following an execution in one process: all of its events are said before it is left."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from orbits_iac import Event, Orbits, Workflow
from orbits_iac.cli.follow import Interrupt, follow
from orbits_iac.model.rows import EventRow
from orbits_iac.model.states import State


class Thaw(Event):
    """Never comes."""


class Lingers(Workflow):
    """Waits for it."""

    async def define(self) -> None:
        await self.execution.wait_for("thaw", Thaw)


@pytest.mark.parametrize("unseen", [0, 1])
async def test_why_it_is_paused_is_said_though_that_was_written_while_it_was_looked_at(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch, unseen: int
) -> None:
    execution = await orbits.start(Lingers())
    await execution.pause()
    await orbits.settled()
    assert (await execution.row()).state is State.PAUSED
    tail, asked = orbits.store.tail, 0

    async def late(*given: Any, **more: Any) -> list[EventRow]:
        """The first time none is there yet, though the rows that are read next come from the same writes."""
        nonlocal asked
        asked += 1
        return [] if asked <= unseen else await tail(*given, **more)

    monkeypatch.setattr(orbits.store, "tail", late)
    screen = Console(file=StringIO(), width=200)
    row = await follow(orbits.store, execution.id, screen, Interrupt())
    assert row is not None
    assert row.state is State.PAUSED
    said = screen.file.getvalue()  # type: ignore[attr-defined]
    assert said.count("paused") == 1
