"""A course that does not end says where everybody stands."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ASKED = signal.SIGUSR1
"""At which a worker says where it stands."""


@asynccontextmanager
async def alarm(seconds: float, workers: Callable[[], Iterable[int]]) -> AsyncGenerator[None]:
    """Say where everybody stands, and give up, if it takes longer than this; `workers`: pids of others to ask."""

    def ring() -> None:
        sys.stdout.write("it does not end; what is waited for:\n" + where_all_stand())
        for pid in workers():
            os.kill(pid, ASKED)

    alarm = asyncio.get_running_loop().call_later(seconds, ring)
    try:
        async with asyncio.timeout(seconds + 2):
            yield
    finally:
        alarm.cancel()


def where_all_stand() -> str:
    """The tasks of the loop that runs, each with where it stands."""
    tasks = asyncio.all_tasks()
    return "".join(f"{task.get_name()} {' > '.join(_places(task.get_coro()))}\n" for task in tasks)


def _places(awaited: Any) -> Iterator[str]:
    """Where a coroutine stands, and what it awaits, and so on."""
    while (frame := getattr(awaited, "cr_frame", None)) is not None:
        yield f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
        awaited = awaited.cr_await
