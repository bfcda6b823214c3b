"""Showing an execution while it goes on, from this process or another: a live tree on a terminal, else a log."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Self, TextIO

from orbits_iac.cli import exits
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import EventRow, ExecutionRow
from orbits_iac.model.states import ENDED, State

if TYPE_CHECKING:
    from rich.console import Console

    from orbits_iac.queries import Picture
    from orbits_iac.store.contract import Store

Draw = Callable[["Picture", list[EventRow], str], None]  # what is new, and behind whom it waits for its turn
TICK = 0.1  # seconds between frames, at the most
_SHARE = 5  # showing takes at most a part of the time: one in this many and one


class Interrupt:
    """The first Ctrl-C asks to stop; the second leaves at once. There only inside `async with`."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def __aenter__(self) -> Self:
        with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt does it
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self._ask)
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(NotImplementedError):
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().remove_signal_handler(number)

    def _ask(self) -> None:
        if self.asked.is_set():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(exits.INTERRUPTED)
        self.asked.set()


async def follow(
    store: "Store", execution: str, screen: "Console", interrupt: Interrupt, *, quiet: bool = False
) -> ExecutionRow | None:
    """Show an execution until it has ended; its last row, or None if that was interrupted.

    `quiet`: on a terminal alone, and nothing of it stays. One that is paused, or that waits for somebody's approval, is
    not waited for: nothing happens to it by itself.
    """
    from orbits_iac.queries import Follower
    from orbits_iac.roster import behind

    follower = Follower(store, ExecutionId(execution))
    show = _live(screen, stays=not quiet) if screen.is_terminal else _log(screen, quiet=quiet)
    over = False
    with show as draw:
        while True:
            began, before = time.monotonic(), over
            events = await follower.refresh()
            draw(follower.picture, events, await behind(store, follower.picture.execution, now=time.time()))
            over = await _is_over(store, follower.picture)
            if over and before:  # looked at twice: its last events may have come between the events and the rows
                return follower.picture.execution
            if not over and await _changed(store, interrupt, rest=_SHARE * (time.monotonic() - began)):
                return None


async def _is_over(store: "Store", picture: "Picture") -> bool:
    """Whether nothing happens any more by itself."""
    from orbits_iac.queries import rests, unapproved

    row = picture.execution
    if row.state in ENDED or (row.state is State.PAUSED and await rests(store, row)):
        return True
    return bool(await unapproved(store, picture.executions.values()))


async def events_of(store: "Store", execution: str, interrupt: Interrupt) -> AsyncGenerator[EventRow]:
    """Every event of an execution and of all below it, as they come, until it has ended."""
    from orbits_iac.cli.tree import paths
    from orbits_iac.queries import Follower

    follower = Follower(store, ExecutionId(execution))
    while True:
        events = await follower.refresh()
        below = paths(follower.picture)
        for event in events:
            if event.execution in below:
                yield event
        if follower.picture.execution.state in ENDED or await _changed(store, interrupt, rest=0.0):
            return


async def _changed(store: "Store", interrupt: Interrupt, *, rest: float) -> bool:
    """Rest, then wait until there may be something new; whether it was interrupted."""

    async def change() -> None:
        await asyncio.sleep(min(rest, 1.0))
        await store.changed(TICK)

    await first_of(change(), interrupt.asked.wait())
    return interrupt.asked.is_set()


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when one of these has, or raise what it raised; the others are cancelled."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


@contextlib.contextmanager
def _live(screen: "Console", *, stays: bool) -> "Generator[Draw]":
    """The tree, drawn over itself; at the end it stays, as it is then."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from orbits_iac.cli import render, tree

    frame = 0
    last = None
    with Live(console=screen, auto_refresh=False, transient=True, vertical_overflow="crop") as live:

        def draw(picture: "Picture", events: list[EventRow], waits: str) -> None:
            nonlocal frame, last
            frame += 1
            last = tree.grow(picture)
            drawn = render.fitted(last, screen, now=time.time(), frame=frame)
            live.update(Group(drawn, Text(waits, style="yellow")) if waits else drawn, refresh=True)

        yield draw
    if last is not None and stays:
        screen.print(render.Drawing(last, now=time.time()))


@contextlib.contextmanager
def _log(screen: "Console", *, quiet: bool) -> "Generator[Draw]":
    """A line an event."""
    from orbits_iac.cli.log import lines, remark

    said = ""

    def draw(picture: "Picture", events: list[EventRow], waits: str) -> None:
        nonlocal said
        if waits not in {"", said} and not quiet:
            said = waits
            screen.print(remark(picture, waits, at=time.time()), soft_wrap=True)
        for line in () if quiet else lines(picture, events):
            screen.print(line, soft_wrap=True)
        stream: TextIO = screen.file  # type: ignore[assignment]
        stream.flush()

    yield draw
