"""A course that does not end says where everybody stands."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


@asynccontextmanager
async def alarm(seconds: float) -> AsyncGenerator[None]:
    """Say where everybody stands, and give up, if it takes longer than this."""

    def ring() -> None:
        sys.stdout.write("it does not end; what is waited for:\n")
        for task in asyncio.all_tasks():
            sys.stdout.write(f"{task.get_name()} {' > '.join(_places(task.get_coro()))}\n")

    alarm = asyncio.get_running_loop().call_later(seconds, ring)
    try:
        async with asyncio.timeout(seconds + 1):
            yield
    finally:
        alarm.cancel()


def _places(awaited: Any) -> Iterator[str]:
    """Where a coroutine stands, and what it awaits, and so on."""
    while (frame := getattr(awaited, "cr_frame", None)) is not None:
        yield f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
        awaited = awaited.cr_await
